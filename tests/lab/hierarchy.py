"""A DNS of our own: signed root, example., zones on a primary and a secondary, broken zones, a validating resolver."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Literal

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from lab import faults, namespace, zones
from lab.bind import TTL, Named, Secrets
from lab.daemon import run, until
from lab.delay import DelayedRefresh
from lab.unbound import Unbound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Outage = Literal["address", "process", "hang"]


class DnsLab:
    """The running hierarchy. Tests keep apart by owner name (`fresh_name`), not by restarting servers."""

    zone = "a.example"
    slow_zone = "slow.example"
    primary, secondary, faults_server = zones.PRIMARY, zones.SECONDARY, zones.FAULTS
    resolver = namespace.RESOLVER
    ttl = TTL

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.secrets = Secrets.make(directory)
        self.tsig_key_file = self.secrets.update
        self.anchor = directory / "root.ds"
        self.anchor_dnskey = directory / "root.dnskey"
        self.hints = directory / "root.hints"
        self._names = itertools.count(1)
        self._outage: Outage | None = None
        self._parent = self._server("parent", 9530, zones.ROOT_SERVER, zones.TLD_SERVER)
        self._primary = self._server("primary", 9531, zones.PRIMARY)
        self._secondary = self._server("secondary", 9532, zones.SECONDARY)
        self._faults = self._server("faults", 9539, zones.FAULTS)
        self._resolver = Unbound(directory / "unbound", self.resolver, anchor=self.anchor)
        self.slow = DelayedRefresh(self.slow_zone, self.serial, self._refresh)

    def start(self) -> None:
        """Write every zone, start every server, return when the resolver validates."""
        self._write_zones()
        for server in (self._parent, self._primary, self._faults):
            server.daemon.start()
        self._resolver.daemon.start()
        self._primary.daemon.wait_until(lambda: self.serial(self.primary, "insecure.example") is not None)
        self._secondary.daemon.start()
        self._secondary.daemon.wait_until(lambda: all(self.serial(self.secondary, z.name) for z in zones.ZONES))
        self._resolver.daemon.wait_until(lambda: self.validates(self.zone, "SOA"))
        self.slow.start()

    def stop(self) -> None:
        """End every server that was started."""
        self.slow.stop()
        for server in (self._resolver, self._secondary, self._faults, self._primary, self._parent):
            server.daemon.stop()

    # What a test does to it

    def update(self, text: str, *, server: str = zones.PRIMARY) -> None:
        """Send lines of nsupdate(1), signed with the update key; `server` and `send` are added."""
        run("nsupdate", "-k", str(self.tsig_key_file), text=f"server {server}\n{text}\nsend\n")

    def put_tlsa(self, owner: str, *records: str, ttl: int = TTL) -> None:
        """Make these rdata ("3 1 1 ab12...") the whole TLSA RRset of an owner name, in one update."""
        adds = "".join(f"update add {owner} {ttl} TLSA {record}\n" for record in records)
        self.update(f"update delete {owner} TLSA\n{adds}")

    def fresh_name(self, label: str = "mx", *, zone: str = "a.example", address: str = zones.MX_ADDRESS) -> str:
        """Return a host name nobody used before, already with an A record in a zone of the lab."""
        host = f"{label}-{os.getpid()}-{next(self._names)}.{zone}"
        self.update(f"update add {host}. {TTL} A {address}")
        return host

    def flush(self) -> None:
        """Make the resolver forget everything, for tests that are not about waiting."""
        self._resolver.flush()

    def rndc(self, server: str, *words: str) -> str:
        """Command one of the BIND servers, named by its address."""
        return {s.listen[0]: s for s in self._servers()}[server].rndc(*words)

    def stop_secondary(self, how: Outage = "address") -> None:
        """Lose the secondary: `address` and `process` refuse at once, `hang` lets clients time out."""
        assert self._outage is None, "the secondary is away already"
        self._outage = how
        if how == "address":
            namespace.remove_address(self.secondary)
            until(lambda: self.serial(self.secondary, self.zone) is None, "the secondary is gone")
        elif how == "process":
            self._secondary.daemon.stop()
        else:
            self._secondary.daemon.freeze()

    def start_secondary(self) -> None:
        """Bring the secondary back and let it catch up where it is notified; without an outage do nothing."""
        how, self._outage = self._outage, None
        if how == "address":
            namespace.add_address(self.secondary)
        elif how == "process":
            self._secondary.daemon.start()
        elif how == "hang":
            self._secondary.daemon.thaw()
        else:
            return
        until(lambda: self.serial(self.secondary, self.zone) is not None, "the secondary answers again")
        for zone in zones.ZONES:
            if zone.notified:  # what it missed while away, a real one learns at the SOA's refresh time
                self._refresh(zone.name)

    @contextlib.contextmanager
    def without_secondary(self, how: Outage = "address") -> Iterator[None]:
        """Be without the secondary for a while."""
        self.stop_secondary(how)
        try:
            yield
        finally:
            self.start_secondary()

    # What a test sees of it

    def ask(self, server: str, name: str, kind: str = "TLSA", *, timeout: float = 1.0) -> dns.message.Message | None:
        """Ask one server over UDP, TCP if truncated, with DO; None when it does not answer."""
        query = dns.message.make_query(name, kind, want_dnssec=True)
        try:
            return dns.query.udp_with_fallback(query, server, timeout=timeout, source="127.0.0.1")[0]
        except (dns.exception.DNSException, OSError):
            return None

    def records(self, server: str, name: str, kind: str = "TLSA") -> set[str] | None:
        """Return the rdata a server answers for a name, as text; None when it does not answer properly."""
        answer = self.ask(server, name, kind)
        if answer is None or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        wanted = dns.rdatatype.from_text(kind)
        return {rdata.to_text() for rrset in answer.answer if rrset.rdtype == wanted for rdata in rrset}

    def serial(self, server: str, zone: str) -> int | None:
        """Return the serial of a zone on a server; None when it does not serve it."""
        answer = self.ask(server, zone, "SOA", timeout=0.1)
        soas = [r for rrset in answer.answer for r in rrset if r.rdtype == dns.rdatatype.SOA] if answer else []
        return int(soas[0].serial) if soas else None

    def zone_names(self, zone: str) -> set[str]:
        """Return every owner name that the primary has in a zone, by zone transfer."""
        key = str(self.secrets.transfer)
        said = run("dig", "+noall", "+answer", "+onesoa", "-k", key, "-b", self.primary, f"@{self.primary}", zone, "AXFR")
        return {line.split(maxsplit=1)[0] for line in said.splitlines() if line and not line.startswith(";")}

    def validates(self, name: str, kind: str = "TLSA", *, resolver: str = namespace.RESOLVER) -> bool:
        """Tell whether a resolver gives a positive answer with the AD bit."""
        answer = self.ask(resolver, name, kind)
        return bool(answer and answer.answer and answer.rcode() == dns.rcode.NOERROR and answer.flags & dns.flags.AD)

    # How it is built

    def _servers(self) -> tuple[Named, ...]:
        return (self._parent, self._primary, self._secondary, self._faults)

    def _server(self, name: str, control: int, *addresses: str) -> Named:
        for address in addresses:
            namespace.add_address(address)
        return Named(self.dir / name, self.secrets, listen=addresses, control=control)

    def _refresh(self, zone: str) -> None:
        self._secondary.rndc("refresh", zone)

    def _write_zones(self) -> None:
        fault_zones, fault_delegations = faults.make(self._faults.directory)
        anchor, tld_ds = (self._parent.sign_later(zone) for zone in (".", "example"))
        ds_records = [self._primary.sign_later(zone.name) for zone in zones.ZONES if zone.is_signed]
        (self._parent.directory / "root.db").write_text(zones.root(tld_ds))
        (self._parent.directory / "example.db").write_text(zones.example(ds_records, fault_delegations))
        for zone in zones.ZONES:
            (self._primary.directory / f"{zone.name}.db").write_text(zone.text())
        self._write_anchor(anchor)
        self._parent.configure(
            'zone "." { type primary; file "root.db"; dnssec-policy lab; inline-signing yes; };\n'
            'zone "example" { type primary; file "example.db"; dnssec-policy lab; inline-signing no;'
            ' allow-update { key "lab-update."; }; };\n'
        )
        transfer = 'server {} {{ keys {{ "lab-transfer."; }}; }};\n'
        self._primary.configure(transfer.format(zones.SECONDARY) + "".join(z.on_primary() for z in zones.ZONES))
        self._secondary.configure(transfer.format(zones.PRIMARY) + "".join(z.on_secondary() for z in zones.ZONES))
        self._faults.configure(fault_zones)

    def _write_anchor(self, ds: str) -> None:
        self.anchor.write_text(ds + "\n")
        key_file = next((self._parent.directory / "keys").glob("K.+*.key"))
        keys = [line for line in key_file.read_text().splitlines() if not line.startswith(";")]
        self.anchor_dnskey.write_text("\n".join(keys) + "\n")
        self.hints.write_text(zones.root_hints())
