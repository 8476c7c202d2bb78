"""Caddy as Debian has it: it has no hook, gets certificates for itself, and keeps them as files that it rewrites."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from lab.daemon import Daemon

if TYPE_CHECKING:
    from pathlib import Path

    from lab.pebble import Pebble


class Caddy:
    """One Caddy with the certificate of one host, from Pebble by http-01. This version keeps its key when it renews."""

    def __init__(self, directory: Path, pebble: Pebble, host: str) -> None:
        directory.mkdir(parents=True)
        self._directory, self._pebble, self._host = directory, pebble, host
        self._runs = 0
        place = directory / "storage" / "certificates" / "127.14.0.1-14000-dir" / host
        self.chain, self.key = place / f"{host}.crt", place / f"{host}.key"

    def start(self, *, due: bool = False, proves: bool = True) -> Daemon:
        """Start it; the caller stops it. `due`: what it has is to be renewed. `proves`: else the authority refuses."""
        self._runs += 1
        configuration = self._directory / f"{self._runs}.json"
        configuration.write_text(json.dumps(self._configuration(due=due, proves=proves)))
        argv = ["caddy", "run", "--config", str(configuration)]
        home = {"HOME": str(self._directory), "XDG_CONFIG_HOME": str(self._directory), "XDG_DATA_HOME": str(self._directory)}
        daemon = Daemon(argv, log=self._directory / f"{self._runs}.log", env={**os.environ, **home})
        daemon.start()
        return daemon

    def forget(self) -> None:
        """Delete what it has, as one does to have a new key."""
        shutil.rmtree(self.chain.parent)

    def said(self) -> str:
        """Return what the latest run has logged."""
        return (self._directory / f"{self._runs}.log").read_text()

    def _configuration(self, *, due: bool, proves: bool) -> dict[str, object]:
        challenges = {"tls-alpn": {"disabled": True}, "http": {"alternate_port": 80 if proves else 81}}
        issuer = {
            "module": "acme", "ca": self._pebble.directory_url, "trusted_roots_pem_files": [str(self._pebble.ca_file)],
            "challenges": challenges,
        }  # fmt: skip
        policy = {"subjects": [self._host], "issuers": [issuer], "renewal_window_ratio": 1.0 if due else 0.3}
        return {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(self._directory / "storage")},
            "apps": {"tls": {"certificates": {"automate": [self._host]}, "automation": {"policies": [policy]}}},
        }
