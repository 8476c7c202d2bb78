"""A key that somebody else has: the orders in which it can be replaced, and what each costs (RFC 7671 §8.4).

With the next key published long ago the swap costs nothing. Without one, either senders that hold the old set defer their mail
until they forget it, or the thief's time grows by the whole wait. Never is the record of what is presented taken away first:
that would cost every sender its delivery and win nothing but the minute until the swap.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.rollover import law, timing
from tlsa_manager.rollover.succession import prepublished
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import CachedSet, Facts, OwnerFacts
    from tlsa_manager.tlsa import RRset


class Way(StrEnum):
    """How a compromised key leaves."""

    STANDBY = "standby"  # E1: the next key is known to every cache; swap now
    AT_ONCE = "at once"  # E2: publish a new key, swap as soon as every server has it; no wait for caches
    WAIT = "wait"  # E3: publish a new key and wait as always; the thief's time is longer


@dataclass(frozen=True, slots=True)
class Prospect:
    """What one way costs. `swap_at`: when the stolen key goes out of service, at the earliest.

    `deferred_until`: until when senders that hold an old set defer their mail: conforming ones, and those behind resolvers that
    raise small TTLs; None = no mail is deferred. Moments in seconds since 1970.
    """

    way: Way
    swap_at: float
    deferred_until: tuple[float, float] | None = None


def prospects(lineage: Lineage, facts: Facts, now: float) -> tuple[Prospect, ...]:
    """Return the ways that are open, best first. The facts know already which keys somebody else has."""
    seen = now + lineage.policy.poll_interval
    ready = ready_at(lineage, facts, ahead(lineage, facts), now)
    if ready is not None and ready <= now:
        return (Prospect(Way.STANDBY, now),)
    old = [one for name in lineage.owners for one in _lacking(lineage, facts, name)]
    deferred = [_forgotten(one, seen, lineage) for one in old]
    until = (max(one for one, _ in deferred), max(one for _, one in deferred)) if deferred else None
    waited = [timing.forgotten_at(one, lineage.policy) or _whole_wait(one, seen, lineage) for one in old]
    return (
        Prospect(Way.AT_ONCE, seen, until),
        Prospect(Way.WAIT, ready if ready is not None else max(waited, default=seen)),
    )


def ahead(lineage: Lineage, facts: Facts) -> RRset:
    """The records of the key that can take the place of a stolen one: of the certificate on its way, else of the next key."""
    coming = on_its_way(facts)
    return coming.records(lineage.params) if coming else prepublished(lineage, facts)


def on_its_way(facts: Facts) -> Generation | None:
    """The next certificate, if nobody else has its key and nobody has doubts about it."""
    coming = facts.generation(facts.next)
    return None if coming is None or facts.hold is not None or facts.is_compromised(coming) else coming


def ready_at(lineage: Lineage, facts: Facts, records: RRset, now: float) -> float | None:
    """When no cache can lack these records at any owner; None = some server may still hand out a set without them."""
    if not records:
        return None
    moments = [now]
    for name in lineage.owners:
        known = facts.owners.get(name)
        if known is None or not known.complete:
            return None
        for one in _sets_without(known, records, smtp=law.for_smtp(lineage, name)):
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


def _lacking(lineage: Lineage, facts: Facts, name: str) -> Iterator[CachedSet]:
    """The sets that a cache may hold and that know nothing of the next key."""
    known = facts.owners.get(name)
    if known is not None:
        records = ahead(lineage, facts)
        yield from _sets_without(known, records, smtp=law.for_smtp(lineage, name))


def _sets_without(known: OwnerFacts, records: RRset, *, smtp: bool) -> Iterator[CachedSet]:
    """The usable sets that lack the records; where nothing is usable, senders do without DANE (RFC 7672 §2.2)."""
    for one in known.sets:
        if law.usable(one.records, smtp=smtp) and not (records and records <= one.records):
            yield one


def _forgotten(one: CachedSet, seen: float, lineage: Lineage) -> tuple[float, float]:
    return timing.deferred_until(one.gone_since if one.gone_since is not None else seen, one.ttl, lineage.policy)


def _whole_wait(one: CachedSet, seen: float, lineage: Lineage) -> float:
    return seen + timing.cache_wait(one.ttl, lineage.policy) + lineage.policy.margin
