"""PowerDNS with SQLite: signs by itself, and takes changes as dynamic updates and over its HTTP API."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from lab.bind import tsig_key
from lab.daemon import Daemon, run
from lab.elsewhere import Elsewhere
from lab.updates import Updates, backend
from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab

SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
# Its caches would keep answers that were changed for up to a minute, the negative ones too.
_CONFIGURATION = """
launch=gsqlite3
gsqlite3-database={database}
gsqlite3-dnssec=yes
gsqlite3-pragma-synchronous=0
local-address={address}
socket-dir={directory}
daemon=no
guardian=no
write-pid=no
security-poll-suffix=
distributor-threads=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
webserver=yes
webserver-address={address}
webserver-port=8081
webserver-allow-from=127.0.0.0/8
api=yes
api-key={api_key}
"""


class PowerDns(Updates, Elsewhere):
    """p.example: one server. It limits a key to a zone, not to names or types."""

    zone = "p.example"
    servers = ("127.53.6.3",)
    primary = servers[0]

    def __init__(self, dns_lab: DnsLab) -> None:
        super().__init__(dns_lab)
        self.key = tsig_key(self.directory / "tlsa-manager.key", "tlsa-manager.")
        self.api_key = self.directory / "api.key"
        with os.fdopen(os.open(self.api_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(16) + "\n")

    def launch(self) -> None:
        """Write its configuration and its database, and start it."""
        database = self.directory / "pdns.sqlite3"
        configuration = self.directory / "pdns.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _CONFIGURATION.format(
                database=database, directory=self.directory, address=self.primary, api_key=self.api_key.read_text().strip()
            )
        )
        with contextlib.closing(sqlite3.connect(database)) as empty:
            empty.executescript(SCHEMA.read_text())
        (self.directory / "zone.db").write_text(self.text())
        self._util("load-zone", self.zone, str(self.directory / "zone.db"))
        self._util("secure-zone", self.zone)
        self._util("set-meta", self.zone, "API-RECTIFY", "1")
        for file in (self.key, self.dns_lab.secrets.update):
            key = tsig.load(str(file), "lab")
            self._util("import-tsig-key", key.name.rstrip("."), key.algorithm, base64.b64encode(key.secret).decode())
            self._util("add-meta", self.zone, "TSIG-ALLOW-DNSUPDATE", key.name.rstrip("."))
        self.daemons.append(Daemon(["pdns_server", f"--config-dir={self.directory}"], log=self.directory / "log"))
        self.daemons[0].start()

    def backend(self) -> str:
        """Return the lines of `[dns.primary]` that change it by dynamic update."""
        return backend(self.primary, self.key)

    @property
    def api(self) -> str:
        """Where its HTTP API is."""
        return f"http://{self.primary}:8081"

    def _util(self, *words: str) -> str:
        return run("pdnsutil", f"--config-dir={self.directory}", *words)


class PowerDnsApi(PowerDns):
    """q.example: another one, changed over its HTTP API."""

    zone = "q.example"
    servers = ("127.53.6.9",)
    primary = servers[0]

    def backend(self) -> str:
        """Return the lines of `[dns.primary]`."""
        return f'backend = "powerdns"\nserver = "{self.api}"\napi-key-file = "{self.api_key}"\n'
