"""The veto: the safety law once more, just before acting, written without the rules' reasons and gates.

It knows sets, chains and moments, nothing else. A rule that is wrong meets it here; that is a defect, and is reported as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import law
from tlsa_manager.rollover.steps import Deploy, Install, Publish, Retire, Step
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.chain import Chain
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.tlsa import RRset


def veto(step: Step, scene: Scene) -> str:
    """Return why a step would break the law, or an empty text. Going back is never vetoed: it is the safe side."""
    if isinstance(step, Deploy):
        return _deploy(step, scene)
    if isinstance(step, Publish):
        return _publish(step, scene)
    if isinstance(step, Retire):
        return _retire(step, scene)
    if isinstance(step, Install) and scene.facts.current != step.generation and not _read_by_nobody(step, scene):
        return "only the current generation may be written outside a swap"
    return ""


def _read_by_nobody(step: Install, scene: Scene) -> bool:
    """Whether a file is written of which it is known that nothing reads it, for a lineage that nothing presents yet."""
    view = scene.snapshot.files.get(step.consumer)
    return not scene.facts.current and scene.facts.next == step.generation and view is not None and view.configured is False


def _deploy(step: Deploy, scene: Scene) -> str:
    """Every set in any cache, and every server's set, matches the new chain, unless it matches nothing presented now."""
    generation = scene.facts.generation(step.generation)
    if generation is None:
        return "the generation is unknown"
    if scene.facts.is_barred(generation) and not scene.facts.deploying:
        return "somebody else has its key" if scene.facts.is_compromised(generation) else "its key was given up for good"
    for owner in scene.lineage.owners:
        if _presented_already(scene, owner, generation.chain):
            continue
        view = scene.view(owner)
        if view is None or not view.complete:
            return f"not every server of {owner} was heard"
        if any(answer.security is not Security.SECURE for answer in view.answers):
            return f"not every answer for {owner} is secure"
        for records in _handed_out(scene, owner) if scene.facts.at_once == generation.id else _possible(scene, owner):
            smtp = scene.smtp(owner)
            if _matches(records, generation.chain, smtp=smtp) or not law.usable(records, smtp=smtp):
                continue
            before = scene.instead_of(owner)
            if not before or any(_matches(records, chain, smtp=smtp) for chain in before):
                return f"a cache may hold an RRset of {owner} that the new certificate does not match"
    return ""


def _presented_already(scene: Scene, owner: str, chain: Chain) -> bool:
    """Whether senders are shown nothing else behind an owner: a swap that is done once more changes nothing for them."""
    shown = {one for one in scene.presented(owner) if one not in scene.foreign_chains()}
    return shown == {chain} and all(service.probe for service in scene.services_of(owner))


def _publish(step: Publish, scene: Scene) -> str:
    """Only records of keys whose files are ours are ever added: this lineage's, or a neighbour's on the same owner."""
    families = ((scene.lineage, scene.facts), *scene.neighbours)
    mine = frozenset().union(
        *(one.records(lineage.params) for lineage, facts in families for one in facts.generations.values() if one.ours),
        *(facts.standby.records(lineage.params) for lineage, facts in families if facts.standby),
    )
    return "" if step.add and step.add <= mine else "the record does not belong to a key of ours"


def _retire(step: Retire, scene: Scene) -> str:
    """Only records that are ours, that nobody wants, and without which everything presented still matches."""
    families = (scene.facts, *(facts for _, facts in scene.neighbours))
    if not step.remove <= frozenset().union(*(facts.ours.get(step.target, frozenset()) for facts in families)) or not step.remove:
        return "the record was not published by this tool"
    if step.remove & scene.neighbours_want():
        return "another lineage needs the record"
    current = (scene.current.chain,) if scene.current and not scene.given_up else ()
    for owner in scene.targets().get(step.target, ()):
        smtp = scene.smtp(owner)
        for chain in (*scene.presented(owner), *current):
            for records in _possible(scene, owner):
                if _matches(records, chain, smtp=smtp) and not _matches(records - step.remove, chain, smtp=smtp):
                    return f"what is presented behind {owner} would match no record any more"
    return ""


def _handed_out(scene: Scene, owner: str) -> Iterator[RRset]:
    """Every set that a server gives now: all that counts where a person accepted that mail waits for caches to forget."""
    view = scene.view(owner)
    yield from (answer.records for answer in view.answers if answer.records is not None) if view else ()


def _possible(scene: Scene, owner: str) -> Iterator[RRset]:
    """Every set that a sender may be given now: by a server, or by a cache."""
    yield from _handed_out(scene, owner)
    known = scene.facts.owners.get(owner)
    policy = scene.policy
    for one in known.sets if known else ():
        keep = max(policy.ttl_multiplier * one.ttl, policy.cache_floor) + policy.margin
        if one.gone_since is None or one.gone_since + keep > scene.now:
            yield one.records


def _matches(records: RRset, chain: Chain, *, smtp: bool) -> bool:
    return any(chain.matches(one) for one in law.usable(records, smtp=smtp))
