"""Steps that failed: when they are tried again, and what is said of them meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import timing
from tlsa_manager.rollover.renewal import CLEAR, ISSUE, SHOW
from tlsa_manager.rollover.steps import Act, Blocker, Wait

if TYPE_CHECKING:
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision, Step


def unless_backing_off(scene: Scene, step: Step, why: str, blockers: tuple[Blocker, ...] = ()) -> Decision:
    """Act, or wait until the step that failed may be tried again."""
    failure = scene.facts.failures.get(str(step))
    until = timing.retry_at(failure, scene.policy) if failure else scene.now
    if failure is None or until <= scene.now:
        return Act(step, why)
    return Wait(until, why, (*blockers, Blocker(str(step), f"{step} failed: {failure.reason}", until)))


def backing_off(scene: Scene, step: str) -> bool:
    """Whether a step failed so lately that it is not tried again yet."""
    failure = scene.facts.failures.get(step)
    return failure is not None and timing.retry_at(failure, scene.policy) > scene.now


def failures(scene: Scene) -> tuple[Blocker, ...]:
    """Steps that failed and are tried again; a failed order is in the way of nothing, and no reason to look more often."""
    others = {step: failure for step, failure in scene.facts.failures.items() if step not in (ISSUE, SHOW, CLEAR)}
    return tuple(Blocker(step, f"{step} failed: {failure.reason}") for step, failure in others.items())


def soak_poll(scene: Scene) -> float:
    """How often is looked while nothing but a rollback window is waited for, seconds."""
    return min(10 * scene.policy.poll_interval, scene.policy.check_interval)
