"""Everything on the senders' way to a target that is not both known and secure, each with its one cause. Pure.

A sender asks for MX (or SRV), for the addresses of each host, and for TLSA at its base domain; what fails there defers mail.
Each cause belongs to one fault, so that nothing is told twice.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tlsa_manager.checks.places import is_bare
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.route import FAILED
from tlsa_manager.sender.told import asked, in_use
from tlsa_manager.target import Kind
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup

_UNHEARD = (Cause.SILENT, Cause.GONE, Cause.RCODE, Cause.GARBAGE)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One answer that a sender's resolver stumbles over, or that it takes for unsigned.

    `place`: the server as a person names it, empty where it is not about one; `zone`: where the chain of trust breaks,
    else the zone of the name; `signed_from`: when the signature that counts begins; `elsewhere`: whether other servers of the
    zone answer the same question well; `alive`: whether the server, or some server of the zone, answers other questions.
    """

    name: str
    rdtype: str
    security: Security
    cause: Cause
    reason: str
    zone: str
    place: str = ""
    signed_from: float | None = None
    elsewhere: bool = False
    alive: bool = False

    @property
    def hearsay(self) -> bool:
        """Whether only the resolver was asked, which does not tell in which zone something is wrong."""
        return not self.zone

    @property
    def fails(self) -> bool:
        """Whether the lookup fails, rather than being taken for unsigned."""
        return self.security is not Security.INSECURE


def doubts(case: Case) -> tuple[Doubt, ...]:
    """Return all doubts on the way, lookups first."""
    alive = _answering(case)
    found = [one for lookup in _lookups(case) for one in _of_lookup(lookup, alive)]
    found += [one for view in on_the_way(case) for one in of_view(view)]
    return tuple(dict.fromkeys(found))


def by_zone(case: Case, *causes: Cause, fails: bool = True) -> Iterator[tuple[str, tuple[Doubt, ...]]]:
    """Yield zone by zone the doubts with one of these causes."""
    wanted = [one for one in doubts(case) if one.cause in causes and one.fails is fails]
    for zone, some in groupby(sorted(wanted, key=lambda one: one.zone), key=lambda one: one.zone):
        yield zone, tuple(some)


def on_the_way(case: Case) -> tuple[OwnerView, ...]:
    """Return the views of the TLSA owners that senders come to, each once.

    Of two base domains the second counts only where a server of the first has nothing, or nothing signed; where the way ends
    before TLSA is asked for, the view of the host's own name still shows what its servers do.
    """
    names = dict.fromkeys(name for stop in case.route.stops for name in _owners(case, stop))
    return tuple(case.snapshot.owners[name] for name in names if name in case.snapshot.owners)


def owner_in_use(case: Case, stop: Stop) -> str:
    """Return the TLSA owner of a stop that senders go by, or would if they came to it."""
    return in_use(stop, case.snapshot.owners) or stop.service.owner


def _owners(case: Case, stop: Stop) -> tuple[str, ...]:
    return asked(stop, case.snapshot.owners) or (stop.service.owner,)


def _lookups(case: Case) -> Iterator[Lookup]:
    names = [(case.target.name, kind) for kind in ("MX", "SRV") if case.target.kind in {Kind.DOMAIN, Kind.SRV}]
    names += [(stop.service.host, kind) for stop in case.route.stops if not stop.service.connect for kind in ("A", "AAAA")]
    found = (case.lookup(*name) for name in dict.fromkeys(names))
    return (one for one in found if one is not None)


def _answering(case: Case) -> frozenset[str]:
    """Return the zones whose servers answer something."""
    told = {one.zone for one in _lookups(case) if one.records is not None}
    heard = {view.zone: view.answers for view in on_the_way(case)}
    seen = {zone for zone, some in heard.items() if any(one.records is not None or one.serial is not None for one in some)}
    return frozenset(told | seen)


def _of_lookup(found: Lookup, answering: frozenset[str]) -> Iterator[Doubt]:
    if found.records is None or found.security is not Security.SECURE:
        state = Security.INDETERMINATE if found.records is None and found.security is Security.INSECURE else found.security
        zone = found.broken_zone or found.zone
        alive = zone in answering
        yield Doubt(found.name, found.rdtype, state, found.cause, found.reason, zone, "", found.signed_from, alive=alive)


def of_view(view: OwnerView) -> Iterator[Doubt]:
    """Yield the doubts about one owner, server by server."""
    if not view.answers:
        yield Doubt(view.owner, "TLSA", Security.INDETERMINATE, view.cause or Cause.LOST, view.problem, view.zone)
    good = any(one.records is not None and one.security not in FAILED for one in view.answers)
    heard = any(one.records is not None for one in view.answers)
    for one in view.answers:
        if one.records is not None and one.security is Security.SECURE:
            continue
        state = Security.INDETERMINATE if one.records is None and one.security is Security.INSECURE else one.security
        better = good if one.records is not None else heard  # who is silent only makes others be asked
        elsewhere, alive = better and state in FAILED, one.serial is not None
        zone = one.broken_zone or view.zone
        yield Doubt(view.owner, "TLSA", state, one.cause, one.reason, zone, one.place, one.signed_from, elsewhere, alive)


def drops(one: Doubt) -> bool:
    """Whether a server, or a zone's servers, answer other questions, but not this one."""
    return one.alive and one.cause in _UNHEARD


def unexplained(case: Case) -> Iterator[tuple[str, tuple[Doubt, ...]]]:
    """Yield zone by zone the failures that no fault of its own stands for, unless another in the zone explains them.

    A server that cannot prove an absence may answer SERVFAIL, for instance.
    """
    failing = [one for one in doubts(case) if one.fails]
    known = {one.zone for one in failing if one.cause not in (*_UNHEARD, Cause.NONE, Cause.LAME)}
    for zone in dict.fromkeys(one.zone for one in failing):
        mine = tuple(one for one in failing if one.zone == zone and _is_strange(one))
        if mine and (not zone or zone not in known):
            yield zone, mine


def _is_strange(one: Doubt) -> bool:
    heard_of = one.hearsay and one.cause in (*_UNHEARD, Cause.LAME)
    return heard_of or one.cause is Cause.NONE or (drops(one) and not one.place)


def is_down(one: Doubt) -> bool:
    """Whether a server, or all that were asked, gave no answer that can be used."""
    return not one.hearsay and (one.cause is Cause.LAME or (one.cause in _UNHEARD and not one.alive))


def bare(case: Case) -> list[Stop]:
    """Return the stops that certainly have no record, and whose addresses can be looked up."""
    reachable = [stop for stop in case.route.stops if stop.outcome in {None, Delivery.OPPORTUNISTIC}]
    return [stop for stop in reachable if is_bare(stop, case.snapshot)]
