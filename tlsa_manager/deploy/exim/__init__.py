"""Exim: one of the files in `tls_certificate` and `tls_privatekey`, `exim -bV` before, SIGHUP after where need be.

What Exim is configured to read is asked of `exim -bP`; nothing is changed there. Measured with 4.96 of Debian (GnuTLS) and the
same version built with OpenSSL, which behave alike but for the last two:

- a file without a `$` in its name is loaded at the start, and five seconds after something was renamed in its directory, when
  the next sender comes: the write is the cut-over, whatever is reloaded. With a `$` it is read for each connection;
- it is read as Exim's own user: closed to that, TLS is gone with the next reading, and the old certificate with it;
- a link to the file that is turned is taken up like a new file; a link to a directory on the way is not, until a SIGHUP;
- a key of another file than the certificate's, or none for it, is no TLS;
- a SIGHUP takes up everything. For a few milliseconds (up to 6) connections are refused, open ones go on. A sender that meets
  those keeps its mail for minutes, so it is given the time to take the file up by itself first;
- two files with keys of one kind: GnuTLS presents one of them, OpenSSL offers no TLS;
- without `tls_certificate` GnuTLS presents a new certificate to each connection, OpenSSL none.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import access, files, ownership, process, service
from tlsa_manager.deploy.exim import answers, privilege, taking_up
from tlsa_manager.deploy.text import one_line
from tlsa_manager.disk import KEY_MODES
from tlsa_manager.errors import DeployError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.deploy.files import Wanted
    from tlsa_manager.option import Settings
    from tlsa_manager.snapshot import FileView

_BY_ITSELF = 8.0  # seconds; Exim waits five after something has changed in the directory
UNITS = ("exim4", "exim")  # Debian's name, and everybody else's
OPTIONS = (
    Option(
        "file", "file", "the combined file, key first, then the chain; this program's to write, named in tls_certificate",
        required=True, example="/etc/exim4/tls/mx.pem",
    ),
    Option(
        "configuration", "file", "Exim's configuration, where it is started with -C; none: its own",
        example="/etc/exim4/mx.conf",
    ),
    Option("command", "file", "the program; none: exim4, or exim", example="/usr/sbin/exim4"),
    Option(
        "reload", "argv", "has Exim read its files anew; none: given time, then told by systemctl or SIGHUP",
        example=("/usr/sbin/service", "exim4", "reload"),
    ),
    *ownership.OPTIONS,
    Option("timeout", "duration", "how long each command may take", default="1m"),
)  # fmt: skip


def build(name: str, settings: Settings) -> Exim:
    """Make the consumer. Raises ConfigError for a user or group that does not exist, or a mode that shows the key."""
    return Exim(
        name, Path(settings.text("file")), settings.text("configuration"), settings.text("command"),
        settings.words("reload"), ownership.wanted(settings), settings.seconds("timeout"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exim:
    """One Exim and one file of it."""

    name: str
    path: Path
    configuration: str = ""
    command: str = ""
    reload_words: tuple[str, ...] = ()
    wanted: Wanted = files.AS_IT_STANDS
    timeout: float = 60.0

    def look(self) -> FileView:
        """Say what stands at the file, and what Exim's configuration makes of it. Never raises."""
        seen = files.look(self.name, self.path, self.wanted)
        try:
            configured = self._ask()
        except DeployError as error:
            return replace(seen, problems=(*seen.problems, f"Exim cannot be asked what it reads: {error.message}; {error.hint}"))
        hindrances = (*self._unreadable(configured), *self._unwakeable(configured))
        problems = (*seen.problems, *map(one_line, (*answers.problems(configured, self.path), *hindrances)))
        theirs = tuple(map(one_line, answers.from_acme(configured, self.path)))
        return replace(seen, configured=answers.reads(configured, self.path), problems=problems, from_acme=theirs)

    def current(self) -> bytes | None:
        """Return what stands at the file, None when there is none. Raises DeployError."""
        return files.read_current(self.path)

    def check(self) -> None:
        """Run `exim -bV`, which reads the whole configuration, and see that Exim's user will be able to read the file.

        Raises DeployError: with a key that it cannot read Exim is without TLS a few seconds after the write, and one that loses
        its rights with a SIGHUP without any port.
        """
        process.run((*self._words(), "-bV"), self.timeout)
        configured = self._ask()
        unreadable = self._unreadable(configured, self.wanted) if answers.reads(configured, self.path) is not False else []
        _refuse(*unreadable, *self._unwakeable(configured))

    def install(self, combined: bytes) -> None:
        """Replace the file atomically. Raises DeployError.

        Where none stands there yet, it is made for Exim's group to read, unless the options say otherwise.
        """
        files.install(self.path, combined, self.wanted if os.path.lexists(self.path) else self._first())

    def reload(self) -> None:
        """Give Exim the time to take up the file by itself; where that is not seen, have its daemon start anew.

        The daemon keeps its process number, and open connections go on. Raises DeployError, also where it would end the daemon.
        """
        if not self.reload_words:
            configured = self._ask()
            if answers.is_watched(configured, self.path) and taking_up.is_read(self.path, _BY_ITSELF):
                return
            _refuse(*self._unwakeable(configured))
        service.tell(UNITS, self._hang_up, self.timeout, given=self.reload_words)

    def _first(self) -> Wanted:
        """Whose a file shall be that does not stand there yet."""
        configured = self._ask()
        who = access.reader(configured.user, configured.group)
        gid = self.wanted.gid if self.wanted.gid is not None or who is None else who.gid
        return replace(self.wanted, gid=gid, mode=KEY_MODES if self.wanted.mode is None else self.wanted.mode)

    def _unreadable(self, configured: answers.Configuration, wanted: Wanted | None = None) -> list[str]:
        who = access.reader(configured.user, configured.group)
        hindrance = access.hindrance(self.path, who, wanted) if who else ""
        return [f"Exim's user {hindrance}"] if hindrance else []

    def _unwakeable(self, configured: answers.Configuration) -> list[str]:
        """Say why it must not be told by a SIGHUP, which is also what its unit sends."""
        if self.reload_words:
            return []
        try:
            why = privilege.loss(configured, self._words(), self.timeout)
        except DeployError as error:
            why = f"whether Exim outlives a SIGHUP cannot be told: {error.message}; give the option reload, or: {error.hint}"
        return [why] if why else []

    def _hang_up(self) -> None:
        programs = {"exim4", "exim", Path(os.path.realpath(self._words()[0])).name}
        service.hang_up(self._ask().pid_file, sorted(programs))

    def _ask(self) -> answers.Configuration:
        return answers.read(self._words(), self.timeout)

    def _words(self) -> tuple[str, ...]:
        """How this Exim is started."""
        command = self.command or shutil.which("exim4", path=process.PATH) or "exim"
        return (command, "-C", self.configuration) if self.configuration else (command,)


def _refuse(*problems: str) -> None:
    for problem in problems:
        message, _, remedy = problem.partition("; ")
        raise DeployError(one_line(message), one_line(remedy))
