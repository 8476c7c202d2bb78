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
    from pathlib import Path

ADDRESS = "127.14.0.1"


class Pebble:
    """The authority. Its certificates are issued by a root it makes at its start."""

    directory_url = f"https://{ADDRESS}:14000/dir"

    def __init__(self, directory: Path, *, dns_server: str) -> None:
        directory.mkdir()
        namespace.add_address(ADDRESS)
        self.ca_file = directory / "server.pem"  # to be trusted for https to Pebble itself
        own = self_signed(ADDRESS)
        self.ca_file.write_bytes(own.certificate)
        (directory / "server.key").write_bytes(own.key)
        configuration = directory / "pebble.json"
        configuration.write_text(json.dumps({"pebble": self._settings(directory)}))
        # A resolver would remember old challenge records: certbot gives them a TTL of two minutes. Reused
        # authorizations and rejected nonces are Pebble's way to test ACME clients, which is not what we do here.
        switches = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        argv = ["pebble", "-config", str(configuration), "-dnsserver", f"{dns_server}:53"]
        self.daemon = Daemon(argv, log=directory / "log", env={**os.environ, **switches})

    def start(self) -> None:
        """Start it and wait for its port."""
        self.daemon.start()
        self.daemon.wait_until(_listens)

    def _settings(self, directory: Path) -> dict[str, object]:
        return {
            "listenAddress": f"{ADDRESS}:14000",
            "managementListenAddress": f"{ADDRESS}:15000",
            "certificate": str(self.ca_file),
            "privateKey": str(directory / "server.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": 90 * 86400,
        }


def _listens() -> bool:
    try:
        socket.create_connection((ADDRESS, 14000), timeout=1).close()
    except OSError:
        return False
    return True
