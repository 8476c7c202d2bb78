"""What is at home: the services of a configured lineage, and what this machine's own files and journal say about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tlsa_manager.target import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.config import Config
    from tlsa_manager.household import Household
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import FileView, Held, Snapshot
    from tlsa_manager.target import Target


@dataclass(frozen=True, slots=True)
class Home:
    """What belongs to a lineage."""

    services: tuple[Service, ...]
    household: Household
    files: Mapping[str, FileView] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)

    def beside(self, snapshot: Snapshot) -> Snapshot:
        """Put what was found at home beside what was seen outside."""
        return replace(snapshot, files=self.files, held=self.held)


def home_of(target: Target, config: Config | None) -> Home | None:
    """Look at home for a lineage; None for any other target. Nothing is raised for what is found there."""
    if target.kind is not Kind.LINEAGE or config is None:
        return None
    from tlsa_manager import clock
    from tlsa_manager.household import Household
    from tlsa_manager.rollover.state import phase
    from tlsa_manager.wiring import house

    home = house(config)
    lineage, facts = home.lineage(target.name), home.journal.facts(target.name)
    return Home(lineage.services, Household(lineage, facts, phase(lineage, facts, clock.now())))
