"""What every scenario of the fault zoo shares: hosts with certificates, servers for them, records in a signed zone, the check.

    host = zoo.host()                                    a name, an address and a certificate; nothing runs yet
    zoo.publish(host, host.record("3 1 1"))              its address and TLSA records in the lab's DNS, in one update
    zoo.serve(host)                                      an SMTP server with STARTTLS on port 25 of its address
    report = zoo.check(f"{host.name}:25")                the program's own way from a target to a report
    found(report, "F-SEL01", outcome="defer")            the fault, its severity, the outcome, and no other critical finding

`zoo.mx(...)` does the first three at once; `zoo.domain(host, ...)` makes a mail domain of hosts.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pki
from cryptography import x509
from lab.daemon import until
from observe.strangers import Server, context

from tlsa_manager.certificates import chain_of
from tlsa_manager.config import load
from tlsa_manager.der import certificate_spki
from tlsa_manager.diagnose.settings import Settings
from tlsa_manager.finding import Severity
from tlsa_manager.target import Target
from tlsa_manager.tlsa import Params, associate, owner_name

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from observe.strangers import Behaviour, Visit

    from tlsa_manager.chain import Chain
    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.report import Report
    from tlsa_manager.finding import Finding

TTL = 3600  # as in the world; nothing in the zoo waits for caches, every name is fresh
_numbers = itertools.count(1)

_CONFIG = """
[defaults]
resolver = ["{resolver}"]
trust-anchor = "{anchor}"
directory = "{directory}/state"

[dns.primary]
backend = "rfc2136"
server = "{primary}"
tsig-key-file = "{tsig}"

[consumer.server]
type = "command"
file = "{file}"
reload = ["/bin/true"]

[lineage."{name}"]
services = [{services}]
dns = "primary"
consumers = ["server"]
"""


@dataclass(frozen=True)
class Host:
    """A host: its name, its address, and the chain (PEM, leaf first) and key (PEM) that it is to present."""

    name: str
    address: str
    chain_pem: bytes
    key_pem: bytes

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """Chain and key, as servers want them."""
        return self.chain_pem, self.key_pem

    @property
    def owner(self) -> str:
        """The TLSA owner of its port 25."""
        return owner_name(self.name, 25)

    @cached_property
    def certificates(self) -> tuple[bytes, ...]:
        """The chain as DER, leaf first."""
        return tuple(one.public_bytes(pki.DER) for one in x509.load_pem_x509_certificates(self.chain_pem))

    @property
    def chain(self) -> Chain:
        """The chain as a value."""
        return chain_of(self.certificates)

    @property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo of the leaf, DER."""
        return certificate_spki(self.certificates[0])

    def record(self, params: str = "3 1 1", *, place: int = 0) -> str:
        """Return the right record of its certificate, or of another of its chain."""
        certificate = self.certificates[place]
        return str(associate(Params.parse(params), certificate, certificate_spki(certificate)))


def digest(data: bytes, params: str = "3 1 1") -> str:
    """Return a record of any data, hashed as its matching type says."""
    return f"{params} {hashlib.new({'1': 'sha256', '2': 'sha512'}[params[-1]], data).hexdigest()}"


