"""Postfix: one of the files in `smtpd_tls_chain_files`, `postfix check` before, `postfix reload` after.

What Postfix is configured to read is asked of `postconf`, with the overrides of master.cf; nothing is changed there.
Its commands tell what is wrong to a terminal, or else only to the mail log, so they are given a terminal.
New smtpd processes read a replaced file at once and old ones do not, so the write is the cut-over, not the reload.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import files, process, service
from tlsa_manager.deploy.postfix import instances, maincf
from tlsa_manager.deploy.postfix.instances import Instance
from tlsa_manager.deploy.text import one_line
from tlsa_manager.errors import DeployError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.option import Settings
    from tlsa_manager.snapshot import FileView

OPTIONS = (
    Option(
        "file", "file", "the combined file, key first, then the chain; this program's to write, named in smtpd_tls_chain_files",
        required=True, example="/etc/postfix/tls/mx.pem",
    ),
    Option("config-directory", "file", "where main.cf of the instance is", default="/etc/postfix"),
    Option(
        "reload", "argv", "has Postfix read its files anew; none: systemctl reload where systemd runs it, else postfix reload",
        example=("/usr/bin/systemctl", "reload", "postfix"),
    ),
    Option("timeout", "duration", "how long each command may take", default="1m"),
)  # fmt: skip


def build(name: str, settings: Settings) -> Postfix:
    """Make the consumer."""
    file, directory = Path(settings.text("file")), Path(settings.text("config-directory"))
    return Postfix(name, file, directory, settings.words("reload"), settings.seconds("timeout"))


@dataclass(frozen=True, slots=True)
class Postfix:
    """One Postfix instance and one file of it."""

    name: str
    path: Path
    directory: Path
    reload_words: tuple[str, ...] = ()
    timeout: float = 60.0

    def look(self) -> FileView:
        """Say what stands at the file, and what main.cf and master.cf make of it. Never raises."""
        seen = files.look(self.name, self.path)
        try:
            configuration = maincf.read(self.directory, self.timeout)
        except DeployError as error:
            return replace(seen, problems=(*seen.problems, f"Postfix cannot be asked what it reads: {error.message}"))
        problems = (*seen.problems, *map(one_line, maincf.problems(configuration, self.path)))
        theirs = tuple(map(one_line, maincf.from_acme(configuration, self.path)))
        return replace(seen, configured=maincf.reads(configuration, self.path), problems=problems, from_acme=theirs)

    def current(self) -> bytes | None:
        """Return what stands at the file, None when there is none. Raises DeployError."""
        return files.read_current(self.path)

    def check(self) -> None:
        """Run `postfix check`. Raises DeployError."""
        process.run(("postfix", "-c", str(self.directory), "check"), self.timeout, at_terminal=True)

    def install(self, combined: bytes) -> None:
        """Replace the file atomically. Raises DeployError."""
        files.install(self.path, combined)

    def reload(self) -> None:
        """Reload this instance, and the others on this host that run and read the file, too. Raises DeployError.

        Before, the indexed SNI maps that hold a copy of the file are made anew: without `postmap -F` they go on presenting the
        old certificate, whatever is reloaded. What fails bars nothing else: the file stands already, and whoever is not told
        goes on with what must go. Raises DeployError, the first, when all was tried.
        """
        failed: list[DeployError] = []
        family: tuple[Instance, ...] = (Instance(self.directory),)
        with _kept(failed):
            family = instances.family(self.directory, self.timeout)
        self._make_maps(family[0], failed)
        with _kept(failed):
            self._tell(family[0], self.reload_words)
        for other in family[1:]:
            if self._make_maps(other, failed) and instances.is_running(other, self.timeout):
                with _kept(failed):
                    self._tell(other)
        if failed:
            raise failed[0]

    def _make_maps(self, instance: Instance, failed: list[DeployError]) -> bool:
        """Make the maps of an instance anew that hold a copy of the file; whether the instance is known to read the file."""
        with _kept(failed):
            configuration = maincf.read(instance.directory, self.timeout)
            for table in maincf.copies(configuration, self.path):
                with _kept(failed):
                    process.run(("postmap", "-c", str(instance.directory), "-F", table), self.timeout)
            return maincf.reads(configuration, self.path)
        return False

    def _tell(self, instance: Instance, given: tuple[str, ...] = ()) -> None:
        def own() -> None:
            process.run(("postfix", "-c", str(instance.directory), "reload"), self.timeout, at_terminal=True)

        service.tell(instance.units, own, self.timeout, given=given)


@contextmanager
def _kept(failed: list[DeployError]) -> Iterator[None]:
    """Go on after a failure, which is kept."""
    try:
        yield
    except DeployError as error:
        failed.append(error)
