"""The rules, in the order of their authority; each small, each pure. The first that speaks wins.

What stands highest: the way back, then finishing what was begun, then keeping what is presented published, then new things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import gates, law, succession, timing
from tlsa_manager.rollover.emergency import way_back_until
from tlsa_manager.rollover.state import Spread, spread
from tlsa_manager.rollover.steps import (
    Act,
    Blocker,
    Decision,
    Deploy,
    Import,
    Install,
    Prepare,
    Publish,
    Record,
    Retire,
    RollBack,
    Step,
    Stop,
    Wait,
)  # fmt: skip
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.facts import Facts, Sent
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.tlsa import RRset

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
        return _unless_backing_off(scene, step, f"the former certificate is put back: {way.reason}")
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
        return _unless_backing_off(scene, step, why, (*late, *wrong))
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
    for name, view in scene.snapshot.files.items():
        vouched = all(not service.probe for service in scene.lineage.services)
        if (
            view.fingerprint
            and (vouched or view.fingerprint in _fingerprints(scene))
            and not _backing_off(scene, f"import {name}")
        ):
            return Act(Import(name), f"the services present what stands in {view.path}: it is the current certificate")
    return None


def publish(scene: Scene) -> Decision | None:
    """Whatever is, was or will be presented has its record at every owner: publication ahead, and repair of what was lost."""
    for target, owners in scene.targets().items():
        add = missing(scene, target, owners)
        for records in (add, add | _beside(scene, target, owners)) if add else ():
            step = _publication(scene, target, owners, records)
            if step is not None and not _backing_off(scene, str(step)) and not gates.publish(scene, target, owners, records):
                return Act(step, f"{len(records)} record(s) are wanted at {target} and not there")
    return None


def swapping(scene: Scene) -> Decision | None:
    """A swap that was begun is finished and proven, or taken back."""
    facts, new = scene.facts, scene.next
    if not facts.deploying or new is None:
        return None
    if facts.deployed_at is None:
        return _finish_deployment(scene, new)
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
                return _unless_backing_off(scene, RollBack(previous.id, reason, hold=False), reason)
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
    return _unless_backing_off(
        scene, RollBack(current.id, "the next certificate was in service before its record had reached every cache", hold=False),
        "somebody put the next certificate into service too early",
    )  # fmt: skip


def prepare(scene: Scene) -> Decision | None:
    """There is always a next key where one is wanted: made when the former next key goes into service."""
    facts = scene.facts
    if scene.current is None or facts.standby is not None or facts.deploying or facts.at_once:
        return None
    if not succession.keeps_next(scene.lineage, facts) or _backing_off(scene, "prepare"):
        return None
    return Act(Prepare(succession.key_type(scene.lineage, facts)), "there is no next key: one is made, and published ahead")


def soak(scene: Scene) -> Decision | None:
    """After the swap: the rollback window, then the old records go, then the rollover is over (L2)."""
    facts, current, previous = scene.facts, scene.current, scene.previous
    if previous is None or current is None or facts.confirmed_at is None or facts.deploying:
        return None
    ends = retire_due(scene.facts, scene)
    if scene.now < ends and not facts.retiring:
        look = min(scene.now + _soak_poll(scene), ends)
        return Wait(look, "the way back stays open until the rollback window is over", _failures(scene), due=ends)
    late, wrong = gates.proven(scene, current, previous)
    if late or wrong:
        why = "the former record stays: not every service is proven to present the new certificate only"
        return Wait(scene.now + scene.policy.poll_interval, why, (*late, *wrong))
    decision = _retire(scene, law.wanted(scene.lineage, facts) - previous.records(scene.lineage.params) | _kept(scene))
    return decision or Record((ev.Finished(previous.id),), "nothing of the former certificate is left in DNS")


def promote(scene: Scene) -> Decision | None:
    """The renewal that came in the middle is next now."""
    facts = scene.facts
    if not facts.queued or facts.next or facts.previous or facts.way_back or facts.hold:
        return None
    queued = facts.generation(facts.queued)
    if queued is not None and facts.is_leaving(queued):
        return None  # `tidy` goes on with the removal; once it is seen at every server, the way is free
    return Record((ev.Promoted(facts.queued),), "the renewal that arrived during the rollover is next")


def hold(scene: Scene) -> Decision | None:
    """What a person has to decide waits for the person."""
    held = scene.facts.hold
    if held is None or not scene.facts.next:
        return None
    return Stop(scene.now + scene.policy.check_interval, held.reason, held.remedy, _blockers(scene))


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
    blockers = [*_blockers(scene), *blockers]
    moments = [one.until for one in blockers]
    due = max((one for one in moments if one is not None), default=None) if None not in moments else None
    until = scene.now + scene.policy.poll_interval
    return Wait(min(until, due) if due else until, _waiting_for(blockers), tuple(blockers), due)


def leave(scene: Scene) -> Decision | None:
    """A lineage that is to be given up: once nothing presents it, its records go, when the rollback window is over (L2)."""
    facts, current = scene.facts, scene.current
    if not scene.lineage.leaving:
        return Record((ev.Reappeared(facts.current),), "it stays after all") if facts.vanished_at is not None else None
    if facts.deploying or facts.way_back or facts.previous:
        return None  # that is finished first
    if current is None:
        return Wait(scene.now + scene.policy.check_interval, "given up: its section may be removed from the configuration")
    unseen = [one for service in scene.lineage.services for one in gates.not_seen(scene, service)]
    places = list(_still_presented(scene, current))
    if places:
        why, remedy = f"{places[0].reason}, and it is to be given up", _how_to_leave(scene)
        if facts.vanished_at is not None:
            return Record((ev.Reappeared(current.id),), places[0].reason)
        return publish(scene) or Stop(scene.now + scene.policy.poll_interval, why, remedy, tuple(places))
    if unseen or any(view is None for view in map(scene.view, scene.lineage.owners)):
        return publish(scene) or Wait(scene.now + scene.policy.poll_interval, "not every service could be seen", tuple(unseen))
    if facts.vanished_at is None:
        return Record((ev.Vanished(current.id),), "nothing presents it any more")
    return _give_up(scene, current, facts.vanished_at)


def tidy(scene: Scene) -> Decision | None:
    """Records of ours that nothing needs any more go: after an abort, or when the parameters changed (RFC 7671 §8.3)."""
    if scene.facts.previous or scene.facts.deploying or scene.current is None:
        return None
    keep = law.wanted(scene.lineage, scene.facts) | _kept(scene)
    return _retire(scene, keep | _not_replaced_yet(scene, keep))


def files(scene: Scene) -> Decision | None:
    """A consumer's file holds the current generation; it is given it back when somebody else wrote there (L3)."""
    current = scene.current
    if current is None or scene.facts.deploying or not (_everywhere(scene, current) or _all_vouched(scene)):
        return None
    for name in scene.lineage.consumers:
        view = scene.snapshot.files.get(name)
        step = Install(current.id, name)
        if view is not None and view.fingerprint != current.chain.fingerprint and not _backing_off(scene, str(step)):
            return Act(step, f"{view.path} does not hold the certificate that the services present")
    return None


