"""One question to one address, and what became of it.

Never raises for anything a remote side does: what went wrong is written down as the `fault` of the reply, and in one word as its
`cause`. How questions are carried is in carry.py; here is how often, and how many at once.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

import dns.flags
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from tlsa_manager.clock import monotonic
from tlsa_manager.observe.carry import CUT, NOTHING_CAME, SILENCE, Heard, Unheard, over_tcp, over_udp
from tlsa_manager.observe.wording import Query
from tlsa_manager.security import Cause
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.message import Message

AT_ONCE = 200  # open sockets in all, well below the usual limit of 1024
AT_ONCE_EACH = 16  # to one address: no server takes us for an attack
AT_ONCE_RESOLVER = 64  # to a resolver, which is the operator's own, and waits for others
MAX_TRIED = 6  # places for one question that any of them may answer
MAX_REPLIES = 2048  # kept in a run
KEEP_FAULT = 10.0  # seconds for which it is believed in a run that there is no answer
MAX_SILENT = 3  # questions of one type that a place leaves unanswered before it is asked no more of them
STAGGER = 0.3  # seconds until the next of them is asked besides
_NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)  # RFC 6891 §7, and §6.1.3


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


@lru_cache(256)
def _query(question: Question, *, edns: bool = True) -> Query:
    """Write the question: DO is set, and AD is not, so that AD in a reply is the resolver's own doing."""
    flags = (dns.flags.RD if question.recurse else 0) | (dns.flags.CD if question.unchecked else 0)
    return Query(question.name, question.rdtype, question.rdclass, flags, edns=edns)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `message` is None when nothing usable did; `fault` then says why. `size`: octets of the answer.

    `cause`: of the fault; or EDNS, where the server would not answer a question with EDNS, and the answer is to one without.
    """

    place: Place
    message: Message | None
    fault: str = ""
    cause: Cause = Cause.NONE
    size: int = 0


class Asker:
    """Asks for one round, or for one run of many. A question asked twice goes out once.

    `timeout`: seconds for one try; `tries`: over UDP, before one over TCP; `limit`: seconds for the whole round; `keep`: seconds
    for which an answer is kept, of MAX_REPLIES at most, where a run has no end (None: as long as the asker is kept).
    An address that has kept silent through all tries, and never said anything else, is not asked anything more; one that keeps
    silent only about some type is not asked for that type for ever.
    """

    def __init__(self, *, timeout: float, tries: int, limit: float = math.inf, keep: float | None = None) -> None:
        self._timeout, self._tries, self._limit, self._keep = timeout, tries, limit, keep
        self._end = monotonic() + limit
        self._sockets = asyncio.Semaphore(AT_ONCE)
        self._each: WeakValueDictionary[tuple[Place, bool], asyncio.Semaphore] = WeakValueDictionary()
        self.heard: set[Place] = set()  # what has answered anything
        self._silent: Counter[tuple[Place, int]] = Counter()
        self._dead: set[Place] = set()
        self._forget_silence = monotonic() + (keep or math.inf)
        self._running: dict[tuple[Place, Question], asyncio.Task[Reply]] = {}
        self._replies: dict[tuple[Place, Question], tuple[Reply, float]] = {}

    async def ask(self, place: Place, question: Question) -> Reply:
        """Ask over UDP, and over TCP when the answer was cut off (TC) or none came."""
        key = (place, question)
        held = self._replies.get(key)
        if held is not None and (self._keep is None or monotonic() < held[1]):
            return held[0]
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._turn(place, question))
        return await asyncio.shield(task)

    def sweep(self) -> None:
        """Forget what is too old, and the oldest where there is too much."""
        if self._keep is None:
            return
        moment = monotonic()
        while self._replies:
            oldest = next(iter(self._replies))
            if moment < self._replies[oldest][1] and len(self._replies) <= MAX_REPLIES:
                break
            del self._replies[oldest]
        if moment >= self._forget_silence:
            self._dead, self._silent = set(), Counter()
            self._forget_silence = moment + self._keep

    async def _turn(self, place: Place, question: Question) -> Reply:
        each = self._each.get((place, question.recurse))
        if each is None:
            each = asyncio.Semaphore(AT_ONCE_RESOLVER if question.recurse else AT_ONCE_EACH)
            self._each[place, question.recurse] = each
        try:
            async with each, self._sockets:
                reply = self._given_up(place, question) or await self._ask(place, question)
        finally:
            self._running.pop((place, question), None)
        self._replies.pop((place, question), None)
        self._replies[place, question] = reply, monotonic() + min(self._keep or 0, math.inf if reply.message else KEEP_FAULT)
        if len(self._replies) > MAX_REPLIES:
            self.sweep()
        return reply

    def _given_up(self, place: Place, question: Question) -> Reply | None:
        if place in self._dead:
            return self._without(place, NOTHING_CAME, NOTHING_CAME)
        if self._silent[place, question.rdtype] < MAX_SILENT:
            return None
        kind = dns.rdatatype.to_text(question.rdtype)
        return Reply(place, None, f"answers other questions, but has kept silent about {kind} {MAX_SILENT} times", Cause.SILENT)

    async def _ask(self, place: Place, question: Question) -> Reply:
        reply = await self._try(place, _query(question))
        if reply.message is not None:
            self.heard.add(place)
            self._silent.pop((place, question.rdtype), None)
            return await self._plainly(question, reply) if _declines_edns(reply.message) else reply
        if reply.cause is Cause.SILENT and not question.recurse:  # a resolver may be silent about one dead zone only
            self._silent[place, question.rdtype] += 1
            if place not in self.heard:
                self._dead.add(place)
        return reply

    async def _plainly(self, question: Question, reply: Reply) -> Reply:
        """Ask without EDNS, as resolvers do, who then have no signatures."""
        plain = await self._try(reply.place, _query(question, edns=False))
        if plain.message is not None and plain.message.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return replace(plain, cause=Cause.EDNS)
        return reply

    async def _try(self, place: Place, query: Query) -> Reply:
        noise = NOTHING_CAME
        for _ in range(self._tries):
            got = await over_udp(*place, query, self._wait)
            if isinstance(got, Heard):
                return Reply(place, got.message, size=got.size)
            if got is not NOTHING_CAME:
                noise = got
                break
        got = await over_tcp(*place, query, self._wait)
        if isinstance(got, Heard):
            return Reply(place, got.message, size=got.size)
        return self._without(place, noise, got)

    @property
    def _wait(self) -> float:
        return max(min(self._timeout, self._end - monotonic()), 0)

    def _without(self, place: Place, over_udp: Unheard, over_tcp: Unheard) -> Reply:
        cause = over_tcp.cause if over_udp is NOTHING_CAME and over_tcp.cause is Cause.GARBAGE else over_udp.cause
        return Reply(place, None, self._why(over_udp.words, over_tcp.words), cause)

    def _why(self, over_udp: str, over_tcp: str) -> str:
        if monotonic() >= self._end:
            return f"gave no answer before the round ended ({self._limit:g} s)"
        if over_udp == CUT:
            return f"{CUT}, and over TCP {over_tcp}"
        if over_udp != SILENCE:
            return over_udp
        if over_tcp == SILENCE:
            return f"did not answer ({self._tries} x {self._timeout:g} s over UDP, then {self._timeout:g} s over TCP)"
        return f"did not answer over UDP ({self._tries} x {self._timeout:g} s), and over TCP {over_tcp}"


def _declines_edns(message: Message) -> bool:
    return message.rcode() in _NO_EDNS and (message.edns < 0 or message.rcode() != dns.rcode.NOTIMP)


async def first(asker: Asker, places: tuple[Place, ...], question: Question, good: Callable[[Reply], bool]) -> Reply:
    """Ask at one place after the other, not waiting long for any; return the first good reply, else the last one."""
    running: set[asyncio.Task[Reply]] = set()
    last = Reply(Place("", 0), None, "no server is known", Cause.LOST)
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
