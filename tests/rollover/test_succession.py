"""The next key: published ahead, used without a wait, made anew, and never burned, whatever mode was before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim.fate import Fate, ServerFate
from sim.story import POLICY, SERVICES, Story, generation
from sim.world import key_alone

from tlsa_manager.lineage import Key, Lineage
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import succession
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.safety import veto
from tlsa_manager.rollover.state import Phase, ready_at
from tlsa_manager.rollover.steps import Deploy
from tlsa_manager.tlsa import Params

A, B, C = generation("a"), generation("b"), generation("c")
WAIT = 150.0 + 30.0  # max(k·TTL, F) + M
NEXT = KeyPolicy(next_key=True)
PLAIN = KeyPolicy(next_key=False)


def with_keys(keys: KeyPolicy, fate: Fate | None = None, **more: object) -> Story:
    """One lineage, stable with A, whose keys are as the policy says."""
    lineage = Lineage("one", SERVICES, "dns", ("postfix",), policy=POLICY, keys=keys, **more)  # type: ignore[arg-type]
    story = Story(fate, lineages=(lineage,))
    story.begin(A)
    story.run()
    return story


def change(story: Story, **what: object) -> None:
    """The operator changes the configuration of all lineages; the next run reads it."""
    story.lineages = tuple(replace(one, **what) for one in story.lineages)  # type: ignore[arg-type]
    story.engine = story._engine()


def standby(story: Story) -> Key:
    """The next key."""
    key = story.facts().standby
    assert key is not None
    return key


def settle(story: Story) -> Story:
    """The next key is known to every cache, and nothing is going on."""

    def known(one: Story) -> bool:
        facts, now = one.facts(), one.world.moment().wall
        if facts.standby is None or one.phase() is not Phase.STABLE:
            return False
        ready = ready_at(one.lineages[0], facts, facts.standby.records(one.lineages[0].params), now)
        return ready is not None and ready <= now

    return story.until(known)


def records(story: Story) -> set[str]:
    """What stands at the primary."""
    return {str(one) for one in story.world.standing(story.world.owners[0])}


def only(*keys: object) -> set[str]:
    """The 3 1 1 records of these certificates and keys."""
    table = [one.records((Params(3, 1, 1),)) for one in keys]  # type: ignore[attr-defined]
    return {str(one) for found in table for one in found}


def renew(story: Story, name: str) -> float:
    """A certificate for the next key arrives; return how long it takes until the mail server is given it, seconds."""
    new = generation(name, key=standby(story).id)
    story.stage(new)
    arrived = story.world.now
    story.run()
    story.until(lambda one: one.facts().current == f"one/{name}")
    deployed = [at for at, event in story.happened(ev.Deployed) if event.generation == f"one/{name}"]  # type: ignore[attr-defined]
    return deployed[0] + story.world.start - arrived


def test_ten_renewals_for_the_next_key_wait_for_nothing() -> None:
    """Each goes into service in the run after its arrival, and its successor is published at once."""
    story = settle(with_keys(NEXT, Fate(ttl=300, servers=(ServerFate(), ServerFate(lag=40.0)))))
    used = [A.spki]
    for number in range(10):
        used.append(standby(story).spki_sha256)
        assert renew(story, f"renewal{number}") <= POLICY.poll_interval
        settle(story)
        assert len(records(story)) == 2
    assert len(set(used)) == 11
    assert standby(story).spki_sha256 not in used
    assert story.vetoes() == []


def test_where_dane_begins_current_and_next_key_are_published_in_one_step() -> None:
    """T6: no cache can hold a set without the next key's record, so not even the first renewal waits."""
    story = Story(lineages=(Lineage("one", SERVICES, "dns", ("postfix",), policy=POLICY, keys=NEXT),))
    story.stage(A)
    story.present(A)
    story.run()
    assert records(story) == only(A, standby(story))
    assert {len(zone[story.world.owners[0]]) for _, zone in story.world.versions} == {0, 2}


def test_a_hook_publishes_the_first_certificate_with_its_next_key() -> None:
    """The hook's moment is enough for a key; it touches nothing but DNS."""
    story = Story(lineages=(Lineage("one", SERVICES, "dns", ("postfix",), policy=POLICY, keys=NEXT),))
    story.stage(A)
    story.present(A)
    story.engine.publish("one")
    assert records(story) == only(A, standby(story))
    assert not story.happened(ev.Installed)


