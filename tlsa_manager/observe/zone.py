"""Which zones lie on the way from the root to a name, and who serves them.

The servers of each zone are asked themselves, from the root down; the root's are learnt from the configured resolver, so that a
private root works too. Nothing is believed because of who said it: keys and DS records count only by their signatures.
What was found is kept for a minute at most, and never longer than its TTL.
"""

from __future__ import annotations

import asyncio
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import dns.flags
import dns.name
import dns.rdatatype

from tlsa_manager.clock import monotonic
from tlsa_manager.observe.ask import Place, Question, Reply, first
from tlsa_manager.observe.memory import KEEP, Memory
from tlsa_manager.observe.message import (
    NEGATIVE,
    addresses,
    alias,
    cause_of,
    find,
    hosts,
    referral,
    signatures,
    soa,
    text,
    unusable,
)
from tlsa_manager.security import Cause
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable

    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rrset import RRset

    from tlsa_manager.observe.ask import Asker

MAX_HOSTS = 32
MAX_ROOT_HOSTS = 4  # asked for the way down only
MAX_DEPTH = 16  # zones between the root and a name
_A, _AAAA, _NS, _DS, _DNSKEY = (dns.rdatatype.from_text(t) for t in ("A", "AAAA", "NS", "DS", "DNSKEY"))
_COMMON = (_A, dns.rdatatype.MX)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone on the way. `ds`: the parent's reply about it; `word`: the resolver's, asked where the parent denied.

    `hosts`: its name servers as the parent names them; `glue`: their addresses where the parent gave any; `ends`: until when
    (monotonic) all this may be kept; `ns_ttl`: seconds, of the NS RRset in the parent.
    """

    name: Name
    parent: Zone | None
    hosts: tuple[Name, ...]
    glue: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    ds: Reply | None = None
    word: Reply | None = None
    ends: float = 0.0
    ns_ttl: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a host. `fault`: why they are not known, or not all."""

    found: tuple[str, ...] = ()
    fault: str = ""
    ttl: float = KEEP


_Found = TypeVar("_Found", Zone, Addresses, Reply)


class LostError(Exception):
    """The way cannot be followed: nobody answers who could tell. The text says who did not, the cause why."""

    def __init__(self, words: str, cause: Cause = Cause.LOST) -> None:
        super().__init__(words)
        self.cause = cause


