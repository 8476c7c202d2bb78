"""A mail domain in working order: receiver, certificate, TLSA records on all servers. Where a rollover starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.certificate import Pair, self_signed
from lab.daemon import until

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.postfix import Postfix
    from lab.receiver import MxLab

PORTS = (25, 465, 587)


@dataclass(frozen=True, slots=True)
class MailDomain:
    """One MX host of one domain; `chain_file` is what its Postfix reads."""

    domain: str
    host: str
    chain_file: Path
    pair: Pair
    postfix: Postfix

    @property
    def owners(self) -> tuple[str, ...]:
        """Return the TLSA owner names of all ports."""
        return tuple(f"_{port}._tcp.{self.host}." for port in PORTS)


def establish(dns_lab: DnsLab, mx_lab: MxLab, directory: Path, domain: str) -> MailDomain:
    """Start a receiver for a zone of the lab with a self-signed certificate, and wait until both servers have its records."""
    host = f"mx.{domain}"
    pair = self_signed(host)
    chain_file = directory / "tls" / "mx.pem"
    pair.install(chain_file)
    postfix = mx_lab.receiver(chain_file, hostname=host)
    mail = MailDomain(domain, host, chain_file, pair, postfix)
    for owner in mail.owners:
        dns_lab.put_tlsa(owner, pair.record)
    settle(dns_lab, mail, pair.record)
    dns_lab.flush()
    return mail


def settle(dns_lab: DnsLab, mail: MailDomain, *records: str) -> None:
    """Wait until exactly these records stand on both servers for every port; caches may still hold others."""
    for server in (dns_lab.primary, dns_lab.secondary):
        for owner in mail.owners:
            _wait_for(dns_lab, server, owner, set(records))


def _wait_for(dns_lab: DnsLab, server: str, owner: str, records: set[str]) -> None:
    until(lambda: dns_lab.records(server, owner) == records, f"{server} serves {owner}", timeout=30)