def test_an_issuer_of_our_own_or_a_client_that_took_a_key_has_a_next_key_without_being_told() -> None:
    """The default of `next-key`."""
    assert with_keys(KeyPolicy(), issuer="ca").facts().standby is not None
    story = with_keys(KeyPolicy())
    assert story.facts().standby is None
    story.say(ev.HandedOut("k"))
    story.run()
    assert records(story) == only(A, standby(story))


def test_of_two_keys_that_were_made_at_the_same_time_the_first_stays() -> None:
    """It may be in a client's hands already."""
    facts = apply(apply(Facts("one"), ev.Prepared(key_alone("x")), 0.0), ev.Prepared(key_alone("y")), 1.0)
    assert facts.standby == key_alone("x")


def test_failed_orders_do_not_burn_the_next_key() -> None:
    """However often nothing comes of it, the published key is the one that is used afterwards."""
    story = settle(with_keys(NEXT))
    key = standby(story)
    for _ in range(5):
        story.say(ev.Failed("issue", "the authority refuses"))
        story.wait(300)
        assert standby(story) == key
        assert records(story) == only(A, key)
    assert renew(story, "at last") <= POLICY.poll_interval
    assert story.facts().generation(story.facts().current).spki == key.spki_sha256  # type: ignore[union-attr]


@pytest.mark.parametrize("touch", range(1, 60, 4))
def test_a_crash_while_keys_are_made_and_swapped_changes_nothing_about_the_end(touch: int) -> None:
    """A key that was made and not journalled was never published; the next run makes another."""
    story = with_keys(NEXT, Fate(crashes=frozenset([touch, touch + 2, touch + 7])))
    settle(story)
    new = generation("new", key=standby(story).id)
    story.stage(new)
    story.until(lambda one: one.rolled_to(new))
    settle(story)
    assert records(story) == only(new, standby(story))


def test_a_certificate_for_the_next_key_waits_while_some_cache_may_lack_its_record() -> None:
    """The key was made a moment ago: its certificate waits like any other."""
    story = with_keys(NEXT)
    story.until(lambda one: bool(one.happened(ev.Published)))
    assert renew(story, "early") >= WAIT - 60


def test_what_was_handed_out_while_nobody_looked_counts_against_the_next_key_too() -> None:
    """The host slept; a server may have shown an old zone meanwhile, so the next key is waited for anew (L1)."""
    story = settle(with_keys(NEXT))
    story.world.pass_time(story.world.now + 5000)
    story.run()
    assert story.happened(ev.Unwatched)
    assert renew(story, "after the night") >= WAIT


# -- beside other certificates ----------------------------------------------------------------------------------------------
def test_a_certificate_for_the_known_next_key_overtakes_one_that_waits() -> None:
    """A client brought a key of its own, B, and then one for the published key: the newer one needs no wait, B is given up."""
    story = settle(with_keys(NEXT))
    known = generation("known", key=standby(story).id)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    assert renew(story, "known") <= POLICY.poll_interval
    settle(story)
    assert records(story) == only(known, standby(story))
    assert "one/b" not in [event.generation for _, event in story.happened(ev.Deploying)]  # type: ignore[attr-defined]


def test_a_certificate_for_a_next_key_that_is_not_known_yet_overtakes_nothing() -> None:
    """B waits longer already: it goes first, and the other follows when its rollover is over."""
    story = with_keys(PLAIN)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.wait(100)
    change(story, keys=NEXT)
    story.run()
    late = generation("late", key=standby(story).id)
    story.stage(late)
    story.until(lambda one: one.rolled_to(late))
    assert [event.generation for _, event in story.happened(ev.Confirmed)] == ["one/b", "one/late"]  # type: ignore[attr-defined]


def test_a_certificate_with_doubts_overtakes_nothing() -> None:
    """However well its key is known, a person has to look at it first, when its turn comes."""
    story = settle(with_keys(NEXT))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.stage(generation("odd", key=standby(story).id), hold="it does not name the host")
    story.until(lambda one: one.facts().current == "one/b")


def test_a_renewal_for_the_known_key_does_not_wait_for_the_end_of_a_rollback_window() -> None:
    """In the soak of a renewal another one comes, for the same key: at once; what was before the soak is given up."""
    story = settle(with_keys(replace(NEXT, reuse=True)))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    again = generation("again", key="b")
    story.stage(again)
    arrived = story.world.now
    story.run()
    story.until(lambda one: one.facts().current == "one/again")
    assert story.world.now - arrived <= 2 * POLICY.poll_interval
    story.until(lambda one: one.rolled_to(again))
    settle(story)
    assert records(story) == only(again, standby(story))
    assert story.vetoes() == []


