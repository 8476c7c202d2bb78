"""How a zone is set up, from its own servers and its parent's, or from what the resolver tells."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import dns.rdatatype

from tlsa_manager.observe.inquiry import inquire
from tlsa_manager.observe.message import NEGATIVE, find, hosts, text
from tlsa_manager.observe.records import negative_ttl
from tlsa_manager.observe.sight import find_out, overhear
from tlsa_manager.observe.zone import LostError
from tlsa_manager.surroundings import ZoneView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.DS import DS
    from dns.rdtypes.ANY.NSEC3PARAM import NSEC3PARAM
    from dns.rrset import RRset

    from tlsa_manager.observe.ask import Reply
    from tlsa_manager.observe.sight import Sight

_SOA, _NS, _DS, _DNSKEY, _NSEC3PARAM = (dns.rdatatype.from_text(t) for t in ("SOA", "NS", "DS", "DNSKEY", "NSEC3PARAM"))


async def look_at_zone(sight: Sight, name: Name) -> ZoneView:
    """Look at a zone by ourselves. A name where no zone begins is told in the reason."""
    base = ZoneView(text(name))
    try:
        zone, doubt = await sight.walk.zone_of(name)
    except LostError as lost:
        return replace(base, cause=lost.cause, reason=str(lost))
    if zone.name != name:
        reason = str(doubt) if doubt is not None else f"no zone begins at {text(name)}; it belongs to {text(zone.name)}"
        return replace(base, cause=doubt.cause if doubt is not None else base.cause, reason=reason)
    kinds = (_SOA, _NS, _DNSKEY, _NSEC3PARAM)
    judged, trails = await asyncio.gather(
        find_out(sight, name, _SOA), asyncio.gather(*(inquire(sight.walk, name, kind) for kind in kinds))
    )
    replies = [trail.hops[-1].sightings[0].reply if trail.hops and trail.hops[-1].sightings else None for trail in trails]
    seen = _filled(replace(base, security=judged.security, cause=judged.cause, reason=judged.reason), name, replies)
    return replace(seen, ds=_ds(zone.ds, name), parent_hosts=tuple(map(text, zone.hosts)))


async def overhear_zone(sight: Sight, name: Name) -> ZoneView:
    """Look at a zone by what the resolver tells. It does not tell what the parent says about the name servers."""
    kinds = (_SOA, _NS, _DNSKEY, _NSEC3PARAM, _DS)
    judged, replies = await asyncio.gather(
        overhear(sight, name, _SOA), asyncio.gather(*(sight.walk.resolve(name, kind) for kind in kinds))
    )
    base = ZoneView(text(name), judged.security, judged.cause, judged.reason)
    if judged.records == ():
        return replace(base, reason=f"no zone begins at {text(name)}; it belongs to {judged.zone or 'one above'}")
    return replace(_filled(base, name, replies[:4]), ds=_ds(replies[4], name))


def _filled(base: ZoneView, name: Name, replies: Sequence[Reply | None]) -> ZoneView:
    soa, servers, keys, parameters = replies
    held = _rrset(keys, name, _DNSKEY)
    algorithms = sorted({int(cast("DNSKEY", one).algorithm) for one in held or ()})
    salted = [int(cast("NSEC3PARAM", one).iterations) for one in _rrset(parameters, name, _NSEC3PARAM) or ()]
    return replace(
        base,
        signed=held is not None,
        algorithms=tuple(algorithms),
        iterations=max(salted, default=None),
        negative_ttl=negative_ttl(soa.message) if soa is not None and soa.message is not None else 0,
        child_hosts=tuple(map(text, hosts(_rrset(servers, name, _NS)))),
    )


def _ds(reply: Reply | None, name: Name) -> tuple[tuple[int, int, int], ...]:
    found = [cast("DS", one) for one in _rrset(reply, name, _DS) or ()]
    return tuple(sorted((int(one.key_tag), int(one.algorithm), int(one.digest_type)) for one in found))


def _rrset(reply: Reply | None, name: Name, rdtype: RdataType) -> RRset | None:
    if reply is None or reply.message is None or reply.message.rcode() not in NEGATIVE:
        return None
    return find(reply.message.answer, name, rdtype)
