"""Regressions of a review by an adversary: what it broke stays mended. The world and the oracle are those of the playbooks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sim.bench import Bench
from sim.fate import Fate, ServerFate, Span
from sim.story import POLICY, SERVICES, Story, generation
from sim.world import Crash

from tlsa_manager.lineage import Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import gates
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.state import Phase
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Params

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.snapshot import Snapshot

A, B, C = generation("a"), generation("b"), generation("c")
WAIT = 150.0 + 30.0  # max(k·TTL, F) + M


def stable(fate: Fate | None = None, **more: object) -> Story:
    """One lineage, stable with A."""
    story = Story(fate, **more)  # type: ignore[arg-type]
    story.begin(A)
    story.run()
    return story


def records(story: Story, owner: str = "") -> set[str]:
    """What stands at the primary."""
    return {str(one) for one in story.world.standing(owner or story.world.owners[0])}


def only(*generations: object) -> set[str]:
    """The 3 1 1 records of these generations."""
    return {str(one) for what in generations for one in what.chain.records()}  # type: ignore[attr-defined]


def first(story: Story, kind: type[ev.Event], lineage: str = "") -> float:
    """When an event of a kind happened for the first time, in seconds since the beginning."""
    return story.happened(kind, lineage)[0][0]


def lineages(*services: Service) -> tuple[Lineage, Lineage]:
    """An ECDSA lineage and an RSA one: behind the same services, or one behind each of two."""
    places = ((services[0],), (services[-1],))
    names = ("ec", "rsa")
    return tuple(Lineage(name, place, "dns", (f"file-{name}",), policy=POLICY) for name, place in zip(names, places, strict=True))  # type: ignore[return-value]


def half_published(story: Story) -> list[object]:
    """Zones in which one of two keys has a record of some parameters and the other has not."""
    return [records for _, zone in story.world.versions for records in zone.values() if len(records) % 2]


def disturb_a_look(story: Story, what: Callable[[], None]) -> None:
    """Let something happen at the end of the next look, once."""
    look, pending = story.world.look, [what]

    def disturbed(lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        seen = look(lineage, facts, probes)
        for happen in pending:
            happen()
        pending.clear()
        return seen

    story.world.look = disturbed  # type: ignore[method-assign]


# -- nobody known before ----------------------------------------------------------------------------------------------------
def test_a_server_without_tls_for_a_moment_does_not_make_the_old_set_in_caches_count_for_nothing() -> None:
    """Current is not known, and the probe meets a 454: {A} is in every cache all the same, so B waits for it to run out."""
    policy = Policy(ttl_multiplier=2.0, cache_floor=7200.0, margin=600.0)
    made = Bench(Lineage("one", (Service.parse("mx.example.org:25"),), "dns", ("postfix",), policy=policy))
    made.present(Outcome.NO_TLS)
    made.serve(A.chain.records(), 3600)
    made.look(0)
    made.happen(10, ev.Staged(B))
    owner, new = made.lineage.owners[0], tuple(B.chain.records())
    made.happen(10, ev.Publishing(owner, new), ev.Published(owner, new))
    made.serve(A.chain.records() | B.chain.records(), 3600)
    made.look(20)
    assert made.swaps_at(20 + 7200 + 600)


# -- neighbours -------------------------------------------------------------------------------------------------------------
def test_where_dane_begins_the_records_of_an_rsa_and_an_ecdsa_key_go_out_in_one_step() -> None:
    """Each record alone would leave the other key without a match, so neither may go first; both at once may."""
    story = Story(lineages=lineages(SERVICES[0]))
    ecdsa, rsa = generation("0", key="ec"), generation("0", kind="RSA", key="rsa")
    story.begin(ecdsa, lineage="ec", published=False)
    story.begin(rsa, lineage="rsa", published=False)
    story.wait(300)
    assert records(story) == only(ecdsa, rsa)
    assert half_published(story) == []
    assert story.vetoes() == []


def test_further_parameters_of_an_rsa_and_an_ecdsa_key_go_out_in_one_step_too() -> None:
    """A matching type that appears in a set has to match every key (RFC 7671 §8): the same knot, later in life."""
    story = Story(lineages=lineages(SERVICES[0]))
    story.begin(generation("0", key="ec"), lineage="ec")
    story.begin(generation("0", kind="RSA", key="rsa"), lineage="rsa")
    story.run()
    story.lineages = tuple(replace(one, params=(Params(3, 1, 1), Params(3, 1, 2))) for one in story.lineages)
    story.engine = story._engine()
    story.wait(300)
    assert len(records(story)) == 4
    assert half_published(story) == []


def test_lineages_whose_owners_are_aliases_of_one_name_keep_each_others_records() -> None:
    """Two hosts, one certificate, one name that both aliases lead to: the one that rolls leaves what the other presents."""
    services = (Service.parse("mx1.example.org:25"), Service.parse("mx2.example.org:25"))
    story = Story(lineages=lineages(*services))
    story.world.aliases = dict.fromkeys(story.world.owners, "_dane.example.org.")
    story.begin(A, lineage="ec")
    story.begin(generation("same", key="a"), lineage="rsa")
    story.run()
    story.stage(B, lineage="ec")
    story.until(lambda one: one.rolled_to(B, "ec"))
    story.wait(300)
    assert records(story) == only(A, B)
    assert all(A.chain.records() <= zone["_dane.example.org."] for _, zone in story.world.versions)


def test_where_dane_begins_behind_two_aliases_of_one_name_both_keys_records_go_out_in_one_step() -> None:
    """The set at the common name speaks for both hosts, also for the one that the lineage which publishes never looks at."""
    services = (Service.parse("mx1.example.org:25"), Service.parse("mx2.example.org:25"))
    story = Story(lineages=lineages(*services))
    story.world.aliases = dict.fromkeys(story.world.owners, "_dane.example.org.")
    story.world.unreachable |= {(str(one), "192.0.2.100") for one in services}
    story.begin(A, lineage="ec", published=False)
    story.begin(B, lineage="rsa", published=False)
    story.run()
    story.world.unreachable.clear()
    story.wait(300)
    assert records(story) == only(A, B)
    assert half_published(story) == []


# -- going back -------------------------------------------------------------------------------------------------------------
def test_going_back_is_refused_while_caches_may_hold_a_set_without_the_former_record() -> None:
    """Somebody removed A's record in the soak; it was put back, but what was handed out meanwhile has to run out first."""
    lineage = Lineage("one", SERVICES, "dns", ("postfix",), policy=replace(POLICY, rollback_window=900.0))
    story = stable(lineages=(lineage,))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    assert gates.back(lineage, story.facts(), story.world.moment().wall) == []
    for owner in story.world.owners:
        story.world.write(owner, B.chain.records())
    story.wait(70)
    assert records(story) == only(A, B), "it is put back"
    blockers = gates.back(lineage, story.facts(), story.world.moment().wall)
    assert {one.subject for one in blockers} == set(lineage.owners)
    story.wait(WAIT + 20)
    assert story.phase() is Phase.SWAPPED
    assert gates.back(lineage, story.facts(), story.world.moment().wall) == []


