"""What a lineage waits for, as it was decided at the latest look."""

from __future__ import annotations

from tlsa_manager.rollover.steps import Blocker
from tlsa_manager.value import dataclass

NEWS = "the next run looks, and goes on: something happened since the latest look"  # instead of a plan that is too old


@dataclass(frozen=True, slots=True)
class Plan:
    """Written after each pass, so that an idle run and `status` need not look again.

    `wake_at`: the next look; `due`: when the awaited step is expected, None = not only a matter of time; `remedy`: what a person
    has to do, if anything. `looked`: (wall clock, boot, seconds since boot) of the look, to notice a clock that was moved.
    `seen`: number of the last event that the plan knows.
    """

    wake_at: float
    why: str
    remedy: str
    blockers: tuple[Blocker, ...]
    due: float | None
    looked: tuple[float, str, float]
    seen: int = 0
