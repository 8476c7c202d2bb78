"""What a sender does at each address of each service: all that was seen, put together (RFC 7672 §2.2). Pure.

Servers may answer differently, and so may addresses, and one server may have a certificate for each kind of client: every
combination is some sender's, and the worst counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.security import Security
from tlsa_manager.sender.agility import agile, usable, useless
from tlsa_manager.sender.delivery import RANKS, Delivery, Verdict, Weighed
from tlsa_manager.sender.told import ends, in_use, told
from tlsa_manager.sender.weigh import weigh
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.sender.match import Match
    from tlsa_manager.sender.route import Route, Stop
    from tlsa_manager.sender.told import Told
    from tlsa_manager.snapshot import Presentation, ServiceView, Snapshot
    from tlsa_manager.tlsa import RRset

SENDERS = ("any", "rsa", "ecdsa")  # the kinds of clients that a conforming sender may be: SNI is a MUST for them (RFC 7671 §10.2)


def judge(route: Route, snapshot: Snapshot) -> tuple[Verdict, ...]:
    """Return one verdict for each stop and each of its addresses, in the order of the route."""
    return tuple(verdict for stop in route.stops for verdict in _at(stop, snapshot))


def _at(stop: Stop, snapshot: Snapshot) -> list[Verdict]:
    view = snapshot.services.get(str(stop.service))
    found = _addresses(view) or ("",)
    if stop.outcome is not None:
        state = Security.INSECURE if stop.outcome is Delivery.OPPORTUNISTIC else Security.INDETERMINATE
        owner, service = in_use(stop, snapshot.owners), str(stop.service)
        return [Verdict(service, stop.host, one, owner, stop.outcome, state, why=stop.why, reached=stop.settled) for one in found]
    return [_verdict(stop, snapshot, address, _here(address, view)) for address in found]


def _verdict(stop: Stop, snapshot: Snapshot, address: str, here: list[Presentation]) -> Verdict:
    results = [(owner, *_act(stop.by(owner), one, here, snapshot.at)) for owner, one in ends(stop, snapshot.owners)]
    owner, outcome, why, agility = max(results, key=lambda one: RANKS.index(one[1]))
    answers = told(snapshot.owners.get(owner))
    state = max((one.security for one in answers), key=_STATES.index)
    records = frozenset[Tlsa]().union(*(one.records for one in answers if one.records))
    weighed = _weigh(stop.by(owner), records, here, snapshot.at)
    reached = not here or any(one.outcome is not Outcome.UNREACHABLE for one in here)
    return Verdict(str(stop.service), stop.host, address, owner, outcome, state, weighed, why, agility, reached)


_STATES = (Security.SECURE, Security.INSECURE, Security.INDETERMINATE, Security.BOGUS)


def _act(stop: Stop, answer: Told, here: list[Presentation], now: float) -> tuple[Delivery, str, bool]:
    """What a sender does that is told this and meets these: the outcome, why, whether only agile senders fare so badly."""
    if answer.records is None:
        return Delivery.UNKNOWN if answer.lost else Delivery.DEFER, f"the TLSA lookup fails: {answer.why}", False
    if answer.security is Security.INSECURE:
        return Delivery.OPPORTUNISTIC, f"TLSA is not signed all the way: {answer.why}", False
    if not answer.records:
        return Delivery.OPPORTUNISTIC, "there is no TLSA record", False
    senders = [one for one in here if one.client in SENDERS]
    chains = [one for one in senders if one.outcome is Outcome.PRESENTED]
    broken = [one for one in senders if one.client == "any" and one.outcome is not Outcome.PRESENTED]
    vouched = not senders and not stop.service.probe
    if broken or not (chains or vouched):  # one connection in two that fails is mail that waits, whatever other clients see
        return *_without_tls(broken or senders), False
    counting = usable(answer.records, smtp=stop.service.opportunistic)
    if not counting:
        return Delivery.ENCRYPT, "no TLSA record is usable: TLS is forced, without authentication", False
    if vouched:
        return Delivery.AUTH, "it is not probed: the operator vouches that a TLSA record matches", False
    fits = [{one for one, each in weigh(answer.records, seen, stop, now).items() if each.matches} for seen in chains]
    missing = [seen for seen, fitting in zip(chains, fits, strict=True) if not fitting & counting]
    if missing:
        whom = "" if len(missing) == len(chains) else f" to {_clients(missing)}"
        return Delivery.DEFER, f"no TLSA record matches what is presented{whom}", False
    if any(not fitting & agile(counting) for fitting in fits):
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


def _weigh(stop: Stop, records: RRset, here: list[Presentation], now: float) -> tuple[Weighed, ...]:
    chains = [one for one in here if one.client in SENDERS and one.outcome is Outcome.PRESENTED]
    results = [weigh(records, one, stop, now) for one in chains]
    return tuple(_weighed(one, [each[one] for each in results], smtp=stop.service.opportunistic) for one in sorted(records))


def _weighed(record: Tlsa, results: list[Match], *, smtp: bool) -> Weighed:
    best = next((one for one in results if one.matches), results[0] if results else None)
    why = useless(record, smtp=smtp) or (best.why if best else "nothing is presented")
    return Weighed(record, not useless(record, smtp=smtp), bool(best and best.matches), why)


def _clients(seen: list[Presentation]) -> str:
    names = {"any": "modern clients", "rsa": "RSA-only clients", "ecdsa": "ECDSA-only clients"}
    return " and ".join(names[client] for client in SENDERS if any(one.client == client for one in seen))


def _addresses(view: ServiceView | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.address for one in view.presentations)) if view else ()


def _here(address: str, view: ServiceView | None) -> list[Presentation]:
    return [one for one in (view.presentations if view else ()) if one.address == address]
