"""What this machine itself says about a lineage: configuration, journal, files and modes. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.state import Phase


@dataclass(frozen=True, slots=True)
class Household:
    """One lineage at home."""

    lineage: Lineage
    facts: Facts
    phase: Phase
