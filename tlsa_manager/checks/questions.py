"""What the checks want to know besides, once the way to a target is known. Pure.

A host with TLSA records costs three questions: how absence is proven beside them, whether the names in between exist, and
whether a wildcard stands above. Wrong names are asked for only where a signed host has nothing at the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.places import (
    NO_PORT,
    SUBMISSION,
    base_of,
    has_records,
    hosts_of,
    is_bare,
    misspelt,
    other_ports,
    views,
    zone_of,
)
from tlsa_manager.security import Security
from tlsa_manager.target import Kind
from tlsa_manager.tlsa import owner_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.sender.route import Route, Stop
    from tlsa_manager.snapshot import Snapshot
    from tlsa_manager.target import Target

    Question = tuple[str, str]


def questions(route: Route, snapshot: Snapshot, target: Target, *, thorough: bool) -> frozenset[Question]:
    """Return further questions (name with final dot, type) that are to be asked side by side.

    `thorough`: also what only rounds off the picture, and wrong names in zones that are not signed.
    """
    asked = set(_about_domain(target, thorough=thorough))
    for stop in route.stops:
        if stop.service.connect:  # the operator tells where it is: the name may be nobody's
            continue
        found = [view for view in views(stop, snapshot) if has_records(view)]
        for view in found:
            asked |= set(_beside_records(base_of(view.owner)))
        if found and thorough and stop.service.opportunistic:
            asked |= set(_about_host(stop.service.host))
        if is_bare(stop, snapshot) and (thorough or _signed(stop, snapshot)):
            asked |= set(_in_search_of(stop, snapshot, target))
    return frozenset(asked)


def _about_domain(target: Target, *, thorough: bool) -> Iterator[Question]:
    if target.kind is not Kind.DOMAIN:
        return
    yield f"_smtp._tls.{target.name}.", "TXT"  # RFC 8460 §3
    if thorough:
        yield from ((f"{label}._tcp.{target.name}.", "SRV") for label in SUBMISSION)


def _beside_records(host: str) -> Iterator[Question]:
    yield f"_tcp.{host}.", "A"  # what resolvers ask that send no more of a name than they must (RFC 9156)
    yield owner_name(host, NO_PORT), "TLSA"
    yield f"*.{host}.", "TLSA"


def _about_host(host: str) -> Iterator[Question]:
    yield f"_smtp._tls.{host}.", "TXT"  # the host is the policy domain of DANE
    yield from ((owner_name(host, port), "TLSA") for port in SUBMISSION.values())


def _in_search_of(stop: Stop, snapshot: Snapshot, target: Target) -> Iterator[Question]:
    host, port = stop.service.host, stop.service.port
    names = [*misspelt(host, port, zone_of(host, snapshot)), *other_ports(host, port)]
    if target.kind is Kind.DOMAIN:
        names += [owner_name(target.name, port)] if host != target.name else hosts_of(target.name)
    if any(answer.exists for view in views(stop, snapshot) for answer in view.answers):
        names.append(f"*._tcp.{host}.")  # something else at the name hides what the wildcard has (RFC 4592 §2.2.1)
    return ((name, "TLSA") for name in names)


def _signed(stop: Stop, snapshot: Snapshot) -> bool:
    return any(one.security is Security.SECURE for view in views(stop, snapshot) for one in view.answers)
