"""The rules, in the order of their authority; each small, each pure. The first that speaks wins.

What stands highest: the way back, then finishing what was begun, then keeping what is presented published, then new things.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import gates, law, succession, timing
from tlsa_manager.rollover.adding import publish, unpublished
from tlsa_manager.rollover.joining import join
from tlsa_manager.rollover.leaving import leave
from tlsa_manager.rollover.patience import backing_off, failures, soak_poll, unless_backing_off
from tlsa_manager.rollover.removing import disown, meanwhile, retire, staying, tidy
from tlsa_manager.rollover.state import ready_at, way_back_until
from tlsa_manager.rollover.steps import Act, Blocker, Deploy, Import, Install, Prepare, Record, RollBack, Stop, Wait
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.rollover.steps import Decision

PATIENCE = 3  # ways back without effect, after which a person is asked
SWAP_POLL = 1.0  # seconds between two probes while a swap is being proven


def no_certificate(scene: Scene) -> Decision | None:
    """Without a certificate there is nothing to look after; one that somebody uses already may be taken in."""
    if scene.facts.generations or any(view.fingerprint for view in scene.snapshot.files.values()):
        return None
    why = (
        "no certificate has been handed over yet: the ACME client's hook does it at the next renewal; "
        "or now: tlsa-manager hook certbot, or hook files"
    )
    return Wait(scene.now + scene.policy.check_interval, why)


def way_back(scene: Scene) -> Decision | None:
    """A way back that was begun goes on until the former certificate is proven to be presented everywhere."""
    way = scene.facts.way_back
    former = scene.facts.generation(way.generation) if way else None
    if way is None or former is None:
        return None
    step = RollBack(way.generation, way.reason, way.hold)
    if way.done_at is None:
        return unless_backing_off(scene, step, f"the former certificate is put back: {way.reason}")
    late, wrong = gates.proven(scene, former, scene.facts.generation(scene.facts.next) or scene.current)
    if not late and not wrong:
        return Record((ev.Restored(way.generation),), "every service presents the former certificate again")
    if scene.now < timing.confirm_until(way.done_at, scene.policy):
        return Wait(scene.now + SWAP_POLL, "proving that every service presents the former certificate again", (*late, *wrong))
    silent = [one for service in scene.lineage.services for one in gates.not_seen(scene, service)]
    if not wrong and set(late) <= set(silent):  # to reload again would reach nobody either
        why = "the former certificate is presented again wherever it could be seen"
        return publish(scene) or Wait(scene.now + scene.policy.poll_interval, why, tuple(late))
    why = "some service does not present the former certificate again"
    again = timing.back_again_at(way.done_at, way.tries, scene.policy)
    if scene.now >= again:
        return unless_backing_off(scene, step, why, (*late, *wrong))
    until = min(again, scene.now + scene.policy.poll_interval)
    remedy = f"reload it by hand, and look whether it reads the file that tlsa-manager writes; tried {way.tries} times"
    standing: tuple[Blocker, ...] = (*late, *wrong)
    return publish(scene) or (Stop(until, why, remedy, standing) if way.tries >= PATIENCE else Wait(until, why, standing))


def adopt(scene: Scene) -> Decision | None:
    """The first certificate is the current one if the services present it already; else what the consumer has is."""
    if scene.current is not None or scene.facts.deploying:
        return None
    candidate = scene.next
    if candidate is not None and _everywhere(scene, candidate):
        return Record((ev.Adopted(candidate),), "the services present this certificate already")
    theirs = {chain.fingerprint for chain in scene.foreign_chains()}
    for name, view in scene.snapshot.files.items():
        vouched = all(not service.probe for service in scene.lineage.services)
        if (
            view.fingerprint
            and view.fingerprint not in theirs
            and (vouched or view.fingerprint in _fingerprints(scene))
            and not backing_off(scene, f"import {name}")
        ):
            return Act(Import(name), f"the services present what stands in {view.path}: it is the current certificate")
    return None


def swapping(scene: Scene) -> Decision | None:
    """A swap that was begun is finished and proven, or taken back."""
    facts, new = scene.facts, scene.next
    if not facts.deploying or new is None:
        return None
    if facts.deployed_at is None:
        return _finish_deployment(scene, new)
    if scene.current is not None and facts.is_compromised(new) and not facts.is_compromised(scene.current):
        return _take_back(scene, "somebody else has the new key", hold_after=False)
    late, wrong = gates.proven(scene, new, scene.current)
    if wrong:
        return _take_back(scene, wrong[0].reason)
    if not late:
        return Record((ev.Confirmed(new.id),), "every service presents the new certificate")
    if scene.now < timing.confirm_until(facts.deployed_at, scene.policy):
        why = "proving that every service presents the new certificate"
        return publish(scene) or Wait(scene.now + SWAP_POLL, why, tuple(late))
    return _take_back(scene, f"not every service presents the new certificate: {late[0].reason}")


def relapse(scene: Scene) -> Decision | None:
    """A server that hands out a set from before the rollover makes senders fail: back at once, both keys are in DNS."""
    previous, current = scene.previous, scene.current
    if previous is None or current is None or scene.facts.deploying or scene.facts.retiring:
        return None
    if scene.facts.is_compromised(previous):  # deferred mail is the lesser evil
        return None
    for owner in scene.lineage.owners:
        smtp = scene.smtp(owner)
        view = scene.view(owner)
        for answer in view.answers if view else ():
            records = answer.records
            if records is None:  # unknown is no relapse, and no reason to reload a mail server
                continue
            if law.gaps(records, current.chain, smtp=smtp) - law.gaps(records, previous.chain, smtp=smtp):
                reason = f"{answer.place} hands out an RRset of {owner} from before the rollover"
                return unless_backing_off(scene, RollBack(previous.id, reason, hold=False), reason)
    return None


def overtaken(scene: Scene) -> Decision | None:
    """Somebody else put the next certificate into service: fine if every cache is ready for it, else it is taken back."""
    new, current = scene.next, scene.current
    if new is None or current is None or scene.facts.deploying or new.chain.fingerprint == current.chain.fingerprint:
        return None
    if not _everywhere(scene, new) and not any(one.fingerprint == new.chain.fingerprint for one in scene.snapshot.files.values()):
        return None
    if not gates.swap(scene, new):
        return Act(
            Deploy(new.id, _fingerprints(scene)), "the services present the next certificate already, and every cache may know it"
        )
    if not scene.lineage.consumers or any(view.configured is False for view in scene.snapshot.files.values()):
        return None
    if scene.facts.is_compromised(current) and not scene.facts.is_compromised(new):  # deferred mail is the lesser evil
        return None
    return unless_backing_off(
        scene, RollBack(current.id, "the next certificate was in service before its record had reached every cache", hold=False),
        "somebody put the next certificate into service too early",
    )  # fmt: skip


def prepare(scene: Scene) -> Decision | None:
    """There is always a next key where one is wanted: made when the former next key goes into service.

    It comes before publication, so that where DANE begins both keys are known from the first moment (standards T6).
    """
    facts = scene.facts
    if scene.current is None or facts.deploying or facts.at_once or not succession.keeps_next(scene.lineage, facts):
        return None
    if facts.standby is not None and succession.is_of_former_type(scene.lineage, facts):
        return Record((ev.Discarded(facts.standby.id, ev.ANOTHER_TYPE),), "the next key is made anew")
    if facts.standby is not None or backing_off(scene, "prepare"):
        return None
    return Act(Prepare(succession.key_type(scene.lineage, facts)), "there is no next key: one is made, and published ahead")


def promote(scene: Scene) -> Decision | None:
    """The renewal that came in the middle of a rollover is next when that is over, or as soon as nothing need be waited for.

    The newest certificate wins: what still waits when every cache knows its key is given up for it.
    """
    facts, queued = scene.facts, scene.facts.generation(scene.facts.queued)
    if not facts.queued or facts.deploying or facts.way_back or facts.hold:
        return None
    if queued is not None and facts.is_leaving(queued):
        return None  # `tidy` goes on with the removal; once it is seen at every server, the way is free
    if not facts.next and not facts.previous:
        return Record((ev.Promoted(facts.queued),), "the renewal that arrived during the rollover is next")
    if queued is None or facts.queued_hold:
        return None
    if facts.at_once == queued.id or (facts.is_compromised(scene.current) and not facts.next):
        return Record((ev.Promoted(queued.id),), "somebody else has the key in service: the renewal that was waiting is next")
    ready = ready_at(scene.lineage, facts, queued.records(scene.lineage.params), scene.now)
    if ready is None or ready > scene.now:
        return None
    return Record((ev.Promoted(queued.id),), "every cache knows the key of the renewal that was waiting: it is next")


def soak(scene: Scene) -> Decision | None:
    """After the swap: the rollback window, then the old records go, then the rollover is over (L2)."""
    facts, current, previous = scene.facts, scene.current, scene.previous
    if previous is None or current is None or facts.confirmed_at is None or facts.deploying:
        return None
    decision = _soaked(scene, current, previous)
    follows = facts.next and not facts.hold and isinstance(decision, Wait)
    return None if follows else decision


def hold(scene: Scene) -> Decision | None:
    """What a person has to decide waits for the person."""
    held = scene.facts.hold
    if held is None or not scene.facts.next:
        return None
    return meanwhile(scene) or Stop(scene.now + scene.policy.check_interval, held.reason, held.remedy, unpublished(scene))


def swap(scene: Scene) -> Decision | None:
    """The next certificate goes into service when every gate is open (L1, L3, L4); until then, what is in the way."""
    new = scene.next
    if new is None or scene.facts.deploying or scene.facts.hold:
        return None
    blockers = gates.swap(scene, new)
    if not blockers and not scene.lineage.consumers:
        remedy = "put it into service yourself (the lineage has no consumer); the next look will notice"
        return Stop(scene.now + scene.policy.poll_interval, "the new certificate may go into service now", remedy)
    if not blockers:
        return Act(Deploy(new.id, _fingerprints(scene)), "every set that a cache may hold matches the new certificate")
    if tidied := meanwhile(scene):
        return tidied
    blockers = [*unpublished(scene), *blockers]
    moments = [one.until for one in blockers]
    due = max((one for one in moments if one is not None), default=None) if None not in moments else None
    until = scene.now + scene.policy.poll_interval
    return Wait(min(until, due) if due else until, _waiting_for(blockers), tuple(blockers), due)


def files(scene: Scene) -> Decision | None:
    """A consumer's file holds the current generation; it is given it back when somebody else wrote there (L3)."""
    current = scene.current
    if current is None or scene.facts.deploying or not (_everywhere(scene, current) or _all_vouched(scene)):
        return None
    for name in scene.lineage.consumers:
        view = scene.snapshot.files.get(name)
        step = Install(current.id, name)
        if view is not None and view.fingerprint != current.chain.fingerprint and not backing_off(scene, str(step)):
            return Act(step, f"{view.path} does not hold the certificate that the services present")
    return None


