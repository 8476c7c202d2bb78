"""A key that somebody else has: it leaves at once where the next key is known, at a price that was told before where it is not.

The world's oracle allows a mismatch only for a cache whose set lacks the new record, and only where a person was told of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sim.bench import Bench
from sim.fate import Fate, ServerFate
from sim.oracle import Mismatch
from sim.story import POLICY, SERVICES, Story, generation
from sim.world import key_alone
from test_succession import NEXT, PLAIN, WAIT, only, records, settle, standby, with_keys

from tlsa_manager.lineage import Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import emergency, renewal
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.emergency import Prospect, Way
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.safety import veto
from tlsa_manager.rollover.state import Phase
from tlsa_manager.rollover.steps import Act, Deploy
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Params

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation

A, B, C = generation("a"), generation("b"), generation("c")
SLOW = Fate(ttl=300, servers=(ServerFate(), ServerFate(lag=25.0)))


def ways(story: Story) -> tuple[Prospect, ...]:
    """What is open if the key in service is stolen now."""
    facts, now = story.facts(), story.world.moment().wall
    stolen = facts.generations[facts.current].spki
    return emergency.prospects(story.lineages[0], apply(facts, ev.Compromised((stolen,)), now), now)


def steal(story: Story, replacement: Generation | None = None, *, at_once: bool = False) -> None:
    """A person says that somebody else has the key in service, and gives another certificate, or the one on its way goes."""
    facts = story.facts()
    current = facts.generations[facts.current]
    hurried = (f"one/{replacement.id}" if replacement else facts.next) if at_once else ""
    if hurried:
        chain = replacement.chain if replacement else facts.generations[hurried].chain
        story.world.excused.add(chain.leaf.spki_sha256)
    story.say(ev.Compromised((current.spki,), hurried))
    if replacement is not None:
        story.stage(replacement)


def seconds(story: Story, kind: type[ev.Event]) -> float:
    """When the latest event of a kind happened, seconds since the beginning."""
    return story.happened(kind)[-1][0]


def now(story: Story) -> float:
    """Seconds since the beginning."""
    return story.world.now - story.world.start


# -- E1 ---------------------------------------------------------------------------------------------------------------------
def test_with_a_next_key_known_everywhere_the_stolen_key_leaves_at_once_and_no_mail_waits() -> None:
    """E1: the oracle sees no mismatch in any cache; the stolen key's record goes as soon as the swap is proven."""
    story = settle(with_keys(NEXT, SLOW))
    assert [one.way for one in ways(story)] == [Way.STANDBY]
    new, declared = generation("new", key=standby(story).id), now(story)
    steal(story, new)
    story.run()
    story.until(lambda one: one.rolled_to(new))
    assert seconds(story, ev.Deployed) <= declared + POLICY.poll_interval
    confirmed, retiring = seconds(story, ev.Confirmed), story.happened(ev.Retiring)[0][0]
    assert confirmed <= retiring <= confirmed + POLICY.poll_interval
    assert now(story) < declared + POLICY.rollback_window
    settle(story)
    assert records(story) == only(new, standby(story))
    assert story.vetoes() == []


def test_the_stolen_keys_record_stays_until_every_address_is_proven_to_present_the_new_one() -> None:
    """One address does not let go of the old certificate: to remove its record would cost all mail there."""
    story = settle(with_keys(NEXT))
    story.addresses = 2
    story.present(A)
    new = generation("new", key=standby(story).id)
    reload, deaf = story.world.reload, ("mx.example.org:25", "192.0.2.101", "one")

    def half(lineage: Lineage, chain: object) -> None:
        reload(lineage, chain)  # type: ignore[arg-type]
        story.world.switching = [one for one in story.world.switching if one[1] != deaf]

    story.world.reload = half  # type: ignore[method-assign,assignment]
    steal(story, new)
    story.wait(15)
    assert story.facts().deploying
    assert only(A) <= records(story)
    story.world.presented[deaf] = new.chain
    story.until(lambda one: not one.facts().deploying)


