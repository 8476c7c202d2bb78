"""Where things stand. Computed from the facts for a moment, never stored, so that it cannot disagree with them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.rollover import law, timing
from tlsa_manager.tlsa import Params

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.chain import Chain
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.policy import Policy
    from tlsa_manager.rollover.facts import CachedSet, Facts, OwnerFacts
    from tlsa_manager.tlsa import RRset, Tlsa


class Phase(StrEnum):
    """Where a lineage stands (design: vocabulary)."""

    STABLE = "stable"
    PUBLISHING = "publishing"
    WAITING = "waiting"
    READY = "ready"
    SWAPPING = "swapping"
    SWAPPED = "swapped"
    RETIRING = "retiring"
    HELD = "held"


class Spread(StrEnum):
    """How far a record has spread; the four words of RFC 7583 and its tools."""

    HIDDEN = "hidden"  # no cache has it
    RUMOURED = "rumoured"  # some caches may have it
    OMNIPRESENT = "omnipresent"  # no cache can lack it
    UNRETENTIVE = "unretentive"  # some caches may still have it


def phase(lineage: Lineage, facts: Facts, now: float) -> Phase:
    """Return the phase of a lineage."""
    if facts.deploying or facts.way_back:
        return Phase.SWAPPING
    if facts.hold is not None:
        return Phase.HELD
    if facts.previous:
        ends = way_back_until(facts, 0, lineage)
        return Phase.RETIRING if ends is not None and now >= ends else Phase.SWAPPED
    if facts.current and (lineage.leaving or facts.is_going):
        return Phase.RETIRING
    if facts.next:
        return _phase_of_next(lineage, facts, now)
    return Phase.STABLE


def spread(record: Tlsa, owner: OwnerFacts, policy: Policy, now: float) -> Spread:
    """Return how far a record has spread at an owner."""
    cached = [one for one in owner.sets if _may_be_held(one, policy, now)]
    having = [one for one in cached if record in one.records]
    served = any(record in one.records for one in owner.served)
    if not having:
        return Spread.HIDDEN
    if not served:
        return Spread.UNRETENTIVE
    return Spread.OMNIPRESENT if owner.complete and len(having) == len(cached) else Spread.RUMOURED


def due_by_time(lineage: Lineage, facts: Facts) -> float | None:
    """When no cache can hold a set any more that the swap would break; None = some server may still hand one out.

    Judged by the current generation alone, as far as it can be without looking at the services; the gate looks at them too.
    """
    new, current = facts.generation(facts.next), facts.generation(facts.current)
    if new is None:
        return None
    before = (current.chain,) if current else ()
    moments: list[float | None] = [0.0]
    for name in lineage.owners:
        owner = facts.owners.get(name)
        if owner is None or not owner.complete:
            return None
        smtp = law.for_smtp(lineage, name)
        blocking = [one for one in owner.sets if _blocks(one.records, before, new.chain, smtp=smtp)]
        if facts.at_once == new.id:  # only servers count, not caches
            moments += [None for one in blocking if one.gone_since is None]
            continue
        moments += [timing.forgotten_at(one, lineage.policy) for one in blocking]
        if any(law.worsens_unseen(one.records, before, new.chain, smtp=smtp) for one in owner.served):
            moments.append(timing.history_known_at(owner, lineage.policy))
    known = [one for one in moments if one is not None]
    return max(known) if len(known) == len(moments) else None


def ready_at(lineage: Lineage, facts: Facts, records: RRset, now: float) -> float | None:
    """When no cache can lack these records at any owner; None = some server may still hand out a set without them."""
    if not records:
        return None
    moments = [now]
    for name in lineage.owners:
        known = facts.owners.get(name)
        if known is None or not known.complete:
            return None
        for one in sets_without(lineage, facts, name, records):
            ends = timing.forgotten_at(one, lineage.policy)
            if ends is None:
                return None
            moments.append(ends)
        history = timing.history_known_at(known, lineage.policy)
        if history is None:
            return None
        moments.append(history)
    return max(moments)


def way_back_until(facts: Facts, ttl: int, lineage: Lineage) -> float | None:
    """When the rollback window ends: at once for a key that somebody else has. None = no swap has been proven."""
    if facts.confirmed_at is None:
        return None
    if facts.is_compromised(facts.generation(facts.previous)):
        return facts.confirmed_at
    return timing.retire_at(facts.confirmed_at, ttl, lineage.policy)


def sets_without(lineage: Lineage, facts: Facts, name: str, records: RRset) -> Iterator[CachedSet]:
    """The usable sets at an owner that lack the records of a key, or match the current key where they do not match that one.

    Parameters are judged apart, those of former times too (RFC 7671 §8); where nothing is usable, senders do without DANE
    (RFC 7672 §2.2).
    """
    known, current, smtp = facts.owners.get(name), facts.generation(facts.current), law.for_smtp(lineage, name)
    every = _every_record(lineage, facts, records)
    for one in known.sets if known else ():
        usable = law.usable(one.records, smtp=smtp)
        matched = {record.params for record in usable if record.usage == 3 and current and current.chain.matches(record)}
        covered = {record.params for record in usable & every}
        if usable and not (records and records <= one.records and matched <= covered):
            yield one


def _every_record(lineage: Lineage, facts: Facts, records: RRset) -> RRset:
    """These records, and those of other parameters that belong to the same keys."""
    digests = (Params(3, 1, 1), Params(3, 1, 2))
    holders = (one for one in (facts.standby, *facts.generations.values()) if one and one.records(lineage.params) == records)
    return records.union(*(one.records(digests) for one in holders))


def _phase_of_next(lineage: Lineage, facts: Facts, now: float) -> Phase:
    due = due_by_time(lineage, facts)
    if due is not None:
        return Phase.READY if due <= now else Phase.WAITING
    new = facts.generation(facts.next)
    records = new.records(lineage.params) if new else frozenset()
    targets = {facts.owners[name].target if name in facts.owners else name for name in lineage.owners}
    sent = all(_told(facts, target, records) for target in targets)
    return Phase.WAITING if sent else Phase.PUBLISHING


def _told(facts: Facts, target: str, records: RRset) -> bool:
    sent = facts.sent.get(target)
    return sent is not None and records <= sent.records


def _blocks(records: RRset, before: tuple[Chain, ...], after: Chain, *, smtp: bool) -> bool:
    return bool(law.worsens(records, before, after, smtp=smtp) if before else law.gaps(records, after, smtp=smtp))


def _may_be_held(one: CachedSet, policy: Policy, now: float) -> bool:
    ends = timing.forgotten_at(one, policy)
    return ends is None or ends > now