def stable(scene: Scene) -> Decision:
    """Nothing to do but to look again one day."""
    blockers = [*_blockers(scene), *_surprises(scene)]
    soon = scene.policy.poll_interval if _blockers(scene) else scene.policy.check_interval
    retries = [one.until for one in _failures(scene) if one.until]
    until = min([scene.now + soon, *retries])
    why = "nothing to do: what the services present is published" if not blockers else blockers[0].reason
    return Wait(max(until, scene.now + SWAP_POLL), why, tuple(blockers))


RULES: tuple[Callable[[Scene], Decision | None], ...] = (
    no_certificate, way_back, leave, adopt, swapping, publish, relapse, overtaken, prepare, soak, promote, hold, swap, tidy,
    files, stable,
)  # fmt: skip


def missing(scene: Scene, target: str, owners: tuple[str, ...]) -> RRset:
    """The records that are wanted at a target and are not there, as far as can be told; unknown is not missing."""
    want = law.wanted(scene.lineage, scene.facts)
    held = scene.snapshot.held.get(target)
    if held is not None and held.records is not None:
        return want - held.records - _lately(scene, target, scene.facts.sent.get(target))
    lately = _lately(scene, target, scene.facts.sent.get(target))
    answers = [answer.records for owner in owners if (view := scene.view(owner)) for answer in view.answers]
    known = [records for records in answers if records is not None]
    return frozenset().union(*(want - lately - records for records in known))