def test_a_certificate_for_the_known_next_key_overtakes_what_waits_when_the_key_in_service_is_stolen() -> None:
    """B of the client's waits for caches; the next key need not."""
    story = settle(with_keys(NEXT))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    assert [one.way for one in ways(story)] == [Way.STANDBY]
    facts, moment = story.facts(), story.world.moment().wall
    assert emergency.coming(story.lineages[0], facts, moment) is None
    new, declared = generation("new", key=standby(story).id), now(story)
    steal(story, new)
    story.run()
    story.until(lambda one: one.facts().current == "one/new")
    assert seconds(story, ev.Deployed) <= declared + POLICY.poll_interval


def test_a_key_stolen_in_the_soak_does_not_wait_for_the_end_of_the_window() -> None:
    """The swap is an hour old: another certificate goes in as soon as its key is known, not when the rollback window is over."""
    story = settle(with_keys(replace(NEXT, reuse=True), None))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    declared = now(story)
    new = generation("new", key=standby(story).id)
    steal(story, new)
    story.run()
    story.until(lambda one: one.facts().current == "one/new")
    assert seconds(story, ev.Confirmed) <= declared + POLICY.poll_interval + 5
    story.until(lambda one: one.rolled_to(new))
    settle(story)
    assert records(story) == only(new, standby(story))


# -- E2 and E3 --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("stretch", [0.0, 150.0])
@pytest.mark.parametrize("ttl", [60, 300])
def test_without_a_next_key_mail_is_deferred_no_longer_than_was_told(ttl: int, stretch: float) -> None:
    """E2: swapped when every server has the record; caches with the old set run out, and none of them later than foretold."""
    fate = Fate(ttl=ttl, stretch=stretch, servers=(ServerFate(), ServerFate(lag=5.0)))
    story = with_keys(PLAIN, fate)
    story.wait(500)
    best, other = ways(story)
    assert (best.way, other.way) == (Way.AT_ONCE, Way.WAIT)
    assert best.deferred_until is not None
    steal(story, B, at_once=True)
    story.run()
    story.until(lambda one: one.facts().current == "one/b")
    assert story.world.now <= best.swap_at + POLICY.poll_interval + 5
    assert other.swap_at >= best.swap_at + WAIT - POLICY.poll_interval
    honest, raised = best.deferred_until
    story.world.pass_time(max(raised if stretch else honest, story.world.now) + 0.5)
    story.world.excused.clear()
    story.world.judge()  # from here on no cache has a set without the new record
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(B)
    assert story.vetoes() == []


def test_a_certificate_that_comes_while_a_failed_swap_in_haste_is_held_is_in_the_same_haste() -> None:
    """The stolen key is still in service, and the person has said that mail may wait: so it is for whatever takes its place."""
    story = with_keys(PLAIN, Fate(ttl=300, failed_deploys=frozenset([1])))
    story.wait(500)
    steal(story, B, at_once=True)
    story.until(lambda one: one.phase() is Phase.HELD)
    story.world.excused.add(C.spki)
    story.stage(C)
    story.say(ev.Released())
    released = now(story)
    story.run()
    story.until(lambda one: one.facts().current == "one/c")
    assert now(story) - released <= 2 * POLICY.poll_interval + 5
    assert story.vetoes() == []


def test_the_records_of_an_issuer_in_caches_are_waited_for_where_the_new_certificate_has_none() -> None:
    """2 1 1 was just taken out of `params`: until caches forget it what is signed by itself has to wait, and that is told."""
    story = with_keys(NEXT, Fate(ttl=300), params=(Params(3, 1, 1), Params(2, 1, 1)))
    story.wait(1500)
    story.lineages = (replace(story.lineages[0], params=(Params(3, 1, 1),)),)
    story.engine = story._engine()
    story.until(lambda one: bool(one.happened(ev.Retiring)))
    story.wait(2 * POLICY.poll_interval)
    assert [one.way for one in ways(story)] == [Way.AT_ONCE, Way.WAIT]
    best, other = ways(story)
    assert best.deferred_until is not None
    new = generation("new", key=standby(story).id, issuer="")
    steal(story, new)
    story.until(lambda one: one.facts().current == "one/new")
    swapped = story.world.now - POLICY.check_interval
    assert swapped <= other.swap_at <= story.world.now
    assert story.vetoes() == []