def stable(scene: Scene) -> Decision:
    """Nothing to do but to look again one day."""
    blockers = [*unpublished(scene), *_surprises(scene), *_out_of_reach(scene)]
    soon = scene.policy.poll_interval if unpublished(scene) else scene.policy.check_interval
    retries = [one.until for one in failures(scene) if one.until]
    until = min([scene.now + soon, *retries])
    why = "nothing to do: what the services present is published" if scene.current else _nothing_known(scene)
    why = blockers[0].reason if blockers else why
    return Wait(max(until, scene.now + SWAP_POLL), why, tuple(blockers))


RULES: tuple[Callable[[Scene], Decision | None], ...] = (
    no_certificate, way_back, leave, adopt, swapping, prepare, publish, relapse, overtaken, promote, soak, hold, join, swap,
    tidy, files, stable,
)  # fmt: skip


def retire_due(facts: Facts, scene: Scene) -> float:
    """When the rollback window ends."""
    ttl = max((one.ttl for owner in facts.owners.values() for one in owner.served), default=scene.policy.ttl)
    ends = way_back_until(facts, ttl, scene.lineage)
    return ends if ends is not None else timing.retire_at(scene.now, ttl, scene.policy)


def _soaked(scene: Scene, current: Generation, previous: Generation) -> Decision:
    """What the former generation's time asks for."""
    facts, ends = scene.facts, retire_due(scene.facts, scene)
    if scene.now < ends and not facts.retiring:
        look = min(scene.now + soak_poll(scene), ends)
        why = "the way back stays open until the rollback window is over"
        return disown(scene) or Wait(look, why, failures(scene), due=ends)
    late, wrong = gates.proven(scene, current, previous)
    if late or wrong:
        why = "the former record stays: not every service is proven to present the new certificate only"
        return Wait(scene.now + scene.policy.poll_interval, why, (*late, *wrong))
    decision = retire(scene, law.wanted(scene.lineage, replace(facts, retiring=True)) | staying(scene))
    return decision or Record((ev.Finished(previous.id),), "no record of ours is left in DNS of the former certificate")


