"""A journal in memory: what the engine writes survives the crash of the engine, as a real journal does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.errors import Stale
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
        self._latest: dict[str, int] = {}
        self._folded: dict[str, int] = {}

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events of a lineage."""
        self._folded[lineage] = self._latest.get(lineage, 0)
        return self._facts.get(lineage, Facts(lineage))

    def folded(self, lineage: str) -> int:
        """Return the number of the latest event of a lineage that `facts` told of."""
        return self._folded.get(lineage, 0)

    def append(self, lineage: str, event: Event, at: float, *, after: int | None = None) -> None:
        """Keep one event for ever; with `after` only if that is still the latest of the lineage, else raise Stale."""
        if after is not None and after != self._latest.get(lineage, 0):
            raise Stale(f"something happened to {lineage}")
        self.events.append((at, lineage, event))
        self._latest[lineage] = len(self.events)
        self._facts[lineage] = apply(self._facts.get(lineage, Facts(lineage)), event, at)

    def plan(self, lineage: str) -> Plan | None:
        """Return the latest plan."""
        return self._plans.get(lineage)

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Replace the plan."""
        self._plans[lineage] = replace(plan, seen=self.folded(lineage))