def test_with_no_cache_left_that_knows_the_issuer_the_next_key_is_ready_again() -> None:
    """The same after the wait: the swap is now."""
    story = with_keys(NEXT, Fate(ttl=300), params=(Params(3, 1, 1), Params(2, 1, 1)))
    story.wait(1500)
    story.lineages = (replace(story.lineages[0], params=(Params(3, 1, 1),)),)
    story.engine = story._engine()
    story.wait(2000)
    assert [one.way for one in ways(story)] == [Way.STANDBY]
    declared = now(story)
    steal(story, generation("new", key=standby(story).id, issuer=""))
    story.run()
    story.until(lambda one: one.facts().current == "one/new")
    assert now(story) <= declared + POLICY.poll_interval + 5


def test_a_certificate_in_haste_that_records_of_an_issuer_keep_out_bars_no_order() -> None:
    """2 1 1 came into `params` after the emergency was declared: what can go in has an issuer, so it is ordered."""
    story = with_keys(PLAIN, issuer="ca", params=(Params(3, 1, 1), Params(2, 1, 1)))
    story.wait(1500)
    made = generation("made", key="new", issuer="")
    steal(story, made, at_once=True)
    assert emergency.is_stuck(story.lineages[0], story.facts())
    assert renewal.barred(story.lineages[0], story.facts()) == ""
    story.wait(100)
    assert story.facts().current == "one/a"
    certificate = generation("certificate", key="new", issuer="another")
    story.stage(certificate)
    assert renewal.barred(story.lineages[0], story.facts()) == "a stolen key is being replaced"
    story.run()
    story.until(lambda one: one.facts().current == "one/certificate", within=POLICY.check_interval)
    assert story.vetoes() == []


def test_the_oracle_does_see_the_mail_that_waits() -> None:
    """The same without the excuse: caches hold sets that do not match the new key."""
    story = with_keys(PLAIN, Fate(ttl=300))
    story.wait(500)
    steal(story, B, at_once=True)
    story.world.excused.clear()
    with pytest.raises(Mismatch):
        story.wait(100)


def test_t19_what_is_told_before_it_is_done() -> None:
    """T19: TTL_old 3600, T_pub 00:00:30: deferred until 01:00:30 at most, 02:00:30 where resolvers raise TTLs."""
    policy = Policy(ttl_multiplier=2.0, cache_floor=7200.0, margin=600.0, poll_interval=30.0)
    made = Bench(Lineage("one", (Service.parse("mx.example.org:25"),), "dns", ("postfix",), policy=policy))
    made.happen(-86400, ev.Adopted(A))
    made.present(A.chain)
    made.serve(A.chain.records(), 3600)
    made.look(-86400)
    made.look(0)
    made.happen(0, ev.Compromised((A.spki,)))
    at_once, wait = emergency.prospects(made.lineage, made.facts, 0)
    assert at_once == Prospect(Way.AT_ONCE, 30.0, (3630.0, 7230.0))
    assert wait == Prospect(Way.WAIT, 30.0 + 7200 + 600)
    owner, new = made.lineage.owners[0], tuple(B.chain.records())
    made.happen(0, ev.Compromised((), "b"), ev.Staged(B), ev.Publishing(owner, new), ev.Published(owner, new))
    made.serve(A.chain.records() | B.chain.records(), 3600, on=("ns1",))
    assert not isinstance(made.look(20), Act), "ns2 does not have it yet: no server may hand out a set that does not match"
    made.serve(A.chain.records() | B.chain.records(), 3600, on=("ns2",))
    decision = made.look(30)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Deploy)


def test_only_the_waiting_for_caches_is_dropped() -> None:
    """In all haste: a server that is silent, or not secure, still bars the swap; so do signatures that end within the margin."""
    made = Bench(Lineage("one", (SERVICES[0],), "dns", ("postfix",), policy=POLICY))
    both = A.chain.records() | B.chain.records()
    made.happen(0, ev.Adopted(A))
    made.present(A.chain)
    made.serve(A.chain.records(), 86400)
    made.look(1000)
    made.happen(1000, ev.Staged(B), ev.Compromised((A.spki,), "b"))
    name = made.serve(both, 86400)
    name.answers["ns2"] = (None, 0)
    assert not isinstance(made.look(1010), Act)
    name = made.serve(both, 86400)
    name.signed_until = {"ns1": 1020 + POLICY.signature_margin - 1}
    assert not isinstance(made.look(1020), Act)
    name.signed_until = {"ns1": 1030 + POLICY.signature_margin + 1}  # they need not outlive a wait that is not waited for
    decision = made.look(1030)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Deploy)
    assert veto(decision.step, replace(made.scene(1030), facts=made.facts)) == ""
    assert veto(decision.step, replace(made.scene(1030), facts=replace(made.facts, at_once=""))) != ""


