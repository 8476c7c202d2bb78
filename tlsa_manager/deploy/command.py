"""Any software that reads one combined file and is told by a command to read it anew: Exim, Dovecot, HAProxy, nginx...

The commands are lists of words, never a shell. They find in their environment, and nothing else but PATH and LC_ALL:

    TLSA_MANAGER_CONSUMER   the name of the section: exim of [consumer.exim]
    TLSA_MANAGER_FILE       the combined file
    TLSA_MANAGER_ACTION     check or reload

Exit code 0 is success; anything else, or taking longer than `timeout`, is failure, and the rollover stops or goes back.
"""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import files, process
from tlsa_manager.deploy.acme import is_acme
from tlsa_manager.deploy.files import Wanted
from tlsa_manager.disk import KEY_MODES
from tlsa_manager.errors import ConfigError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.option import Settings
    from tlsa_manager.snapshot import FileView

OPTIONS = (
    Option(
        "file", "file", "the combined file, key first, then the chain; this program alone writes it",
        required=True, example="/etc/exim4/tls/mx.pem",
    ),
    Option(
        "reload", "argv", "makes the software read the file anew",
        required=True, example=("/usr/bin/systemctl", "reload", "exim4"),
    ),
    Option(
        "check", "argv", "checks the software's configuration before anything is changed; none: nothing is checked",
        example=("/usr/sbin/exim4", "-bV"),
    ),
    Option("owner", "str", "the user the file belongs to; none: as it stands, else the user of this program", example="root"),
    Option("group", "str", "the group the file belongs to; none: as it stands", example="Debian-exim"),
    Option("mode", "str", "the file's mode in octal, 0640 at most; none: as it stands, else 0600", example="0640"),
    Option("timeout", "duration", "how long each command may take", default="1m"),
)  # fmt: skip


def build(name: str, settings: Settings) -> Command:
    """Make the consumer. Raises ConfigError for a user or group that does not exist, or a mode that shows the key."""
    section = settings.section
    wanted = Wanted(
        _number(section, "owner", settings.text("owner"), lambda user: pwd.getpwnam(user).pw_uid),
        _number(section, "group", settings.text("group"), lambda group: grp.getgrnam(group).gr_gid),
        _mode(section, settings.text("mode")),
    )
    reload, check, timeout = settings.words("reload"), settings.words("check"), settings.seconds("timeout")
    return Command(name, Path(settings.text("file")), reload, check, wanted, timeout)


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


def _number(section: str, option: str, text: str, find: Callable[[str], int]) -> int | None:
    """Return the number of a user or group, by name or as written; None when not given."""
    if not text or text.isdecimal():
        return int(text) if text else None
    try:
        return find(text)
    except KeyError:
        mistake = f"{section}.{option}: {text[:60]!r} does not exist on this host"
        raise ConfigError(mistake, "install the software first, or correct the name", (mistake,)) from None


def _mode(section: str, text: str) -> int | None:
    if not text:
        return None
    mode = int(text, 8) if re.fullmatch("0?[0-7]{3}", text) else 0o777
    if mode & ~KEY_MODES:
        mistake = f"{section}.mode: {text[:20]!r} is not a mode for a private key"
        raise ConfigError(mistake, "0600, 0400, 0640 or 0440; others must never read it", (mistake,))
    return mode
