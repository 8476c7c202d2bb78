"""Parameters change by RFC 7671 §8: one change at a time, and a matching type always covers the same keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim.fate import Fate, ServerFate
from sim.story import POLICY, SERVICES, Story, generation
from test_succession import NEXT, PLAIN, WAIT, change, renew, settle, standby, with_keys

from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.state import Phase
from tlsa_manager.tlsa import Params

A, B, C = generation("a"), generation("b"), generation("c")
KEY, KEY512, ISSUER = Params(3, 1, 1), Params(3, 1, 2), Params(2, 1, 1)
LAG = Fate(servers=(ServerFate(), ServerFate(lag=40.0)))


def count(story: Story, params: Params, owner: str = "") -> int:
    """How many records with these parameters stand at the primary."""
    return sum(one.params == params for one in story.world.standing(owner or story.world.owners[0]))


def counts(story: Story, *params: Params) -> set[tuple[int, ...]]:
    """How many records of each there ever were at once."""
    zones = [zone[story.world.owners[0]] for _, zone in story.world.versions]
    return {tuple(sum(one.params == wish for one in records) for wish in params) for records in zones}


def stands(story: Story, *params: Params) -> bool:
    """Whether exactly these parameters stand everywhere, and for how many keys each."""
    return all({one.params for one in story.world.standing(owner)} == set(params) for owner in story.world.owners)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((KEY,), (KEY, KEY512)),
        ((KEY, KEY512), (KEY,)),
        ((KEY,), (KEY512,)),
        ((KEY,), (KEY, ISSUER)),
        ((KEY, ISSUER), (KEY,)),
        ((KEY, KEY512), (KEY, ISSUER)),
    ],
)
def test_one_set_of_parameters_is_followed_by_another_without_a_gap(
    before: tuple[Params, ...], after: tuple[Params, ...]
) -> None:
    """What is new is added and waited for, then the old goes; afterwards the next renewal is as quick as ever."""
    story = settle(with_keys(NEXT, LAG, params=before))
    change(story, params=after)
    began = len(story.world.versions)
    story.until(lambda one: stands(one, *after), within=3000)
    if set(after) - set(before) and set(before) - set(after):
        first, last = (story.world.versions[n][0] for n in (began, -1))
        assert last >= first + 40 + WAIT
    settle(story)
    assert renew(story, "new") <= POLICY.poll_interval
    settle(story)
    assert stands(story, *after)
    assert story.vetoes() == []


@pytest.mark.parametrize("after", [(KEY, KEY512), (KEY512,)])
def test_digest_algorithms_always_cover_the_same_keys(after: tuple[Params, ...]) -> None:
    """RFC 7671 §9: those of the key in service and of the next one come in one change, and go in one change."""
    story = settle(with_keys(NEXT, LAG))
    change(story, params=after)
    story.until(lambda one: stands(one, *after), within=3000)
    change(story, params=(KEY,))
    story.until(lambda one: stands(one, KEY), within=3000)
    known = counts(story, KEY, KEY512)
    assert {pair for pair in known if pair[1]} <= {(2, 2), (0, 2)}
    assert {pair for pair in known if not pair[1]} <= {(0, 0), (1, 0), (2, 0)}


def test_a_change_of_parameters_in_the_middle_of_a_rollover_waits_for_nothing_and_spoils_nothing() -> None:
    """What is added covers both keys at once; what goes follows without the swap being put off."""
    story = with_keys(PLAIN, LAG)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.wait(60)
    change(story, params=(KEY, KEY512))
    story.run()
    assert count(story, KEY512) == 2
    story.until(lambda one: one.rolled_to(B))
    first = story.happened(ev.Published)[0][0]
    assert story.happened(ev.Deployed)[0][0] <= first + 40 + WAIT + 2 * POLICY.poll_interval
    assert stands(story, KEY, KEY512)


def test_parameters_that_are_given_up_in_the_soak_go_in_order_too() -> None:
    """3 1 1 becomes 3 1 2 while the way back is open: both certificates keep a match of every kind in every cache."""
    story = with_keys(PLAIN, LAG)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.wait(200)
    change(story, params=(KEY512,))
    story.run()
    sent = story.world.now - story.world.start
    story.until(lambda one: stands(one, KEY512), within=3000)
    assert story.world.now - story.world.start >= sent + 40 + WAIT
    assert story.facts().current == "one/b"


def test_a_new_leaf_of_the_same_issuer_needs_no_wait_for_its_issuers_record() -> None:
    """3 1 1 beside 2 1 1, next-key mode: the issuer's record matches already."""
    story = settle(with_keys(NEXT, LAG, params=(KEY, ISSUER)))
    assert renew(story, "new") <= POLICY.poll_interval
    assert count(story, ISSUER) == 1


def test_a_leaf_of_another_issuer_waits_until_every_cache_knows_the_issuer() -> None:
    """The authority took another intermediate: its 2 1 1 is published and waited for, although the key is known."""
    story = settle(with_keys(NEXT, LAG, params=(KEY, ISSUER)))
    new = generation("new", key=standby(story).id, issuer="another")
    story.stage(new)
    story.run()
    assert count(story, ISSUER) == 2
    published = story.happened(ev.Published)[-1][0]
    story.until(lambda one: one.rolled_to(new))
    assert story.happened(ev.Deployed)[0][0] >= published + 40 + WAIT
    settle(story)
    assert count(story, ISSUER) == 1
    assert story.vetoes() == []


