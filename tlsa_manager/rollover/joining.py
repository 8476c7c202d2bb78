"""A lineage that comes to services which another one serves already: ECDSA beside RSA (standards §2.9).

Its file cannot be read before it exists, and must not be before its record is in every cache. So the file is written when the
swap could be, while nothing reads it; then a person has the server read it, beside the other. The next look finds it in service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import gates
from tlsa_manager.rollover.patience import backing_off
from tlsa_manager.rollover.steps import Act, Decision, Install, Stop

if TYPE_CHECKING:
    from tlsa_manager.rollover.scene import Scene


def join(scene: Scene) -> Decision | None:
    """Write a first certificate where nothing reads it yet, once every cache knows its record; then ask a person."""
    new, unread = scene.next, [view for view in scene.snapshot.files.values() if view.configured is False]
    if new is None or not unread or scene.current is not None or scene.facts.deploying or scene.facts.hold:
        return None
    if not scene.foreign_chains() or len(gates.swap(scene, new)) > len(unread):  # one for each file that is not read
        return None
    for view in unread:
        step = Install(new.id, view.consumer)
        if view.fingerprint != new.chain.fingerprint and not backing_off(scene, str(step)):
            return Act(step, f"every cache knows its record: {view.path} is written, which nothing reads yet")
    ready = [view for view in unread if view.fingerprint == new.chain.fingerprint]
    if len(ready) < len(unread):
        return None
    paths = ", ".join(view.path for view in ready)
    why = f"{paths} holds the new certificate, every cache knows its record, and nothing reads it yet"
    remedy = "; ".join(one for view in ready for one in view.problems) or "have the server read it, beside the files it reads now"
    return Stop(scene.now + scene.policy.poll_interval, why, remedy)
