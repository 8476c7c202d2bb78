"""Publication: what is wanted and not there is added. Ahead of a swap, for the next key, and to repair what was lost (L1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import gates, law, timing
from tlsa_manager.rollover.patience import backing_off, failures
from tlsa_manager.rollover.steps import Act, Blocker, Publish
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.rollover.facts import Sent
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision
    from tlsa_manager.tlsa import RRset


def publish(scene: Scene) -> Decision | None:
    """Whatever is, was or will be presented has its record at every owner: publication ahead, and repair of what was lost."""
    for target, owners in scene.targets().items():
        add = missing(scene, target, owners)
        for records in (add, add | _beside(scene, target, owners)) if add else ():
            step = _publication(scene, target, owners, records)
            if step is not None and not backing_off(scene, str(step)) and not gates.publish(scene, target, owners, records):
                return Act(step, f"{len(records)} record(s) are wanted at {target} and not there")
    return _once_more(scene)


def missing(scene: Scene, target: str, owners: tuple[str, ...]) -> RRset:
    """The records that are wanted at a target and are not there, as far as can be told; unknown is not missing."""
    want = law.wanted(scene.lineage, scene.facts)
    held = scene.snapshot.held.get(target)
    if held is not None and held.records is not None:
        return want - held.records - lately(scene, target, scene.facts.sent.get(target))
    recent = lately(scene, target, scene.facts.sent.get(target))
    answers = [answer.records for owner in owners if (view := scene.view(owner)) for answer in view.answers]
    known = [records for records in answers if records is not None]
    return frozenset().union(*(want - recent - records for records in known))


def unpublished(scene: Scene) -> tuple[Blocker, ...]:
    """Why what is wanted is not published yet: failures, and what the publication gate says."""
    found = list(failures(scene))
    for target, owners in scene.targets().items():
        add = missing(scene, target, owners)
        found += gates.publish(scene, target, owners, add) if add else []
        sent = scene.facts.sent.get(target)
        lacking = _lacking(scene, owners, sent.records) if sent is not None and sent.asked and not add else None
        if lacking:
            found.append(Blocker(target, f"somebody has to add {zone_form(target, lacking)}"))
    return tuple(found)


def lately(scene: Scene, target: str, sent: Sent | None) -> RRset:
    """The records of a change that was sent so lately that it may still come into force; it is not sent again yet."""
    held = scene.snapshot.held.get(target)
    readable = held is not None and (held.records is not None or held.failed)  # or else would be, but for some trouble
    patience = scene.policy.poll_interval if readable else timing.SEND_AGAIN
    if sent is not None and sent.asked:
        patience = timing.ASK_AGAIN
    return sent.records if sent is not None and 0 <= scene.now - sent.at < patience else frozenset()


def ttl_at(scene: Scene, owners: tuple[str, ...]) -> int:
    """The TTL of what stands there, else the configured one: an existing set's TTL is not ours to change."""
    found = [
        answer.ttl for owner in owners if (view := scene.view(owner)) for answer in view.answers if answer.records
    ]  # fmt: skip
    return max(found, default=scene.policy.ttl)


def zone_form(target: str, records: RRset) -> str:
    """The records as a zone file has them."""
    return "; ".join(f"{target} IN TLSA {record}" for record in sorted(records))


def _beside(scene: Scene, target: str, owners: tuple[str, ...]) -> RRset:
    """What neighbours need there too: where DANE begins, all that is presented is published in one step."""
    wanted = [law.wanted(one, facts) for one, facts in scene.beside(target, owners)]
    standing = [records for owner in owners for records in scene.standing(target, owner)]
    everywhere = standing[0].intersection(*standing[1:]) if standing else frozenset[Tlsa]()
    return frozenset[Tlsa]().union(*wanted) - everywhere


def _publication(scene: Scene, target: str, owners: tuple[str, ...], add: RRset) -> Publish | None:
    view = scene.view(owners[0])
    if not add or view is None:
        return None
    held = scene.snapshot.held.get(target)
    return Publish(target, view.zone, add, held.records if held else None, ttl_at(scene, owners))


def _once_more(scene: Scene) -> Decision | None:
    """What was begun and never heard of again, or stands at the backend for a while and no name server shows it.

    Whoever wrote it may have died before it was served, or before he could write down how to ask whether it is in force. A
    backend finds it standing then, and has it served, and tells its number, where that is so.
    """
    wanted = law.wanted(scene.lineage, scene.facts) | scene.neighbours_want()  # theirs may have gone out with ours
    for target, owners in scene.targets().items():
        idle = unserved(scene, target, owners) | ((scene.unsure(target) | scene.unheard(target)) & wanted)
        step = _publication(scene, target, owners, idle)
        if step is not None and not backing_off(scene, str(step)) and not gates.publish(scene, target, owners, idle):
            return Act(
                step, f"the backend is told once more of {len(idle)} record(s) at {target}: nobody knows what became of it"
            )
    return None


def unserved(scene: Scene, target: str, owners: tuple[str, ...]) -> RRset:
    """What is wanted and held, and was told long enough ago, but no server has, as all of them say."""
    held = scene.snapshot.held.get(target)
    views = [scene.view(owner) for owner in owners]
    if held is None or held.records is None or not all(view and view.complete for view in views):
        return frozenset()
    if was_told(scene, scene.facts.sent.get(target)):
        return frozenset()
    return (law.wanted(scene.lineage, scene.facts) & held.records) - scene.shown(owners)


def was_told(scene: Scene, sent: Sent | None) -> bool:
    """Whether a change was taken so lately that the name servers may still come to it by themselves."""
    return sent is not None and 0 <= scene.now - sent.at < timing.TELL_AGAIN


def _lacking(scene: Scene, owners: tuple[str, ...], records: RRset) -> RRset:
    """What some server is known not to have yet."""
    views = [view for owner in owners if (view := scene.view(owner))]
    answers = [answer.records for view in views for answer in view.answers if answer.records is not None]
    return frozenset[Tlsa]().union(*(records - one for one in answers))
