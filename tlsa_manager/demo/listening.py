"""A DNS server's ears: UDP and TCP on one address and port (RFC 7766), and the way of a message through it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import dns.exception
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig

from tlsa_manager.demo.nameserver import answer
from tlsa_manager.demo.update import update

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dns.message import Message
    from dns.update import UpdateMessage
    from dns.zone import Zone

    from tlsa_manager.demo.zone import SignedZone

    Handler = Callable[[bytes], Awaitable[Message | None]]

_PLAIN_UDP = 512  # bytes, RFC 1035 §4.2.1
_TCP = 65535


class Ears:
    """What listens at one place. `close` frees the port."""

    def __init__(self, datagrams: asyncio.BaseTransport, stream: asyncio.Server) -> None:
        self._datagrams, self._stream = datagrams, stream

    def close(self) -> None:
        """Listen no more."""
        self._datagrams.close()
        self._stream.close()


async def listen(address: str, port: int, handler: Handler) -> Ears:
    """Answer at an address with what the handler says; None: nothing is said. Raises OSError where the place is taken."""
    stream = await asyncio.start_server(lambda reader, writer: _converse(reader, writer, handler), address, port)
    try:
        datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(handler), local_addr=(address, port)
        )
    except OSError:
        stream.close()
        raise
    return Ears(datagrams, stream)


class Authority:
    """An authoritative server of one zone. With keys it is the primary: it takes signed updates (RFC 8945) of `master`."""

    def __init__(self, zone: Zone, *, master: SignedZone | None = None, keys: tuple[dns.tsig.Key, ...] = ()) -> None:
        self.zone = zone
        self._master = master
        self._keyring = {key.name: key for key in keys}
        self.changed: Callable[[], None] = lambda: None

    async def handle(self, wire: bytes) -> Message | None:
        """Answer one message."""
        try:
            query = dns.message.from_wire(wire, keyring=self._keyring)
        except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.message.UnknownTSIGKey):
            return _turned_away(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.opcode() == dns.opcode.UPDATE:
            return self._update(query)
        return answer(query, self.zone)

    def _update(self, query: Message) -> Message:
        response = dns.message.make_response(query)
        if self._master is None or not query.had_tsig:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        before = self._master.signed
        response.set_rcode(update(cast("UpdateMessage", query), self._master))
        self.zone = self._master.signed
        if self.zone is not before:
            self.changed()
        return response


def _turned_away(wire: bytes) -> Message | None:
    """Answer what is signed with an unknown or wrong key: NOTAUTH (RFC 8945 §5.2)."""
    query = dns.message.from_wire(wire, keyring=False)
    query.tsig = None  # the answer to it is not signed
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.NOTAUTH)
    return response


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: Any) -> None:
        response = await self._handler(data)
        if response is not None and self._transport is not None and not self._transport.is_closing():
            size = max(response.request_payload, _PLAIN_UDP)
            self._transport.sendto(response.to_wire(max_size=size, prefer_truncation=True), addr)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            response = await handler(await reader.readexactly(length))
            if response is None:
                return
            wire = response.to_wire(max_size=_TCP)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
    except (EOFError, OSError):
        return  # the other side is done
    finally:
        writer.close()
