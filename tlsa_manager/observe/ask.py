"""One question to one address, and what became of it.

Never raises for anything a remote side does: what went wrong is written down as the `fault` of the reply. An answer counts only
when it comes from the address that was asked (the socket is connected, so the kernel drops the others), carries the identifier
and repeats the question (RFC 5452 §9); everything else is passed over until the time is up.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

from tlsa_manager.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.message import Message

PAYLOAD = 1232  # bytes; fits every path without fragments (DNS flag day 2020, RFC 9715 §3.2)
AT_ONCE = 200  # open sockets in all, well below the usual limit of 1024
AT_ONCE_EACH = 16  # to one address: no server takes us for an attack
MAX_TRIED = 6  # places for one question that any of them may answer
STAGGER = 0.3  # seconds until the next of them is asked besides
_HEADER = 12


class Place(NamedTuple):
    """An address (IPv4 or IPv6, numeric) and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        """Return `address`, with `#port` where it is not 53."""
        return self.address if self.port == 53 else f"{self.address}#{self.port}"


class Question(NamedTuple):
    """What is asked. `recurse`: of a resolver (RD); `unchecked`: it shall not validate (CD, RFC 4035 §3.2.2)."""

    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    recurse: bool = False
    unchecked: bool = False
    rdclass: dns.rdataclass.RdataClass = dns.rdataclass.IN

    def query(self) -> Message:
        """Make the message: DO is set, and AD is not, so that AD in a reply is the resolver's own doing."""
        query = dns.message.make_query(self.name, self.rdtype, self.rdclass, want_dnssec=True, payload=PAYLOAD)
        query.flags = (dns.flags.RD if self.recurse else 0) | (dns.flags.CD if self.unchecked else 0)
        return query


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `message` is None when nothing usable did; `fault` then says why."""

    place: Place
    message: Message | None
    fault: str = ""


class Asker:
    """Asks for one round. A question asked twice in the round goes out once.

    `timeout`: seconds for one try; `tries`: over UDP, before one over TCP; `limit`: seconds for the whole round.
    An address that has kept silent through all tries is not asked anything more in the round.
    """

    def __init__(self, *, timeout: float, tries: int, limit: float) -> None:
        self._timeout, self._tries, self._limit = timeout, tries, limit
        self._end = monotonic() + limit
        self._sockets = asyncio.Semaphore(AT_ONCE)
        self._each: defaultdict[Place, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_EACH))
        self._silent: set[Place] = set()
        self._asked: dict[tuple[Place, Question], asyncio.Task[Reply]] = {}

    async def ask(self, place: Place, question: Question) -> Reply:
        """Ask over UDP, and over TCP when the answer was cut off (TC) or none came."""
        task = self._asked.get((place, question))
        if task is None:
            task = self._asked[place, question] = asyncio.create_task(self._turn(place, question))
        return await asyncio.shield(task)

    async def _turn(self, place: Place, question: Question) -> Reply:
        async with self._each[place], self._sockets:
            if place in self._silent:
                return Reply(place, None, self._why("", _SILENCE))
            return await self._try(place, question)

    async def _try(self, place: Place, question: Question) -> Reply:
        query, noise = question.query(), ""
        for _ in range(self._tries):
            got = await _over_udp(place, query, self._wait)
            if not isinstance(got, str):
                return Reply(place, got)
            if got != _SILENCE:
                noise = got
                break
        got = await _over_tcp(place, query, self._wait)
        if not isinstance(got, str):
            return Reply(place, got)
        if got == _SILENCE and not question.recurse:  # a resolver may be silent about one dead zone only
            self._silent.add(place)
        return Reply(place, None, self._why(noise, got))

    @property
    def _wait(self) -> float:
        return max(min(self._timeout, self._end - monotonic()), 0)

    def _why(self, over_udp: str, over_tcp: str) -> str:
        if monotonic() >= self._end:
            return f"gave no answer before the round ended ({self._limit:g} s)"
        if over_udp == _CUT:
            return f"{_CUT}, and over TCP {over_tcp}"
        if over_udp:
            return over_udp
        if over_tcp == _SILENCE:
            return f"did not answer ({self._tries} x {self._timeout:g} s over UDP, then {self._timeout:g} s over TCP)"
        return f"did not answer over UDP ({self._tries} x {self._timeout:g} s), and over TCP {over_tcp}"


async def first(asker: Asker, places: tuple[Place, ...], question: Question, good: Callable[[Reply], bool]) -> Reply:
    """Ask at one place after the other, not waiting long for any; return the first good reply, else the last one."""
    running: set[asyncio.Task[Reply]] = set()
    last = Reply(Place("", 0), None, "no server is known")
    for place in (*places[:MAX_TRIED], None):
        if place is not None:
            running.add(asyncio.create_task(asker.ask(place, question)))
        while running:
            done, running = await asyncio.wait(running, timeout=STAGGER if place else None, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                last = task.result()
                if good(last):
                    return last
            if not done:
                break
    return last


_SILENCE = "did not answer"
_CUT = "sent an answer that does not fit into a datagram"


async def _over_udp(place: Place, query: Message, wait: float) -> Message | str:
    """Return the answer, or a text saying why there is none within `wait` seconds."""
    answer: asyncio.Future[Message | str] = asyncio.get_running_loop().create_future()
    ear = _Ear(query, answer)
    try:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: ear, remote_addr=place)
        try:
            transport.sendto(query.to_wire())
            await asyncio.wait([answer], timeout=wait)
        finally:
            transport.close()
        return answer.result() if answer.done() else ear.noise or _SILENCE
    except OSError as fault:
        return _spoken(fault)


async def _over_tcp(place: Place, query: Message, wait: float) -> Message | str:
    try:
        async with asyncio.timeout(wait):
            return await _converse(place, query)
    except TimeoutError:
        return _SILENCE
    except (OSError, EOFError) as fault:
        return _spoken(fault)


class _Ear(asyncio.DatagramProtocol):
    """Listens until the answer to the query comes. `noise`: why the last datagram that looked like it was none."""

    def __init__(self, query: Message, answer: asyncio.Future[Message | str]) -> None:
        self._query, self._answer, self.noise = query, answer, ""
        self._identifier = query.id.to_bytes(2, "big")

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  the signature is asyncio's
        if self._answer.done() or len(data) < _HEADER or data[:2] != self._identifier:
            return
        if data[2] & 0x02:  # TC: whatever is inside, the whole is to be had over TCP
            self._answer.set_result(_CUT)
            return
        got = _read(data, self._query)
        if isinstance(got, str):
            self.noise = got
        else:
            self._answer.set_result(got)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def _converse(place: Place, query: Message) -> Message | str:
    reader, writer = await asyncio.open_connection(place.address, place.port)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        return _read(await reader.readexactly(length), query)
    finally:
        writer.close()


def _read(data: bytes, query: Message) -> Message | str:
    try:
        message = dns.message.from_wire(data)
    except Exception as fault:  # noqa: BLE001  a parser fed by strangers: whatever it trips over is their garbage
        return f"sent an answer that cannot be read ({type(fault).__name__}: {str(fault)[:80]})"
    return message if query.is_response(message) else "sent an answer to another question"


def _spoken(fault: OSError | EOFError) -> str:
    if isinstance(fault, ConnectionRefusedError):
        return "is not there: connection refused"
    if isinstance(fault, EOFError | ConnectionError):
        return "closed the connection without an answer"
    return f"cannot be reached: {fault.strerror or fault}"
