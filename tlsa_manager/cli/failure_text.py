"""What is said of steps that failed: each remedy beside its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.aliases import led_there
from tlsa_manager.cli.order_text import again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.rollover.facts import Facts, Failure
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.wiring import Standing


def failure_lines(standing: Standing, told: str, now: float) -> Iterator[Line]:
    """Say what failed, the latest first, and what to do about it, beside its cause. `told`: a remedy that was told already.

    A remedy of several lines has another name in them for each step; they say themselves that the others want the same.
    """
    facts, plan, said = standing.facts, standing.plan, {told.partition("\n")[0]}
    for step, one in _latest(facts):
        times = "once" if one.count == 1 else f"{one.count} times"
        reason = "" if plan and one.reason in plan.why else f": {one.reason}"
        yield f"  {step} failed {times}{reason}; {again(step, one, standing.lineage, facts, now)}", "red"
        if one.hint and (first := one.hint.partition("\n")[0]) not in said:
            said.add(first)
            yield to_do(one.hint + led_there(facts, step))


def to_do(remedy: str) -> Line:
    """Return the line that says what to do, of several lines where the remedy has them."""
    return "  to do: " + remedy.replace("\n", "\n    "), "bold"


def remedy_of(facts: Facts, plan: Plan | None) -> str:
    """What to do: what was decided, else about the failure that is waited for, else about the latest."""
    failed = advised(facts, plan.why if plan else "")
    return decided(facts, plan) or (failed[1].hint + led_there(facts, failed[0]) if failed else "")


def decided(facts: Facts, plan: Plan | None) -> str:
    """What a person has to do for what is held, or waits for a person."""
    return facts.hold.remedy if facts.hold else plan.remedy if plan else ""


def advised(facts: Facts, why: str) -> tuple[str, Failure] | None:
    """The failure whose remedy is told where there is room for one: that which `why` names, else the latest."""
    known = sorted(_latest(facts), key=lambda one: one[1].reason not in why)
    return next((one for one in known if one[1].hint), None)


def _latest(facts: Facts) -> list[tuple[str, Failure]]:
    return sorted(facts.failures.items(), key=lambda one: one[1].at, reverse=True)
