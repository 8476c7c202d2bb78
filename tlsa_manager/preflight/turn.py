"""Whether it is a chain's turn in its lineage: what `run` would not put into service now is not cleared. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.preflight.clearance import Reason
from tlsa_manager.rollover import gates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.chain import Chain
    from tlsa_manager.rollover.scene import Scene


def reasons(scene: Scene, chain: Chain) -> Iterator[Reason]:
    """Why `run` would do something else first: a way back, a swap, a hold, another certificate that is on its way.

    What every service presents already may be put there again: to senders nothing changes.
    """
    facts, name = scene.facts, scene.lineage.name
    back = facts.generation(facts.way_back.generation) if facts.way_back else None
    if back is not None and facts.way_back is not None:
        if not _same(chain, back.chain):
            why = f"the former certificate is being put back: {facts.way_back.reason}"
            yield Reason(name, why, remedy=f"wait until that is over: tlsa-manager status {name}")
        return
    if in_service(scene, chain):
        return
    if facts.hold is not None:
        yield Reason(name, f"the lineage is held, so run would not deploy it: {facts.hold.reason}", remedy=facts.hold.remedy)
    yield from _under_way(scene, chain)


def in_service(scene: Scene, chain: Chain) -> bool:
    """Whether every address of every service presents this very chain and, but for neighbours', no other."""
    theirs = scene.foreign_chains()
    for service in scene.lineage.services:
        shown: set[Chain] = {one for one in scene.presented(service.owner) if one not in theirs}
        if not service.probe and scene.current is not None:  # vouched for: what was put there is there
            shown.add(scene.current.chain)
        if not shown or gates.not_seen(scene, service) or not all(_same(one, chain) for one in shown):
            return False
    return True


def _under_way(scene: Scene, chain: Chain) -> Iterator[Reason]:
    """Another certificate whose rollover is not over: one change at a time (RFC 7671 §8.4)."""
    facts, name = scene.facts, scene.lineage.name
    status = f"tlsa-manager status {name}"
    if facts.deploying:
        if scene.next is None or not _same(chain, scene.next.chain):
            yield Reason(name, "another certificate is being put into service", remedy=f"wait until that is over: {status}")
    elif facts.previous:
        why = "the latest rollover is not over: the former certificate's record still stands for the way back"
        yield Reason(name, why, remedy=f"hand it over, then it comes next; when: {status}")
    elif scene.next is not None and chain.leaf.spki_sha256 != scene.next.chain.leaf.spki_sha256:
        why = "another certificate is next, and this one would come after it"
        yield Reason(name, why, remedy=f"see what it waits for: {status}; or give it up: tlsa-manager rollover abort {name}")


def _same(one: Chain, other: Chain) -> bool:
    return one.fingerprint == other.fingerprint