def _beside(scene: Scene, target: str, owners: tuple[str, ...]) -> RRset:
    """What neighbours need there too: where DANE begins, all that is presented is published in one step."""
    wanted = [law.wanted(one, facts) for one, facts in scene.beside(target, owners)]
    standing = [records for owner in owners for records in scene.standing(target, owner)]
    everywhere = standing[0].intersection(*standing[1:]) if standing else frozenset[Tlsa]()
    return frozenset[Tlsa]().union(*wanted) - everywhere


def retire_due(facts: Facts, scene: Scene) -> float:
    """When the rollback window ends."""
    ttl = max((one.ttl for owner in facts.owners.values() for one in owner.served), default=scene.policy.ttl)
    ends = way_back_until(facts, ttl, scene.lineage)
    return ends if ends is not None else timing.retire_at(scene.now, ttl, scene.policy)


def _lately(scene: Scene, target: str, sent: Sent | None) -> RRset:
    """The records of a change that was sent so lately that it may still come into force; it is not sent again yet."""
    held = scene.snapshot.held.get(target)
    readable = held is not None and held.records is not None
    patience = scene.policy.poll_interval if readable else timing.SEND_AGAIN
    if sent is not None and sent.asked:
        patience = timing.ASK_AGAIN
    return sent.records if sent is not None and 0 <= scene.now - sent.at < patience else frozenset()


def _publication(scene: Scene, target: str, owners: tuple[str, ...], add: RRset) -> Publish | None:
    view = scene.view(owners[0])
    if not add or view is None:
        return None
    held = scene.snapshot.held.get(target)
    return Publish(target, view.zone, add, held.records if held else None, _ttl(scene, owners))


def _ttl(scene: Scene, owners: tuple[str, ...]) -> int:
    """The TTL of what stands there, else the configured one: an existing set's TTL is not ours to change."""
    found = [
        answer.ttl for owner in owners if (view := scene.view(owner)) for answer in view.answers if answer.records
    ]  # fmt: skip
    return max(found, default=scene.policy.ttl)


def _retire(scene: Scene, keep: RRset) -> Decision | None:
    """Remove what is ours and not kept, one target at a time; None when nothing is left to remove."""
    waiting: list[Blocker] = []
    for target, owners in scene.targets().items():
        remove = _removable(scene, target, owners, keep)
        if not remove:
            continue
        held = scene.snapshot.held.get(target)
        view = scene.view(owners[0])
        step = Retire(target, view.zone if view else "", remove, held.records if held else None, _ttl(scene, owners))
        blockers = gates.retire(scene, target, owners, remove)
        sent = scene.facts.removing.get(target)
        if remove <= _lately(scene, target, sent):
            whose = "somebody has to remove" if sent and sent.asked else "the backend was told to remove"
            waiting.append(Blocker(target, f"{whose} {_zone_form(target, remove)}"))
        elif blockers or _backing_off(scene, str(step)):
            waiting += blockers or _failures(scene)
        else:
            return Act(step, f"{len(remove)} record(s) at {target} are needed no more")
    if not waiting:
        return None
    return Wait(scene.now + scene.policy.poll_interval, f"old records stay for now: {waiting[0].reason}", tuple(waiting))


def _removable(scene: Scene, target: str, owners: tuple[str, ...], keep: RRset) -> RRset:
    """What is ours, not kept, and still there as far as is known."""
    standing = scene.standing(target, owners[0])
    there = frozenset().union(*standing) if standing else scene.facts.ours.get(target, frozenset())
    return (scene.facts.ours.get(target, frozenset()) - keep) & there


def _kept(scene: Scene) -> RRset:
    """What neighbours need, and what the generation that stays needs even if the former one had the same key."""
    mine = scene.current.records(scene.lineage.params) if scene.current else frozenset()
    return mine | scene.neighbours_want()


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
    return _unless_backing_off(scene, RollBack(former.id, reason, hold_after), reason)


def _unless_backing_off(scene: Scene, step: Step, why: str, blockers: tuple[Blocker, ...] = ()) -> Decision:
    failure = scene.facts.failures.get(str(step))
    until = timing.retry_at(failure, scene.policy) if failure else scene.now
    if failure is None or until <= scene.now:
        return Act(step, why)
    return Wait(until, why, (*blockers, Blocker(str(step), f"{step} failed: {failure.reason}", until)))


def _backing_off(scene: Scene, step: str) -> bool:
    failure = scene.facts.failures.get(step)
    return failure is not None and timing.retry_at(failure, scene.policy) > scene.now


