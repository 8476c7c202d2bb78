"""Where a lineage stands, as a value for --json and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.aliases import alias_lines, alias_values
from tlsa_manager.cli.failure_text import advised, decided, failure_lines, remedy_of, to_do
from tlsa_manager.cli.key_text import next_lines, next_value, service_line, service_value
from tlsa_manager.cli.order_text import order_lines
from tlsa_manager.cli.stolen_text import stolen_lines, stolen_value
from tlsa_manager.cli.when import clock, day, iso, stamp
from tlsa_manager.rollover.plan import NEWS
from tlsa_manager.rollover.renewal import due
from tlsa_manager.rollover.state import Phase
from tlsa_manager.rollover.steps import Blocker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.lineage import Generation
    from tlsa_manager.order import Order, Token
    from tlsa_manager.rollover.facts import Facts, Hold
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.wiring import Standing

_STYLES = {
    Phase.STABLE: "green", Phase.HELD: "bold red", Phase.SWAPPING: "magenta", Phase.READY: "cyan",
    Phase.PUBLISHING: "yellow", Phase.WAITING: "yellow", Phase.SWAPPED: "cyan", Phase.RETIRING: "cyan",
}  # fmt: skip
UNSEEN = "not looked at yet"
AGAIN_AND_AGAIN = 3  # failures of one step in a row: with the usual timing within four minutes


def value(standing: Standing) -> dict[str, Any]:
    """Return everything `status` says about a lineage, moments as ISO 8601."""
    lineage, facts, plan = standing.lineage, standing.facts, standing.plan
    return {
        "name": lineage.name,
        "phase": str(standing.phase),
        "since": iso(facts.since or None),
        "services": [str(service) for service in lineage.services],
        "targets": alias_values(lineage, facts),
        "why": plan.why if plan else UNSEEN if _is_unseen(standing) else "",
        "remedy": remedy_of(facts, plan),
        "due": iso(plan.due) if plan else None,
        "wake_at": iso(plan.wake_at) if plan else None,
        "blockers": [
            {"subject": one.subject, "reason": one.reason, "until": iso(one.until)} for one in (plan.blockers if plan else ())
        ],
        "hold": _hold(facts.hold) if facts.hold else None,
        "advice": list(standing.advice),
        "stolen": stolen_value(standing.after),
        "failures": [
            {"step": step, "count": one.count, "at": iso(one.at), "reason": one.reason, "hint": one.hint}
            for step, one in facts.failures.items()
        ],
        "next_key": next_value(lineage, facts, standing.at),
        "key": service_value(lineage, facts) if facts.current else None,
        "handed_out": facts.handed_out,
        "leaving": lineage.leaving,
        "vanished": iso(facts.vanished_at),
        "order": _order(facts.order) if facts.order else None,
        "proofs": [{"name": one.target, "zone": one.zone, "value": one.value} for one in _proofs(facts)],
        "renewal": _renewal(standing),
    } | {name: _generation(facts.generation(identity)) for name, identity in _generations(facts)}


def needs_a_person(standing: Standing) -> bool:
    """Whether nothing more will happen until somebody does something, or what is tried again will hardly get better by itself."""
    stuck = any(step == "roll back" or one.count >= AGAIN_AND_AGAIN for step, one in standing.facts.failures.items())
    return stuck or standing.facts.hold is not None or bool(standing.plan and standing.plan.remedy)


def lines(standing: Standing, now: float) -> Iterator[Line]:
    """Say it to people."""
    facts, plan = standing.facts, standing.plan
    since = f" since {clock(facts.since, now)}" if facts.since else ""
    yield f"{standing.lineage.name}: {_phase(standing)}{since}", _STYLES[standing.phase]
    if plan is None:
        yield "  nothing is known of it yet; tlsa-manager run looks", ""
    elif plan.why != NEWS:
        yield from ((f"  {line}", "") for line in _plan(plan, now))
    if facts.hold and not (plan and facts.hold.reason in plan.why):
        yield f"  held: {facts.hold.reason}", "red"
    if remedy := decided(facts, plan):
        yield to_do(remedy)
    yield from failure_lines(standing, remedy, now)
    if facts.next and facts.current and not facts.deploying and not facts.way_back:
        yield "  until then the current certificate stays in service, and its records in DNS", ""
    yield from ((f"  {one}", "") for one in alias_lines(standing.lineage, facts))
    yield from ((f"  note: {one}", "yellow") for one in standing.advice)
    yield from ((f"  {line}", "yellow") for line in stolen_lines(standing.lineage.name, standing.after, now))
    yield from ((f"  {line}", "") for line in _keys(standing, now))
    for name, identity in _generations(facts):
        generation = facts.generation(identity)
        if generation is not None:
            yield f"  {name:<8} {_named(generation)}", "dim"
    if plan is not None and plan.why == NEWS:  # the latest look is not the latest word; that is no news for the first line
        yield f"  {NEWS}", "dim"


def _phase(standing: Standing) -> str:
    """The phase, in words: what nobody has looked at is in none."""
    return UNSEEN if _is_unseen(standing) else str(standing.phase)


def _is_unseen(standing: Standing) -> bool:
    return standing.plan is None and not standing.facts.owners and not standing.facts.generations


def _renewal(standing: Standing) -> dict[str, Any] | None:
    """When the next certificate is ordered, and why then."""
    found = due(standing.lineage, standing.facts, standing.at)
    return {"at": iso(found.at), "why": found.why} if found else None


def summary(standing: Standing) -> Line:
    """Say in one line where it stands and what comes next; without the moment of the next look, which is never news.

    What is to be done stands beside its cause: that of a failure which is not what is waited for, with the failure.
    """
    facts, plan = standing.facts, standing.plan
    why = plan.why if plan and plan.why != NEWS else ""
    text = f"{standing.lineage.name}: {_phase(standing)}" + (f": {why}" if why else "")
    if plan and plan.due is not None:
        text += f"; due {stamp(plan.due)}"
    if not decided(facts, plan) and (failed := advised(facts, why)):
        text += "" if failed[1].reason in why else f"; {failed[0]} failed: {failed[1].reason}"
    if remedy := remedy_of(facts, plan):
        first, more, _ = remedy.partition("\n")
        text += f"; to do: {first}" + (f" (all of it: tlsa-manager status {standing.lineage.name})" if more else "")
    return text, _STYLES[standing.phase]


def _plan(plan: Plan, now: float) -> Iterator[str]:
    """What it waits for: where the plan only names the first of several things, they are all told, and none twice."""
    alone = next((one for one in plan.blockers if one.reason == plan.why), None)
    if alone is not None:
        yield _blocker(alone, now)
    elif any(plan.why == f"{one.reason} (and {len(plan.blockers) - 1} more)" for one in plan.blockers):
        yield "it waits for several things:"
        alone = Blocker("", "")
    elif plan.why:
        yield plan.why
    others = (one for one in plan.blockers if one is not alone)
    told = "" if alone is not None else plan.why
    yield from (f"- {_blocker(one, now)}" for one in others if one.until is not None or one.reason not in told)
    if plan.due is not None:
        yield f"next step due {clock(plan.due, now)}"
    else:
        yield f"next look {clock(plan.wake_at, now)}"


def _keys(standing: Standing, now: float) -> Iterator[str]:
    """What is going on with keys and orders, and that the lineage is to be given up."""
    lineage, facts = standing.lineage, standing.facts
    if lineage.leaving:
        yield "to be given up" + (f": nothing presents it since {clock(facts.vanished_at, now)}" if facts.vanished_at else "")
    yield from order_lines(lineage, facts, now)
    for one in _proofs(facts):
        yield f'TXT record that proves a name to an authority, to be removed when it is over: {one.target} "{one.value}"'
    if line := service_line(lineage, facts, now):
        yield line
    yield from next_lines(lineage, facts, now)


def _proofs(facts: Facts) -> list[Token]:
    return sorted(facts.tokens, key=lambda one: (one.target, one.value))


def _hold(hold: Hold) -> dict[str, Any]:
    return {"reason": hold.reason, "remedy": hold.remedy, "at": iso(hold.at), "accept": hold.accept}


def _order(order: Order) -> dict[str, Any]:
    return {
        "url": order.url, "directory": order.directory, "names": list(order.names), "key": order.key, "profile": order.profile,
        "at": iso(order.at or None), "expires": iso(order.expires or None),
    }  # fmt: skip


def _generations(facts: Facts) -> tuple[tuple[str, str], ...]:
    return (("current", facts.current), ("next", facts.next), ("queued", facts.queued), ("previous", facts.previous))


def _generation(one: Generation | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "id": one.id,
        "fingerprint": one.chain.fingerprint,
        "spki": one.chain.leaf.spki_sha256,
        "kind": one.chain.kind,
        "names": list(one.names),
        "not_after": iso(one.chain.not_after or None),
        "origin": one.origin,
        "ours": one.ours,
    }


def _named(one: Generation) -> str:
    until = f", valid until {day(one.chain.not_after)}" if one.chain.not_after else ""
    return f"{one.id} ({one.chain.kind}{until}) 3 1 1 {one.chain.leaf.spki_sha256[:16]}..."


def _blocker(one: Blocker, now: float) -> str:
    text = f"{one.subject}: {one.reason}" if one.subject and one.subject not in one.reason else one.reason
    return f"{text}; until {clock(one.until, now)}" if one.until is not None else text