@dataclass
class Zoo:
    """One visit. `stack` ends the servers."""

    lab: DnsLab
    directory: Path
    stack: ExitStack
    servers: list[Server] = field(default_factory=list)

    # Things to be had

    @staticmethod
    def fresh(label: str = "x", zone: str = "a.example") -> str:
        """Return a name in a zone of the lab that nobody used before."""
        return f"{label}-{os.getpid()}-z{next(_numbers)}.{zone}"

    @staticmethod
    def address() -> str:
        """Return a loopback address that nobody listens on yet."""
        number = next(_numbers)
        return f"127.26.{number >> 8}.{number & 255}"

    def host(
        self,
        label: str = "mx",
        *,
        zone: str = "a.example",
        name: str = "",
        address: str = "",
        kind: str = "ECDSA",
        pair: tuple[bytes, bytes] | None = None,
        days: tuple[float, float] = (-1, 364),
    ) -> Host:
        """Make a host. `pair`: its chain and key; else one of the lab's authority for its name, good for a year."""
        name = name or self.fresh(label, zone)
        if pair is None:
            key = pki.new_key(kind)
            pair = pki.authority().chain(name, key=key, days=days), pki.key_pem(key)
        return Host(name, address or self.address(), *pair)

    # What it is made to look like

    def zone(self, *lines: str, wait: bool = True) -> None:
        """Add lines of a zone file ("NAME TTL TYPE DATA") to one signed zone of the lab, in one update.

        A line that begins with `-` is taken out ("-NAME TYPE"). With `wait` both servers of the zone have it at the end.
        """
        commands = [f"update delete {line[1:]}" if line.startswith("-") else f"update add {line}" for line in lines]
        self.lab.update("\n".join(commands))
        if wait:
            zone = ".".join(lines[0].lstrip("-").split()[0].rstrip(".").split(".")[-2:])
            serial = self.lab.serial(self.lab.primary, zone)
            until(lambda: self.lab.serial(self.lab.secondary, zone) == serial, "the secondary has the update")

    def publish(
        self, host: Host, *records: str, ttl: int = TTL, port: int = 25, owner: str = "", extra: Iterable[str] = ()
    ) -> None:
        """Publish a host's address and the TLSA records of one of its ports; `extra`: more lines for the same update."""
        owner = owner or owner_name(host.name, port)
        self.zone(f"{host.name}. {TTL} A {host.address}", *(f"{owner} {ttl} TLSA {one}" for one in records), *extra)

    def serve(
        self,
        host: Host,
        *pairs: tuple[bytes, bytes],
        port: int = 25,
        address: str = "",
        settings: ssl.SSLContext | Callable[[Visit], ssl.SSLContext] | None = None,
        behaviour: Behaviour | None = None,
        suites: str = "",
    ) -> Server:
        """Start a server for a host: SMTP with STARTTLS, or TLS at once on the ports for that.

        `pairs`, `settings`: what it presents instead of the host's own chain; `behaviour`: what it does instead.
        """
        if behaviour is None:
            made = settings or context(self.directory, *(pairs or (host.pair,)), suites=suites)
            behaviour = at_once(made) if port in {443, 465, 853, 993, 995} else mail(made)
        server = self.stack.enter_context(Server(behaviour, address or host.address, port))
        self.servers.append(server)
        return server

    def mx(self, *records: str | Callable[[Host], str], ttl: int = TTL, host: Host | None = None) -> Host:
        """Make a host with a server on port 25 and these TLSA records; "3 1 1" alone stands for the right one."""
        host = host or self.host()
        made = [one(host) if callable(one) else host.record(one) if len(one.split()) == 3 else one for one in records]
        self.serve(host)
        self.publish(host, *made, ttl=ttl)
        return host

    def domain(self, *hosts: Host, extra: Iterable[str] = ()) -> str:
        """Make a mail domain with these hosts as its MX, all of one preference, and return its name."""
        name = self.fresh("mail")
        self.zone(*(f"{name}. {TTL} MX 10 {host.name}." for host in hosts), *(line.format(name=name) for line in extra))
        return name

    def lineage(self, host: Host, *services: str) -> Config:
        """Configure a lineage of the host's name; its consumer reads the host's key and chain. Its port 25, if not told."""
        file = self.directory / "tls" / f"{host.name}.pem"
        file.parent.mkdir(exist_ok=True)
        file.touch(0o600)
        file.write_bytes(host.key_pem + host.chain_pem)
        config = self.directory / "config.toml"
        config.write_text(
            _CONFIG.format(
                resolver=self.lab.resolver, anchor=self.lab.anchor, directory=self.directory, primary=self.lab.primary,
                tsig=self.lab.tsig_key_file, file=file, name=host.name,
                services=", ".join(f'"{one}"' for one in services or (f"{host.name}:25",)),
            )
        )  # fmt: skip
        return load(config)

    # What the program says of it

    def settings(self, **changes: object) -> Settings:
        """Return the settings for the lab: its resolver, its trust anchor, its authority as the public one."""
        roots = self.directory / "roots.pem"
        roots.write_bytes(pki.authority().root.public_bytes(pki.PEM))
        usual = {"resolver": (self.lab.resolver,), "anchor": str(self.lab.anchor), "timeout": 2.0, "ca_file": str(roots)}
        return Settings(**(usual | changes))  # type: ignore[arg-type]  handed through

    def check(self, target: str, *, config: Config | None = None, lineages: tuple[str, ...] = (), **changes: object) -> Report:
        """Diagnose one target in the way that `check` does."""
        from tlsa_manager.diagnose.many import diagnose

        (report,) = diagnose([Target.parse(target, lineages)], self.settings(**changes), config=config)
        return report


