"""NSD: it serves zone files and what it transfers, knows no dynamic update, and does not sign."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lab import namespace
from lab.daemon import Daemon
from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from pathlib import Path

# Rate limiting would silently drop the questions of a test that polls; xfrd would save changes up for a second.
_SERVER = """
server:
    ip-address: {address}
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    xfrd-reload-timeout: 0
remote-control:
    control-enable: yes
    control-interface: {directory}/control.sock
"""


class Nsd:
    """One NSD on one address."""

    def __init__(self, directory: Path, address: str) -> None:
        directory.mkdir()
        namespace.add_address(address)
        self.directory, self.address = directory, address
        self.configuration = directory / "nsd.conf"
        self.daemon = Daemon(["nsd", "-d", "-c", str(self.configuration)], log=directory / "log")

    def serve_file(self, zone: str, file: Path) -> None:
        """Configure a zone that is read from a file."""
        self._configure(f'zone:\n    name: "{zone}"\n    zonefile: "{file}"\n')

    def follow(self, zone: str, primary: str, transfer_key: Path) -> None:
        """Configure a zone that is transferred from a primary which notifies."""
        key = tsig.load(str(transfer_key), "lab")
        secret = base64.b64encode(key.secret).decode()
        self._configure(
            f'key:\n    name: "{key.name}"\n    algorithm: {key.algorithm}\n    secret: "{secret}"\n'
            f'zone:\n    name: "{zone}"\n    zonefile: "{zone}.db"\n    allow-notify: 127.0.0.0/8 NOKEY\n'
            f"    allow-notify: 127.0.0.0/8 {key.name}\n"
            f"    request-xfr: {primary} {key.name}\n    outgoing-interface: {self.address}\n"
        )

    def words(self, *words: str) -> list[str]:
        """Return the command line of a command for it."""
        return ["nsd-control", "-c", str(self.configuration), *words]

    def _configure(self, zones: str) -> None:
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(_SERVER.format(address=self.address, directory=self.directory) + zones)
