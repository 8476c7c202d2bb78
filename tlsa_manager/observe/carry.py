"""Carrying one question to one address and its answer back, over UDP or TCP.

An answer counts only when it comes from the address that was asked (the socket is connected, so the kernel drops the others),
carries the identifier and repeats the question (RFC 5452 §9); everything else is passed over until the time is up.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TYPE_CHECKING

from tlsa_manager.observe.wording import HEADER, Garbage, Query, read
from tlsa_manager.security import Cause
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message

SILENCE = "did not answer"
CUT = "sent an answer that does not fit into a datagram"
_STRAY = "sent an answer to another question"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. `size`: its octets."""

    message: Message
    size: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """Why there is none."""

    cause: Cause
    words: str


NOTHING_CAME = Unheard(Cause.SILENT, SILENCE)
CUT_OFF = Unheard(Cause.CUT_OFF, CUT)


async def over_udp(address: str, port: int, query: Query, wait: float) -> Heard | Unheard:
    """Return the answer, or why there is none within `wait` seconds. Each question goes out from a port of its own."""
    loop = asyncio.get_running_loop()
    identifier = secrets.randbits(16)
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as fault:
        return spoken(fault)
    with sock:
        ear = _Ear(sock, query, identifier, loop.create_future())
        try:
            sock.connect((address, port))
            sock.send(query.wire(identifier))
            return await _listen(loop, sock, ear, wait)
        except OSError as fault:
            return spoken(fault)


async def over_tcp(address: str, port: int, query: Query, wait: float) -> Heard | Unheard:
    """Return the answer, or why there is none within `wait` seconds."""
    identifier = secrets.randbits(16).to_bytes(2, "big")
    try:
        async with asyncio.timeout(wait):
            data = await _converse(address, port, query.wire(int.from_bytes(identifier, "big")))
        if data[:2] != identifier:
            raise Garbage(_STRAY)
        return _understood(data, query)
    except TimeoutError:
        return NOTHING_CAME
    except (OSError, EOFError) as fault:
        return spoken(fault)
    except Garbage as fault:
        return Unheard(Cause.GARBAGE, str(fault))


def spoken(fault: OSError | EOFError) -> Unheard:
    """Put into words what the network said."""
    if isinstance(fault, ConnectionRefusedError):
        return Unheard(Cause.GONE, "is not there: connection refused")
    if isinstance(fault, EOFError | ConnectionError):
        return Unheard(Cause.GONE, "closed the connection without an answer")
    return Unheard(Cause.GONE, f"cannot be reached: {fault.strerror or fault}")


class _Ear:
    """Listens until the answer to the query comes. `noise`: why the last datagram that looked like it was none."""

    def __init__(self, sock: socket.socket, query: Query, identifier: int, answer: asyncio.Future[Heard | Unheard]) -> None:
        self._sock, self._query, self.answer = sock, query, answer
        self._identifier = identifier.to_bytes(2, "big")
        self.noise = NOTHING_CAME

    def hear(self) -> None:
        try:
            data = self._sock.recv(65535)
        except BlockingIOError:
            return
        except OSError as fault:
            if not self.answer.done():
                self.answer.set_exception(fault)
            return
        if not self.answer.done() and len(data) >= HEADER and data[:2] == self._identifier:
            self._weigh(data)

    def _weigh(self, data: bytes) -> None:
        if data[2] & 0x02:  # TC: whatever is inside, the whole is to be had over TCP
            self.answer.set_result(CUT_OFF)
            return
        try:
            self.answer.set_result(_understood(data, self._query))
        except Garbage as fault:
            self.noise = Unheard(Cause.GARBAGE, str(fault))


async def _listen(loop: asyncio.AbstractEventLoop, sock: socket.socket, ear: _Ear, wait: float) -> Heard | Unheard:
    def tired() -> None:
        if not ear.answer.done():
            ear.answer.set_result(ear.noise)

    loop.add_reader(sock, ear.hear)
    timer = loop.call_later(wait, tired)
    try:
        return await ear.answer
    finally:
        timer.cancel()
        loop.remove_reader(sock)


async def _converse(address: str, port: int, wire: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(length)
    finally:
        writer.close()


def _understood(data: bytes, query: Query) -> Heard:
    if len(data) < HEADER:
        raise Garbage("sent an answer that cannot be read (it ends in its header)")
    message = read(data, query.wanted)
    if not query.repeated(data):
        raise Garbage(_STRAY)
    return Heard(message, len(data))
