"""Removal: what is ours and nobody needs any more goes, when every server is proven to present something else (L2).

Parameters change by RFC 7671 §8: what replaces a record is in every cache before it goes, and the records of one matching type
come and go together, for the key in service, the next one and those of the neighbours, so that they always cover the same keys.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.rollover import gates, law
from tlsa_manager.rollover.adding import lately, ttl_at, was_told, zone_form
from tlsa_manager.rollover.patience import backing_off, failures
from tlsa_manager.rollover.state import Spread, spread
from tlsa_manager.rollover.steps import Act, Blocker, Retire, Wait
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.rollover.facts import OwnerFacts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision
    from tlsa_manager.tlsa import RRset


def tidy(scene: Scene) -> Decision | None:
    """Records of ours that nothing needs any more go: after an abort, or when the parameters changed (RFC 7671 §8.3)."""
    if scene.facts.previous or scene.facts.deploying or scene.current is None:
        return None
    return retire(scene, law.wanted(scene.lineage, scene.facts) | staying(scene))


def meanwhile(scene: Scene) -> Act | None:
    """What can be tidied up while something else is waited for: it may be the very thing that is in the way."""
    decision = tidy(scene)
    return decision if isinstance(decision, Act) else None


def staying(scene: Scene) -> RRset:
    """What stays whatever goes: what neighbours need, what the current generation needs, what is not replaced yet."""
    mine = scene.current.records(scene.lineage.params) if scene.current else frozenset()
    return mine | scene.neighbours_want() | _not_replaced_yet(scene)


def disown(scene: Scene) -> Act | None:
    """While the rollback window is open: the records that match no key we would use again, such as a stolen one's, go at once."""
    gone = law.disowned(scene.lineage, scene.facts)
    if not gone:
        return None
    ours = frozenset[Tlsa]().union(*scene.facts.ours.values())
    decision = retire(scene, (ours - gone) | staying(scene))
    return decision if isinstance(decision, Act) else None


def retire(scene: Scene, keep: RRset) -> Decision | None:
    """Remove what is ours and not kept, one target at a time; None when nothing is left to remove."""
    waiting: list[Blocker] = []
    for target, owners in scene.targets().items():
        remove = _removable(scene, target, owners, keep)
        if not remove:
            continue
        remove, blockers = _together(scene, target, owners, remove)
        held = scene.snapshot.held.get(target)
        view = scene.view(owners[0])
        step = Retire(target, view.zone if view else "", remove, held.records if held else None, ttl_at(scene, owners))
        sent = scene.facts.removing.get(target)
        if remove <= lately(scene, target, sent):
            whose = "somebody has to remove" if sent and sent.asked else "the backend was told to remove"
            waiting.append(Blocker(target, f"{whose} {zone_form(target, remove)}"))
        elif blockers or backing_off(scene, str(step)):
            waiting += blockers or failures(scene)
        else:
            return Act(step, f"{len(remove)} record(s) at {target} are needed no more")
    if not waiting:
        return None
    return Wait(scene.now + scene.policy.poll_interval, f"old records stay for now: {waiting[0].reason}", tuple(waiting))


def _together(scene: Scene, target: str, owners: tuple[str, ...], remove: RRset) -> tuple[RRset, list[Blocker]]:
    """What goes, and what forbids it. Parameters that all lineages at a target give up go in one step: none can go first."""
    blockers = gates.retire(scene, target, owners, remove)
    if not blockers:
        return remove, blockers
    standing = [records for owner in owners for records in scene.standing(target, owner)]
    there = frozenset[Tlsa]().union(*standing)
    given_up = {one.params for one in remove} - {params for one, _ in scene.beside(target, owners) for params in one.params}
    theirs = frozenset(
        one for _, facts in scene.beside(target, owners) for one in facts.ours.get(target, frozenset()) & there
        if one.params in given_up
    ) - staying(scene)  # fmt: skip
    if not theirs - remove:
        return remove, blockers
    joined = gates.retire(scene, target, owners, remove | theirs)
    return (remove, blockers) if joined else (remove | theirs, [])


def _removable(scene: Scene, target: str, owners: tuple[str, ...], keep: RRset) -> RRset:
    """What is ours, not kept, and still there as far as is known."""
    standing = scene.standing(target, owners[0])
    ours = scene.facts.ours.get(target, frozenset())
    there = frozenset().union(*standing) if standing else ours
    if not was_told(scene, scene.facts.removing.get(target)):  # the backend may have it no more, and nobody has been told
        there |= scene.shown(owners) & scene.facts.leaving.get(target, frozenset())
    return (ours - keep) & (there | scene.unheard(target))


def _not_replaced_yet(scene: Scene) -> RRset:
    """Records of parameters that are given up, while some cache may lack the current key's record of those that stay.

    With the current key's record those of the next key stay: one matching type always covers the same keys (RFC 7671 §9).
    """
    current, found = scene.current, frozenset[Tlsa]()
    for name in scene.lineage.owners if current else ():
        known = scene.facts.owners.get(name)
        ours = scene.facts.ours.get(known.target if known else name, frozenset[Tlsa]())
        former = {one for one in ours if current and current.chain.matches(one) and one.params not in scene.lineage.params}
        if former and not _replaced(scene, name, known):
            before = replace(scene.lineage, params=tuple({one.params for one in former}))
            found |= former | law.wanted(before, scene.facts) & ours
    return found


def _replaced(scene: Scene, name: str, known: OwnerFacts | None) -> bool:
    """Whether every cache has each record that the current key needs by the parameters that stay."""
    keep = law.usable(law.wanted(scene.lineage, scene.facts), smtp=scene.smtp(name))
    mine = {one for one in keep if scene.current and scene.current.chain.matches(one)}
    if known is None or not mine:
        return False
    return all(spread(one, known, scene.policy, scene.now) is Spread.OMNIPRESENT for one in mine)
