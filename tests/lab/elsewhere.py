"""A zone below example. on other servers than the lab's BIND; the parent gets its delegation and DS while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import dns.dnssec
import dns.name
import dns.rdatatype

from lab import namespace
from lab.bind import TTL
from lab.certificate import self_signed
from lab.daemon import until
from lab.maildomain import MailDomain
from lab.zones import MX_ADDRESS, PARENT_TTL, TLD_SERVER

if TYPE_CHECKING:
    from pathlib import Path

    from lab.daemon import Daemon
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab


class Elsewhere(ABC):
    """One zone and its servers. `servers`: the addresses of its name servers, which are all that the world knows."""

    zone: str
    servers: tuple[str, ...]

    def __init__(self, dns_lab: DnsLab) -> None:
        self.dns_lab = dns_lab
        self.directory: Path = dns_lab.dir / self.zone
        self.directory.mkdir()
        self.daemons: list[Daemon] = []

    @abstractmethod
    def launch(self) -> None:
        """Write all configuration and start the daemons."""

    @abstractmethod
    def backend(self) -> str:
        """Return the lines of `[dns.primary]` for a tlsa-manager that publishes there."""

    @abstractmethod
    def put(self, owner: str, ttl: int, *records: str) -> None:
        """Make these rdata the TLSA records of a name, behind the back of everybody."""

    def start(self) -> None:
        """Start the servers, then have the parent delegate; return when the lab's resolver validates."""
        for address in self.servers:
            namespace.add_address(address)
        self.launch()
        until(lambda: all(self._is_signed(server) for server in self.servers), f"all servers have {self.zone}")
        self._delegate()
        self.dns_lab.flush()
        until(lambda: self.dns_lab.validates(self.zone, "SOA"), f"{self.zone} validates")

    def stop(self) -> None:
        """End what was started."""
        for daemon in self.daemons:
            daemon.stop()

    def text(self, *more: str) -> str:
        """Return the zone file: mail for the zone goes to mx.ZONE."""
        names = {f"ns{number}.{self.zone}.": address for number, address in enumerate(self.servers, 1)}
        return (
            f"$TTL {TTL}\n{self.zone}. IN SOA ns1.{self.zone}. hostmaster.{self.zone}. (\n  1 ; serial\n  60 10 864000 1 )\n"
            + "".join(f"{self.zone}. IN NS {name}\n{name} IN A {address}\n" for name, address in names.items())
            + f"{self.zone}. IN MX 10 mx.{self.zone}.\nmx.{self.zone}. IN A {MX_ADDRESS}\n"
            + "".join(f"{line}\n" for line in more)
        )

    def establish(self, mx_lab: MxLab, directory: Path, foreign: str, ttl: int) -> MailDomain:
        """Start a receiver with a certificate of its own; its record and a foreign one stand on all servers of the zone."""
        host = f"mx.{self.zone}"
        pair = self_signed(host)
        chain_file = directory / "tls" / "mx.pem"
        pair.install(chain_file)
        postfix = mx_lab.receiver(chain_file, hostname=host, domains=(self.zone,))
        mail = MailDomain(self.zone, host, chain_file, pair, postfix)
        for owner in mail.owners:
            self.put(owner, ttl, pair.record, foreign)
        until(lambda: self.serve(mail, {pair.record, foreign}), f"all servers of {self.zone} have the records")
        self.dns_lab.flush()
        return mail

    def serve(self, mail: MailDomain, records: set[str]) -> bool:
        """Whether every server answers exactly these records for every port."""
        return self.have(records, mail.owners)

    def have(self, records: set[str], owners: tuple[str, ...]) -> bool:
        """Whether every server answers exactly these records for each of these names."""
        return all(self.dns_lab.records(server, owner) == records for server in self.servers for owner in owners)

    def ttls(self, mail: MailDomain) -> set[int]:
        """Return the TTLs of the TLSA records that the servers answer."""
        answers = [self.dns_lab.ask(server, owner) for server in self.servers for owner in mail.owners]
        return {rrset.ttl for answer in answers if answer for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TLSA}

    def _is_signed(self, server: str) -> bool:
        answer = self.dns_lab.ask(server, self.zone, "DNSKEY", timeout=0.2)
        return bool(answer and {rrset.rdtype for rrset in answer.answer} >= {dns.rdatatype.DNSKEY, dns.rdatatype.RRSIG})

    def _delegate(self) -> None:
        answer = self.dns_lab.ask(self.servers[0], self.zone, "DNSKEY")
        assert answer, "the server has just answered"
        name = dns.name.from_text(self.zone)
        keys = [key for rrset in answer.answer if rrset.rdtype == dns.rdatatype.DNSKEY for key in rrset if key.flags & 1]
        lines = [f"{self.zone}. {PARENT_TTL} DS {dns.dnssec.make_ds(name, key, 'SHA256')}" for key in keys]
        for number, address in enumerate(self.servers, 1):
            server = f"ns{number}.{self.zone}."
            lines += [f"{self.zone}. {PARENT_TTL} NS {server}", f"{server} {PARENT_TTL} A {address}"]
        self.dns_lab.update("zone example.\n" + "".join(f"update add {line}\n" for line in lines), server=TLD_SERVER)