def halfway_back() -> Story:
    """The first address does not take B, the second takes it and never lets go of it again: a way back without effect."""
    story = stable(addresses=2)
    reload = story.world.reload

    def stubborn(lineage: Lineage, chain: object) -> None:
        reload(lineage, chain)  # type: ignore[arg-type]
        deaf = "192.0.2.100" if chain == B.chain else "192.0.2.101"
        story.world.switching = [one for one in story.world.switching if one[1][1] != deaf]

    story.world.reload = stubborn  # type: ignore[method-assign,assignment]
    story.stage(B)
    story.until(lambda one: bool(one.happened(ev.RolledBack)))
    return story


def test_a_way_back_without_effect_is_tried_less_and_less_often_and_asks_for_a_person() -> None:
    """A server reads another file: to reload it every minute helps nobody; after three times somebody has to look."""
    story = halfway_back()
    story.wait(3000)
    assert 4 <= story.world.deploys <= 9
    assert "reload it by hand" in story.plan().remedy
    assert "192.0.2.101 presents" in str(story.plan().blockers) or "192.0.2.101 still presents" in str(story.plan().blockers)


def test_records_that_get_lost_during_a_way_back_without_effect_are_put_back() -> None:
    """Both keys are presented for as long as it takes, so both records have to stand."""
    story = halfway_back()
    story.wait(500)
    owner = story.world.owners[0]
    story.world.write(owner, B.chain.records())
    story.world.strangers.add(A.chain)  # the one who removed it is to blame
    story.wait(100)
    assert records(story, owner) == only(A, B)


