"""Any other software that reads one combined file and is told by a command to read it anew: Haraka, Cyrus, Prosody...

The commands are lists of words, never a shell. They find in their environment, and nothing else but PATH and LC_ALL:

    TLSA_MANAGER_CONSUMER   the name of the section: prosody of [consumer.prosody]
    TLSA_MANAGER_FILE       the combined file
    TLSA_MANAGER_ACTION     check or reload

Exit code 0 is success; anything else, or taking longer than `timeout`, is failure, and the rollover stops or goes back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import files, ownership, process
from tlsa_manager.deploy.acme import is_acme
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.deploy.files import Wanted
    from tlsa_manager.option import Settings
    from tlsa_manager.snapshot import FileView

OPTIONS = (
    Option(
        "file", "file", "the combined file, key first, then the chain; this program alone writes it",
        required=True, example="/etc/prosody/tls/xmpp.pem",
    ),
    Option(
        "reload", "argv", "makes the software read the file anew",
        required=True, example=("/usr/bin/systemctl", "reload", "prosody"),
    ),
    Option(
        "check", "argv", "checks the software's configuration before anything is changed; none: nothing is checked",
        example=("/usr/bin/prosodyctl", "check", "config"),
    ),
    *ownership.OPTIONS,
    Option("timeout", "duration", "how long each command may take", default="1m"),
)  # fmt: skip


def build(name: str, settings: Settings) -> Command:
    """Make the consumer. Raises ConfigError for a user or group that does not exist, or a mode that shows the key."""
    reload, check, timeout = settings.words("reload"), settings.words("check"), settings.seconds("timeout")
    return Command(name, Path(settings.text("file")), reload, check, ownership.wanted(settings), timeout)


@dataclass(frozen=True, slots=True)
class Command:
    """One consumer of this kind."""

    name: str
    path: Path
    reload_words: tuple[str, ...]
    check_words: tuple[str, ...] = ()
    wanted: Wanted = files.AS_IT_STANDS
    timeout: float = 60.0

    def look(self) -> FileView:
        """Say what stands at the file. Whether the software is configured to read it cannot be told (`configured` None)."""
        seen = files.look(self.name, self.path, self.wanted)
        if not is_acme(str(self.path)):
            return seen
        theirs = (
            f"{self.path} is an ACME client's, which replaces it at each renewal: any restart would then present a key that is"
            f" not in DNS; name a file of this program's own in consumer.{self.name}.file, and have the software read that"
        )
        return replace(seen, problems=(*seen.problems, theirs), from_acme=(theirs,))

    def current(self) -> bytes | None:
        """Return what stands at the file, None when there is none. Raises DeployError."""
        return files.read_current(self.path)

    def check(self) -> None:
        """Run the check, if there is one. Raises DeployError."""
        if self.check_words:
            self._run(self.check_words, "check")

    def install(self, combined: bytes) -> None:
        """Replace the file atomically. Raises DeployError."""
        files.install(self.path, combined, self.wanted)

    def reload(self) -> None:
        """Run the reload. Raises DeployError."""
        self._run(self.reload_words, "reload")

    def _run(self, words: tuple[str, ...], action: str) -> None:
        said = {
            "TLSA_MANAGER_CONSUMER": self.name,
            "TLSA_MANAGER_FILE": str(self.path),
            "TLSA_MANAGER_ACTION": action,
        }
        process.run(words, self.timeout, said)
