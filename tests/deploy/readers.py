"""Each kind of server that reads one combined file, for tests that all of them must pass: how it is made, written, and asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pki
from lab import handshake, readers
from lab.fixtures import needs
from lab.opensmtpd import OpenSmtpd

from tlsa_manager import keys
from tlsa_manager.deploy import Consumer, open_consumer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PORTS = "+net_bind_service"
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={_PORTS}", f"--ambient-caps={_PORTS}")


@dataclass(frozen=True)
class Kind:
    """One kind. `tls`: what its configuration says of a chain and a key; `seen`: what its ports present, on an address."""

    name: str
    programs: tuple[str, ...]
    server: Callable[[Path, str], Any]
    tls: Callable[[str, str], str]
    seen: Callable[[str], set[str]]
    own: Callable[[Any], dict[str, object]]

    def make(self, directory: Path, address: str) -> Any:
        """Make a server that is not started."""
        needs(*self.programs)
        return self.server(directory / self.name, address)

    def options(self, server: Any) -> dict[str, object]:
        """Return the options of a consumer for a server, but for the file."""
        config = str(server.config)
        return {"config": [config] if self.name == "haproxy" else config, **self.own(server)}

    def consumer(self, server: Any, file: Path, **options: object) -> Consumer:
        """Make the consumer for a server and a file."""
        return open_consumer("mx", self.name, {"file": str(file), **self.options(server), **options})


KINDS = {
    one.name: one
    for one in (
        Kind(
            "dovecot", ("dovecot", "doveconf", "doveadm"), readers.dovecot,
            lambda chain, key: f"ssl_cert = <{chain}\nssl_key = <{key}",
            lambda address: {handshake.presented_imap(address, 143), handshake.presented(address, 993)},
            lambda server: {},
        ),
        Kind(
            "nginx", ("nginx",), readers.nginx,
            lambda chain, key: f"server {{ listen *:443 ssl; ssl_certificate {chain}; ssl_certificate_key {key}; }}",
            lambda address: {handshake.presented(address, 443)},
            lambda server: {},
        ),
        Kind(
            "haproxy", ("haproxy",), readers.haproxy,
            lambda chain, key: f"listen web\n  bind *:443 ssl crt {chain}",
            lambda address: {handshake.presented(address, 443)},
            lambda server: {"pid-file": str(server.pid_file)},
        ),
        Kind(
            "opensmtpd", ("smtpd", "openssl"), lambda directory, address: OpenSmtpd(directory, address=address),
            lambda chain, key: f'pki mx.example cert "{chain}"\npki mx.example key "{key}"',
            lambda address: {handshake.shown(address, 465)},
            lambda server: {"program": str(server.program), "reload": list(server.restart_command)},
        ),
    )
}  # fmt: skip


def pair(name: str = "mx.example", algorithm: str = "RSA") -> keys.Pair:
    """Make a chain and its key."""
    return keys.load_pair(*pki.pair(name, kind=algorithm))


def written(path: Path, content: bytes) -> Path:
    """Put a private file there."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def told(one: Consumer, words: str) -> str:
    """Return the one problem with these words; it has a remedy, after the first semicolon."""
    (problem,) = [problem for problem in one.look().problems if words in problem]
    assert problem.partition("; ")[2]
    return problem