def test_who_rather_waits_loses_no_mail() -> None:
    """E3: declared stolen, and the new certificate waits as always."""
    story = with_keys(PLAIN, SLOW)
    steal(story, B)
    story.until(lambda one: one.rolled_to(B))
    assert seconds(story, ev.Deployed) >= 25 + 600 + 30
    assert records(story) == only(B)


def test_what_was_said_of_a_certificate_goes_for_a_newer_one_with_its_key() -> None:
    """The authority's certificate follows the one that was signed by its own key: the haste is the key's."""
    story = with_keys(PLAIN, SLOW)
    story.wait(100)
    steal(story, B, at_once=True)
    newer = generation("newer", key="b")
    story.stage(newer)
    assert story.facts().at_once == "one/newer"
    story.until(lambda one: one.facts().current == "one/newer")
    assert now(story) < 300


@pytest.mark.parametrize("event", [ev.Aborted("b"), ev.Staged(C, "it does not name the host")])
def test_a_haste_that_is_given_up_bars_no_next_key(event: ev.Event) -> None:
    """The certificate in question is gone: nothing is in a hurry any more, and the next key is made as always."""
    facts = Facts("one")
    for happened in (ev.Adopted(A), ev.Staged(B), ev.Compromised((A.spki,), "b")):
        facts = apply(facts, happened, 0.0)
    assert facts.at_once == "b"
    given_up = apply(facts, ev.Aborted("b"), 1.0)
    assert given_up.at_once == ""
    assert apply(apply(facts, ev.Compromised((B.spki,)), 1.0), event, 2.0).at_once == ""


def test_a_certificate_that_is_not_journalled_yet_may_be_in_a_hurry() -> None:
    """What waits for no cache is written down before the generation is: a crash in between takes nothing of its haste."""
    facts = apply(apply(Facts("one"), ev.Adopted(A), 0.0), ev.Compromised((A.spki,), "b"), 0.0)
    assert apply(facts, ev.Staged(B), 1.0).at_once == "b"


def test_a_swap_in_haste_that_fails_goes_back_even_to_the_stolen_key_and_is_in_haste_again() -> None:
    """Mail first: the new certificate does not work at all. When the cause is mended it goes in without waiting."""
    story = with_keys(PLAIN, replace(SLOW, failed_deploys=frozenset([1])))
    story.wait(100)
    steal(story, B, at_once=True)
    story.until(lambda one: one.phase() is Phase.HELD)
    assert story.world.files["postfix"] == "one/a"
    story.say(ev.Released())
    released = now(story)
    story.run()
    story.until(lambda one: one.facts().current == "one/b")
    assert now(story) <= released + 2 * POLICY.poll_interval


# -- the key may never go into service --------------------------------------------------------------------------------------
def test_a_certificate_on_its_way_with_a_stolen_key_goes_no_further() -> None:
    """Its record goes, and it is never deployed; the one that was queued is next."""
    story = with_keys(PLAIN)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.stage(C)
    story.say(ev.Compromised((B.spki,)))
    story.until(lambda one: one.rolled_to(C))
    assert "one/b" not in [event.generation for _, event in story.happened(ev.Deploying)]  # type: ignore[attr-defined]
    assert records(story) == only(C)


def test_a_certificate_that_comes_with_a_stolen_key_is_held_and_stays_so() -> None:
    """The client reuses its key. Nothing of it is published, and no word makes it go into service."""
    story = with_keys(PLAIN)
    story.say(ev.Compromised((A.spki, B.spki)))
    story.stage(B)
    story.run()
    assert story.phase() is Phase.HELD
    assert "somebody else has the key" in story.plan().why
    assert "rollover abort one" in story.plan().remedy
    story.say(ev.Released())
    story.wait(800)
    assert records(story) == only(A)
    assert not story.happened(ev.Deploying)
    assert "never put into service" in str(story.plan().blockers)
    story.say(ev.Aborted("one/b"))
    story.stage(C)
    story.until(lambda one: one.rolled_to(C))


