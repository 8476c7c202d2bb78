"""Dynamic update (RFC 2136) of a zone: prerequisites first, then all changes or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.rcode import Rcode
    from dns.rrset import RRset
    from dns.update import UpdateMessage

    from tlsa_manager.demo.zone import Content, SignedZone

_ANY, _NONE = dns.rdataclass.ANY, dns.rdataclass.NONE


def update(message: UpdateMessage, zone: SignedZone) -> Rcode:
    """Obey an update whose signature has been checked; return the response code."""
    named = message.zone[0] if message.zone else None
    if named is None or named.name != zone.origin:
        return dns.rcode.NOTAUTH
    for condition in _whole(message.prerequisite):
        failed = _failed(condition, zone.content)
        if failed is not None:
            return failed
    content = dict(zone.content)
    for one in message.update:
        if not one.name.is_subdomain(zone.origin):
            return dns.rcode.NOTZONE
        _apply(one, content)
    if content != zone.content:
        zone.change(content)
    return dns.rcode.NOERROR


def _whole(conditions: Sequence[RRset]) -> list[RRset]:
    """Put the records of one set, which come one by one, together: they are compared as a whole (RFC 2136 §3.2.3)."""
    whole: dict[tuple[object, ...], RRset] = {}
    for one in conditions:
        key = (one.name, one.rdtype, one.deleting)
        whole[key] = dns.rrset.from_rdata_list(one.name, 0, [*whole[key], *one]) if one.deleting is None and key in whole else one
    return list(whole.values())


def _failed(condition: RRset, content: Content) -> Rcode | None:
    """Return why a prerequisite does not hold (RFC 2136 §3.2), None when it does. Names and RRsets, by existence and value."""
    standing = content.get((condition.name, condition.rdtype))
    if condition.rdtype == dns.rdatatype.ANY:
        exists = any(name == condition.name for name, _ in content)
        wrong = dns.rcode.NXDOMAIN if condition.deleting == _ANY else dns.rcode.YXDOMAIN
        return None if exists == (condition.deleting == _ANY) else wrong
    if condition.deleting == _NONE:
        return dns.rcode.YXRRSET if standing else None
    if standing is None:
        return dns.rcode.NXRRSET
    same = condition.deleting == _ANY or set(condition) == set(standing)
    return None if same else dns.rcode.NXRRSET


def _apply(one: RRset, content: Content) -> None:
    """Make one change (RFC 2136 §3.4.2)."""
    key = (one.name, one.rdtype)
    standing = content.get(key)
    if one.deleting is None:
        together = [*(standing or ()), *one]
        content[key] = dns.rdataset.from_rdata_list(one.ttl, list(dict.fromkeys(together)))
    elif one.deleting == _ANY:
        content.pop(key, None)
    elif standing is not None:
        left = [rdata for rdata in standing if rdata not in one]
        if left:
            content[key] = dns.rdataset.from_rdata_list(standing.ttl, left)
        else:
            content.pop(key)
