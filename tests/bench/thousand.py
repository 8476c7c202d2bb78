"""A thousand mail domains for the bench: signed zones of their own, one MX host each, all on distinct loopback addresses.

BIND serves the zones, one Postfix takes the connections, and relays in front of both delay every packet, as a network would:
what is measured is who waits well. The relays count what they let through.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from lab import namespace
from lab.bind import Named
from lab.zones import TLD_SERVER

if TYPE_CHECKING:
    from ctypes import c_int
    from multiprocessing.sharedctypes import Synchronized, SynchronizedArray

    from lab.hierarchy import DnsLab

SERVERS = ("127.53.4.1", "127.53.4.2")  # the relays, which the world knows
BEHIND = ("127.53.5.1", "127.53.5.2")  # BIND
TTL = 3600
MOST_TYPES = 258
AT_ONCE = 500  # records in one dynamic update


def domain(number: int) -> str:
    """Name the mail domain with this number."""
    return f"d{number:04}.example"


def address(number: int) -> str:
    """Return the address of its MX host."""
    return f"127.26.{number // 250}.{number % 250 + 1}"


@dataclass(slots=True)
class Counters:
    """What went through the relays: questions to authoritative servers, also by type, and connections to mail servers."""

    queries: Synchronized[c_int] = field(default_factory=lambda: multiprocessing.Value("i", 0))
    connections: Synchronized[c_int] = field(default_factory=lambda: multiprocessing.Value("i", 0))
    kinds: SynchronizedArray[int] = field(default_factory=lambda: multiprocessing.Array("i", MOST_TYPES))

    def reset(self) -> None:
        """Begin anew."""
        self.queries.value = self.connections.value = 0
        self.kinds[:] = [0] * MOST_TYPES

    def by_type(self) -> dict[str, int]:
        """Return the number of questions for each type."""
        return {dns.rdatatype.to_text(number): count for number, count in enumerate(self.kinds[:]) if count}


class Thousand:
    """The domains, ready to be checked."""

    def __init__(self, lab: DnsLab, count: int, digest: str, mail_server: str, delay: float) -> None:
        self.count, self.counters = count, Counters()
        self._lab, self._digest = lab, digest
        for one in (*SERVERS, *BEHIND):
            namespace.add_address(one)
        self._server = Named(lab.dir / "thousand", lab.secrets, listen=BEHIND, control=9541)
        hosts = [address(number) for number in range(count)]
        arguments = (hosts, mail_server, delay, self.counters)
        self._relays = multiprocessing.get_context("fork").Process(target=_relay, args=arguments, daemon=True)

    def start(self) -> None:
        """Sign, serve, delegate; return when the last domain validates."""
        delegations = [self._make(number) for number in range(self.count)]
        names = [domain(number) for number in range(self.count)]
        self._server.configure("".join(f'zone "{name}" {{ type primary; file "{name}.db"; notify no; }};\n' for name in names))
        self._server.daemon.start()
        self._relays.start()
        for start in range(0, self.count, AT_ONCE // 5):
            self._lab.update("\n".join(delegations[start : start + AT_ONCE // 5]), server=TLD_SERVER)
        self._server.daemon.wait_until(lambda: self._lab.validates(f"_25._tcp.mx.{names[-1]}"))

    def stop(self) -> None:
        """End the relays and the server."""
        self._relays.terminate()
        self._relays.join()
        self._server.daemon.stop()

    def _make(self, number: int) -> str:
        """Write a signed zone; return the update that delegates to it."""
        name = domain(number)
        text = (
            f"$TTL {TTL}\n@ SOA ns1.{name}. hostmaster 1 3600 600 864000 600\n@ NS ns1.{name}.\n@ NS ns2.{name}.\n"
            f"ns1 A {SERVERS[0]}\nns2 A {SERVERS[1]}\n@ MX 10 mx.{name}.\nmx A {address(number)}\n"
            f"_25._tcp.mx TLSA 3 1 1 {self._digest}\n_smtp._tls TXT v=TLSRPTv1;rua=mailto:x@example.org\n"
        )
        zone, key = dns.zone.from_text(text, origin=name + ".", relativize=False), ec.generate_private_key(ec.SECP256R1())
        public = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
        now = datetime.now(UTC)
        with zone.writer() as writer:
            dns.dnssec.sign_zone(
                zone, writer, keys=[(key, public)], dnskey_ttl=TTL, inception=now - timedelta(hours=1),
                expiration=now + timedelta(days=14), lifetime=None,
            )  # fmt: skip
        zone.to_file(str(self._server.directory / f"{name}.db"))
        ds = dns.dnssec.make_ds(dns.name.from_text(name), public, "SHA256")
        glue = "".join(f"update add ns{n}.{name}. {TTL} A {one}\n" for n, one in enumerate(SERVERS, 1))
        servers = "".join(f"update add {name}. {TTL} NS ns{n}.{name}.\n" for n in (1, 2))
        return f"{servers}{glue}update add {name}. {TTL} DS {ds}"


def _relay(hosts: list[str], mail_server: str, delay: float, counters: Counters) -> None:
    asyncio.run(_relays(hosts, mail_server, delay, counters))


async def _relays(hosts: list[str], mail_server: str, delay: float, counters: Counters) -> None:
    loop = asyncio.get_running_loop()
    for front, behind in zip(SERVERS, BEHIND, strict=True):
        await loop.create_datagram_endpoint(lambda behind=behind: _Front(behind, delay, counters), (front, 53))
        await loop.create_server(lambda behind=behind: _Stream((behind, 53), delay, counters.queries), front, 53)
    for host in hosts:
        await loop.create_server(lambda: _Stream((mail_server, 25), delay, counters.connections), host, 25, backlog=200)
    await asyncio.Event().wait()


class _Front(asyncio.DatagramProtocol):
    """Takes questions, and carries each to the server and back, late."""

    def __init__(self, behind: str, delay: float, counters: Counters) -> None:
        self._behind, self._delay, self._counters = behind, delay, counters
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._counters.queries.value += 1
        kind = int.from_bytes(data[data.index(b"\0", 12) + 1 :][:2], "big")  # behind the name that is asked for
        self._counters.kinds[min(kind, MOST_TYPES - 1)] += 1
        self._loop.call_later(self._delay, lambda: self._loop.create_task(self._ask(data, addr)))

    async def _ask(self, data: bytes, addr: tuple[str, int]) -> None:
        await self._loop.create_datagram_endpoint(lambda: _Back(data, self._answer(addr)), remote_addr=(self._behind, 53))

    def _answer(self, addr: tuple[str, int]):  # noqa: ANN202  a closure for one answer
        return lambda data: self._loop.call_later(self._delay, self._transport.sendto, data, addr)


class _Back(asyncio.DatagramProtocol):
    """Asks once and hands the answer on."""

    def __init__(self, data: bytes, give) -> None:  # noqa: ANN001  a closure for one answer
        self._data, self._give = data, give

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport
        transport.sendto(self._data)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._give(data)
        self._transport.close()


class _Stream(asyncio.Protocol):
    """A connection that is carried to a server and back, late in both directions."""

    def __init__(self, behind: tuple[str, int], delay: float, counter: Synchronized[c_int]) -> None:
        self._behind, self._delay, self._counter = behind, delay, counter
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._counter.value += 1
        self._client = transport
        self._loop.call_later(self._delay, lambda: self._loop.create_task(self._connect()))

    async def _connect(self) -> None:
        transport, _ = await self._loop.create_connection(lambda: _Returning(self._client, self._delay), *self._behind)
        self._server = transport
        for data in self._waiting:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay, self._forward, data)

    def _forward(self, data: bytes) -> None:
        if self._server is None:
            self._waiting.append(data)
        else:
            self._server.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._delay, lambda: self._server and self._server.close())


class _Returning(asyncio.Protocol):
    """The way back."""

    def __init__(self, client: asyncio.Transport, delay: float) -> None:
        self._client, self._delay = client, delay
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay, self._client.write, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._delay, self._client.close)