class Walk:
    """Walks down to zones, in one round. What it learns goes to the memory; what fails is tried again in the next round."""

    def __init__(self, asker: Asker, resolver: Place, port: int, memory: Memory) -> None:
        self.asker, self.resolver, self.port = asker, resolver, port
        self._memory = memory
        self._at_home = Memory()  # of this round only
        self._under_way: dict[Hashable, asyncio.Task[object]] = {}

    async def zone_of(self, name: Name, rdtype: RdataType = _NS) -> tuple[Zone, LostError | None]:
        """Return the deepest zone known to hold the name, and why a deeper one cannot be excluded, or None.

        `rdtype`: what will be asked for at the name; the answer may show the zone without another question.
        Raises LostError when not even the root can be found.
        """
        held = self._memory.get(("zone of", name))
        if isinstance(held, Zone):
            return held, None
        zone = self._above(name) or await self._root()
        try:
            for _ in range(MAX_DEPTH):
                below = await self._below(zone, name, rdtype)
                if below is None:
                    self._memory.put(("zone of", name), zone, _life(zone))
                    return zone, None
                zone = await self._enter(zone, *below)
        except LostError as lost:
            return zone, lost
        return zone, LostError(f"{text(name)} lies below more than {MAX_DEPTH} zones")

    async def keys(self, zone: Zone) -> Reply:
        """Return the DNSKEY reply of one server of the zone."""
        question = Question(zone.name, _DNSKEY)
        return await self._once(("keys", zone.name), lambda: first(self.asker, zone.places, question, _usable), Reply)

    async def addresses(self, host: Name) -> Addresses:
        """Return every IPv4 and IPv6 address of a host, as the resolver tells. Never raises for remote faults."""
        return await self._once(("addresses", host), lambda: self._look_up(host), Addresses)

    async def addresses_at_home(self, host: Name) -> Addresses:
        """Return the addresses of a host as the servers of its own zone tell. Never raises for remote faults.

        Beside what the resolver tells, which may fail or lie. Not for the way down to a zone, which the host itself may serve.
        """
        held = self._at_home.get(host)
        if isinstance(held, Addresses):
            return held
        found = await self._look_at_home(host)
        self._at_home.put(host, found, KEEP)
        return found

    async def _look_at_home(self, host: Name) -> Addresses:
        try:
            zone, doubt = await self.zone_of(host, _A)
        except LostError as lost:
            return Addresses(fault=str(lost))
        if doubt is not None:
            return Addresses(fault=str(doubt))
        replies = await asyncio.gather(*(first(self.asker, zone.places, Question(host, t), _usable) for t in (_A, _AAAA)))
        faults = [_failure(reply) for reply in replies if not _denies(reply, host) and not _addresses(reply, host)]
        return Addresses(tuple(address for reply in replies for address in _addresses(reply, host)), faults[0] if faults else "")

    async def _root(self) -> Zone:
        try:
            root = await self._once("root", self._find_root, Zone)
        except LostError:
            if not isinstance(self._memory.last_root, Zone):
                raise
            return self._memory.last_root
        self._memory.last_root = root
        return root

    async def _find_root(self) -> Zone:
        reply = await self.resolve(dns.name.root, _NS)
        found = find(reply.message.answer, dns.name.root, _NS) if reply.message is not None else None
        if found is None:
            raise LostError(f"the resolver {self.resolver} does not know the root's name servers: {_failure(reply)}")
        some = hosts(found)[:MAX_ROOT_HOSTS]
        looked = await asyncio.gather(*(self.addresses(host) for host in some))
        glue = {host: known.found for host, known in zip(some, looked, strict=True)}
        places = self._places(glue.values())
        if not places:
            raise LostError(f"the resolver {self.resolver} does not know the addresses of the root's name servers")
        return Zone(dns.name.root, None, hosts(found), glue, places, ends=monotonic() + min(found.ttl, KEEP), ns_ttl=found.ttl)

    def _above(self, name: Name) -> Zone | None:
        """Return the deepest zone above the name that is remembered."""
        for depth in range(len(name), 1, -1):
            held = self._memory.get(("zone", dns.name.Name(name.labels[-depth:])))
            if isinstance(held, Zone):
                return held
        return None

    async def _below(self, zone: Zone, name: Name, rdtype: RdataType) -> tuple[Name, Reply] | None:
        """Return the next zone cut below `zone` on the way to `name`, with the reply that shows it. None: there is none.

        High up only one more label is asked about, so that thousands of names cost the root and the registries one question.
        """
        if name == zone.name:
            return None
        if len(zone.name) <= 2 and len(name) > len(zone.name) + 1:
            below = await self._cut(zone, dns.name.Name(name.labels[-(len(zone.name) + 1) :]))
            if below is not None:
                return below
        # A server may keep silent about TLSA alone; that is no way to get acquainted.
        if rdtype in _COMMON or any(place in self.asker.heard for place in zone.places):
            reply = await first(self.asker, zone.places, Question(name, rdtype), _usable)
            further = referral(reply.message, zone.name, name) if reply.message is not None else None
            if further is not None:
                return further.name, reply
            if _settles(reply, name, rdtype, zone.name):
                return None
        return await self._cut(zone, name)

    async def _cut(self, zone: Zone, name: Name) -> tuple[Name, Reply] | None:
        while name != zone.name:
            question = Question(name, _NS)
            reply = await first(self.asker, zone.places, question, partial(_tells, zone=zone.name, name=name))
            if reply.message is None or not _tells(reply, zone=zone.name, name=name):
                words = f"the servers of {text(zone.name)} do not tell who serves {text(name)}: {_failure(reply)}"
                raise LostError(words, _lost_by(zone, reply))
            further = referral(reply.message, zone.name, name)
            if further is not None:
                return further.name, reply
            holder = _holder(reply, name, zone.name)
            if holder is None:  # an alias: no zone begins there
                name = name.parent()
            elif holder == zone.name:
                return None
            else:  # the same server has a zone further down; another may lie between
                return await self._cut(zone, holder.parent()) or (holder, reply)
        return None

    async def _enter(self, parent: Zone, name: Name, shown: Reply) -> Zone:
        return await self._once(("zone", name), lambda: self._find(parent, name, shown), Zone)

    async def _find(self, parent: Zone, name: Name, shown: Reply) -> Zone:
        if shown.message is None:
            raise LostError(f"{text(name)} is not delegated")
        found = find(shown.message.authority, name, _NS) or find(shown.message.answer, name, _NS)
        named = hosts(found)[:MAX_HOSTS]
        glue = {host: addresses(shown.message.additional, host) for host in named}
        glue = {host: known for host, known in glue.items() if known}
        ds = asyncio.create_task(first(self.asker, parent.places, Question(name, _DS), _usable))
        places = self._places(glue.values()) or self._places(
            known.found for known in await asyncio.gather(*(self.addresses(host) for host in named))
        )
        denied = await ds
        word = None
        if denied.message is not None and find(denied.message.answer, name, _DS) is None:
            word = await self.asker.ask(self.resolver, Question(name, _DS, recurse=True))
        ttl = min((rrset.ttl for rrset in (found, *_answers(denied)) if rrset is not None), default=KEEP)
        ends = min(monotonic() + min(ttl, KEEP), parent.ends)
        return Zone(name, parent, named, glue, places, denied, word, ends, found.ttl if found is not None else 0)

    async def _look_up(self, host: Name) -> Addresses:
        replies = await asyncio.gather(self.resolve(host, _A), self.resolve(host, _AAAA))
        found = tuple(address for reply in replies if reply.message is not None for address in addresses(reply.message.answer))
        faults = [_failure(reply) for reply in replies if reply.message is None or reply.message.rcode() not in NEGATIVE]
        ttl = min((rrset.ttl for reply in replies for rrset in _answers(reply)), default=0)
        return Addresses(tuple(dict.fromkeys(found)), faults[0] if faults else "", 0 if faults else ttl)

    async def resolve(self, name: Name, rdtype: dns.rdatatype.RdataType) -> Reply:
        """Ask the resolver without wanting its judgement (CD)."""
        return await self.asker.ask(self.resolver, Question(name, rdtype, recurse=True, unchecked=True))

    def _places(self, groups: Iterable[tuple[str, ...]]) -> tuple[Place, ...]:
        flat = dict.fromkeys(address for group in groups for address in group)
        return tuple(Place(address, self.port) for address in sorted(flat, key=lambda a: ":" in a))

    async def _once(self, key: Hashable, make: Callable[[], Coroutine[None, None, _Found]], kind: type[_Found]) -> _Found:
        """Find something once, for everybody who wants it: from the memory, from who is at it already, or anew."""
        held = self._memory.get(key)
        if isinstance(held, kind):
            return held
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(make())
            task.add_done_callback(partial(self._done, key))
        found = await asyncio.shield(task)
        if not isinstance(found, kind):
            raise TypeError(key)
        self._memory.put(key, found, _life(found))
        return found

    def _done(self, key: Hashable, task: asyncio.Task[object]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # nobody may be left who waits for it


def _life(found: Zone | Addresses | Reply) -> float:
    """Return for how many seconds something may be kept."""
    if isinstance(found, Zone):
        return found.ends - monotonic()
    return found.ttl if isinstance(found, Addresses) else min((rrset.ttl for rrset in _answers(found)), default=0)


def _usable(reply: Reply) -> bool:
    return not unusable(reply)


def _denies(reply: Reply, host: Name) -> bool:
    """Whether the reply tells that there is no such record; an alias or an answer without SOA does not."""
    if reply.message is None or unusable(reply):
        return False
    return soa(reply.message) is not None and alias(reply.message, host) is None


def _addresses(reply: Reply, host: Name) -> tuple[str, ...]:
    return addresses(reply.message.answer, host) if reply.message is not None and not unusable(reply) else ()


def _tells(reply: Reply, *, zone: Name, name: Name) -> bool:
    """Whether the reply tells where the next zone begins, or that none does."""
    return not unusable(reply) or (reply.message is not None and referral(reply.message, zone, name) is not None)


def _settles(reply: Reply, name: Name, rdtype: RdataType, zone: Name) -> bool:
    """Whether an answer says itself which zone it comes from: by who signed it, or by the SOA of a denial."""
    if reply.message is None or unusable(reply):
        return False
    redirected = alias(reply.message, name)
    rrset = redirected[0] if redirected is not None else find(reply.message.answer, name, rdtype)
    if rrset is None:
        denied = soa(reply.message)
        return denied is not None and denied.name == zone
    made = signatures(reply.message.answer, rrset)
    return made is not None and all(cast("RRSIG", one).signer == zone for one in made)


def _holder(reply: Reply, name: Name, zone: Name) -> Name | None:
    """Return the zone that an authoritative answer for NS of `name` comes from; None when there is an alias at `name`."""
    if reply.message is None:
        return zone
    if find(reply.message.answer, name, _NS) is not None:
        return name
    if alias(reply.message, name) is not None:
        return None
    found = soa(reply.message, under=zone)
    return found.name if found is not None and name.is_subdomain(found.name) else zone


def _answers(reply: Reply) -> list[RRset]:
    return reply.message.answer if reply.message is not None else []


def _lost_by(zone: Zone, reply: Reply) -> Cause:
    """Return the cause. Where the root's servers are out of reach it is us who are cut off, and senders may well get through."""
    cause = cause_of(reply)
    return Cause.LOST if cause is Cause.NONE or (zone.parent is None and reply.message is None) else cause


def _failure(reply: Reply) -> str:
    """Say what became of a question that was not answered."""
    if reply.message is None:
        return f"{reply.place} {reply.fault}" if reply.place.address else reply.fault
    return f"{reply.place} {unusable(reply) or 'gave no such record'}"
