"""OpenSMTPD: `pki NAME cert` and `pki NAME key` both name the combined file; it is restarted, for it cannot reload.

smtpd(8) registers SIGHUP without doing anything for it, or ends. It reads the files as it starts, and demands that they are
root's own with a mode of at most 0640 or so (`pki` in smtpd.conf(5)). There is no program that prints the configuration, so it
is read here: macros, `include`, lines that go on after a backslash. Without systemd nobody but the administrator knows how it is
started: then the option `reload` is needed, and that is told before anything is changed.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import process, server, service
from tlsa_manager.deploy.reading import Reading, Use
from tlsa_manager.deploy.text import Texts
from tlsa_manager.errors import ConfigError, DeployError
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.option import Settings

OPTIONS = server.options(
    Option("config", "file", "smtpd.conf", default="/etc/smtpd.conf", example="/etc/mail/smtpd.conf"),
    Option("program", "file", "the smtpd itself, where it is not the one in PATH", example="/usr/libexec/smtpd"),
    file="/etc/ssl/smtpd/mx.pem", reload=("/usr/sbin/rcctl", "restart", "smtpd"),
    unasked="systemctl restart opensmtpd; where systemd does not run it, it has to be given",
)  # fmt: skip
_UNITS = ("opensmtpd.service", "smtpd.service")
_MACRO = re.compile(r"\s*([A-Za-z0-9_]+)\s*=\s*(.*)", re.DOTALL)


def build(name: str, settings: Settings) -> server.Server:
    """Make the consumer. Raises ConfigError."""
    software = OpenSmtpd(
        name,
        Path(settings.text("config")),
        settings.text("program") or "smtpd",
        settings.words("reload"),
        settings.seconds("timeout"),
    )
    made = server.consumer(name, settings, software)
    if made.wanted.uid not in {None, os.geteuid()}:
        mistake = f"{settings.section}.owner: {settings.text('owner')!r} cannot be: smtpd wants a file that is root's own"
        raise ConfigError(mistake, "take the option out", (mistake,))
    return replace(made, wanted=replace(made.wanted, uid=os.geteuid()))


@dataclass(frozen=True, slots=True)
class OpenSmtpd:
    """One OpenSMTPD, by its configuration file."""

    name: str
    config: Path
    program: str = "smtpd"
    reload_words: tuple[str, ...] = ()
    timeout: float = 60.0

    def ask(self, path: Path) -> Reading:
        """Read smtpd.conf. Raises DeployError, also where nobody knows how to restart it."""
        lines = tuple(_lines(self.config, {}, (), Texts("name the smtpd.conf that is in use in the option config")))
        self._way_to_restart()
        again = f"smtpd -n -f {self.config}, then {' '.join(self.reload_words) or 'systemctl restart opensmtpd'}"
        return Reading("OpenSMTPD", tuple(_uses(lines)), f'pki NAME cert "{path}" and pki NAME key "{path}"', again)

    def check(self) -> None:
        """Run `smtpd -n`. Raises DeployError, also where nobody knows how to restart it."""
        self._way_to_restart()
        process.run((self.program, "-n", "-f", str(self.config)), self.timeout)

    def reload(self) -> None:
        """Restart it. Raises DeployError."""
        service.tell(_UNITS, self._nobody_restarts, self.timeout, given=self.reload_words, verb="restart")

    def _way_to_restart(self) -> None:
        if not self.reload_words and not service.active(_UNITS, self.timeout):
            self._nobody_restarts()

    def _nobody_restarts(self) -> None:
        message = "OpenSMTPD reads a new certificate only when it is restarted, and no systemd unit runs it here"
        raise DeployError(
            message, f'say how to restart it: consumer.{self.name}.reload = ["/usr/sbin/rcctl", "restart", "smtpd"]'
        )


def _uses(lines: tuple[tuple[str, ...], ...]) -> Iterator[Use]:
    """Name the files of each pki that a listener presents: one that it names, or any where it names none."""
    listeners = [words for words in lines if words[:1] == ("listen",) and {"tls", "tls-require", "smtps"} & set(words)]
    chosen = {words[words.index("pki") + 1] if "pki" in words[:-1] else "" for words in listeners}
    found: dict[str, dict[str, str]] = {}
    for words in lines:
        if len(words) == 4 and words[0] == "pki" and words[2] in {"cert", "key"}:
            found.setdefault(words[1], {})[words[2]] = words[3]
    for name, files in found.items():
        if "cert" in files and ("" in chosen or name in chosen):
            yield Use(f"pki {name}", files["cert"], files.get("key", ""))


def _lines(file: Path, macros: dict[str, str], within: tuple[Path, ...], texts: Texts) -> Iterator[tuple[str, ...]]:
    """Yield the words of each line, of included files, too. `within`: those that include this one. Raises DeployError."""
    for line in texts.read(file, len(within)).replace("\\\n", " ").splitlines():
        if macro := _MACRO.fullmatch(line):
            macros[macro[1]] = " ".join(_words(macro[2], file))
            continue
        words = tuple(macros.get(word[1:], word) if word.startswith("$") else word for word in _words(line, file))
        if words[:1] == ("include",) and len(words) == 2 and Path(words[1]) not in (*within, file):
            yield from _lines(Path(words[1]), macros, (*within, file), texts)
        elif words:
            yield words


def _words(line: str, file: Path) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        raise DeployError(f"{file} cannot be understood: {line.strip()[:60]!r} has an open quote", "smtpd -n says more") from None