def test_a_soak_that_was_interrupted_by_a_renewal_leaves_the_way_back_open() -> None:
    """The new rollback window is a whole one, although the old record was being removed already."""
    story = settle(with_keys(NEXT, Fate(lost=frozenset([5, 6, 7, 8]))))
    story.stage(B)
    story.until(lambda one: one.facts().retiring)
    again = generation("again", key="b")
    story.stage(again)
    story.until(lambda one: one.facts().current == "one/again")
    confirmed = story.happened(ev.Confirmed)[-1][0]
    assert not story.facts().retiring
    story.until(lambda one: one.rolled_to(again))
    assert story.happened(ev.Finished)[-1][0] >= confirmed + POLICY.rollback_window


# -- the way back -----------------------------------------------------------------------------------------------------------
def test_after_a_way_back_both_next_keys_stand_until_one_is_given_up() -> None:
    """The swap made another next key; taken back, the first one waits for a person, and the other one is not lost."""
    story = settle(with_keys(NEXT))
    first = standby(story)
    renew(story, "new")
    story.run()
    second = standby(story)
    story.say(ev.RollingBack("one/a", "the operator asked for it"))
    story.until(lambda one: bool(one.happened(ev.Restored)))
    story.wait(100)
    assert records(story) == only(A, first, second)
    story.say(ev.Aborted("one/new"))
    settle(story)
    assert records(story) == only(A, second)
    assert standby(story) == second
    assert renew(story, "newer") <= POLICY.poll_interval


def test_what_came_after_a_swap_that_is_undone_is_the_newest_still() -> None:
    """It was about to follow; the way back undoes the swap, and what came later takes the place of what failed."""
    facts = Facts("one")
    done = (ev.Adopted(A), ev.Staged(B), ev.Deploying("b"), ev.Deployed("b"), ev.Confirmed("b"), ev.Staged(C), ev.Promoted("c"))
    for event in (*done, ev.RollingBack("a", "a server relapsed", hold=False), ev.RolledBack("a"), ev.Restored("a")):
        facts = apply(facts, event, 0.0)
    assert (facts.current, facts.next, facts.previous) == ("a", "c", "")


def test_a_key_that_is_back_in_service_is_as_old_as_it_was_and_still_due() -> None:
    """Its time does not begin again because another one was there for an hour."""
    story = settle(with_keys(replace(NEXT, reuse=True, lifetime=50_000.0)))
    since = story.facts().key_since
    story.say(ev.KeyDue())
    renew(story, "new")
    assert story.facts().key_due is False
    assert story.facts().key_since != since
    story.say(ev.RollingBack("one/a", "the operator asked for it"))
    story.until(lambda one: bool(one.happened(ev.Restored)))
    assert story.facts().key_since == since
    assert story.facts().key_due is True


def test_a_clock_that_is_stepped_makes_no_key_older() -> None:
    """A year forward: the key is as old as it was."""
    year = 365 * 86400.0
    facts = apply(apply(Facts("one"), ev.Adopted(A), 1000.0), ev.ClockStepped(year), 2000.0 + year)
    assert facts.key_since == 1000.0 + year


# -- modes ------------------------------------------------------------------------------------------------------------------
def test_in_reuse_mode_a_renewal_for_the_key_in_service_goes_in_at_once_and_the_key_rolls_when_due() -> None:
    """The known key needs no wait; when a person says so, or its time is over, the next key's turn has come."""
    story = with_keys(KeyPolicy(reuse=True, lifetime=5000.0))
    lineage, now = story.lineages[0], story.world.moment().wall
    assert not succession.renews_key(lineage, story.facts(), now)
    again = generation("again", key="a")
    story.stage(again)
    story.run()
    story.until(lambda one: one.rolled_to(again))
    assert not story.happened(ev.Published)
    assert story.facts().key_since == story.happened(ev.Adopted)[0][0] + story.world.start, "the key is as old as before"
    assert succession.renews_key(lineage, story.facts(), now + 5000)
    story.say(ev.KeyDue())
    assert succession.renews_key(lineage, story.facts(), now)


def test_a_key_that_is_reused_is_due_only_when_somebody_says_so() -> None:
    """Without a lifetime it serves for ever."""
    story = with_keys(KeyPolicy(reuse=True))
    assert not succession.renews_key(story.lineages[0], story.facts(), story.world.now + 1e9)
    assert succession.key_due_at(story.lineages[0], story.facts()) is None


