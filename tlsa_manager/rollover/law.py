"""The safety law as arithmetic over sets: which parameters of an RRset have no record that matches a chain (RFC 7671 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import succession
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.chain import Chain
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.tlsa import Params, RRset

SMTP_USAGES = {2, 3}  # RFC 7672 §3.1.3: 0 and 1 are unusable there


def usable(records: RRset, *, smtp: bool) -> RRset:
    """The records that a conforming sender acts on (RFC 6698 §4.1, RFC 7672 §3.1.3)."""
    return frozenset(one for one in records if not one.flaw and (not smtp or one.usage in SMTP_USAGES))


def gaps(records: RRset, chain: Chain, *, smtp: bool) -> frozenset[Params]:
    """The (usage, selector, matching type) present in a set for which nothing matches the chain. Empty = the law holds."""
    candidates = usable(records, smtp=smtp)
    covered = {one.params for one in candidates if chain.matches(one)}
    return frozenset(one.params for one in candidates) - covered


def worsens(records: RRset, before: Iterable[Chain], after: Chain, *, smtp: bool) -> frozenset[Params]:
    """What a swap from any of `before` to `after` breaks that was whole: a rule already broken does not block the way out.

    With no `before` nobody knows what is presented instead, so every mismatch counts (L6).
    """
    broken, chains = gaps(records, after, smtp=smtp), tuple(before)
    if not broken or not chains:
        return broken
    return frozenset().union(*(broken - gaps(records, chain, smtp=smtp) for chain in chains))


def worsens_unseen(records: RRset, before: Iterable[Chain], after: Chain, *, smtp: bool) -> frozenset[Params]:
    """What a swap may break in caches that hold a set from before the first look: only what is presented may have stood there."""
    chains = tuple(before)
    older = frozenset[Tlsa]().union(*(_matching(records, chain) for chain in chains))
    return worsens(older, chains, after, smtp=smtp) if chains else gaps(records - _matching(records, after), after, smtp=smtp)


def wanted(lineage: Lineage, facts: Facts) -> frozenset[Tlsa]:
    """The records that a lineage needs at each of its owners now: of every generation that is, was or will be presented.

    And of the next key, which no certificate may have yet: published ahead, it needs no wait when it is wanted.
    """
    if (
        lineage.leaving and facts.vanished_at is not None
    ) or facts.is_going:  # its service has ended; what neighbours need they want themselves
        return frozenset()
    names = [facts.current, "" if facts.retiring else facts.previous, facts.way_back.generation if facts.way_back else ""]
    held = facts.hold is not None and bool(facts.hold.generation)
    if facts.deploying or not (held or facts.is_barred(facts.generation(facts.next))):
        names.append(facts.next)
    generations = (facts.generation(name) for name in names)
    ahead = succession.prepublished(lineage, facts)
    return ahead.union(*(one.records(lineage.params) for one in generations if one))


def presentable(facts: Facts) -> tuple[Chain, ...]:
    """The chains that the lineage's own files may make a server present now."""
    if facts.vanished_at is not None:
        return ()
    names = [facts.current, facts.previous, facts.next if facts.deploying else ""]
    if facts.way_back:
        names += [facts.way_back.generation, facts.next]
    return tuple({one.chain for one in (facts.generation(name) for name in names) if one})


def leftover(lineage: Lineage, facts: Facts) -> RRset:
    """The records of ours that this lineage wants no more."""
    return frozenset[Tlsa]().union(*facts.ours.values()) - wanted(lineage, facts)


def disowned(lineage: Lineage, facts: Facts) -> RRset:
    """Those of them that match no certificate of ours, or only such as have keys that must not be used."""
    known = [one.chain for one in facts.generations.values() if not facts.is_barred(one)]
    return frozenset(one for one in leftover(lineage, facts) if not any(chain.matches(one) for chain in known))


def for_smtp(lineage: Lineage, owner: str) -> bool:
    """Whether senders of RFC 7672 are the clients of an owner."""
    return any(one.opportunistic for one in lineage.services if one.owner == owner)


def _matching(records: RRset, chain: Chain) -> RRset:
    return frozenset(one for one in records if chain.matches(one))
