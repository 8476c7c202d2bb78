"""One question, followed over aliases to its answer, asked of one server of each zone: the first that answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.name
import dns.rcode
import dns.rdatatype

from tlsa_manager.observe.ask import Place, Question, Reply, first
from tlsa_manager.observe.message import alias, text, unusable
from tlsa_manager.observe.survey import MAX_HOPS, Hop, Sighting, Trail, keys_above, way
from tlsa_manager.observe.zone import LostError
from tlsa_manager.security import Cause

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dns.name import Name
    from dns.rdatatype import RdataType

    from tlsa_manager.observe.zone import Walk, Zone

_CNAME, _DNSKEY = dns.rdatatype.from_text("CNAME"), dns.rdatatype.from_text("DNSKEY")
_UNASKED = Reply(Place("", 0), None, "was not asked", Cause.LOST)
NOBODY = dns.name.Name(())  # the server's name, where only its address matters


async def inquire(walk: Walk, name: Name, rdtype: RdataType, avoid: AbstractSet[Place] = frozenset()) -> Trail:
    """Follow a question until no alias redirects it any more. `avoid`: places whose answers were no good, if there are others.

    Never raises for remote faults. Each hop of the trail has one sighting, without SOA.
    """
    hops: list[Hop] = []
    keys: dict[Name, Reply] = {}
    at = name
    while True:
        if at in (hop.name for hop in hops):
            return Trail(tuple(hops), f"the aliases of {text(name)} go round in a circle: {way(hops, at)}", keys, Cause.LOOP)
        if len(hops) > MAX_HOPS:
            words = f"{text(name)} leads over more than {MAX_HOPS} aliases: {way(hops, at)}"
            return Trail(tuple(hops), words, keys, Cause.LOOP)
        try:
            zone, doubt = await walk.zone_of(at, rdtype)
        except LostError as lost:
            return Trail(tuple(hops), str(lost), keys, lost.cause)
        sighting, found = await asyncio.gather(_see(walk, zone, Question(at, rdtype), avoid), keys_above(walk, zone))
        keys |= found
        nobody = "" if sighting else f"{text(zone.name)} has no name server with a known address"
        cause = Cause.GONE if nobody else Cause.NONE
        hops.append(Hop(at, zone, (sighting,) if sighting else (), nobody, doubt, rdtype=rdtype, cause=cause))
        target = None if rdtype == _CNAME else hops[-1].leads_to
        if target is None:
            return Trail(tuple(hops), "", keys)
        at = target


async def _see(walk: Walk, zone: Zone, question: Question, avoid: AbstractSet[Place]) -> Sighting | None:
    places = tuple(place for place in zone.places if place not in avoid) or zone.places
    if not places:
        return None
    reply = await first(walk.asker, places, question, _usable)
    if reply.message is not None and reply.message.rcode() in (dns.rcode.SERVFAIL, dns.rcode.YXDOMAIN):
        one = await walk.asker.ask(reply.place, question._replace(rdtype=_CNAME))  # as BIND does over a circle of aliases
        if one.message is not None and not unusable(one) and alias(one.message, question.name) is not None:
            reply = one
    keys = await walk.asker.ask(reply.place, Question(zone.name, _DNSKEY))
    if unusable(keys):
        keys = await walk.keys(zone)
    server = next((host for host, known in zone.glue.items() if reply.place.address in known), NOBODY)
    return Sighting(server, reply.place, reply, keys, _UNASKED)


def _usable(reply: Reply) -> bool:
    return not unusable(reply)