def test_records_that_get_lost_while_an_address_is_silent_during_a_way_back_are_put_back() -> None:
    """Nobody can say when a dead host comes back; until then publication goes on as usual."""
    story = stable(addresses=2)
    deploy = story.world.deploy

    def lose(lineage: Lineage, name: str) -> None:
        story.world.unreachable.add(("mx.example.org:25", "192.0.2.101"))
        deploy(lineage, name)

    story.world.deploy = lose  # type: ignore[method-assign]
    story.stage(B)
    story.until(lambda one: bool(one.happened(ev.RolledBack)))
    story.wait(200)
    for owner in story.world.owners:
        story.world.write(owner, B.chain.records())
    story.world.strangers.add(A.chain)  # the one who removed it is to blame
    story.wait(100)
    assert records(story) == only(A, B)


# -- time -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gap", [900.0, 1300.0])
@pytest.mark.parametrize("lost", [False, True])
def test_what_was_handed_out_while_nobody_looked_is_waited_for(gap: float, lost: bool) -> None:  # noqa: FBT001  a parameter
    """The host slept, and a server relapsed and recovered meanwhile: no look tells, so every wait begins again."""
    relapse = Span(200.0, gap - 200.0 - 20.0)
    story = stable(Fate(servers=(ServerFate(), ServerFate(lag=5.0, relapses=(relapse,)))))
    story.world.pass_time(story.world.now + 20)
    story.stage(B)
    for _ in range(3):
        story.step()
    while story.world.now < story.world.start + gap:
        story.world.pass_time(story.world.now + 1)
    if lost:  # the next look finds work to do, and another look follows: it was one night all the same
        story.world.write(story.world.owners[0], A.chain.records())
    story.until(lambda one: one.rolled_to(B))
    assert len(story.happened(ev.Unwatched)) == 1
    assert first(story, ev.Deployed) >= gap + WAIT


def vouched() -> Story:
    """Nothing is probed, A is current, B's record is everywhere, and the wait has just begun."""
    services = tuple(replace(one, probe=False) for one in SERVICES)
    story = stable(lineages=(Lineage("one", services, "dns", ("postfix",), policy=POLICY),))
    story.wait(400)
    story.stage(B)
    story.until(lambda one: one.plan().due is not None)
    return story


def test_a_clock_that_is_moved_during_a_look_does_not_shorten_the_wait() -> None:
    """Two hours forward between the question and the answer: by the wall clock the wait is over, by the boot's it is not."""
    story = vouched()
    began = story.world.now - story.world.start

    def move() -> None:
        story.world.fate = replace(story.world.fate, clock_steps=((story.world.now - story.world.start, 7200.0),))

    disturb_a_look(story, move)
    story.until(lambda one: one.rolled_to(B))
    assert story.world.swapped_at is not None
    assert story.world.swapped_at - story.world.start >= began + WAIT


