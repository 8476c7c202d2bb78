"""Primaries that take dynamic updates, BIND, Knot and PowerDNS, each with one signed zone and the keys a test needs."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import secrets
import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
from lab import namespace
from lab.bind import tsig_key
from lab.daemon import Daemon, run

from tlsa_manager.publish.rfc2136 import key as tsig
from tlsa_manager.tlsa import Tlsa

ZONE = "pub.example."
LEAST = f"_25._tcp.least.{ZONE}"  # the only name that the key `least.` may change
LEAST_PROOF = f"_acme-challenge.least.{ZONE}"  # and its TXT record
KEYS = ("world.", "publisher.", "stranger.", "least.")  # may do anything, change TLSA and TXT, nothing, change those two names


@dataclass(frozen=True, slots=True)
class Keys:
    """The key files of one server, and some that it does not know."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> Keys:
        """Write a fresh key for every role."""
        directory.mkdir(parents=True)
        for name in KEYS:
            tsig_key(directory / name, name)
        (directory / "false").mkdir()
        tsig_key(directory / "false" / "publisher.", "publisher.")  # right name, other secret
        tsig_key(directory / "unknown.", "unknown.")
        return cls(directory)

    def path(self, name: str) -> str:
        """Return the path of a key file."""
        return str(self.directory / name)

    def load(self, name: str) -> tsig.TsigKey:
        """Read a key as the program does."""
        return tsig.load(self.path(name), "test")

    def secrets(self) -> set[str]:
        """Return all secrets as they are written in the files."""
        paths = [path for path in self.directory.rglob("*") if path.is_file()]
        return {base64.b64encode(tsig.load(str(path), "test").secret).decode() for path in paths}


class Primary(ABC):
    """What the tests do to a server beside our backs, with a key that may do anything."""

    address: str
    kind: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys = Keys.make(directory / "keys")
        self.daemon = Daemon(self.argv(), log=directory / "log")

    @abstractmethod
    def argv(self) -> list[str]:
        """Return the command line."""

    @abstractmethod
    def configure(self) -> None:
        """Write its configuration."""

    def freeze(self) -> None:
        """Have it refuse updates of the zone."""
        raise NotImplementedError  # not abstract: PowerDNS has nothing like it, and no test asks it

    def thaw(self) -> None:
        """Have it take updates again."""
        raise NotImplementedError  # as above

    def start(self) -> None:
        """Start it and wait for its zone."""
        namespace.add_address(self.address)
        (self.directory / "zone.db").write_text(
            f"$TTL 60\n{ZONE} SOA ns.{ZONE} hostmaster.{ZONE} 1 60 10 86400 1\n{ZONE} NS ns.{ZONE}\nns.{ZONE} A {self.address}\n"
        )
        self.configure()
        self.daemon.start()
        self.daemon.wait_until(self._answers)

    def stop(self) -> None:
        """Stop it."""
        self.daemon.stop()

    def put(self, *lines: str) -> None:
        """Change the zone: `NAME TTL TYPE DATA` adds, `-NAME TYPE` removes."""
        message = dns.update.UpdateMessage(ZONE, keyring=self._world())
        for line in lines:
            if line.startswith("-"):
                name, kind = line[1:].split()
                message.delete(dns.name.from_text(name), kind)
            else:
                name, ttl, kind, data = line.split(maxsplit=3)
                message.add(dns.name.from_text(name), int(ttl), _rdata(kind, data))
        answer = dns.query.tcp(message, self.address, timeout=10)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())

    def records(self, name: str, kind: str = "TLSA") -> tuple[set[str], int]:
        """Return what the server answers to anybody: texts and TTL."""
        answer = dns.query.tcp(dns.message.make_query(name, kind), self.address, timeout=10)
        found = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.from_text(kind)]
        if not found:
            return set(), 0
        return {str(Tlsa.parse(rdata.to_text())) if kind == "TLSA" else rdata.to_text() for rdata in found[0]}, found[0].ttl

    def _world(self) -> dns.tsig.Key:
        key = self.keys.load("world.")
        return dns.tsig.Key(key.name, key.secret, key.algorithm)

    def _answers(self) -> bool:
        try:
            answer = dns.query.udp(dns.message.make_query(ZONE, "DNSKEY"), self.address, timeout=1)
        except (dns.exception.DNSException, OSError):
            return False
        return bool(answer.answer)


def _rdata(kind: str, data: str) -> dns.rdata.Rdata:
    """Make any record; TLSA as bytes, so that one may be malformed."""
    if kind == "TLSA":
        return dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.TLSA, Tlsa.parse(data).rdata)
    return dns.rdata.from_text("IN", kind, data)