def test_a_certificate_that_comes_with_a_stolen_key_takes_nobodys_place() -> None:
    """Neither of the one on its way, nor in the queue; called for by name it is held."""
    story = with_keys(PLAIN)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.stage(C)
    again = generation("again", key="a")
    story.say(ev.Compromised((A.spki,)))
    story.stage(again)
    assert (story.facts().next, story.facts().queued) == ("one/b", "one/c")
    story.until(lambda one: one.rolled_to(C))
    story.say(ev.Promoted("one/again"))
    story.wait(100)
    assert story.phase() is Phase.HELD


def test_the_veto_knows_of_stolen_keys_too() -> None:
    """Whatever a rule wants."""
    story = with_keys(PLAIN)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.wait(500)
    scene = story.engine.scene("one")
    facts = replace(scene.facts, next="one/b", compromised=frozenset([B.spki]))
    assert veto(Deploy("one/b"), replace(scene, facts=facts)) == "somebody else has its key"


def test_a_key_that_is_stolen_while_it_goes_into_service_is_taken_back() -> None:
    """The former key is sound, and its record stands: back at once, and the stolen one is forgotten."""
    story = with_keys(PLAIN, Fate(reload_delays=(0.0, 15.0)))
    story.stage(B)
    story.until(lambda one: one.facts().deploying)
    story.say(ev.Compromised((B.spki,)))
    story.until(lambda one: bool(one.happened(ev.Restored)))
    assert story.facts().next == ""
    assert story.phase() is Phase.STABLE
    story.wait(400)
    assert records(story) == only(A)
    assert story.world.files["postfix"] == "one/a"


def test_a_key_that_is_stolen_in_the_way_back_is_not_tried_again() -> None:
    """The swap failed, the former certificate is being put back, and the new key turns out to be known: it is dropped."""
    story = with_keys(PLAIN, Fate(reload_delays=(15.0,)))
    story.stage(B)
    story.until(lambda one: one.facts().deploying)
    story.say(ev.RollingBack("one/a", "the operator asked for it"))
    story.say(ev.Compromised((B.spki,)))
    story.until(lambda one: bool(one.happened(ev.Restored)))
    story.wait(400)
    assert (story.facts().next, story.facts().hold) == ("", None)
    assert records(story) == only(A)


def test_a_stolen_next_key_is_replaced_and_its_record_goes_even_in_the_soak() -> None:
    """Nothing presents it; who has it could pose as us for as long as its record stands."""
    story = settle(with_keys(NEXT))
    new = generation("new", key=standby(story).id)
    story.stage(new)
    story.until(lambda one: one.phase() is Phase.SWAPPED and one.facts().standby is not None)
    story.run()
    stolen = standby(story)
    assert only(stolen) <= records(story)
    declared = now(story)
    story.say(ev.Compromised((stolen.spki_sha256,)))
    story.until(lambda one: not only(stolen) & records(one))
    assert now(story) <= declared + 150, "the rollback window is 300"
    assert story.phase() is Phase.SWAPPED
    assert only(A, new) <= records(story), "the way back stays open"
    assert standby(story) != stolen
    assert not story.facts().key_due, "the key in service is not the stolen one"


def test_nobody_goes_back_to_a_stolen_key_because_a_server_relapses() -> None:
    """Deferred mail is the lesser evil. Nor because its record cannot go yet: one address is silent."""
    made = Bench(Lineage("one", (SERVICES[0],), "dns", ("postfix",), policy=POLICY))
    both = A.chain.records() | B.chain.records()
    made.serve(both, 60)
    made.happen(0, ev.Adopted(A), ev.Publishing(made.lineage.owners[0], tuple(both)))
    made.look(0)
    made.happen(500, ev.Staged(B), ev.Deploying("b"), ev.Deployed("b"), ev.Confirmed("b"))
    made.present(Outcome.UNREACHABLE)
    made.serve(A.chain.records(), 60, on=("ns2",))
    former = made.facts
    assert isinstance(made.look(600), Act), "a sound key goes back into service"
    made.facts = apply(former, ev.Compromised((A.spki,)), 590)
    assert not isinstance(made.look(600), Act)