def test_a_clock_that_is_moved_during_a_look_that_finds_work_to_do_was_moved_once() -> None:
    """The look is followed by an act and another look: the step is not taken for a second one."""
    story = vouched()
    story.world.write(story.world.owners[0], A.chain.records())

    def move() -> None:
        story.world.fate = replace(story.world.fate, clock_steps=((story.world.now - story.world.start, 7200.0),))

    disturb_a_look(story, move)
    story.until(lambda one: one.rolled_to(B))
    assert [event for _, event in story.happened(ev.ClockStepped)] == [ev.ClockStepped(7200.0)]


@pytest.mark.parametrize("seconds", [-7200.0, 7200.0, 86400.0])
@pytest.mark.parametrize("dies", [False, True])
def test_a_clock_that_is_moved_in_the_soak_does_not_move_its_end(seconds: float, dies: bool) -> None:  # noqa: FBT001  a parameter
    """An hour stays an hour, even if the process dies right after it noticed the step: then the window begins again at most."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    confirmed = first(story, ev.Confirmed)
    story.wait(60)
    moved = story.world.now - story.world.start
    story.world.fate = replace(
        story.world.fate,
        clock_steps=((moved, seconds),),
        crashes=frozenset([story.world.touches + 2] if dies else []),
    )
    story.until(lambda one: one.rolled_to(B), within=2 * POLICY.rollback_window + 200)
    finished = story.world.now - story.world.start
    assert finished <= (moved if dies else confirmed) + POLICY.rollback_window + 2 * POLICY.check_interval
    assert story.crashes == int(dies)


# -- what comes in between --------------------------------------------------------------------------------------------------
def test_a_certificate_with_doubts_keeps_them_while_it_is_queued() -> None:
    """It came in the middle of a rollover and lacks a name: its turn comes, and it waits for a person like any other."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.stage(C, hold="it does not name the host")
    story.wait(2000)
    assert story.phase() is Phase.HELD
    assert story.facts().current == "one/b"
    assert story.plan().why == "it does not name the host"
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(C))


def test_doubts_about_a_queued_certificate_are_gone_with_it() -> None:
    """A better one takes its place in the queue before its turn: nothing is held."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.stage(generation("bad"), hold="it does not name the host")
    story.stage(C)
    story.until(lambda one: one.rolled_to(C))


def test_a_certificate_that_arrives_between_the_decision_and_the_swap_comes_afterwards() -> None:
    """A newer certificate for the key on its way is staged in just that moment: it is decided again, for that one."""
    story = stable()
    story.stage(B)
    newer = generation("b2", key="b")

    def tell(name: str, text: str) -> None:
        if "matches the new certificate" in text and "one/b2" not in story.facts().generations:
            story.stage(newer)

    story.engine.watch = tell
    story.until(lambda one: one.rolled_to(newer))
    assert [event.generation for _, event in story.happened(ev.Confirmed)] == ["one/b2"]  # type: ignore[attr-defined]


def test_a_certificate_that_arrives_while_the_one_that_waited_takes_its_turn_is_not_lost() -> None:
    """C waited for the end of the soak; D comes between that look and what is written after it: the newest certificate wins."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.stage(C)
    newest = generation("d")

    def tell(name: str, text: str) -> None:
        if "the renewal that arrived during the rollover is next" in text and "one/d" not in story.facts().generations:
            story.stage(newest)

    story.engine.watch = tell
    story.until(lambda one: one.rolled_to(newest))
    assert "one/c" not in [event.generation for _, event in story.happened(ev.Confirmed)]  # type: ignore[attr-defined]


def test_what_waits_is_not_lost_when_another_certificate_is_next() -> None:
    """An older journal may tell it in this order: c was decided to be next, d arrived, c became next; d comes afterwards."""
    facts = Facts("one")
    swapped = (ev.Adopted(A), ev.Staged(B), ev.Deploying("b"), ev.Deployed("b"), ev.Confirmed("b"))
    for event in (*swapped, ev.Staged(C), ev.Staged(generation("d"), "it does not name the host"), ev.Promoted("c")):
        facts = apply(facts, event, 0.0)
    assert (facts.next, facts.queued, facts.hold) == ("c", "d", None)
    assert facts.queued_hold is not None


