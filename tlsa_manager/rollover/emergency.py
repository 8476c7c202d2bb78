"""A key that somebody else has: the orders in which it can be replaced, and what each costs (RFC 7671 §8.4).

With the next key published long ago the swap costs nothing. Without one, either senders that hold the old set defer their mail
until they forget it, or the thief's time grows by the whole wait. Never is the record of what is presented taken away first:
that would cost every sender its delivery and win nothing but the minute until the swap.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.rollover import law, timing
from tlsa_manager.rollover.facts import CachedSet
from tlsa_manager.rollover.state import ready_at, sets_without
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts
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


def prospects(lineage: Lineage, facts: Facts, now: float, lag: float = 0.0) -> tuple[Prospect, ...]:
    """Return the ways that are open, best first. The facts know already which keys somebody else has.

    `lag`: how long publications have taken until every server had them, seconds; a poll interval is the least.
    What takes the place of the stolen key is the certificate that is `coming`, else one for the next key.
    """
    if _standby_is_ready(lineage, facts, now):
        return (Prospect(Way.STANDBY, now),)
    seen = now + max(lineage.policy.poll_interval, lag)
    records = ahead(lineage, facts)
    ready = _ready_at(lineage, facts, records, now)
    if ready is not None and ready <= now:
        return (Prospect(Way.STANDBY, now),)
    old = [one for name in lineage.owners for one in _lacking(lineage, facts, name, records)]
    conforming, stretched = zip(*(_forgotten(one, seen, lineage) for one in old), strict=True) if old else ((), ())
    until = (max(seen, *conforming), max(stretched)) if old and max(stretched) > seen else None
    waited = [timing.forgotten_at(one, lineage.policy) or _whole_wait(one, seen, lineage) for one in old]
    return (
        Prospect(Way.AT_ONCE, seen, until),
        Prospect(Way.WAIT, ready if ready is not None else max(waited, default=seen)),
    )


def ahead(lineage: Lineage, facts: Facts) -> RRset:
    """The records of the key that can take the place of a stolen one: of the certificate on its way, else of the next key."""
    certificate = on_its_way(facts)
    if certificate is not None:
        return certificate.records(lineage.params)
    return facts.standby.records(lineage.params) if facts.standby else frozenset()


def on_its_way(facts: Facts) -> Generation | None:
    """The next certificate, if its key may be used and nobody has doubts about it."""
    certificate = facts.generation(facts.next)
    return None if certificate is None or facts.hold is not None or facts.is_barred(certificate) else certificate


def coming(lineage: Lineage, facts: Facts, now: float) -> Generation | None:
    """The certificate on its way, unless the next key can be in service sooner: it would have to wait, the next key not."""
    return None if _standby_is_ready(lineage, facts, now) else on_its_way(facts)


def is_stuck(lineage: Lineage, facts: Facts) -> bool:
    """Whether the certificate in haste has no issuer, and records of one stand: only one that has an issuer can go in."""
    new = facts.generation(facts.at_once)
    if new is None or new.chain.certificates[1:]:
        return False
    return any(one.gone_since is None for name in lineage.owners for one in _anchored(lineage, facts, name, new))


def _standby_is_ready(lineage: Lineage, facts: Facts, now: float) -> bool:
    """Whether every cache knows the next key: then a certificate for it goes into service before everything else."""
    if facts.standby is None:
        return False
    ready = ready_at(lineage, facts, facts.standby.records(lineage.params), now)
    if ready is None or ready > now:
        return False
    anchored = [one for name in lineage.owners for one in _anchored(lineage, facts, name, None)]
    moments = [timing.forgotten_at(one, lineage.policy) for one in anchored]
    return all(one is not None and one <= now for one in moments)


def _ready_at(lineage: Lineage, facts: Facts, records: RRset, now: float) -> float | None:
    """When no cache can hold a set any more that does not match what takes the place; None = a server may hand one out."""
    ready = ready_at(lineage, facts, records, now)
    anchored = [one for name in lineage.owners for one in _anchored(lineage, facts, name, on_its_way(facts))]
    moments = [ready, *(timing.forgotten_at(one, lineage.policy) for one in anchored)]
    known = [one for one in moments if one is not None]
    return max(known) if len(known) == len(moments) else None


def _anchored(lineage: Lineage, facts: Facts, name: str, new: Generation | None) -> Iterator[CachedSet]:
    """The sets with records of an issuer that the certificate in service brings along and the new one does not (RFC 7671 §5.2).

    `new` None: one that is signed by itself, and brings none.
    """
    known, current, smtp = facts.owners.get(name), facts.generation(facts.current), law.for_smtp(lineage, name)
    for one in known.sets if known and current else ():
        anchors = frozenset(each for each in law.usable(one.records, smtp=smtp) if each.usage in {0, 2})
        matched = {each.params for each in anchors if current and current.chain.matches(each)}
        if matched - {each.params for each in anchors if new is not None and new.chain.matches(each)}:
            yield one


def _lacking(lineage: Lineage, facts: Facts, name: str, records: RRset) -> Iterator[CachedSet]:
    """The sets that a cache may hold and that know nothing of the new key, those from before the first look included."""
    known = facts.owners.get(name)
    if known is None:
        return
    without = tuple(sets_without(lineage, facts, name, records))
    yield from without
    yield from (one for one in _anchored(lineage, facts, name, on_its_way(facts)) if one not in without)
    began = timing.history_known_at(known, lineage.policy)
    if known.since is not None and began is not None and began > float("-inf"):
        yield CachedSet(frozenset(), max((one.ttl for one in known.sets if one.records), default=0), known.since)


def _forgotten(one: CachedSet, seen: float, lineage: Lineage) -> tuple[float, float]:
    return timing.deferred_until(one.gone_since if one.gone_since is not None else seen, one.ttl, lineage.policy)


def _whole_wait(one: CachedSet, seen: float, lineage: Lineage) -> float:
    return seen + timing.cache_wait(one.ttl, lineage.policy) + lineage.policy.margin
