"""Pebble, the small ACME authority: checks challenges at the lab's primary server and never waits."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from lab import namespace
from lab.certificate import self_signed
from lab.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADDRESS = "127.14.0.1"


class Pebble:
    """The authority. Its certificates are issued by a root it makes at its start.

    `settings`: of its configuration file, `switches`: of its environment, where they are to be others than usual.
    """

    def __init__(
        self,
        directory: Path,
        *,
        dns_server: str,
        address: str = ADDRESS,
        settings: Mapping[str, object] | None = None,
        switches: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir()
        namespace.add_address(address)
        self.address = address
        self.directory_url = f"https://{address}:14000/dir"
        self.ca_file = directory / "server.pem"  # to be trusted for https to Pebble itself
        own = self_signed(address)
        self.ca_file.write_bytes(own.certificate)
        (directory / "server.key").write_bytes(own.key)
        configuration = directory / "pebble.json"
        configuration.write_text(json.dumps({"pebble": self._settings(directory) | dict(settings or {})}))
        # A resolver would remember old challenge records: certbot gives them a TTL of two minutes. Reused
        # authorizations and rejected nonces are Pebble's way to test ACME clients, which is not what we do here.
        usual = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        argv = ["pebble", "-config", str(configuration), "-dnsserver", f"{dns_server}:53"]
        self.daemon = Daemon(argv, log=directory / "log", env={**os.environ, **usual, **(switches or {})})

    def start(self) -> None:
        """Start it and wait for its port."""
        self.daemon.start()
        self.daemon.wait_until(self._listens)

    def _settings(self, directory: Path) -> dict[str, object]:
        return {
            "listenAddress": f"{self.address}:14000",
            "managementListenAddress": f"{self.address}:15000",
            "certificate": str(self.ca_file),
            "privateKey": str(directory / "server.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": 90 * 86400,
        }

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.address, 14000), timeout=1).close()
        except OSError:
            return False
        return True
