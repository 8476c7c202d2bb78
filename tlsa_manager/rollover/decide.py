"""What to do next: the rules in order, the first that speaks wins. A pure function of the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import law, rules
from tlsa_manager.rollover.state import due_by_time, way_back_until
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision

SWAP_REPEATS = 4  # old and new worker processes answer side by side for a while


@dataclass(frozen=True, slots=True)
class Looks:
    """What has to be looked at before deciding. `probes`: connections per kind of client and address, 0 = none."""

    probes: int


def decide(scene: Scene) -> Decision:
    """Return the next step with its reason, a wait until a moment, or a stop that needs a person."""
    for rule in rules.RULES:
        decision = rule(scene)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always speaks")


def look_at(lineage: Lineage, facts: Facts, now: float) -> Looks:
    """What the next look has to cover. DNS and files always; services when their answer can matter now."""
    if facts.deploying or facts.way_back:
        return Looks(SWAP_REPEATS)
    ends = way_back_until(facts, 0, lineage)
    if facts.previous and ends is not None and (now >= ends or not facts.next):
        return Looks(SWAP_REPEATS if now >= ends else int(bool(law.disowned(lineage, facts))))
    if facts.current and (lineage.leaving or facts.is_going):
        return Looks(SWAP_REPEATS)
    if facts.next and facts.current and not facts.hold:
        due = due_by_time(lineage, facts)
        bare = any(not one.records for owner in facts.owners.values() for one in owner.served)
        idle = bare or not facts.owners or bool(law.leftover(lineage, facts))
        return Looks(2 if due is not None and due <= now else int(idle))
    return Looks(1)