class Bind(Primary):
    """BIND with update-policy."""

    address, kind = "127.53.4.1", "bind"

    def argv(self) -> list[str]:
        """Return the command line."""
        return ["named", "-c", str(self.directory / "named.conf"), "-g", "-n", "1"]

    def configure(self) -> None:
        """Write its configuration."""
        tsig_key(self.directory / "rndc.key", "rndc.")
        includes = "".join(f'include "{self.keys.path(name)}";\n' for name in (*KEYS, "../rndc.key"))
        (self.directory / "named.conf").write_text(f"""{includes}
controls {{ inet {self.address} port 953 allow {{ any; }} keys {{ "rndc."; }}; }};
options {{ directory "{self.directory}"; pid-file "named.pid"; session-keyfile none; lock-file none;
  listen-on port 53 {{ {self.address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
  empty-zones-enable no; minimal-responses yes; notify no; }};
zone "pub.example" {{ type primary; file "zone.db"; dnssec-policy default; inline-signing no;
  update-policy {{ grant world. zonesub ANY; grant publisher. zonesub TLSA TXT; grant least. name {LEAST} TLSA;
    grant least. name {LEAST_PROOF} TXT; }}; }};
""")

    def rndc(self, *words: str) -> str:
        """Command the server."""
        return run("rndc", "-s", self.address, "-k", str(self.directory / "rndc.key"), *words)

    def freeze(self) -> None:
        """Have it refuse updates of the zone."""
        self.rndc("freeze", "pub.example")

    def thaw(self) -> None:
        """Have it take updates again."""
        self.rndc("thaw", "pub.example")


class Knot(Primary):
    """Knot with acl."""

    address, kind = "127.53.4.2", "knot"

    def argv(self) -> list[str]:
        """Return the command line."""
        return ["knotd", "-c", str(self.directory / "knot.conf")]

    def configure(self) -> None:
        """Write its configuration."""
        (self.directory / "db").mkdir()
        keys = "".join(
            f"  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: {base64.b64encode(key.secret).decode()}\n"
            for key in map(self.keys.load, KEYS)
        )
        path = self.directory / "knot.conf"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"""server:
    rundir: "{self.directory}"
    listen: {self.address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{self.directory}/db"
    journal-db-max-size: 10M
    kasp-db-max-size: 10M
    timer-db-max-size: 10M
log:
  - target: stdout
    any: info
key:
{keys}
acl:
  - id: world
    key: world.
    action: update
  - id: publisher
    key: publisher.
    action: update
    update-type: [TLSA, TXT]
  - id: least
    key: least.
    action: update
    update-type: [TLSA]
    update-owner: name
    update-owner-match: equal
    update-owner-name: [{LEAST}]
  - id: least-proof
    key: least.
    action: update
    update-type: [TXT]
    update-owner: name
    update-owner-match: equal
    update-owner-name: [{LEAST_PROOF}]
policy:
  - id: lab
    algorithm: ecdsap256sha256
    single-type-signing: on
zone:
  - domain: pub.example
    storage: "{self.directory}"
    file: "zone.db"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    dnssec-signing: on
    dnssec-policy: lab
    acl: [world, publisher, least, least-proof]
""")

    def knotc(self, *words: str) -> str:
        """Command the server."""
        return run("knotc", "-c", str(self.directory / "knot.conf"), "-b", *words)

    def freeze(self) -> None:
        """Have it refuse updates of the zone."""
        self.knotc("zone-freeze", "pub.example")

    def thaw(self) -> None:
        """Have it take updates again."""
        self.knotc("zone-thaw", "pub.example")


class PowerDns(Primary):
    """PowerDNS with dnsupdate. It limits a key to a zone, not to names or types: keys that may not are left out there."""

    address, kind = "127.53.4.3", "pdns"
    api_key = secrets.token_hex(16)

    def argv(self) -> list[str]:
        """Return the command line."""
        return ["pdns_server", f"--config-dir={self.directory}"]

    def configure(self) -> None:
        """Write its configuration and its database."""
        database = self.directory / "pdns.sqlite3"
        (self.directory / "pdns.conf").write_text(
            f"launch=gsqlite3\ngsqlite3-database={database}\ngsqlite3-dnssec=yes\nlocal-address={self.address}\n"
            f"socket-dir={self.directory}\ndaemon=no\nguardian=no\nwrite-pid=no\nsecurity-poll-suffix=\n"
            "dnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\ndistributor-threads=1\n"
            f"webserver=yes\nwebserver-address={self.address}\nwebserver-port=8081\nwebserver-allow-from=127.0.0.0/8\n"
            f"api=yes\napi-key={self.api_key}\n"
        )
        with contextlib.closing(sqlite3.connect(database)) as empty:
            empty.executescript(Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read_text())
        self._util("load-zone", "pub.example", str(self.directory / "zone.db"))
        self._util("secure-zone", "pub.example")
        for name in ("world.", "publisher."):
            key = self.keys.load(name)
            self._util("import-tsig-key", name.rstrip("."), key.algorithm, base64.b64encode(key.secret).decode())
            self._util("add-meta", "pub.example", "TSIG-ALLOW-DNSUPDATE", name.rstrip("."))

    def api(self, method: str, path: str, body: bytes | None = None, key: str = "") -> tuple[int, bytes]:
        """Ask the HTTP API, below `/api/v1/servers/`; return status and body."""
        connection = http.client.HTTPConnection(self.address, 8081, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, f"/api/v1/servers/{path}", body, {"X-API-Key": key or self.api_key})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _util(self, *words: str) -> str:
        return run("pdnsutil", f"--config-dir={self.directory}", *words)