def test_a_key_stolen_in_the_soak_without_a_next_key_is_replaced_beside_the_soak() -> None:
    """The replacement is published at once, though the former certificate's time is not over."""
    story = with_keys(PLAIN)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    steal(story, C)
    story.run()
    assert only(C) <= records(story)
    assert story.phase() is Phase.SWAPPED
    published = now(story)
    story.until(lambda one: one.facts().current == "one/c")
    assert now(story) <= published + 7 + WAIT + 2 * POLICY.poll_interval
    story.until(lambda one: one.rolled_to(C))
    assert records(story) == only(C)


def test_haste_does_not_wait_for_the_end_of_a_soak_either() -> None:
    """The same, but the person accepted that some mail waits."""
    story = with_keys(PLAIN, SLOW)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    steal(story, C, at_once=True)
    began = now(story)
    story.run()
    story.until(lambda one: one.facts().current == "one/c")
    assert now(story) <= began + 25 + 3 * POLICY.poll_interval


def test_somebody_who_put_the_replacement_of_a_stolen_key_into_service_by_hand_is_not_undone() -> None:
    """Too early for caches; but what would come back is the stolen key."""
    story = with_keys(PLAIN, SLOW)
    steal(story, B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.world.strangers.add(B.chain)
    story.present(B)
    story.world.files["postfix"] = "one/b"
    story.wait(200)
    assert not story.happened(ev.RollingBack)
    story.until(lambda one: one.rolled_to(B))


def test_a_leaked_key_is_due_and_one_that_is_not_in_service_is_not() -> None:
    """What is asked for now is for another key; a leak of some other key changes nothing about that in service."""
    facts = apply(Facts("one"), ev.Adopted(A), 0.0)
    assert apply(facts, ev.Compromised((A.spki,)), 1.0).key_due
    assert not apply(facts, ev.Compromised((B.spki,)), 1.0).key_due


def test_prospects_where_nothing_can_be_lost() -> None:
    """No record stands anywhere: no mail is deferred."""
    story = Story()
    story.present(A)
    story.say(ev.Adopted(story.key(A, "one")))
    story.world.unreachable |= {(str(one), "192.0.2.100") for one in SERVICES}
    story.run()
    best = ways(story)[0]
    assert best.way in (Way.AT_ONCE, Way.STANDBY)
    assert best.deferred_until is None


def test_prospects_count_what_was_handed_out_before_the_first_look() -> None:
    """A next key stands there since the first look, a minute ago; a cache may hold a set from before it."""
    made = Bench(Lineage("one", (SERVICES[0],), "dns", ("postfix",), policy=POLICY, keys=NEXT))
    made.happen(0, ev.Adopted(A), ev.Prepared(key_alone("k")))
    made.present(A.chain)
    made.serve(A.chain.records() | generation("k").chain.records(), 60)
    made.look(1000)
    made.happen(1060, ev.Compromised((A.spki,)))
    at_once, wait = emergency.prospects(made.lineage, made.facts, 1060)
    assert at_once == Prospect(Way.AT_ONCE, 1070.0, (1070.0, 1150.0))
    assert wait.swap_at == 1000 + 150 + 30


def test_a_set_with_records_that_only_the_stolen_key_matches_costs_mail_whatever_else_is_in_it() -> None:
    """3 1 1 became 3 1 2 a moment ago: {3 1 1 old, 3 1 2 old, 3 1 2 next} does not let the next key in (RFC 7671 §8)."""
    sha512 = (Params(3, 1, 2),)
    made = Bench(Lineage("one", (SERVICES[0],), "dns", ("postfix",), params=sha512, policy=POLICY, keys=NEXT))
    made.happen(0, ev.Adopted(A), ev.Prepared(key_alone("k")))
    made.present(A.chain)
    later = A.chain.records(sha512) | generation("k").chain.records(sha512)
    made.serve(A.chain.records() | later, 60)
    made.look(1000)
    made.serve(later, 60)
    made.look(2000)
    made.happen(2000, ev.Compromised((A.spki,)))
    assert emergency.prospects(made.lineage, made.facts, 2000)[0].way is Way.AT_ONCE
    assert emergency.prospects(made.lineage, made.facts, 2000 + 150 + 30)[0].way is Way.STANDBY