def test_what_arrived_before_the_intent_of_a_swap_was_written_is_queued_with_its_doubts() -> None:
    """An older journal may tell it in this order: the swap is that of b, and b2 comes afterwards, held as it came."""
    facts = Facts("one")
    newer = generation("b2", key="b")
    staged = ev.Staged(newer, "it does not name the host")
    for event in (ev.Adopted(A), ev.Staged(B), staged, ev.Deploying("b"), ev.Deployed("b"), ev.Confirmed("b")):
        facts = apply(facts, event, 0.0)
    assert (facts.current, facts.next, facts.queued, facts.hold) == ("b", "", "b2", None)
    facts = apply(apply(facts, ev.Finished("a"), 1.0), ev.Promoted("b2"), 2.0)
    assert facts.hold is not None
    assert facts.hold.reason == "it does not name the host"


def test_a_record_at_a_name_that_is_configured_no_more_holds_the_swap_until_it_is_forgotten() -> None:
    """A service left the configuration, its record of ours still stands: its senders would meet B with {A} only."""
    story = stable()
    gone = story.world.owners[1]
    story.lineages = (replace(story.lineages[0], services=SERVICES[:1]),)
    story.engine = story._engine()
    story.stage(B)
    story.wait(1000)
    assert not story.happened(ev.Deploying)
    assert f"records one --forget {gone}" in str(story.plan().blockers)
    for place in [one for one in story.world.presented if one[0] == "mx.example.org:465"]:
        del story.world.presented[place]
    story.say(ev.Retired(gone, tuple(A.chain.records()), proven=True))
    story.until(lambda one: one.rolled_to(B))


def test_a_swap_that_died_when_it_was_done_is_not_taken_back_because_a_server_is_bogus_just_then() -> None:
    """Everything presents B already: to write B's files again harms nobody, whatever DNS looks like in this moment."""
    story = stable()
    story.stage(B)
    deploy, alive = story.world.deploy, []

    def die(lineage: Lineage, name: str) -> None:
        deploy(lineage, name)
        if not alive:
            alive.append(name)
            bogus = ServerFate(broken=(Span(0.0, story.world.now - story.world.start + 100.0),))
            story.world.fate = replace(story.world.fate, servers=(ServerFate(), bogus))
            raise Crash

    story.world.deploy = die  # type: ignore[method-assign]
    story.until(lambda one: one.rolled_to(B))
    assert story.vetoes() == []
    assert not story.happened(ev.RollingBack)


# -- what is over is over ---------------------------------------------------------------------------------------------------
def test_a_failed_deployment_is_forgotten_with_the_rollover_it_belonged_to() -> None:
    """Given up after a failure: nothing is in the way any more, and nobody is told so every ten seconds."""
    story = stable(Fate(failed_deploys=frozenset([1])))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.HELD)
    assert not story.facts().failures, "the former certificate is back: that failure is over"
    story.say(ev.Failed("deploy", "the file system is read-only"))
    story.say(ev.Aborted("one/b"))
    story.wait(400)
    assert not story.facts().failures
    assert story.plan().blockers == ()
    assert story.plan().why.startswith("nothing to do")


def test_a_first_certificate_that_cannot_be_installed_says_what_to_do() -> None:
    """There is no way back from nothing: the remedy names the command, and the command is enough once the cause is mended."""
    story = Story(Fate(failed_deploys=frozenset([1])))
    story.present(C)
    story.world.strangers.add(C.chain)
    story.stage(B)
    story.wait(200)
    assert "mend the cause, then: tlsa-manager rollover start one" in story.plan().remedy
    assert story.world.deploys == 1
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(B))
