"""Zones for the zoo that are wrong in one way each: made, signed, spoilt and delegated by the test that wants them.

    zone = yard.zone()                                   a good one: MX, a host, its TLSA records, signed, linked by DS
    yard.zone(sign=("-s", ..., "-e", ...))               signed with other options of dnssec-signzone(1)
    yard.zone(spoil=lambda text: ...)                    the signed zone file, changed afterwards
    yard.zone(ds=lambda records: ...)                    what the parent says
    yard.zone(second=lambda text: ...)                   a second name server with another version of the signed file
    yard.zone(front=address)                             delegated to a stranger, who stands before the server of the yard

A BIND serves the files as they are; a second one has what secondaries have that were left behind.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.query
from lab import namespace
from lab.bind import Named
from lab.daemon import run, until
from lab.zones import TLD_SERVER
from observe.dns_strangers import DnsStranger

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dns.message import Message
    from lab.hierarchy import DnsLab

    from zoo.zoo import Host, Zoo

FIRST, SECOND = "127.53.1.10", "127.53.1.11"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Planted:
    """A zone of the yard, without a final dot, and the host in it."""

    name: str
    host: Host


@dataclass
class Yard:
    """Two servers for files."""

    lab: DnsLab
    directory: Path
    zoo: Zoo | None = None
    _servers: dict[str, Named] = field(default_factory=dict)
    _served: dict[str, list[str]] = field(default_factory=dict)

    def start(self) -> None:
        """Start both, with nothing to serve."""
        self.directory.mkdir()
        for address, control in ((FIRST, 9541), (SECOND, 9542)):
            namespace.add_address(address)
            server = Named(self.directory / address, self.lab.secrets, listen=(address,), control=control)
            server.configure("")
            server.daemon.start()
            self._servers[address], self._served[address] = server, []
            server.daemon.wait_until(lambda one=server: bool(_quietly(one)))  # type: ignore[misc]

    def open_for(self, zoo: Zoo) -> Yard:
        """Make the hosts of the next zones in this zoo."""
        self.zoo = zoo
        return self

    def stop(self) -> None:
        """End them."""
        for server in self._servers.values():
            server.daemon.stop()

    def zone(
        self,
        *lines: str,
        records: tuple[str, ...] | None = None,
        soa: str = "60 10 864000 3600",
        ttl: int = 3600,
        sign: tuple[str, ...] | None = (),
        algorithm: str = "ECDSAP256SHA256",
        spoil: Callable[[str], str] | None = None,
        ds: Callable[[list[str]], list[str]] = lambda found: found,
        digest: str = "-2",
        second: Callable[[str], str] | None = None,
        front: str = "",
        host: Host | None = None,
        mx: bool = True,
        zsk: bool = False,
        options: str = "",
    ) -> Planted:
        """Make a zone with a mail host whose server runs, and delegate it.

        `lines`: more of the zone file, with {zone} and {host}; `records`: TLSA of the host, else the right one; `sign`: options
        of the signer, None for an unsigned zone; `zsk`: the keys are two, not one; `options`: of BIND for the zone.
        """
        zone = f"yard-{os.getpid()}-{next(_numbers)}.example"
        assert self.zoo is not None, "the yard is closed"
        if host is None:
            host = self.zoo.host(name=f"mx.{zone}")
            self.zoo.serve(host)
        tlsa = (host.record(),) if records is None else records
        servers = {"ns1": front or FIRST} | ({"ns2": SECOND} if second else {})
        head = [f"$TTL {ttl}", f"{zone}. SOA ns1.{zone}. hostmaster.{zone}. 7 {soa}"]
        head += [f"{zone}. NS {label}.{zone}.\n{label}.{zone}. A {address}" for label, address in servers.items()]
        body = [f"{zone}. MX 10 {host.name}."] * mx + [f"{host.name}. A {host.address}"] * host.name.endswith(zone)
        body += [f"_25._tcp.{host.name}. TLSA {one}" for one in tlsa]
        made = "\n".join([*head, *body, *lines]).replace("{zone}", zone).replace("{host}", host.name) + "\n"
        (self.directory / f"{zone}.db").write_text(made)
        text, digests = made, []
        if sign is not None:
            (self.directory / "keys" / zone).mkdir(parents=True)
            key = self._key(zone, algorithm, "-f", "KSK")
            if zsk:
                self._key(zone, algorithm)
            text = self._sign(zone, sign if zsk else ("-z", *sign))
            key_file = str(self.directory / "keys" / zone / f"{key}.key")
            digests = run("dnssec-dsfromkey", digest, key_file).strip().splitlines()
        self._serve(FIRST, zone, spoil(text) if spoil else text, options)
        if second:
            self._serve(SECOND, zone, second(text))
        self._delegate(zone, servers, ds(digests))
        return Planted(zone, host)

    def _key(self, zone: str, algorithm: str, *flags: str) -> str:
        size = ("-b", "2048") if "RSA" in algorithm else ()
        keys = str(self.directory / "keys" / zone)
        return run("dnssec-keygen", "-q", "-K", keys, "-a", algorithm, *size, *flags, zone).strip()

    def _sign(self, zone: str, options: tuple[str, ...]) -> str:
        plain, keys = self.directory / f"{zone}.db", str(self.directory / "keys" / zone)
        usual = ("-S", "-K", keys, "-o", zone, "-f", str(plain) + ".signed", "-O", "full")
        run("dnssec-signzone", *usual, *options, str(plain), cwd=self.directory)
        return (self.directory / f"{zone}.db.signed").read_text()

    def _serve(self, address: str, zone: str, text: str, options: str = "") -> None:
        server = self._servers[address]
        (server.directory / f"{zone}.db").write_text(text)
        self._served[address].append(f'zone "{zone}" {{ type primary; file "{zone}.db"; notify no; {options} }};\n')
        server.configure("".join(self._served[address]))
        server.rndc("reconfig")
        until(lambda: self.lab.ask(address, zone, "SOA") is not None, "the server has read its configuration")

    def zone_with_lost_key(self) -> Planted:
        """Make a zone whose records are signed with a zone signing key that is not among its keys any more."""

        def roll(text: str) -> str:
            zone = re.findall(r"^(\S+)\.\s.*\sSOA\s", text, flags=re.MULTILINE)[0]
            for old in [one for one in (self.directory / "keys" / zone).glob("*.key") if " 256 3 " in one.read_text()]:
                old.with_suffix(".private").unlink()
                old.unlink()
            self._key(zone, "ECDSAP256SHA256")
            keys = [
                line for line in self._sign(zone, ()).splitlines(keepends=True) if re.search(r"\sIN\s+(RRSIG\s+)?DNSKEY\s", line)
            ]
            return without(r"\sIN\s+(RRSIG\s+)?DNSKEY\s")(text) + "".join(keys)

        return self.zone(zsk=True, spoil=roll)

    def plain(self, name: str, *lines: str) -> None:
        """Serve an unsigned zone whose delegation stands in another zone of the yard."""
        head = f"$TTL 3600\n{name}. SOA ns1.{name}. hostmaster.{name}. 7 60 10 864000 3600\n{name}. NS ns1.{name}.\n"
        self._serve(FIRST, name, head + f"ns1.{name}. A {FIRST}\n" + "\n".join(lines) + "\n")

    def mend(self, planted: Planted, *lines: str, change: Callable[[str], str] = str) -> None:
        """Sign a zone anew, with more lines or changed ones, and let the first server read it."""
        plain = self.directory / f"{planted.name}.db"
        plain.write_text(change(plain.read_text()).replace(" 7 ", " 8 ", 1) + "".join(line + "\n" for line in lines))
        (self._servers[FIRST].directory / plain.name).write_text(self._sign(planted.name, ("-z",)))
        self._servers[FIRST].rndc("reload", planted.name)
        until(lambda: self.lab.serial(FIRST, planted.name) == 8, "the server has read the zone")

    def _delegate(self, zone: str, servers: dict[str, str], digests: list[str]) -> None:
        lines = [f"update add {zone}. 5 NS {label}.{zone}.\nupdate add {label}.{zone}. 5 A {at}" for label, at in servers.items()]
        lines += ["update add " + re.sub(r"\. IN DS ", ". 5 DS ", one) for one in digests]
        self.lab.update("\n".join(lines), server=TLD_SERVER)


def without(pattern: str) -> Callable[[str], str]:
    """Take the lines out of a zone file that match."""
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if not re.search(pattern, line))


def replaced(pattern: str, by: str) -> Callable[[str], str]:
    """Replace what matches in the lines of a zone file."""
    return lambda text: re.sub(pattern, by, text, flags=re.MULTILINE)


@contextlib.contextmanager
def before(
    address: str, change: Callable[[Message, Message], Message | None], *, behind: str = FIRST, tcp: bool = True
) -> Iterator[None]:
    """Stand before a server and change its answers: (query, answer) -> answer, None for silence. Without `tcp` nobody listens."""

    def ask(data: bytes) -> Message | None:
        query = dns.message.from_wire(data)
        try:
            return change(query, dns.query.udp_with_fallback(query, behind, timeout=3)[0])
        except (dns.exception.Timeout, OSError):
            return None

    def datagram(sock: socket.socket, data: bytes, sender: tuple[str, int]) -> None:
        def work() -> None:
            answer = ask(data)
            if answer is not None:
                query = dns.message.from_wire(data)
                sock.sendto(_cut(answer, query.payload or 512), sender)

        threading.Thread(target=work, daemon=True).start()

    def stream(connection: socket.socket) -> None:
        size = int.from_bytes(connection.recv(2), "big")
        answer = ask(connection.recv(size)) if size and tcp else None
        if answer is not None:
            wire = answer.to_wire(max_size=65535)
            connection.sendall(len(wire).to_bytes(2, "big") + wire)

    with DnsStranger(address, datagram, stream):
        yield


def _cut(answer: Message, size: int) -> bytes:
    """Return the answer for a datagram, cut off (TC) where it is too long."""
    wire = answer.to_wire(max_size=65535)
    if len(wire) <= size:
        return wire
    answer.answer.clear()
    answer.authority.clear()
    answer.additional.clear()
    answer.flags |= dns.flags.TC
    return answer.to_wire()


def _quietly(server: Named) -> str:
    try:
        return server.rndc("status")
    except Exception:  # noqa: BLE001  it is not there yet
        return ""
