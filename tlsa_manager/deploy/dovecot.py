"""Dovecot: IMAP, POP3, ManageSieve, LMTP and submission; the certificate and the key both name the combined file.

What it reads is asked of `doveconf`: the global settings, and those of `protocol`, `local` and `local_name` blocks. It names the
file of a key only with -P, which shows passwords, too; they are left where they are. Dovecot 2.3 has `ssl_cert = </path`, 2.4
has `ssl_server_cert_file = /path` (https://doc.dovecot.org/2.4.0/core/config/ssl.html); it reads them as root, when it loads
its configuration, and login processes that are there keep what they have until `doveadm reload`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import beside, process, running, server, service
from tlsa_manager.deploy.reading import Reading, Use
from tlsa_manager.option import Option
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.option import Settings

_CONFIG = "/etc/dovecot/dovecot.conf"
OPTIONS = server.options(
    Option("config", "file", "dovecot.conf; one consumer for each Dovecot that runs here", default=_CONFIG),
    file="/etc/dovecot/tls/mx.pem", reload=("/usr/bin/systemctl", "reload", "dovecot"),
    unasked="systemctl reload dovecot where systemd runs it, else doveadm reload",
)  # fmt: skip
_OFF = "Dovecot has ssl = no, so nobody can speak TLS to it, whatever it reads; write ssl = yes, then restart it"
_SETTING = re.compile(r"(?:ssl_server_|ssl_)?((?:alt_)?(?:cert|key))(?:_file)?")  # 2.4 leaves the front out inside `ssl_server {`


def build(name: str, settings: Settings) -> server.Server:
    """Make the consumer. Raises ConfigError."""
    software = Dovecot(Path(settings.text("config")), settings.words("reload"), settings.seconds("timeout"))
    return server.consumer(name, settings, software)


@dataclass(frozen=True, slots=True)
class Dovecot:
    """One Dovecot, by its configuration file."""

    config: Path
    reload_words: tuple[str, ...] = ()
    timeout: float = 60.0

    def ask(self, path: Path) -> Reading:
        """Ask doveconf. Raises DeployError."""
        said = process.run(("doveconf", "-c", str(self.config), "-n", "-P"), self.timeout, is_secret=True)
        base = re.search(r"^base_dir = (/.+)$", said, re.MULTILINE)
        is_older = said.startswith(("# 2.3", "# 2.2"))
        chain, key = ("ssl_cert = <", "ssl_key = <") if is_older else ("ssl_server_cert_file = ", "ssl_server_key_file = ")
        uses = tuple(dict.fromkeys(_uses(said, is_older=is_older)))
        is_off = re.search(r"^ssl = no$", said, re.MULTILINE)
        again = f"doveadm -c {self.config} reload"
        faults = (_OFF,) if is_off else tuple(f"{told}, then {again}" for told in _bare(said, path)) if is_older else ()
        return Reading(
            "Dovecot", () if is_off else uses, f"{chain}{path} and {key}{path}", again,
            faults=faults, user=running.user(Path(base[1] if base else "/run/dovecot") / "master.pid", "dovecot"),
        )  # fmt: skip

    def check(self) -> None:
        """Run `doveconf -n`. Raises DeployError."""
        process.run(("doveconf", "-c", str(self.config), "-n"), self.timeout)

    def reload(self) -> None:
        """Have it start new login processes. Raises DeployError, also when it does not run."""
        units = ("dovecot.service",) if str(self.config) == _CONFIG else ()  # any other is told by its own pid file
        service.tell(units, self._doveadm, self.timeout, given=self.reload_words)

    def _doveadm(self) -> None:
        process.run(("doveadm", "-c", str(self.config), "reload"), self.timeout)


def _uses(said: str, *, is_older: bool) -> Iterator[Use]:
    """Read what doveconf printed. A block that names one of a pair has the other from what is around it."""
    for where, values in _blocks(said):
        for chain, key in (("cert", "key"), ("alt_cert", "alt_key")):
            pair = [values[name] for name in (chain, key) if name in values]
            if chain in values and not (is_older and any(not value.startswith("<") for value in pair)):
                yield Use(where, _file(values[chain]), _file(values.get(key, "")))


def _bare(said: str, path: Path) -> Iterator[str]:
    """Say where Dovecot 2.3 is given our file without the `<` by which it would read it."""
    blocks = [(where, name, value) for where, values in _blocks(said) for name, value in values.items()]
    found = {(name, value): where for where, name, value in reversed(blocks) if value[0] != "<" and beside.same(value, path)}
    for (name, value), where in found.items():
        yield (
            f"Dovecot ({where}) has ssl_{name} = {value}, without a < before it: that is no file but the text itself, so TLS"
            f" fails; write ssl_{name} = <{value}"
        )


def _file(value: str) -> str:
    return value.removeprefix("<").strip()


def _blocks(said: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name of each block that says something about certificates, and the files that hold in it, with their `<`."""
    found: dict[tuple[str, ...], dict[str, str]] = {(): {}}
    open_blocks: list[str] = []
    for line in map(str.strip, said.splitlines()):
        name, equals, value = (part.strip() for part in line.partition("="))
        setting = _SETTING.fullmatch(name) if equals and (name.startswith("ssl_") or open_blocks[-1:] == ["ssl_server"]) else None
        if line.endswith("{"):
            open_blocks.append(line[:-1].strip())
        elif line == "}":
            open_blocks = open_blocks[:-1]
        elif setting and _file(value).startswith("/"):  # anything else is the certificate itself
            place = tuple(one for one in open_blocks if one != "ssl_server")
            found.setdefault(place, {})[setting[1]] = value
    for place in found:
        around = [found.get(place[:depth], {}) for depth in range(len(place) + 1)]
        yield (", ".join(place) or "everywhere"), {name: file for level in around for name, file in level.items()}
