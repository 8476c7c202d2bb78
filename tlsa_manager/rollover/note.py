"""What a look adds to what is known: Snapshot -> events. It reports only what changes the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import timing
from tlsa_manager.rollover.facts import OwnerFacts, apply
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.facts import CachedSet, Facts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.tlsa import RRset

CLOCK_TOLERANCE = 5.0  # seconds; a disciplined clock slews less than that between two looks


def note(scene: Scene) -> tuple[Event, ...]:
    """The events that this look proves, in order. Empty when nothing changed."""
    found: list[Event] = [*_stepped_back(scene)]
    facts = scene.facts
    for event in found:
        facts = apply(facts, event, scene.now)
    looked: list[Event] = [*_settled(scene), *_outcomes(scene), *_rounds(scene), *_removed(scene)]
    for event in looked:
        after = apply(facts, event, scene.now)
        if _without_time(after) != _without_time(facts):
            found.append(event)
            facts = after
    return tuple(found)


def clock_step(before: tuple[float, str, float] | None, after: tuple[float, str, float]) -> float:
    """How far somebody moved the wall clock between two looks, each (wall, boot, uptime); 0 = it can be trusted.

    Within a boot the uptime tells. Across a boot only the past can be excluded: the clock must not be behind the last look.
    """
    if before is None:
        return 0.0
    wall, boot, uptime = before
    elapsed = after[0] - wall
    expected = after[2] - uptime if boot and boot == after[1] else max(elapsed, 0.0)
    step = elapsed - expected
    return step if abs(step) > CLOCK_TOLERANCE else 0.0


def _stepped_back(scene: Scene) -> Iterator[ev.ClockStepped]:
    """The clock is behind a look that has been, and no plan was kept that could have told: a crash came before it."""
    latest = max((owner.seen_at for owner in scene.facts.owners.values()), default=scene.now)
    if latest > scene.now + CLOCK_TOLERANCE:
        yield ev.ClockStepped(scene.now - latest)


def _outcomes(scene: Scene) -> Iterator[ev.Settled]:
    """Additions whose outcome nobody wrote down, or that ended with an error, and that are seen to be done."""
    for target, owners in scene.targets().items():
        begun, held = scene.facts.unsure.get(target), scene.snapshot.held.get(target)
        if begun and held and held.records is not None and not held.late and begun <= held.records & scene.shown(owners):
            yield ev.Settled(target, ())


def _settled(scene: Scene) -> Iterator[ev.Settled]:
    """Changes that were not in force on all servers of the backend, and are now."""
    for target, sent in scene.facts.sent.items():
        held = scene.snapshot.held.get(target)
        if held is not None and (now := tuple(one for one in sent.numbers if one in held.settled)):
            yield ev.Settled(target, now)


def _rounds(scene: Scene) -> Iterator[ev.Seen]:
    for owner in scene.lineage.owners:
        view = scene.view(owner)
        if view is not None:
            yield _seen(view, scene)


def _seen(view: OwnerView, scene: Scene) -> ev.Seen:
    """One poll round in the past tense."""
    served = {(answer.records, answer.ttl) for answer in view.answers if answer.records is not None}
    known = scene.facts.owners.get(view.owner, OwnerFacts(view.target))
    moved = bool(view.answers) and view.target != known.target
    settled = not scene.unsettled(view.target)  # behind an address that answers us there may be servers that do not have it yet
    return ev.Seen(
        owner=view.owner,
        target=view.target if view.answers else known.target,
        at=view.at,
        sets=tuple(ev.ServedSet(tuple(sorted(records)), ttl) for records, ttl in sorted(served, key=_order)),
        complete=view.complete and all(answer.security is Security.SECURE for answer in view.answers) and settled,
        alias_ttl=view.alias_ttl if view.answers else known.alias_ttl,
        addresses=tuple(sorted({answer.address for answer in view.answers})),
        ns_ttl=view.ns_ttl,
        zone=view.zone if view.answers and (view.zone or moved) else known.zone,
        via=view.via if view.answers else known.via,
        forgotten=tuple(ev.ServedSet(tuple(sorted(one.records)), one.ttl) for one in _forgotten(known, served, view, scene)),
    )


def _forgotten(known: OwnerFacts, served: AbstractSet[tuple[RRset, int]], view: OwnerView, scene: Scene) -> Iterator[CachedSet]:
    """The sets that no cache can hold any more."""
    for one in known.sets:
        ends = timing.forgotten_at(one, scene.policy)
        if ends is not None and ends <= view.at and (one.records, one.ttl) not in served:
            yield one


def _removed(scene: Scene) -> Iterator[ev.Retired]:
    """Records whose removal was begun, sent or asked for, and which no server hands out any more."""
    for target, owners in scene.targets().items():
        leaving = scene.facts.leaving.get(target, frozenset()) & scene.facts.ours.get(target, frozenset())
        if not leaving:
            continue
        views = [scene.view(owner) for owner in owners]
        if all(view and view.complete and not any(_has(answer.records, leaving) for answer in view.answers) for view in views):
            yield ev.Retired(target, tuple(sorted(leaving)), proven=True)


def _has(records: RRset | None, some: RRset) -> bool:
    return records is None or bool(records & some)


def _order(item: tuple[RRset, int]) -> tuple[list[str], int]:
    return sorted(str(one) for one in item[0]), item[1]


def _without_time(facts: Facts) -> object:
    """The facts without the moment of the latest round, which alone is no news."""
    return (
        tuple(
            (name, one.target, frozenset(one.sets), one.complete, one.alias_ttl, one.addresses, one.ns_ttl, one.zone, one.via)
            for name, one in facts.owners.items()
        ),
        facts.ours,
        tuple((target, one.numbers) for target, one in facts.sent.items()),
        facts.unsure,
    )
