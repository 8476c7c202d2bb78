"""Which records of a set a sender goes by: with digest algorithm agility only the strongest digest counts (RFC 7671 §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.tlsa import RRset

_STRENGTH = (1, 2)  # matching types of digests, weakest first


def agile(usable: RRset) -> RRset:
    """Return the usable records that an agile sender acts on.

    For each (usage, selector) those with matching type 0, and of the digests only the strongest that is there.
    """
    strongest: dict[tuple[int, int], int] = {}
    for one in usable:
        if one.matching in _STRENGTH:
            group = one.usage, one.selector
            strongest[group] = max(one.matching, strongest.get(group, 0), key=lambda m: m in _STRENGTH and _STRENGTH.index(m))
    return frozenset(one for one in usable if one.matching == 0 or one.matching == strongest[one.usage, one.selector])
