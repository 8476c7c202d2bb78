"""Whether putting a chain into service could break any sender: now, later, or at all. Pure.

Two questions: `for_records` asks what senders would do that are told these records; `for_scene` asks the gate that a rollover
asks before its swap, so that the two cannot disagree, and then what a sender would do with what the servers answer now.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.preflight import hindsight, turn
from tlsa_manager.preflight.clearance import Candidate, Clearance, Judged, Reason
from tlsa_manager.rollover import gates, law, timing
from tlsa_manager.security import Security
from tlsa_manager.sender.delivery import Delivery, worst
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.names import covers
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, OwnerView, ServiceView, Snapshot
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Blocker
    from tlsa_manager.tlsa import RRset

BARE = "(bare records)"  # what an owner is called that nobody named
_NAMELESS = "localhost"  # what a host is called that nobody named
_MEND = "find out what is wrong: tlsa-manager check {service}"


@dataclass(frozen=True, slots=True)
class Wish:
    """How senders are to come to the owners of a file. `names`: for records without a host; `protocol`: none = by port."""

    names: tuple[str, ...] = ()
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Liking:
    """What senders of usages 0 to 2 go by.

    `names`: by host, one tuple a kind of sender: the names that it accepts beside the host's own; `pkix`: by all names of a
    sender, why public authorities do not vouch for the chain, empty where they do; names that are missing were not asked about.
    """

    names: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    pkix: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def stops(self, service: Service) -> tuple[Stop, ...]:
        """Return how each kind of sender comes to a service."""
        kinds = self.names.get(service.host) or ((),)
        return tuple(Stop(service, service.host, owners=(service.owner,), names=(service.host, *more)) for more in kinds)


def stops_for(owner: str, place: tuple[str, int] | None, wish: Wish) -> tuple[Stop, ...]:
    """Return how senders come to an owner of a file. Raises BadInput for a protocol that nobody knows.

    Who comes to a host asks for its name, whatever else a server may be called. Where the owner has no host in it (bare records,
    or a name that only aliases lead to) it is once for each of the wished names.
    """
    if place is not None:
        return (_stop_at(owner, *place, (place[0],), wish.protocol),)
    if not wish.names:
        return (_stop_at(owner, _NAMELESS, 25, (), wish.protocol),)
    return tuple(_stop_at(owner, name, 25, (name,), wish.protocol) for name in wish.names)


def _stop_at(owner: str, host: str, port: int, names: tuple[str, ...], protocol: str) -> Stop:
    try:
        service = Service.parse(f"{host}:{port}" + (f"/{protocol}" if protocol else ""))
    except BadInput:
        if protocol:
            Service.parse(f"localhost:{port}/{protocol}")
        service = Service(host, port, "smtp" if port == 25 else "tls")
    return Stop(service, host, owners=(owner,), names=names)


def for_records(
    candidate: Candidate, sets: Sequence[tuple[Stop, RRset]], at: float, pkix: Mapping[tuple[str, ...], str]
) -> Clearance:
    """Judge a chain against records: safe only if every conforming sender, agile or not, would authenticate it everywhere.

    `sets`: how senders come to an owner, and what they are told there. The records are taken to be signed, and to be all that any
    cache holds. `pkix`: as in Liking.
    """
    judged = []
    for stop, records in sets:
        (owner,) = stop.owners
        view = OwnerView(owner, owner, "", at, (Answer("", "", records, 0, Security.SECURE),))
        judged.append(_judged(stop, view, candidate, at, pkix.get(stop.names)))
    reasons = [
        Reason(one.owner, _unsafe(one) + _to_whom(one, judged), remedy=_unnamed(one) + _missing(one.owner, candidate, 3600))
        for one in judged
        if one.verdict.outcome is not Delivery.AUTH
    ]
    return Clearance(tuple(judged), tuple(reasons), (*_of_chain(candidate, at), *_of_gaps(judged)), offline=True)


def for_scene(scene: Scene, generation: Generation, candidate: Candidate, liking: Liking) -> Clearance:
    """Judge a chain against the world as it was just seen, and as it is remembered."""
    judged = [_at_service(scene, service, candidate, liking) for service in scene.lineage.services]
    blockers = gates.swap(scene, generation)
    reasons = [*turn.reasons(scene, candidate.chain), *_uneven(judged, blockers, candidate)]
    reasons += [Reason(one.subject, one.reason, one.until) for one in blockers]
    if scene.facts.is_leaving(generation):
        gone = "a record of this chain's key is on its way out of DNS, and servers may still show it from before"
        reasons.append(Reason(scene.lineage.name, gone, remedy="wait until it is gone, then begin anew"))
    told = {one.subject for one in reasons}
    reasons += [
        Reason(one.owner, _unsafe(one)) for one in judged if one.verdict.outcome is Delivery.DEFER and one.owner not in told
    ]
    reasons += [one for service in scene.lineage.services for one in _in_caches(scene, service, candidate, liking)]
    reasons += hindsight.reasons(scene, candidate.chain, tuple(reasons))
    mended = tuple(_with_remedy(scene, one, candidate) for one in dict.fromkeys(reasons))
    even = [one for one in judged if one.owner not in {each.subject for each in blockers}]
    warnings = [*_of_chain(candidate, scene.now), *_of_kind(scene, candidate), *_of_gaps(even), *_of_protection(judged)]
    if scene.facts.hold:
        warnings.append((scene.lineage.name, f"the lineage is held: {scene.facts.hold.reason}"))
    return Clearance(tuple(judged), mended, tuple(dict.fromkeys(warnings)))


def insecure(view: OwnerView | None) -> bool:
    """Whether every server of an owner answers, and it is proven that senders do not use DANE there."""
    return view is not None and view.complete and all(one.security is Security.INSECURE for one in view.answers)


def beside(
    clearance: Clearance, judged: Sequence[Judged], seen_since: float | None, notes: Iterable[tuple[str, str]] = ()
) -> Clearance:
    """Add owners where DANE does not apply, and since when the others are known to be as they are. `notes`: more warnings."""
    warnings = (*clearance.warnings, *_of_protection(judged), *notes)
    return Clearance((*clearance.owners, *judged), clearance.reasons, tuple(dict.fromkeys(warnings)), seen_since)


def at_insecure(view: OwnerView, service: Service, candidate: Candidate, at: float) -> Judged:
    """Judge an owner where nothing is signed: senders deliver as without DANE, whatever the certificate."""
    return _judged(Stop(service, service.host, owners=(view.owner,), names=(service.host,)), view, candidate, at, None)


def asks_the_public(sets: Iterable[RRset | None], service: Service) -> bool:
    """Whether some record makes senders ask the public certificate authorities."""
    return not service.opportunistic and any(one.usage in {0, 1} for records in sets for one in records or ())


def _in_caches(scene: Scene, service: Service, candidate: Candidate, liking: Liking) -> Iterator[Reason]:
    """Why a set that only caches hold would refuse the chain, although its digests match: dates, names, a path (RFC 7671 §5.2).

    The gate goes by digests, since what a rollover publishes is usage 3; other people's records may be of another kind.
    """
    known = scene.facts.owners.get(service.owner)
    if known is None:
        return
    served = {one.records for one in known.served}
    held = [(one.records, timing.forgotten_at(one, scene.policy)) for one in known.sets if one.records not in served]
    presented = scene.presented(service.owner)
    older = frozenset(record for records in served for record in records if any(chain.matches(record) for chain in presented))
    ends = timing.history_known_at(known, scene.policy)
    for records, until in (*held, (older, ends)) if ends is not None else held:
        over = until is not None and until <= scene.now
        if not over and not law.gaps(records, candidate.chain, smtp=service.opportunistic):
            answer = Answer("", "", records, 0, Security.SECURE)
            view = OwnerView(service.owner, service.owner, "", scene.now, (answer,))
            one = _by_all(service, view, candidate, scene.now, liking)
            if one.verdict.outcome is Delivery.DEFER:
                yield Reason(service.owner, f"caches may hold an RRset from before: {_unsafe(one)}", until)


def _at_service(scene: Scene, service: Service, candidate: Candidate, liking: Liking) -> Judged:
    view = scene.view(service.owner) or OwnerView(service.owner, service.owner, "", scene.now, problem="it was not looked up")
    return _by_all(service, view, candidate, scene.now, liking)


def _by_all(service: Service, view: OwnerView, candidate: Candidate, at: float, liking: Liking) -> Judged:
    """Return what becomes of the worst off of all kinds of senders."""
    found = [_judged(stop, view, candidate, at, liking.pkix.get(stop.names)) for stop in liking.stops(service)]
    outcome = worst(one.verdict.outcome for one in found)
    return next(one for one in found if one.verdict.outcome is outcome)


def _judged(stop: Stop, view: OwnerView, candidate: Candidate, at: float, pkix: str | None) -> Judged:
    services = {str(stop.service): ServiceView(str(stop.service), at, (candidate.presented(pkix),))}
    (verdict,) = judge(Route((stop,)), Snapshot(at, {view.owner: view}, services=services))
    sets = [one.records for one in view.answers if one.records]
    missing = {one for records in sets for one in law.gaps(records, candidate.chain, smtp=stop.service.opportunistic)}
    return Judged(view.owner, verdict, tuple(sorted(missing)) if verdict.outcome is Delivery.AUTH else ())


def _unsafe(one: Judged) -> str:
    verdict = one.verdict
    if verdict.outcome is Delivery.DEFER and verdict.agility:
        return f"{verdict.why}, and refuse the server"
    if verdict.outcome is Delivery.DEFER and any(each.usable for each in verdict.records):
        return "senders that use DANE would refuse the server: no usable TLSA record matches this chain"
    if verdict.outcome is Delivery.DEFER:
        return f"senders that use DANE would refuse the server: {verdict.why}"
    return f"senders would not authenticate the server: {verdict.why}"


def _to_whom(one: Judged, judged: Sequence[Judged]) -> str:
    """Say under which name senders come, where an owner is judged under several."""
    several = sum(each.owner == one.owner for each in judged) > 1
    return f" (for {one.verdict.host})" if several else ""


def _uneven(judged: Sequence[Judged], blockers: Sequence[Blocker], candidate: Candidate) -> Iterator[Reason]:
    """Say which rule it is, where no sender would refuse the chain and the gate is closed all the same."""
    kept = {one.subject for one in blockers}
    for one in judged:
        if one.gaps and one.owner in kept:
            kinds = ", ".join(map(str, one.gaps))
            text = (
                f"every sender would authenticate the server by another record, but none with parameters {kinds} matches this "
                "chain, and RFC 7671 §8 demands a match for each kind that is published"
            )
            yield Reason(one.owner, text, remedy=_of_each_kind(one, candidate))


def _of_each_kind(one: Judged, candidate: Candidate) -> str:
    made = [each for each in one.gaps if each.usage == 3 and each.matching in {1, 2}]
    if len(made) < len(one.gaps):
        kinds = ", ".join(str(each) for each in one.gaps if each not in made)
        return f"publish a record with parameters {kinds} that matches, too, or remove those that do not; wait; ask again"
    records = " and ".join(f"{one.owner} IN TLSA {candidate.chain.leaf.record(each)}" for each in made)
    return f"publish beside what stands there: {records}; wait until no cache can lack it; ask again"


def _unnamed(one: Judged) -> str:
    """Ask for the name that senders know the server by, where a record is for those who compare names, and none was told."""
    asks = one.owner == BARE and one.verdict.host == _NAMELESS and any(each.record.usage != 3 for each in one.verdict.records)
    return "say what senders call the server, with --name HOST; or " if asks else ""


def _missing(owner: str, candidate: Candidate, ttl: int) -> str:
    record = candidate.chain.leaf.record(DANE_EE_SPKI_SHA256)
    place = f"{owner} {ttl} IN TLSA" if owner != BARE else "a record"
    return f"publish beside what stands there: {place} {record}"


def _with_remedy(scene: Scene, one: Reason, candidate: Candidate) -> Reason:
    """Say what to do about what does not end by itself."""
    view = scene.view(one.subject)
    if one.until is not None or one.remedy or view is None:
        return one
    answers = [each for each in view.answers if each.records is not None and each.security is Security.SECURE]
    smtp = scene.smtp(one.subject)
    lacking = [each for each in answers if law.gaps(each.records or frozenset(), candidate.chain, smtp=smtp)]
    if answers and len(lacking) == len(view.answers):
        remedy = (
            _missing(view.target, candidate, max(each.ttl for each in answers)) + "; wait until no cache can lack it; ask again"
        )
    elif lacking and len(answers) == len(view.answers):
        remedy = f"let all name servers have the same records: {', '.join(each.place for each in lacking)} lag behind; ask again"
    else:
        remedy = _MEND.format(service=next((str(each) for each in scene.services_of(one.subject)), one.subject))
    return Reason(one.subject, one.message, one.until, remedy)


def _of_chain(candidate: Candidate, at: float) -> Iterator[tuple[str, str]]:
    """What is wrong with the certificate for others than DANE senders with usage 3, who ask neither names nor dates."""
    if at > candidate.not_after:
        yield "certificate", "it has expired: mail programs, and senders that use MTA-STS or usage 2, refuse it"
    elif at < candidate.not_before:
        yield "certificate", "it is not valid yet: mail programs, and senders that use MTA-STS or usage 2, refuse it"


def _of_kind(scene: Scene, candidate: Candidate) -> Iterator[tuple[str, str]]:
    for service in scene.lineage.services:
        kinds = {chain.kind for chain in scene.presented(service.owner)}
        if kinds and candidate.chain.kind not in kinds:
            former = " and ".join(sorted(kinds))
            yield (
                str(service),
                f"it presents {former} now and would present {candidate.chain.kind}: who knows only {former} cannot connect",
            )
        if not covers(candidate.names, (service.host,)):
            yield str(service), f"the certificate does not name {service.host}: mail programs and MTA-STS senders would refuse it"


def _of_gaps(judged: Sequence[Judged]) -> Iterator[tuple[str, str]]:
    for one in judged:
        for each in one.gaps:
            yield one.owner, f"no record with parameters {each} matches, while others do: RFC 7671 §8 wants one for each kind"


def _of_protection(judged: Sequence[Judged]) -> Iterator[tuple[str, str]]:
    for one in judged:
        outcome, why = one.verdict.outcome, one.verdict.why
        if outcome is Delivery.OPPORTUNISTIC:
            yield one.owner, f"DANE does not protect it, so no certificate can break it: {why}"
        elif outcome is Delivery.ENCRYPT:
            yield one.owner, f"senders do not authenticate it, whatever the certificate: {why}"
