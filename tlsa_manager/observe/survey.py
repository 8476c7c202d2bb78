"""What every address of every server of a zone answers for a name, and where aliases lead.

Servers are those that the parent names and those that the zone's own servers name, together. All addresses are asked side by
side, and a server that is learnt of late is asked as soon as it is known.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

import dns.rcode
import dns.rdatatype

from tlsa_manager.observe.ask import Place, Question, Reply
from tlsa_manager.observe.message import alias, find, hosts, text, unusable
from tlsa_manager.observe.zone import MAX_HOSTS, Addresses, LostError
from tlsa_manager.security import Cause
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdatatype import RdataType

    from tlsa_manager.observe.zone import Walk, Zone

MAX_PLACES = 64  # addresses of one zone
MAX_HOPS = 8  # aliases in a row
_NS, _SOA, _CNAME, _DNSKEY, _TLSA = (dns.rdatatype.from_text(t) for t in ("NS", "SOA", "CNAME", "DNSKEY", "TLSA"))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one address answered: to the question at the name, and for the zone's keys and SOA."""

    server: Name
    place: Place
    reply: Reply
    keys: Reply
    soa: Reply


@dataclass(frozen=True, slots=True)
class Hop:
    """One name on the way from the owner to the records, as all servers of its zone see it.

    `problem`: why not all servers are known, and `cause`; `doubt`: why it may be in a zone further down, which secure answers
    dispel; `ns_ttl`: seconds, the largest TTL of the NS RRsets that name the servers, of the parent's and of the zone's own.
    """

    name: Name
    zone: Zone
    sightings: tuple[Sighting, ...]
    problem: str = ""
    doubt: LostError | None = None
    ns_ttl: int = 0
    rdtype: RdataType = _TLSA
    cause: Cause = Cause.NONE

    @property
    def leads_to(self) -> Name | None:
        """The name that most servers redirect to; None: it is no alias."""
        votes = Counter(
            target[1]
            for sighting in self.sightings
            if sighting.reply.message is not None and not unusable(sighting.reply)
            if (target := alias(sighting.reply.message, self.name)) is not None
        )
        return max(votes, key=lambda name: (votes[name], name)) if votes else None


@dataclass(frozen=True, slots=True)
class Trail:
    """The hops from an owner to its records. `keys`: the DNSKEY replies of the zones above, by name."""

    hops: tuple[Hop, ...]
    problem: str = ""
    keys: dict[Name, Reply] = field(default_factory=dict)
    cause: Cause = Cause.NONE


async def follow(walk: Walk, owner: Name, rdtype: RdataType = _TLSA) -> Trail:
    """Follow CNAME and DNAME from the owner until no server redirects any more. Never raises for remote faults."""
    hops: list[Hop] = []
    keys: dict[Name, Reply] = {}
    name = owner
    while True:
        if name in (hop.name for hop in hops):
            return Trail(tuple(hops), f"the aliases of {text(owner)} go round in a circle: {way(hops, name)}", keys, Cause.LOOP)
        if len(hops) > MAX_HOPS:
            words = f"{text(owner)} leads over more than {MAX_HOPS} aliases: {way(hops, name)}"
            return Trail(tuple(hops), words, keys, Cause.LOOP)
        try:
            zone, doubt = await walk.zone_of(name, rdtype)
        except LostError as lost:
            return Trail(tuple(hops), str(lost), keys, lost.cause)
        hop, found = await asyncio.gather(_look(walk, zone, Question(name, rdtype), doubt), keys_above(walk, zone))
        keys |= found
        hops.append(hop)
        target = hop.leads_to
        if target is None:
            return Trail(tuple(hops), "", keys)
        name = target


async def keys_above(walk: Walk, zone: Zone) -> dict[Name, Reply]:
    """Return the DNSKEY replies of the zones above, by name."""
    above: list[Zone] = []
    parent = zone.parent
    while parent is not None:
        above.append(parent)
        parent = parent.parent
    replies = await asyncio.gather(*(walk.keys(zone) for zone in above))
    return {zone.name: reply for zone, reply in zip(above, replies, strict=True)}


def way(hops: list[Hop], last: Name) -> str:
    """Write down the names that were passed."""
    return " -> ".join([*(text(hop.name) for hop in hops), text(last)])