def _finish_deployment(scene: Scene, new: Generation) -> Decision:
    """The intent is journalled, the outcome is not: do it once more, unless the gate has closed meanwhile."""
    failure = scene.facts.failures.get("deploy")
    if failure is not None:
        return _take_back(scene, failure.reason)
    blockers = gates.swap(scene, new) if not _everywhere(scene, new) else []
    if blockers:
        return _take_back(scene, f"the swap was interrupted, and now {blockers[0].reason}", hold_after=False)
    return Act(Deploy(new.id, scene.facts.before), "the swap was interrupted; it is done once more")


def _take_back(scene: Scene, reason: str, *, hold_after: bool = True) -> Decision:
    former = scene.current
    if former is None:
        return publish(scene) or Stop(
            scene.now + scene.policy.poll_interval,
            reason,
            "there is no former certificate to go back to: mend the cause, then: "
            f"tlsa-manager rollover start {scene.lineage.name}",
        )
    return unless_backing_off(scene, RollBack(former.id, reason, hold_after), reason)


def _surprises(scene: Scene) -> Iterator[Blocker]:
    """What a stable lineage's services present that they should not, and what is wrong with its files."""
    if scene.current is not None and scene.snapshot.services:
        late, _ = gates.proven(scene, scene.current, None)
        yield from late
    for view in scene.snapshot.files.values():
        yield from (Blocker(view.path, problem) for problem in view.problems)


