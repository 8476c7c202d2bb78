"""A lineage that is to be given up: once nothing presents it, its records go, when the rollback window is over (L2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import gates, timing
from tlsa_manager.rollover.adding import publish
from tlsa_manager.rollover.patience import soak_poll
from tlsa_manager.rollover.removing import meanwhile, retire
from tlsa_manager.rollover.steps import Blocker, Record, Stop, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision


def leave(scene: Scene) -> Decision | None:
    """What is done for a lineage that leaves, after everything that was begun; nothing new begins."""
    facts, current = scene.facts, scene.current
    if not scene.lineage.leaving and not facts.is_going:  # what was begun is finished; it can be taken back afterwards
        return _stay(scene)
    if facts.deploying or facts.way_back or facts.previous:
        return None  # that is finished first
    if current is None:
        given_up = "given up: its section may be removed from the configuration"
        return retire(scene, scene.neighbours_want()) or Wait(scene.now + scene.policy.check_interval, given_up)
    places = list(_still_presented(scene, current))
    if places and facts.vanished_at is not None:
        return Record((ev.Reappeared(current.id),), places[0].reason)
    if places:
        why = f"{places[0].reason}, and it is to be given up"
        stop = Stop(scene.now + scene.policy.poll_interval, why, _how_to_leave(scene), tuple(places))
        return publish(scene) or meanwhile(scene) or stop
    unseen = list(_unseen(scene))
    if unseen:
        wait = Stop(scene.now + scene.policy.poll_interval, unseen[0].reason, _how_to_vouch(scene), tuple(unseen))
        return publish(scene) or meanwhile(scene) or wait
    if facts.vanished_at is None:
        return Record((ev.Vanished(current.id),), "nothing presents it any more")
    return _give_up(scene, current, facts.vanished_at)


def _give_up(scene: Scene, current: Generation, vanished_at: float) -> Decision:
    """The way back stays open for the rollback window, except to a key that somebody else has."""
    ttl = max((one.ttl for owner in scene.facts.owners.values() for one in owner.served), default=scene.policy.ttl)
    stolen = scene.facts.is_compromised(current)
    ends = vanished_at if stolen else timing.retire_at(vanished_at, ttl, scene.policy)
    if scene.now < ends:
        look = min(scene.now + soak_poll(scene), ends)
        why = "nothing presents it any more; its records stay until the rollback window is over"
        return meanwhile(scene) or Wait(look, why, due=ends)
    handed_out = tuple(_still_handed_out(scene))
    wait = Wait(scene.now + scene.policy.poll_interval, "its records are gone when no server hands them out any more", handed_out)
    gone = Record((ev.Left(current.id),), "none of its records is left in DNS")
    return retire(scene, scene.neighbours_want()) or (wait if handed_out else gone)


def _stay(scene: Scene) -> Record | None:
    """It is not to be given up, or no more; one that has left already begins with its newest certificate, like a new one."""
    facts = scene.facts
    if facts.vanished_at is None:
        return None
    begin = facts.generation("" if facts.current or facts.next or facts.queued else facts.left)
    expired = begin is not None and 0 < begin.chain.not_after <= scene.now
    if begin is None or expired or facts.is_barred(begin):
        return Record((ev.Reappeared(facts.current),), "it stays after all")
    return Record((ev.Promoted(begin.id),), "it is taken back: its newest certificate is published and waits, like a new one")


def _still_presented(scene: Scene, current: Generation) -> Iterator[Blocker]:
    """Where a generation that is to go is presented, or its file is read. What a neighbour has too is the neighbour's."""
    theirs = scene.foreign_chains()
    for service in scene.lineage.services:
        for one in scene.presentations(service):
            if one.chain and one.chain.leaf.spki_sha256 == current.spki and one.chain not in theirs:
                yield Blocker(str(service), f"{service} at {one.address} presents its certificate")
                break
    for view in scene.snapshot.files.values():
        if view.configured:
            yield Blocker(view.path, f"{view.consumer} still reads {view.path}")


def _still_handed_out(scene: Scene) -> Iterator[Blocker]:
    """Which servers hand out a record that was removed, or may: one that came back would be lost there again."""
    for target, owners in scene.targets().items():
        ours = scene.facts.leaving.get(target, frozenset()) - scene.neighbours_want()
        for view in (view for owner in owners if ours and (view := scene.view(owner))):
            for answer in view.answers:
                if answer.records is None or answer.records & ours:
                    yield Blocker(target, f"{answer.place} still hands out a record that was removed, or cannot be asked")


def _unseen(scene: Scene) -> Iterator[Blocker]:
    """What nobody can see now; a service that is not probed is believed to be without it when no server reads its file."""
    unread = bool(scene.snapshot.files) and all(view.configured is False for view in scene.snapshot.files.values())
    for service in scene.lineage.services:
        yield from gates.not_seen(scene, service)
        if not service.probe and not unread:
            why = "is not probed (probe = false), so nobody can see whether it still presents its certificate: let it be probed"
            yield Blocker(str(service), f"{service} {why}")
    for owner in scene.lineage.owners:
        if scene.view(owner) is None:
            yield Blocker(owner, f"{owner} has not been looked at")


def _how_to_vouch(scene: Scene) -> str:
    """What a person does where nobody can see any more what a service presents, because its host is switched off for good."""
    unread = [view.path for view in scene.snapshot.files.values() if view.configured is False]
    files = f"no server reads {', '.join(unread)}" if unread else "no server reads its files, and a consumer of it says so"
    return (
        f"let it be seen; or, if it is gone for good, vouch for it: probe = false at the service; that is believed while {files}"
    )


def _how_to_leave(scene: Scene) -> str:
    """What a person does to take a certificate out of service for good."""
    files = ", ".join(view.path for view in scene.snapshot.files.values()) or "its file"
    kind = scene.current.chain.kind if scene.current else "this kind of key"
    return (
        f"take {files} out of the server's configuration and reload it; senders that speak only {kind} cannot connect from then"
        " on. Its records go when nothing has presented it for the rollback window"
    )
