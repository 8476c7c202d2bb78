"""What a sender does at each address of each service: all that was seen, put together (RFC 7672 §2.2). Pure.

Servers may answer differently, and so may addresses, and one server may have a certificate for each kind of client: every
combination is some sender's, and the worst counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover.law import usable
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.agility import agile
from tlsa_manager.sender.delivery import Delivery, Verdict, Weighed
from tlsa_manager.sender.match import match
from tlsa_manager.sender.route import FAILED, in_use
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.sender.route import Route, Stop
    from tlsa_manager.snapshot import OwnerView, Presentation, ServiceView, Snapshot
    from tlsa_manager.tlsa import RRset

SENDERS = ("any", "rsa", "ecdsa")  # the kinds of clients that a conforming sender may be: SNI is a MUST for them (RFC 7671 §10.2)


@dataclass(frozen=True, slots=True)
class Told:
    """What some resolver may tell a sender about an owner. `records` None: the lookup fails."""

    records: RRset | None
    security: Security
    why: str = ""


def judge(route: Route, snapshot: Snapshot) -> tuple[Verdict, ...]:
    """Return one verdict for each stop and each of its addresses, in the order of the route."""
    return tuple(verdict for stop in route.stops for verdict in _at(stop, snapshot))


def told(view: OwnerView | None) -> tuple[Told, ...]:
    """Return what resolvers may tell of an owner, as its servers answer: each different answer once; a failure if none does."""
    if view is None:
        return (Told(None, Security.INDETERMINATE, "it was not looked up"),)
    found = [
        Told(None if one.security in FAILED else one.records, one.security, one.reason)
        for one in view.answers
        if one.records is not None
    ]
    if found and view.cause is not Cause.LOOP:
        return tuple(dict.fromkeys(found))
    why = view.problem or "; ".join(dict.fromkeys(f"{one.place} {one.reason}" for one in view.answers))
    return (Told(None, Security.INDETERMINATE, why),)


def _at(stop: Stop, snapshot: Snapshot) -> list[Verdict]:
    view = snapshot.services.get(str(stop.service))
    owner = in_use(stop, snapshot.owners)
    seen = snapshot.owners.get(owner)
    if stop.outcome is not None:
        state = Security.INSECURE if stop.outcome is Delivery.OPPORTUNISTIC else Security.INDETERMINATE
        found = _addresses(view)
        return [
            Verdict(str(stop.service), stop.host, address, owner, stop.outcome, state, why=stop.why, reached=stop.settled)
            for address in found or ("",)
        ]
    answers = told(seen)
    unknown = seen is None or (_is_untold(seen) and not _witnessed_failure(seen))
    return [
        _verdict(stop, owner, answers, address, view, now=snapshot.at, unknown=unknown) for address in _addresses(view) or ("",)
    ]


def _verdict(
    stop: Stop, owner: str, answers: tuple[Told, ...], address: str, view: ServiceView | None, *, now: float, unknown: bool
) -> Verdict:
    here = [one for one in (view.presentations if view else ()) if one.address == address]
    results = [_act(stop, one, here, now) for one in answers]
    outcome, why, agility = max(results, key=lambda one: _rank(one[0]))
    if unknown and outcome is Delivery.DEFER and all(one.records is None for one in answers):
        outcome = Delivery.UNKNOWN
    state = max((one.security for one in answers), key=list(_STATES).index)
    records = frozenset[Tlsa]().union(*(one.records for one in answers if one.records)) if answers else frozenset()
    weighed = tuple(_weigh(stop, one, here, now) for one in sorted(records))
    reached = not here or any(one.outcome is not Outcome.UNREACHABLE for one in here)
    return Verdict(str(stop.service), stop.host, address, owner, outcome, state, weighed, why, agility, reached)


_STATES = (Security.SECURE, Security.INSECURE, Security.INDETERMINATE, Security.BOGUS)


def _rank(outcome: Delivery) -> int:
    return (Delivery.AUTH, Delivery.ENCRYPT, Delivery.OPPORTUNISTIC, Delivery.UNKNOWN, Delivery.DEFER).index(outcome)


def _act(stop: Stop, answer: Told, here: list[Presentation], now: float) -> tuple[Delivery, str, bool]:
    """What a sender does that is told this and meets these: the outcome, why, whether only agile senders fare so badly."""
    if answer.records is None:
        return Delivery.DEFER, f"the TLSA lookup fails: {answer.why}", False
    if answer.security is Security.INSECURE:
        return Delivery.OPPORTUNISTIC, f"TLSA is not signed all the way: {answer.why}", False
    if not answer.records:
        return Delivery.OPPORTUNISTIC, "there is no TLSA record", False
    senders = [one for one in here if one.client in SENDERS]
    chains = [one for one in senders if one.outcome is Outcome.PRESENTED]
    broken = [one for one in senders if one.client == "any" and one.outcome is not Outcome.PRESENTED]
    if broken or not chains:  # one connection in two that fails is mail that waits, whatever the other kinds of clients see
        return *_without_tls(broken or senders), False
    counting = usable(answer.records, smtp=stop.service.opportunistic)
    if not counting:
        return Delivery.ENCRYPT, "no TLSA record is usable: TLS is forced, without authentication", False
    missing = [one for one in chains if not _any(stop, counting, one, now)]
    if missing:
        return Delivery.DEFER, f"no TLSA record matches what is presented to {_clients(missing)}", False
    fussy = [one for one in chains if not _any(stop, agile(counting), one, now)]
    if fussy:
        return Delivery.DEFER, "senders that go by the strongest digest only find no match (RFC 7671 §9)", True
    return Delivery.AUTH, "a TLSA record matches", False


def _without_tls(senders: list[Presentation]) -> tuple[Delivery, str]:
    """TLSA records promise TLS: without it nothing is delivered (RFC 7672 §2.2)."""
    if not senders:
        return Delivery.UNKNOWN, "the service was not probed"
    first = next((one for one in senders if one.client == "any"), senders[0])
    if first.outcome is Outcome.UNREACHABLE and not first.refused:
        return Delivery.UNKNOWN, f"it cannot be reached from here: {first.reason}"
    return Delivery.DEFER, first.reason


def _any(stop: Stop, records: Iterable[Tlsa], seen: Presentation, now: float) -> bool:
    return any(match(one, seen, stop, now).matches for one in records)


def _weigh(stop: Stop, record: Tlsa, here: list[Presentation], now: float) -> Weighed:
    acted_on = bool(usable(frozenset({record}), smtp=stop.service.opportunistic))
    chains = [one for one in here if one.client in SENDERS and one.outcome is Outcome.PRESENTED]
    results = [match(record, one, stop, now) for one in chains]
    best = next((one for one in results if one.matches), results[0] if results else None)
    why = record.flaw or (best.why if best else "nothing is presented")
    if not acted_on and not record.flaw:
        why = f"certificate usage {record.usage} is unusable with SMTP (RFC 7672 §3.1.3)"
    return Weighed(record, acted_on, bool(best and best.matches), why)


def _clients(seen: list[Presentation]) -> str:
    names = {"any": "modern clients", "rsa": "RSA-only clients", "ecdsa": "ECDSA-only clients"}
    return ", ".join(names[client] for client in SENDERS if any(one.client == client for one in seen))


def _addresses(view: ServiceView | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.address for one in view.presentations)) if view else ()


def _is_untold(view: OwnerView) -> bool:
    """Whether nobody was asked who could tell: neither a server nor a resolver that validates."""
    return view.cause is Cause.LOST or any(one.cause is Cause.RESOLVER and one.security in FAILED for one in view.answers)


def _witnessed_failure(view: OwnerView) -> bool:
    return view.witness is not None and view.witness.security is Security.BOGUS