def _out_of_reach(scene: Scene) -> Iterator[Blocker]:
    """Backends that could not be asked: nothing is to be written now, but at a renewal it will be."""
    for reason in dict.fromkeys(held.reason for held in scene.snapshot.held.values() if held.failed):
        yield Blocker("", f"the DNS backend cannot be asked, so nothing could be published at a renewal: {reason}")


def _nothing_known(scene: Scene) -> str:
    return (
        "no certificate is known to be in service, and none is on its way: the ACME client's hook brings one at the next renewal;"
        f" or now: tlsa-manager rollover start {scene.lineage.name}"
    )


def _waiting_for(blockers: list[Blocker]) -> str:
    first = next((one for one in blockers if one.until is None), None) or max(blockers, key=lambda one: one.until or 0.0)
    return first.reason + (f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else "")


def _everywhere(scene: Scene, generation: Generation) -> bool:
    """Whether every service that can be probed presents this generation, and at least one does."""
    if _all_vouched(scene) or not scene.snapshot.services:
        return False
    late, _ = gates.proven(scene, generation, None)
    return not late


def _all_vouched(scene: Scene) -> bool:
    return all(not service.probe for service in scene.lineage.services)


def _fingerprints(scene: Scene) -> tuple[str, ...]:
    """What the services presented in this look."""
    return tuple(sorted({
        one.chain.fingerprint for view in scene.snapshot.services.values() for one in view.presentations
        if one.chain and one.outcome is Outcome.PRESENTED
    }))  # fmt: skip
