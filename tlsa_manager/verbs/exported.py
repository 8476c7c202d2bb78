"""What stands, and may stand, at each name now: the whole RRset, for those whose DNS is made by other tools than this.

Such a tool puts what it is given in the place of what is there. So nothing is left out that anybody may need: of ours what was
published or asked for, and is wanted; and all that stands there, foreign records too, but for what somebody was asked to remove.
What is wanted and has not been asked for yet waits: whether it may be added at all is decided by a run (`rollover/gates.py`).
Foreign records are taken only from a look at all servers with valid signatures: an answer that is missing, or made up by
somebody on the way, must neither remove a record nor add one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.export import RecordSet, within
from tlsa_manager.rollover.law import wanted
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts, OwnerFacts
    from tlsa_manager.tlsa import RRset

Share = tuple["Lineage", "Facts"]


@dataclass(frozen=True, slots=True)
class Exported:
    """One name. `problem`: why it is not known what stands there; then `set` must not be used.

    `lineages`: all that have records there; `pending`: what is wanted and has not been asked for yet.
    """

    set: RecordSet
    lineages: tuple[str, ...]
    pending: RRset = frozenset()
    problem: str = ""


def exported(shares: Iterable[Share], names: Iterable[str], zone: str = "") -> tuple[Exported, ...]:
    """Return what is exported for the lineages that are named, from the facts of all: names may be shared.

    `zone`: absolute; only names in it, and where the zone of a name is not known it is this one.
    """
    every = tuple(shares)
    places = {one.name: dict(_places(one, facts)) for one, facts in every}
    targets = dict.fromkeys(target for name in names for target in places[name].values())
    meant = (target for target in targets if not zone or within(target, zone))
    found = (_exported(target, [share for share in every if target in places[share[0].name].values()], zone) for target in meant)
    return tuple(one for one in found if not zone or one.set.zone == zone)


def sharers(shares: Iterable[Share], names: Iterable[str]) -> tuple[str, ...]:
    """The lineages that are named, and those that have records at the same names."""
    places = {one.name: set(dict(_places(one, facts)).values()) for one, facts in shares}
    mine = set[str]().union(*(places[name] for name in names))
    return tuple(name for name, targets in places.items() if targets & mine)


def _places(lineage: Lineage, facts: Facts) -> Iterator[tuple[str, str]]:
    """The owners of a lineage, and where their records are."""
    for owner in lineage.owners:
        known = facts.owners.get(owner)
        yield owner, known.target if known else owner


def _exported(target: str, shares: list[Share], zone: str) -> Exported:
    views = {
        owner: facts.owners.get(owner) for lineage, facts in shares for owner, place in _places(lineage, facts) if place == target
    }
    lineages = tuple(lineage.name for lineage, _ in shares)
    known = [one for one in views.values() if one is not None]
    lies_in = max((one.zone for one in known if one.zone), key=len, default=zone)
    ttl = max((one.ttl for view in known for one in view.served if one.records), default=_ttl(shares))
    needed = _union(wanted(lineage, facts) for lineage, facts in shares)
    own = _union(facts.ours.get(target, frozenset()) for _, facts in shares) & needed
    asked = (facts.removing.get(target) for _, facts in shares)
    gone = _union(one.records for one in asked if one) - needed
    standing = _union(one.records for view in known for one in view.served)
    named = RecordSet(target, lies_in, ttl, own | (standing - gone), own, gone & standing, tuple(sorted(views)))
    return Exported(named, lineages, needed - own - standing, _problem(views))


def _ttl(shares: list[Share]) -> int:
    """Of a set that does not exist yet: the shortest that is configured, so that nobody waits longer than he said."""
    return min(lineage.policy.ttl for lineage, _ in shares)


def _problem(views: Mapping[str, OwnerFacts | None]) -> str:
    """Why it is not known what stands there. Unknown is never absent."""
    for owner, view in sorted(views.items()):
        if view is None:
            return f"{owner} has not been looked at yet"
        if not view.complete:
            return (
                f"at the latest look at {owner} not every name server answered with valid signatures,"
                " or a change was not yet in force on all of them"
            )
    return ""


def _union(sets: Iterable[RRset]) -> RRset:
    return frozenset[Tlsa]().union(*sets)
