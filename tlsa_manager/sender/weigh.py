"""A whole set of records against what one server presents: once, remembered for a while, and with an end. Pure.

Who owns a zone and a server can publish hundreds of anchors and present a heap of certificates, so that every pair of them asks
for a signature to be verified. Only anchors that are whole in DNS and not presented can be so many; the others are digests of
what is presented. A zone that means well has one or two of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from tlsa_manager.sender.agility import usable
from tlsa_manager.sender.match import Match, is_absent_anchor, match

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.tlsa import RRset, Tlsa

MOST_ABSENT = 8  # anchors that are not presented are tried, of one set
_ONE_OF_MANY = Match(matches=False, why=f"the anchor is not presented; {MOST_ABSENT} others like it were tried, and no more")


def weigh(records: RRset, seen: Presentation, stop: Stop, now: float, *, unexamined: bool = False) -> Mapping[Tlsa, Match]:
    """Match each record of a set against one presentation; the words are those of `match`."""
    same = replace(seen, address="", client="", reason="", version="", suite="")  # what nothing depends on
    return _weighed(records, same, stop, now, unexamined)


@lru_cache(maxsize=64)
def _weighed(records: RRset, seen: Presentation, stop: Stop, now: float, unexamined: bool) -> Mapping[Tlsa, Match]:  # noqa: FBT001
    absent = [one for one in sorted(usable(records, smtp=stop.service.opportunistic)) if is_absent_anchor(one, seen)]
    many = frozenset(absent[MOST_ABSENT:])
    return MappingProxyType(
        {one: _ONE_OF_MANY if one in many else match(one, seen, stop, now, unexamined=unexamined) for one in records}
    )