async def _look(walk: Walk, zone: Zone, question: Question, doubt: LostError | None) -> Hop:
    survey = _Survey(walk, zone, question)
    await asyncio.gather(*(survey.meet(host) for host in zone.hosts))
    if not survey.sightings:
        survey.problems.append((f"{text(zone.name)} has no name server with a known address", Cause.GONE))
    ordered = sorted(survey.sightings.values(), key=lambda seen: (seen.server, ":" in seen.place.address, seen.place))
    problems = [*survey.problems, *((gap, Cause.LOST) for gap in survey.gaps())]
    problem = "; ".join(dict.fromkeys(words for words, _ in problems))
    cause = problems[0][1] if problems else Cause.NONE
    return Hop(question.name, zone, tuple(ordered), problem, doubt, survey.ns_ttl, question.rdtype, cause)


class _Survey:
    """Meets servers by and by."""

    def __init__(self, walk: Walk, zone: Zone, question: Question) -> None:
        self._walk, self._zone, self._question = walk, zone, question
        self._met: set[Name] = set()
        self._visited: set[str] = set()
        self.sightings: dict[Place, Sighting] = {}
        self.problems: list[tuple[str, Cause]] = []
        self._open: list[str] = []  # further addresses that nobody could tell
        self._untold: list[str] = []  # why places did not tell the zone's own name servers
        self._told = False
        self.ns_ttl = zone.ns_ttl

    def gaps(self) -> list[str]:
        """Why there may be servers that were not met. Where one that was met does not answer, that comes first and is enough."""
        if any(unusable(seen.reply) for seen in self.sightings.values()):
            return []
        if self._told or not self._untold:
            return self._open
        nobody = f"no server of {text(self._zone.name)} tells which name servers the zone itself names"
        return [*self._open, f"{nobody}: {self._untold[0]}"]

    async def meet(self, host: Name) -> None:
        """Ask a server at every address it has."""
        if host in self._met:
            return
        if len(self._met) >= MAX_HOSTS:
            self.problems.append((f"{text(self._zone.name)} has more than {MAX_HOSTS} name servers", Cause.LOST))
            return
        self._met.add(host)
        glue = self._zone.glue.get(host, ())
        await asyncio.gather(*(self._visit(host, address) for address in glue), self._look_up(host, glue))

    async def _look_up(self, host: Name, glue: tuple[str, ...]) -> None:
        # Both are asked: a resolver may fail for a moment, and one that lies must not hide a server from us.
        told, at_home = await asyncio.gather(self._walk.addresses(host), self._walk.addresses_at_home(host))
        known = Addresses((*told.found, *at_home.found), told.fault if at_home.fault else "")
        if known.fault and glue:  # unknown is never absent: it may well have an address of the other family
            self._open.append(f"name server {text(host)} may have more addresses than {', '.join(glue)}: {known.fault}")
        elif known.fault:
            self.problems.append((f"the addresses of name server {text(host)} are not known: {known.fault}", Cause.LOST))
        await asyncio.gather(*(self._visit(host, address) for address in known.found))

    async def _visit(self, host: Name, address: str) -> None:
        if address in self._visited:
            return
        if len(self._visited) >= MAX_PLACES:
            words = f"the name servers of {text(self._zone.name)} have more than {MAX_PLACES} addresses"
            self.problems.append((words, Cause.LOST))
            return
        self._visited.add(address)
        place, zone, ask = Place(address, self._walk.port), self._zone.name, self._walk.asker.ask
        reply, keys, soa, servers = await asyncio.gather(
            self._answer(place), *(ask(place, Question(zone, rdtype)) for rdtype in (_DNSKEY, _SOA, _NS))
        )
        self.sightings[place] = Sighting(host, place, reply, keys, soa)
        if servers.message is None or unusable(servers):
            self._untold.append(f"{place} {unusable(servers)}")
        else:
            self._told = True
            named = find(servers.message.answer, zone, _NS)
            self.ns_ttl = max(self.ns_ttl, named.ttl if named is not None else 0)
            await asyncio.gather(*(self.meet(other) for other in hosts(named)))

    async def _answer(self, place: Place) -> Reply:
        """Ask for the records. A server that fails over a circle of aliases (BIND: SERVFAIL) still tells the first of them."""
        reply = await self._walk.asker.ask(place, self._question)
        if reply.message is None or reply.message.rcode() not in (dns.rcode.SERVFAIL, dns.rcode.YXDOMAIN):
            return reply
        name = self._question.name
        one = await self._walk.asker.ask(place, Question(name, _CNAME))
        return one if one.message is not None and not unusable(one) and alias(one.message, name) is not None else reply
