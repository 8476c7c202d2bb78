"""A journal in memory: what the engine writes survives the crash of the engine, as a real journal does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.rollover.facts import Facts, apply

if TYPE_CHECKING:
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.plan import Plan


class Memory:
    """Events by lineage, in order, each with its moment; facts are folded as events arrive."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str, Event]] = []
        self._facts: dict[str, Facts] = {}
        self._plans: dict[str, Plan] = {}

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events of a lineage."""
        return self._facts.get(lineage, Facts(lineage))

    def append(self, lineage: str, event: Event, at: float) -> None:
        """Keep one event for ever."""
        self.events.append((at, lineage, event))
        self._facts[lineage] = apply(self.facts(lineage), event, at)

    def plan(self, lineage: str) -> Plan | None:
        """Return the latest plan."""
        return self._plans.get(lineage)

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Replace the plan."""
        self._plans[lineage] = replace(plan, seen=len(self.events))
