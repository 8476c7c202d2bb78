"""A consumer that reads one combined file and whose own configuration tells which: what those have in common, written once.

What differs is the software: how it is asked what it reads, how it checks its configuration, how it is told to read anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tlsa_manager.deploy import files, ownership, reading
from tlsa_manager.deploy.text import one_line
from tlsa_manager.errors import DeployError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.deploy.files import Wanted
    from tlsa_manager.deploy.reading import Reading
    from tlsa_manager.option import Settings
    from tlsa_manager.snapshot import FileView


def options(*own: Option, file: str, reload: tuple[str, ...], unasked: str) -> tuple[Option, ...]:
    """Return the options of such a consumer. `file`, `reload`: examples; `unasked`: what is done without a `reload`."""
    return (
        Option(
            "file", "file", "the combined file, key first, then the chain; this program alone writes it",
            required=True, example=file,
        ),
        *own,
        Option("reload", "argv", f"makes it read the file anew; none: {unasked}", example=reload),
        *ownership.OPTIONS,
        Option("timeout", "duration", "how long each command may take", default="1m"),
    )  # fmt: skip


class Software(Protocol):
    """What is different from server to server. All of it raises DeployError."""

    def ask(self, path: Path) -> Reading:
        """Say which files it is configured to read, and how to have it read `path`. Changes nothing."""

    def check(self) -> None:
        """Have it check its own configuration."""

    def reload(self) -> None:
        """Have it read its files anew."""


def consumer(name: str, settings: Settings, software: Software) -> Server:
    """Make the consumer of the common options. Raises ConfigError."""
    return Server(name, Path(settings.text("file")), ownership.wanted(settings), software)


@dataclass(frozen=True, slots=True)
class Server:
    """One server and one file of it."""

    name: str
    path: Path
    wanted: Wanted
    software: Software

    def look(self) -> FileView:
        """Say what stands at the file, and what the server's configuration makes of it. Never raises."""
        seen = files.look(self.name, self.path, self.wanted)
        try:
            found = self.software.ask(self.path)
        except DeployError as error:
            told = one_line(f"it cannot be told what {self.name} reads: {error.message}; {error.hint}")
            return replace(seen, problems=(*seen.problems, told))
        problems = dict.fromkeys((*seen.problems, *map(one_line, reading.problems(found, self.path))))
        theirs = tuple(map(one_line, reading.from_acme(found, self.path)))
        return replace(seen, configured=reading.configured(found, self.path), problems=tuple(problems), from_acme=theirs)

    def current(self) -> bytes | None:
        """Return what stands at the file, None when there is none. Raises DeployError."""
        return files.read_current(self.path)

    def check(self) -> None:
        """Have the server check its own configuration, and see that it will be able to read the file. Raises DeployError."""
        self.software.check()
        message, _, remedy = reading.unreadable(self.software.ask(self.path), self.path, self.wanted).partition("; ")
        if message:
            raise DeployError(one_line(message), one_line(remedy))

    def install(self, combined: bytes) -> None:
        """Replace the file atomically. Raises DeployError."""
        files.install(self.path, combined, self.wanted)

    def reload(self) -> None:
        """Have the server read the file anew. Raises DeployError."""
        self.software.reload()