def test_a_certificate_without_an_issuer_under_issuer_records_is_not_swapped_in_and_it_is_said_what_to_do() -> None:
    """Signed by itself, it can never match a 2 1 1; when that is taken out of `params`, it goes, and the swap follows."""
    story = with_keys(PLAIN, LAG, params=(KEY, ISSUER))
    story.wait(100)
    alone = generation("alone", issuer="")
    story.stage(alone)
    story.wait(1500)
    assert not story.happened(ev.Deploying)
    told = story.plan().why
    assert "brings no issuer" in told
    assert "take them out of `params` of one" in told
    change(story, params=(KEY,))
    story.until(lambda one: stands(one, KEY), within=100)
    removed = story.world.now - story.world.start
    story.until(lambda one: one.rolled_to(alone))
    assert story.happened(ev.Deployed)[0][0] >= removed + WAIT
    assert story.vetoes() == []


def test_records_of_an_issuer_that_are_not_ours_are_the_operators_to_remove() -> None:
    """The same, but a foreign 2 1 1: the text says whose it is."""
    story = Story()
    story.stands(frozenset([A.chain.certificates[1].record(ISSUER)]))
    story.begin(A)
    story.run()
    story.stage(generation("alone", issuer=""))
    story.wait(800)
    assert not story.happened(ev.Deploying)
    assert "remove those that are not ours by hand" in story.plan().why


def test_what_is_left_of_a_certificate_that_was_given_up_goes_while_the_next_one_waits() -> None:
    """It is in nobody's way, and nobody has to wait for a day until it is gone."""
    story = settle(with_keys(NEXT))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.say(ev.Aborted("one/b"))
    story.stage(C)
    story.until(lambda one: not B.chain.records() & one.world.standing(one.world.owners[0]), within=WAIT - 20)
    assert story.phase() is Phase.WAITING
    story.until(lambda one: one.rolled_to(C))


def test_what_is_left_goes_while_a_person_is_waited_for_too() -> None:
    """A hold may last for weeks."""
    story = with_keys(PLAIN, params=(KEY, KEY512))
    story.wait(100)
    story.stage(B, hold="it does not name the host")
    change(story, params=(KEY,))
    story.until(lambda one: stands(one, KEY), within=200)
    assert story.phase() is Phase.HELD


@pytest.mark.parametrize("gone", [KEY512, ISSUER])
def test_two_lineages_give_up_parameters_in_one_step(gone: Params) -> None:
    """RSA and ECDSA, from two issuers: what goes for one key only would leave the other set against the first key."""
    names = ("ec", "rsa")
    lineages = tuple(Lineage(name, SERVICES[:1], "dns", (f"f-{name}",), params=(KEY, gone), policy=POLICY) for name in names)
    story = Story(lineages=lineages)
    story.begin(A, lineage="ec")
    story.begin(generation("r", kind="RSA", issuer="another"), lineage="rsa")
    story.run()
    story.wait(300)
    assert count(story, gone) == 2
    change(story, params=(KEY,))
    story.until(lambda one: stands(one, KEY), within=600)
    assert counts(story, gone) == {(0,), (2,)}
    story.stage(B, lineage="ec")
    story.until(lambda one: one.rolled_to(B, "ec"))
    assert stands(story, KEY)
    assert story.vetoes() == []


@pytest.mark.parametrize("ttl", [60, 300])
def test_two_lineages_whose_parameters_go_and_come_back_never_want_what_the_law_forbids(ttl: int) -> None:
    """3 1 2 instead of 3 1 1, and back; nobody can read what the backend has, and a server is slow: no veto has to speak."""
    fate = Fate(ttl=ttl, servers=(ServerFate(), ServerFate(lag=60.0)))
    lineages = tuple(Lineage(name, SERVICES, "dns", (f"file-{name}",), policy=POLICY) for name in ("rsa", "ec"))
    story = Story(fate, lineages=lineages)
    story.world.readable = False
    story.begin(generation("0", kind="RSA"), lineage="rsa")
    story.begin(A, lineage="ec")
    story.wait(300)
    change(story, params=(KEY512,))
    story.wait(2000)
    assert stands(story, KEY512)
    change(story, params=(KEY,))
    story.until(lambda one: stands(one, KEY), within=3000)
    assert count(story, KEY) == 2
    assert story.vetoes() == []


def test_two_lineages_on_the_same_services_with_different_parameters_are_told_what_to_do() -> None:
    """A parameter has to match every key that is presented: neither can begin with it alone, and that is said by name."""
    lineages = tuple(Lineage(name, SERVICES, "dns", (f"file-{name}",), policy=POLICY) for name in ("rsa", "ec"))
    story = Story(lineages=lineages)
    story.begin(generation("0", kind="RSA"), lineage="rsa")
    story.begin(A, lineage="ec")
    story.run()
    story.lineages = (replace(lineages[0], params=(KEY, KEY512)), lineages[1])
    story.engine = story._engine()
    story.wait(500)
    assert "for 3 1 2: give ec the same `params` as rsa (RFC 7671 §8.3)" in story.plan("rsa").why
    story.lineages = tuple(replace(one, params=(KEY, KEY512)) for one in lineages)
    story.engine = story._engine()
    story.wait(500)
    assert count(story, KEY512) == 2
    assert "the same `params`" not in story.plan("rsa").why
