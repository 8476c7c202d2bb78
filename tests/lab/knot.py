"""Knot: takes updates, signs by itself, and notifies an NSD that is the second server of the zone."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lab.bind import tsig_key
from lab.daemon import Daemon
from lab.elsewhere import Elsewhere
from lab.nsd import Nsd
from lab.updates import Updates, backend
from tlsa_manager.publish.rfc2136 import key as tsig

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab

_CONFIGURATION = """
server:
    rundir: "{directory}"
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{directory}/db"
    journal-db-max-size: 10M
    kasp-db-max-size: 10M
    timer-db-max-size: 10M
log:
  - target: stdout
    any: info
key:
{keys}
remote:
  - id: nsd
    address: {second}@53
    via: {address}
    key: lab-transfer.
acl:
  - id: mail
    key: tlsa-manager.
    action: update
    update-type: [TLSA]
  - id: test
    key: lab-update.
    action: update
  - id: transfer
    key: lab-transfer.
    action: transfer
policy:
  - id: lab
    algorithm: ecdsap256sha256
    single-type-signing: on
    dnskey-ttl: 5
zone:
  - domain: {zone}
    storage: "{directory}"
    file: "zone.db"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    dnssec-signing: on
    dnssec-policy: lab
    notify: nsd
    acl: [mail, test, transfer]
"""


class KnotAndNsd(Updates, Elsewhere):
    """k.example: Knot takes updates of TLSA records from the key tlsa-manager., NSD follows."""

    zone = "k.example"
    servers = ("127.53.6.1", "127.53.6.2")
    primary = servers[0]

    def __init__(self, dns_lab: DnsLab) -> None:
        super().__init__(dns_lab)
        self.key = tsig_key(self.directory / "tlsa-manager.key", "tlsa-manager.")

    def launch(self) -> None:
        """Write all configuration and start both."""
        secrets = self.dns_lab.secrets
        (self.directory / "db").mkdir()
        (self.directory / "zone.db").write_text(self.text())
        configuration = self.directory / "knot.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _CONFIGURATION.format(
                directory=self.directory, address=self.servers[0], second=self.servers[1], zone=self.zone,
                keys="".join(map(_key, (self.key, secrets.update, secrets.transfer))),
            )
        )  # fmt: skip
        knot = Daemon(["knotd", "-c", str(configuration)], log=self.directory / "knot.log")
        nsd = Nsd(self.directory / "nsd", self.servers[1])
        nsd.follow(self.zone, self.servers[0], secrets.transfer)
        self.daemons += [nsd.daemon, knot]
        for daemon in self.daemons:
            daemon.start()

    def backend(self) -> str:
        """Return the lines of `[dns.primary]`."""
        return backend(self.primary, self.key)


def _key(file: Path) -> str:
    key = tsig.load(str(file), "lab")
    secret = base64.b64encode(key.secret).decode()
    return f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {secret}\n"