def _failures(scene: Scene) -> tuple[Blocker, ...]:
    """Steps that failed and are tried again."""
    return tuple(Blocker(step, f"{step} failed: {failure.reason}") for step, failure in scene.facts.failures.items())


def _blockers(scene: Scene) -> tuple[Blocker, ...]:
    """Why what is wanted is not published yet: failures, and what the publication gate says."""
    found = list(_failures(scene))
    for target, owners in scene.targets().items():
        add = missing(scene, target, owners)
        found += gates.publish(scene, target, owners, add) if add else []
        sent = scene.facts.sent.get(target)
        lacking = _lacking(scene, owners, sent.records) if sent is not None and sent.asked and not add else None
        if lacking:
            found.append(Blocker(target, f"somebody has to add {_zone_form(target, lacking)}"))
    return tuple(found)


def _lacking(scene: Scene, owners: tuple[str, ...], records: RRset) -> RRset:
    """What some server is known not to have yet."""
    views = [view for owner in owners if (view := scene.view(owner))]
    answers = [answer.records for view in views for answer in view.answers if answer.records is not None]
    return frozenset[Tlsa]().union(*(records - one for one in answers))


def _zone_form(target: str, records: RRset) -> str:
    """The records as a zone file has them."""
    return "; ".join(f"{target} IN TLSA {record}" for record in sorted(records))


def _surprises(scene: Scene) -> Iterator[Blocker]:
    """What a stable lineage's services present that they should not, and what is wrong with its files."""
    if scene.current is not None and scene.snapshot.services:
        late, _ = gates.proven(scene, scene.current, None)
        yield from late
    for view in scene.snapshot.files.values():
        yield from (Blocker(view.path, problem) for problem in view.problems)


def _waiting_for(blockers: list[Blocker]) -> str:
    first = next((one for one in blockers if one.until is None), None) or max(blockers, key=lambda one: one.until or 0.0)
    return first.reason + (f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else "")


def _not_replaced_yet(scene: Scene, keep: RRset) -> RRset:
    """The records of the current certificate that go only when every cache knows another that matches it."""
    current = scene.current
    found: set[Tlsa] = set()
    for name in scene.lineage.owners if current else ():
        known = scene.facts.owners.get(name)
        mine = {one for one in law.usable(keep, smtp=scene.smtp(name)) if current and current.chain.matches(one)}
        if known is None or not any(spread(one, known, scene.policy, scene.now) is Spread.OMNIPRESENT for one in mine):
            ours = scene.facts.ours.get(known.target if known else name, frozenset[Tlsa]())
            found |= {one for one in ours if current and current.chain.matches(one)}
    return frozenset(found)


def _still_presented(scene: Scene, current: Generation) -> Iterator[Blocker]:
    """Where a generation that is to go is presented, or its file is read."""
    for service in scene.lineage.services:
        for one in scene.presentations(service):
            if one.chain and one.chain.leaf.spki_sha256 == current.spki:
                yield Blocker(str(service), f"{service} at {one.address} presents its certificate")
                break
    for view in scene.snapshot.files.values():
        if view.configured:
            yield Blocker(view.path, f"{view.consumer} still reads {view.path}")


def _how_to_leave(scene: Scene) -> str:
    """What a person does to take a certificate out of service for good."""
    files = ", ".join(view.path for view in scene.snapshot.files.values()) or "its file"
    kind = scene.current.chain.kind if scene.current else "this kind of key"
    return (
        f"take {files} out of the server's configuration and reload it; "
        f"senders that speak only {kind} cannot connect from then on. Its records go when nothing has presented it for the rollback window"
    )


def _give_up(scene: Scene, current: Generation, vanished_at: float) -> Decision:
    ttl = max((one.ttl for owner in scene.facts.owners.values() for one in owner.served), default=scene.policy.ttl)
    ends = timing.retire_at(vanished_at, ttl, scene.policy)
    if scene.now < ends:
        look = min(scene.now + _soak_poll(scene), ends)
        return Wait(look, "nothing presents it any more; its records stay until the rollback window is over", due=ends)
    return _retire(scene, scene.neighbours_want()) or Record((ev.Left(current.id),), "none of its records is left in DNS")


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


def _soak_poll(scene: Scene) -> float:
    return min(10 * scene.policy.poll_interval, scene.policy.check_interval)