def test_from_plain_to_next_key_and_back_there_is_no_gap_and_no_key_is_lost() -> None:
    """Off: the record goes, the key stays ours. On again, while servers still show it: it comes back when they have lost it."""
    story = settle(with_keys(NEXT, Fate(servers=(ServerFate(), ServerFate(lag=90.0)))))
    key = standby(story)
    change(story, keys=PLAIN)
    story.until(lambda one: records(one) == only(A))
    change(story, keys=NEXT)
    story.run()
    assert records(story) == only(A), "a server still shows the record that is on its way out"
    settle(story)
    assert standby(story) == key
    assert records(story) == only(A, key)
    assert renew(story, "new") <= POLICY.poll_interval


def test_a_certificate_for_the_next_key_in_plain_mode_takes_its_time_and_is_safe() -> None:
    """The mode was switched off a moment ago; the record is leaving, so it is published again, and waited for."""
    story = settle(with_keys(NEXT, Fate(servers=(ServerFate(), ServerFate(lag=90.0)))))
    change(story, keys=PLAIN)
    story.until(lambda one: records(one) == only(A))
    assert renew(story, "new") >= WAIT


def test_a_next_key_of_a_type_that_is_configured_no_more_is_made_anew() -> None:
    """`key-type` was changed: the published key is discarded, another one takes its place; the key in service stays."""
    story = settle(with_keys(NEXT))
    former = standby(story)
    change(story, keys=replace(NEXT, type="rsa-2048"))
    story.until(lambda one: one.facts().standby not in (None, former))
    settle(story)
    assert standby(story).type == "rsa-2048"
    assert records(story) == only(A, standby(story))


def test_a_next_key_that_somebody_was_asked_for_a_certificate_for_is_not_discarded() -> None:
    """An order is under way, or its certificate waits: the type that is configured now is that of the key after it."""
    story = with_keys(NEXT)
    key = standby(story)
    story.stage(generation("new", key=key.id))
    change(story, keys=replace(NEXT, type="rsa-2048"))
    story.wait(60)
    assert standby(story) == key


def test_a_next_key_that_was_given_up_never_goes_into_service() -> None:
    """It was shown around. A client that had taken it brings a certificate for it: that is held, not published, and vetoed."""
    story = settle(with_keys(NEXT))
    key = standby(story)
    story.say(ev.Discarded(key.id, "it was in a backup that got lost"))
    new = generation("new", key=key.id)
    story.stage(new)
    story.wait(600)
    assert story.phase() is Phase.HELD
    assert "was given up for good" in story.plan().why
    assert "rollover abort one" in story.plan().remedy
    assert not only(key) & records(story)
    story.say(ev.Released())
    story.wait(600)
    assert story.facts().current == "one/a"
    assert "was given up" in str(story.plan().blockers)
    scene = story.engine.scene("one")
    assert veto(Deploy("one/new"), scene) == "its key was given up for good"
    assert standby(story).id != key.id


def test_a_certificate_for_a_next_key_that_was_given_up_pushes_out_no_other() -> None:
    """B waits for caches; what comes for the key that was given up takes nobody's place, and what was on its way with it goes."""
    key, facts = key_alone("k"), Facts("one")
    for event in (ev.Adopted(A), ev.Prepared(key), ev.Discarded(key.id, "shown"), ev.Staged(B), ev.Staged(generation("k"))):
        facts = apply(facts, event, 0.0)
    assert (facts.next, facts.queued, facts.hold) == ("b", "", None)
    facts = Facts("one")
    for event in (ev.Adopted(A), ev.Prepared(key), ev.Staged(generation("k")), ev.Discarded(key.id, "shown")):
        facts = apply(facts, event, 0.0)
    assert (facts.next, facts.standby, facts.discarded) == ("", None, frozenset([key.spki_sha256]))


def test_a_next_key_of_a_type_that_is_wanted_no_more_is_still_good() -> None:
    """Nothing speaks against the key itself: a client that took it before the change may bring its certificate."""
    key, facts = key_alone("k"), Facts("one")
    for event in (ev.Adopted(A), ev.Prepared(key), ev.Discarded(key.id, ev.ANOTHER_TYPE), ev.Staged(generation("k"))):
        facts = apply(facts, event, 0.0)
    assert (facts.next, facts.hold, facts.discarded) == ("k", None, frozenset())