def found(report: Report, code: str, *, outcome: str | None = None, severity: str = "critical") -> Finding:
    """Assert that a fault was found under its code with this severity, the outcome, and that nothing else is critical."""
    told = "\n".join(f"  {one.code} {one.severity} {one.subject}: {one.message}" for one in report.findings)
    said = f"{report.target}: {report.outcome} ({report.why}); findings:\n{told}"
    here = [one for one in report.findings if one.code == code]
    assert here, f"{code} is not found at {said}"
    assert max(one.severity for one in here) == Severity[severity.upper()], f"{code} is not {severity} at {said}"
    if outcome is not None:
        assert str(report.outcome) == outcome, f"the outcome is not {outcome} at {said}"
    others = {one.code for one in report.findings if one.severity is Severity.CRITICAL} - {code}
    assert not others, f"{others} are critical, too, at {said}"
    assert all(one.remedy and one.consequence and one.subject and one.message for one in here), f"texts are missing: {here}"
    return max(here, key=lambda one: one.severity)


def calm(report: Report, outcome: str = "auth") -> None:
    """Assert that a set-up is healthy: this outcome, and no finding above notice."""
    loud = [
        f"{one.code} {one.severity} {one.subject}: {one.message}" for one in report.findings if one.severity > Severity.NOTICE
    ]
    assert not loud, f"{report.target}: {loud}"
    assert str(report.outcome) == outcome, f"{report.target}: {report.outcome} ({report.why})"
    assert report.exit_code == 0


def absent(report: Report, *codes: str) -> None:
    """Assert that none of these codes was found."""
    here = {one.code: one.message for one in report.findings if one.code in codes}
    assert not here, f"{report.target}: {here}"


# Servers


def at_once(settings: ssl.SSLContext | Callable[[Visit], ssl.SSLContext]) -> Behaviour:
    """TLS from the first byte."""
    return lambda visit: visit.tls(settings(visit) if callable(settings) else settings)


def mail(
    settings: ssl.SSLContext | Callable[[Visit], ssl.SSLContext] | None,
    *,
    offer: bool | Callable[[Visit], bool] = True,
    starttls: bytes = b"220 2.0.0 Ready to start TLS",
    plain: bytes = b"530 5.7.0 Must issue a STARTTLS command first",
    banner: bytes = b"220 mx.example.org ESMTP",
    extensions: tuple[bytes, ...] = (b"PIPELINING",),
) -> Behaviour:
    """SMTP that answers whatever is said.

    `offer`: whether STARTTLS is told; `starttls`: the reply to it; `plain`: the reply to MAIL, RCPT and DATA before TLS.
    """

    def behave(visit: Visit) -> None:
        visit.socket.sendall(banner + b"\r\n")
        while words := visit.line():
            verb = words.strip().upper()[:4]
            if verb == b"STAR" and settings is not None:
                visit.socket.sendall(starttls + b"\r\n")
                if starttls.startswith(b"220"):
                    visit.tls(settings(visit) if callable(settings) else settings)
                    return
            elif verb == b"QUIT":
                visit.socket.sendall(b"221 2.0.0 Bye\r\n")
                return
            else:
                visit.socket.sendall(_reply(verb, visit))

    def _reply(verb: bytes, visit: Visit) -> bytes:
        if verb in {b"MAIL", b"RCPT", b"DATA"}:
            return plain + b"\r\n"
        if verb not in {b"EHLO", b"LHLO"}:
            return b"250 2.0.0 Ok\r\n"
        told = offer(visit) if callable(offer) else offer
        names = (b"mx.example.org", *extensions, *((b"STARTTLS",) if told else ()))
        return b"".join(b"250" + (b" " if one == names[-1] else b"-") + one + b"\r\n" for one in names)

    return behave
