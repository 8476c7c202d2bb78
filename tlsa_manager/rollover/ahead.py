"""How far the record of a key has spread that is published ahead of its certificate. Computed for a moment, never stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover.state import Spread, ready_at, spread
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.tlsa import RRset

_LEAST_FIRST = (Spread.HIDDEN, Spread.UNRETENTIVE, Spread.RUMOURED, Spread.OMNIPRESENT)


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far the records of a key have spread: as far as the one that has spread least.

    `published_at`: when the last of them was added. `usable_at`: since when a certificate for the key needs no wait, or from when
    on; None = some server may still hand out a set without them, 0 = since a moment that nobody remembers: the sets from before
    they were published are forgotten. Moments in seconds since 1970, None = not known.
    """

    spread: Spread
    published_at: float | None = None
    usable_at: float | None = None


def ahead(lineage: Lineage, facts: Facts, records: RRset, now: float) -> Ahead:
    """Say how far these records have spread, over all owners of a lineage."""
    found = [_spread(lineage, facts, name, records, now) for name in lineage.owners] if records else []
    least = min(found, key=_LEAST_FIRST.index, default=Spread.HIDDEN)
    published = _published_at(lineage, facts, records)
    return Ahead(least, published, _usable_at(ready_at(lineage, facts, records, 0.0), published, now))


def _spread(lineage: Lineage, facts: Facts, name: str, records: RRset, now: float) -> Spread:
    owner = facts.owners.get(name)
    if owner is None:
        return Spread.HIDDEN
    return min((spread(one, owner, lineage.policy, now) for one in records), key=_LEAST_FIRST.index)


def _usable_at(ready: float | None, published: float | None, now: float) -> float | None:
    """What is left when all that lacked the records is forgotten is older than they are: it is not since then."""
    return 0.0 if ready is not None and ready <= now and (published is None or ready <= published) else ready


def _published_at(lineage: Lineage, facts: Facts, records: RRset) -> float | None:
    """When the latest change was sent that they were part of; None where one was not sent from here."""
    targets = {facts.owners[name].target if name in facts.owners else name for name in lineage.owners}
    sent = [facts.sent.get(target) for target in targets]
    moments = [one.at for one in sent if one is not None and records <= one.records]
    return max(moments) if records and len(moments) == len(targets) else None
