"""Stories, told through the real engine in the virtual world. The oracle watches each of them at every event.

Times are seconds since the beginning. The policy of the world: TTL 60, k = 2, F = 150, M = 30, R = 300; a poll every 10 s.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from sim.fate import Fate, ServerFate, Span
from sim.story import POLICY, SERVICES, Story, generation

from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import apply
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Security
from tlsa_manager.service import Service
from tlsa_manager.tlsa import Params, Tlsa

A, B, C = generation("a"), generation("b"), generation("c")
RSA_A, RSA_B = generation("ra", kind="RSA"), generation("rb", kind="RSA")
WAIT = 150.0 + 30.0  # max(k·TTL, F) + M
ONE_PAIR = (ServerFate(), ServerFate(lag=7.0))
FOREIGN = Tlsa(3, 1, 2, "ab" * 64)


def stable(fate: Fate | None = None, **more: object) -> Story:
    """One lineage, stable with A."""
    story = Story(fate, **more)  # type: ignore[arg-type]
    story.begin(A)
    story.run()
    return story


def records(story: Story, owner: str = "") -> set[str]:
    """What stands at the primary."""
    return {str(one) for one in story.world.standing(owner or story.world.owners[0])}


def only(*generations: object, also: tuple[Tlsa, ...] = ()) -> set[str]:
    """The 3 1 1 records of these generations, and others."""
    return {str(one) for what in generations for one in what.chain.records()} | {str(one) for one in also}  # type: ignore[attr-defined]


def at(story: Story, kind: type[ev.Event]) -> list[float]:
    """When events of a kind happened."""
    return [moment for moment, _ in story.happened(kind)]


def test_a_renewal_is_published_waited_for_swapped_and_the_old_record_retired() -> None:
    """The plain story: each phase in its order, the swap a full wait after the last server, retirement after R."""
    story = stable()
    story.stage(B)
    phases = [story.phase()]
    while not story.rolled_to(B):
        story.step()
        phases.append(story.phase())
    assert list(dict.fromkeys(phases)) == [Phase.PUBLISHING, Phase.WAITING, Phase.SWAPPED, Phase.STABLE]
    published, deployed, retired = (at(story, kind) for kind in (ev.Published, ev.Deployed, ev.Retired))
    assert published[-1] + 7 + WAIT <= deployed[0] <= published[-1] + 7 + WAIT + 20
    assert retired[0] >= at(story, ev.Confirmed)[0] + POLICY.rollback_window
    assert records(story) == only(B)
    assert story.vetoes() == []


def test_servers_behind_an_anycast_address_are_waited_for_by_the_word_of_the_provider() -> None:
    """An instance that never answers us but answers caches: the clock starts when the provider says that it has the change."""
    story = stable(Fate(servers=(ServerFate(), ServerFate(lag=500.0, hidden=True))))
    story.run()
    story.stage(B)
    story.wait(100.0)
    assert any("not be on all servers of the provider" in one.reason for one in story.plan().blockers)
    story.until(lambda one: one.rolled_to(B))
    published, settled, deployed = (at(story, kind) for kind in (ev.Published, ev.Settled, ev.Deployed))
    assert settled[-1] >= published[-1] + 500
    assert settled[-1] + WAIT <= deployed[0] <= settled[-1] + WAIT + 20


@pytest.mark.parametrize("fate", [{"silent": frozenset([1])}, {"crashes": frozenset([8])}, {"crashes": frozenset([9])}])
def test_an_answer_of_the_provider_that_is_lost_is_asked_for_again(fate: dict[str, frozenset[int]]) -> None:
    """Nobody knows by which number to ask whether it is in force: it is sent once more, and waited for from then on."""
    story = Story(Fate(servers=(ServerFate(), ServerFate(lag=2000.0, hidden=True)), **fate))  # type: ignore[arg-type]
    story.begin(A)
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert not story.vetoes()
    assert not any(story.facts().unsure.values())


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("unserved", [{1}, {1, 3}, {3}, {4}, {3, 4, 5}])
def test_what_the_backend_has_and_nobody_serves_is_told_once_more(unserved: set[int], readable: bool) -> None:  # noqa: FBT001
    """A process died between writing and serving, so no server ever shows it; the same when it goes."""
    story = stable(Fate(unserved=frozenset(unserved)))
    story.world.readable = readable
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    story.until(lambda one: records(one) == only(B))


def test_a_backend_that_cannot_be_asked_is_told_before_it_is_needed() -> None:
    """A key that is not the right one any more is no success: it is said while nothing is to be published."""
    story = stable()
    story.world.broken = True
    story.wait(100)
    assert story.phase() is Phase.STABLE
    assert "BADSIG" in story.plan().why
    story.world.broken = False
    story.wait(100)
    assert "nothing to do" in story.plan().why


def test_a_record_that_vanishes_while_the_backend_cannot_be_asked_is_missed_at_once() -> None:
    """However lately it was published; and what a person has mended is tried when the person says so."""
    story = stable()
    story.world.broken = True
    for owner in story.world.owners:
        story.world.write(owner, frozenset())
    story.wait(100)
    failed = [step for step in story.facts().failures if step.startswith("publish ")]
    assert failed
    story.world.broken = False
    story.say(ev.Retried())
    story.run()
    assert not story.facts().failures
    assert records(story) == only(A)


def test_what_asked_to_be_left_alone_is_not_tried_at_once() -> None:
    """Nor is a swap that failed: that is taken back."""
    facts = stable().facts()
    for event in (ev.Failed("publish x", "no", until=500.0), ev.Failed("publish y", "no"), ev.Failed("deploy", "no")):
        facts = apply(facts, event, 100.0)
    assert set(apply(facts, ev.Retried(), 200.0).failures) == {"publish x", "deploy"}
    assert set(apply(facts, ev.Retried(), 600.0).failures) == {"deploy"}


def test_no_swap_begins_while_a_file_is_known_not_to_be_replaceable() -> None:
    """It would only be taken back; when that is mended, it goes on."""
    story = stable()
    story.world.stuck = {"postfix"}
    story.stage(B)
    story.wait(2000)
    assert not story.happened(ev.Deploying)
    assert any("it is a link" in one.reason for one in story.plan().blockers)
    story.world.stuck = set()
    story.until(lambda one: one.rolled_to(B))


def test_two_changes_that_are_under_way_at_the_provider_are_both_waited_for() -> None:
    """Of several changes at one name each has its own number, and the last one counts."""
    facts = stable(Fate(servers=(ServerFate(), ServerFate(lag=500.0, hidden=True)))).facts()
    owner = next(iter(facts.owners))
    for number in ("8", "9"):
        facts = apply(facts, ev.Published(owner, (), number=number), 1.0)
    facts = apply(facts, ev.Settled(owner, ("8",)), 2.0)
    assert facts.sent[owner].numbers[-1:] == ("9",)
    assert "8" not in facts.sent[owner].numbers


def test_a_removal_that_comes_into_force_later_is_waited_for_by_its_number() -> None:
    """Servers that never answer us may hand out the set from before it; while its number is not known, nobody can ask."""
    facts = stable(Fate(servers=(ServerFate(), ServerFate(lag=5.0, hidden=True)))).facts()
    owner, record = next(iter(facts.ours.items()))
    begun = apply(facts, ev.Retiring(owner, tuple(record)), 1.0)
    assert begun.unheard[owner] == record
    told = apply(begun, ev.Retired(owner, tuple(record), number="12"), 2.0)
    assert not told.unheard[owner]
    assert "12" in told.sent[owner].numbers
    assert "12" not in apply(told, ev.Settled(owner, ("12",)), 3.0).sent[owner].numbers


def test_the_first_certificate_that_is_presented_already_is_adopted_installed_and_published() -> None:
    """Nothing in DNS, the services present what certbot hands over: no swap, just the record, and the consumer's file."""
    story = Story()
    story.stage(A)
    story.present(A)
    story.run()
    assert story.facts().current == "one/a"
    assert records(story) == only(A)
    assert story.world.files["postfix"] == "one/a"
    assert not story.happened(ev.Deploying)


def test_at_the_first_publication_current_and_next_go_out_at_once_and_the_swap_needs_no_cache_wait() -> None:
    """T6: the consumer's file holds what is presented, certbot brings another: both go out, a cached nothing fails open."""
    story = Story()
    story.know(A, "one")
    story.present(A)
    story.world.files["postfix"] = "one/a"
    story.stage(B)
    story.run()
    assert [event.generation.id for _, event in story.happened(ev.Adopted)] == ["one/a"]
    assert records(story) == only(A, B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] <= 7 + 2 * POLICY.poll_interval
    published = [story.memory.events.index(one) for one in story.memory.events if isinstance(one[2], ev.Published)]
    deployed = next(n for n, one in enumerate(story.memory.events) if isinstance(one[2], ev.Deploying))
    assert max(published) < deployed
    assert records(story) == only(B)


def test_a_first_set_with_the_current_record_only_starts_the_normal_rule() -> None:
    """T6, second half: once {current} stood alone, its caches count."""
    story = Story()
    story.stage(A)
    story.present(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= at(story, ev.Published)[-1] + 7 + WAIT


def test_nothing_is_published_while_what_is_presented_is_unknown() -> None:
    """First publication of a record that nothing presents would switch DANE on with a wrong key: it waits, and says why."""
    story = Story(lineages=(Lineage("one", SERVICES, "dns", (), policy=POLICY),))
    story.present(C)
    story.world.strangers.add(C.chain)
    story.stage(B)
    story.wait(200)
    assert records(story) == set()
    assert "may go into service now" in story.plan().why


def test_where_no_dane_is_yet_the_first_certificate_goes_into_service_before_its_record_is_published() -> None:
    """No cache can hold a set, so the swap breaks nothing; the record follows what is presented."""
    story = Story()
    story.present(C)
    story.stage(B)
    story.until(lambda one: records(one) == only(B))
    assert at(story, ev.Confirmed)[0] <= at(story, ev.Publishing)[0]
    assert story.world.files["postfix"] == "one/b"


def test_records_that_stood_there_already_stay_until_they_are_adopted() -> None:
    """Foreign records are never removed; RecordsAdopted lets them go when nothing needs them any more."""
    story = Story()
    story.stands(A.chain.records())
    story.stage(A)
    story.present(A)
    story.run()
    assert story.facts().current == "one/a"
    assert not story.happened(ev.Publishing), "the record is there already"
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(A, B), "A's record is not ours"
    for owner in story.world.owners:
        story.say(ev.RecordsAdopted(owner, tuple(A.chain.records())))
    story.until(lambda one: records(one) == only(B))


def test_a_record_of_ours_that_got_lost_is_published_again() -> None:
    """Somebody reloads an old zone file: the record of what is presented comes back at once."""
    story = stable()
    for owner in story.world.owners:
        story.world.write(owner, frozenset([FOREIGN]) - {FOREIGN})
    story.wait(70)
    assert records(story) == only(A)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.wait(50)
    story.world.write(story.world.owners[0], A.chain.records())
    lost = story.world.now - story.world.start
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(B)
    assert at(story, ev.Deployed)[0] >= lost + WAIT, "the wait began again"


def test_a_rollover_can_be_given_up_before_anything_is_published() -> None:
    """Abort in the first moment: nothing ever reaches DNS."""
    story = stable()
    story.stage(B)
    story.say(ev.Aborted("one/b"))
    story.wait(400)
    assert records(story) == only(A)
    assert story.phase() is Phase.STABLE
    assert not [one for _, one in story.happened(ev.Published)]


def test_a_rollover_can_be_given_up_after_publication() -> None:
    """Abort while waiting: the new records go, the current one and the files are untouched."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.say(ev.Aborted("one/b"))
    story.wait(300)
    assert records(story) == only(A)
    assert story.world.files["postfix"] == "one/a"
    assert not story.happened(ev.Deploying)


def test_the_operator_swaps_back_inside_the_rollback_window_at_once() -> None:
    """T17: both records are in every cache, so the way back needs no wait; afterwards the lineage is held with the reason."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.wait(60)
    asked = story.world.now - story.world.start
    story.say(ev.RollingBack("one/a", "the operator asked for it"))
    story.until(lambda one: bool(one.happened(ev.Restored)))
    assert at(story, ev.Restored)[0] <= asked + 3 * POLICY.poll_interval + 60
    assert story.phase() is Phase.HELD
    assert story.world.files["postfix"] == "one/a"
    story.wait(500)
    assert only(A) <= records(story)
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(B))


def test_a_second_renewal_in_the_middle_waits_for_its_turn() -> None:
    """T15: one change at a time; C is queued while B is on its way, then rolled."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.stage(C)
    assert story.facts().queued == "one/c"
    story.until(lambda one: one.rolled_to(C))
    assert [event.generation for _, event in story.happened(ev.Confirmed)] == ["one/b", "one/c"]
    assert records(story) == only(C)


def test_a_second_renewal_with_the_key_that_is_on_its_way_takes_its_place() -> None:
    """The ACME client ran twice with the same key: the newer certificate is deployed, and the wait goes on."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    newer = generation("b2", key="b")
    story.stage(newer)
    story.until(lambda one: one.rolled_to(newer))
    assert [event.generation for _, event in story.happened(ev.Confirmed)] == ["one/b2"]
    assert at(story, ev.Deployed)[0] <= at(story, ev.Published)[1] + 7 + WAIT + 20


def test_the_newest_certificate_wins_whatever_was_queued_before_it() -> None:
    """B is on its way, C is queued, then another with B's key arrives: it takes B's place, and C is never rolled to."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.stage(C)
    newest = generation("b3", key="b")
    story.stage(newest)
    story.until(lambda one: one.rolled_to(newest))
    story.wait(500)
    assert story.rolled_to(newest)
    assert records(story) == only(newest)


def test_a_renewal_that_keeps_the_key_is_swapped_without_touching_dns() -> None:
    """The record is the same: no publication, no wait, and afterwards the record stays."""
    story = stable()
    again = generation("a2", key="a")
    before = story.world.now - story.world.start
    story.stage(again)
    story.until(lambda one: one.rolled_to(again))
    assert at(story, ev.Deployed)[0] <= before + POLICY.check_interval + POLICY.poll_interval
    assert not story.happened(ev.Published)
    assert not story.happened(ev.Retired)
    assert records(story) == only(A)


def test_a_lineage_of_several_hosts_waits_for_the_last_owner() -> None:
    """One key behind three names: each gets the record, the swap waits for the slowest, retirement for all."""
    services = (Service.parse("mx1.example.org:25"), Service.parse("mx2.example.org:25"), Service.parse("mail.example.org:587"))
    story = stable(lineages=(Lineage("one", services, "dns", ("postfix", "exim"), policy=POLICY),), addresses=2)
    story.stage(B)
    story.until(lambda one: len(one.happened(ev.Published)) == 3)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= at(story, ev.Published)[-1] + 7 + WAIT
    assert all(records(story, owner) == only(B) for owner in story.world.owners)
    assert story.world.files == {"postfix": "one/b", "exim": "one/b"}


def two_lineages() -> Story:
    """RSA and ECDSA in parallel on the same services."""
    one = Lineage("one", SERVICES, "dns", ("rsa-file",), policy=POLICY)
    two = Lineage("two", SERVICES, "dns", ("ecdsa-file",), policy=POLICY)
    story = Story(Fate(), lineages=(one, two), addresses=2)
    story.begin(RSA_A, lineage="one")
    story.begin(A, lineage="two")
    story.run()
    return story


def test_rsa_and_ecdsa_lineages_roll_on_the_same_services_without_hurting_each_other() -> None:
    """Each lineage proves its own kind of key, keeps the other's records, and both finish."""
    story = two_lineages()
    story.stage(B, lineage="two")
    story.until(lambda one: one.rolled_to(B, "two"))
    assert records(story) == only(RSA_A, B)
    story.stage(RSA_B, lineage="one")
    story.wait(40)
    story.stage(C, lineage="two")
    story.until(lambda one: one.rolled_to(C, "two") and one.rolled_to(RSA_B, "one"))
    assert records(story) == only(RSA_B, C)
    assert story.vetoes() == []


def test_two_lineages_that_share_a_key_do_not_remove_each_others_record() -> None:
    """The record of a key is kept as long as any lineage needs it."""
    one = Lineage("one", SERVICES, "dns", ("f1",), policy=POLICY)
    two = Lineage("two", SERVICES, "dns", ("f2",), policy=POLICY)
    story = Story(Fate(), lineages=(one, two))
    story.begin(A, lineage="one")
    story.begin(generation("a3", key="a"), lineage="two")
    story.run()
    story.stage(B, lineage="one")
    story.until(lambda s: s.rolled_to(B, "one"))
    assert records(story) == only(A, B)


def test_a_foreign_issuer_record_that_matches_both_certificates_is_kept() -> None:
    """A 2 1 1 of the issuer stands beside ours: both chains are under it, so nothing is in the way, and it stays."""
    issuer = A.chain.certificates[1].record(Params(2, 1, 1))
    story = Story()
    story.stands(frozenset([issuer]))
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(B, also=(issuer,))


def test_a_foreign_issuer_record_that_would_stop_matching_holds_the_swap() -> None:
    """The next certificate is from another CA than the 2 1 1 says: it is published, never swapped, and the record is named."""
    issuer = A.chain.certificates[1].record(Params(2, 1, 1))
    story = Story()
    story.stands(frozenset([issuer]))
    story.begin(A)
    story.run()
    story.stage(generation("d", issuer="another"))
    story.wait(1500)
    assert not story.happened(ev.Deploying)
    assert "2 1 1" in story.plan().why
    assert story.world.files["postfix"] == "one/a"


def test_the_swap_goes_on_when_the_operator_publishes_what_the_foreign_combination_lacks() -> None:
    """A 3 1 2 of the current key that is not ours: senders judge it apart (RFC 7671 §8), so the next key needs one too."""
    extra = next(iter(A.chain.records((Params(3, 1, 2),))))
    story = Story()
    story.stands(frozenset([extra]))
    story.begin(A)
    story.run()
    story.stage(B)
    story.wait(800)
    assert not story.happened(ev.Deploying)
    assert "lacks 3 1 2" in story.plan().why
    mended = story.world.now - story.world.start
    for owner in story.world.owners:
        story.world.write(owner, story.world.standing(owner) | B.chain.records((Params(3, 1, 2),)))
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= mended + 7 + WAIT
    assert str(extra) in records(story)


def test_a_foreign_record_that_never_matched_does_not_block_the_way_out() -> None:
    """A stale 3 1 2 of a key nobody has: already broken, so it forbids nothing; it is not removed either."""
    story = Story()
    story.world.strangers.add(A.chain)  # senders fail already; this is about not making it worse, and not hanging
    story.world.strangers.add(B.chain)
    story.stands(frozenset([FOREIGN]))
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(B, also=(FOREIGN,))


def test_two_sets_of_parameters_are_rolled_together() -> None:
    """A lineage with 3 1 1 and 3 1 2 publishes and retires both for each key."""
    both = (Params(3, 1, 1), Params(3, 1, 2))
    story = stable(lineages=(replace(Story().lineages[0], params=both),))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == {str(one) for one in B.chain.records(both)}


def test_somebody_swapped_the_file_too_early_and_it_is_taken_back() -> None:
    """The next certificate is presented before its record is everywhere: the former is put back, then all goes on in order."""
    story = stable()
    story.world.strangers.add(B.chain)  # what others do is not ours to answer for
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.world.files["postfix"] = "one/b"
    story.present(B)
    story.until(lambda one: bool(one.happened(ev.Restored)))
    assert all(chain == A.chain for chain in story.world.presented.values())
    story.world.strangers.clear()
    story.until(lambda one: one.rolled_to(B))


def test_somebody_swapped_the_file_when_every_cache_was_ready_and_it_is_accepted() -> None:
    """The next certificate is presented after the wait: proven, and the former one's record retired."""
    story = Story(Fate(timers=(0.0,)))
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.world.pass_time(story.world.now + WAIT + 20)
    story.present(B)
    story.until(lambda one: one.rolled_to(B))
    assert not story.happened(ev.RollingBack)


def test_a_wrong_certificate_after_the_swap_is_rolled_back_and_held() -> None:
    """The reloaded server presents something nobody put there: back, proven, held until a person says so."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.world.usurper = C.chain
    story.world.strangers.add(C.chain)
    story.until(lambda one: bool(one.happened(ev.RollingBack)))
    story.world.usurper = None
    story.until(lambda one: one.phase() is Phase.HELD)
    assert story.world.files["postfix"] == "one/a"
    assert all(chain == A.chain for chain in story.world.presented.values())
    assert "nobody put there" in story.plan().why
    deploys = story.world.deploys
    story.wait(1000)
    assert story.world.deploys == deploys, "it is not tried again before somebody says so"
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(B))


def test_a_server_that_keeps_the_old_certificate_is_put_back_after_the_limit() -> None:
    """One address never reloads: when the limit is over the former certificate is put back everywhere and the place named."""
    story = stable(Fate(reload_delays=(0.0, 5000.0)), addresses=2)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.HELD)
    assert "still presents the former certificate" in story.plan().why
    assert records(story) == only(A, B)


def test_a_slow_reload_inside_the_limit_is_waited_for() -> None:
    """Old and new processes answer side by side for twelve seconds: Confirmed comes after the last old answer."""
    story = stable(Fate(reload_delays=(0.0, 12.0)), addresses=2)
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Confirmed)[0] >= at(story, ev.Deployed)[0] + 12
    assert not story.happened(ev.RollingBack)


def test_a_service_that_cannot_be_probed_blocks_the_swap_and_is_named() -> None:
    """No evidence before the swap would be no evidence after it."""
    story = stable(addresses=2)
    story.world.unreachable.add(("mx.example.org:465", "192.0.2.101"))
    story.stage(B)
    story.wait(1000)
    assert not story.happened(ev.Deploying)
    assert "mx.example.org:465 at 192.0.2.101 cannot be probed" in story.plan().why
    story.world.unreachable.clear()
    story.until(lambda one: one.rolled_to(B))


def test_a_vouched_service_is_not_probed() -> None:
    """`probe = false`: the operator answers for it, and the swap goes on without its evidence."""
    services = (SERVICES[0], replace(SERVICES[1], probe=False))
    story = stable(lineages=(Lineage("one", services, "dns", ("postfix",), policy=POLICY),))
    story.world.unreachable.add(("mx.example.org:465", "192.0.2.100"))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))


def test_with_every_service_vouched_for_the_rollover_runs_on_dns_alone() -> None:
    """Nothing is probed at all: the DNS waits are the same, and the files are what counts."""
    services = tuple(replace(one, probe=False) for one in SERVICES)
    story = stable(lineages=(Lineage("one", services, "dns", ("postfix",), policy=POLICY),))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= at(story, ev.Published)[-1] + 7 + WAIT


def test_with_every_service_vouched_for_the_first_certificate_is_what_the_consumer_has() -> None:
    """Nothing can be probed, the file holds A: A is taken in, published, then B rolls."""
    services = tuple(replace(one, probe=False) for one in SERVICES)
    story = Story(lineages=(Lineage("one", services, "dns", ("postfix",), policy=POLICY),))
    story.know(A, "one")
    story.present(A)
    story.world.files["postfix"] = "one/a"
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert story.facts().generation("one/a") is not None


def test_a_reload_that_fails_is_taken_back() -> None:
    """The consumer does not take the new files: the former are put back, and the lineage is held with the reason."""
    story = stable(Fate(failed_deploys=frozenset([1])))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.HELD)
    assert "the reload failed" in story.plan().why
    assert story.world.files["postfix"] == "one/a"
    assert only(A) <= records(story)
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(B))


def test_a_way_back_that_fails_is_tried_until_it_works() -> None:
    """Reload fails, and so do the first three attempts to go back: it goes on trying, further and further apart."""
    story = stable(Fate(failed_deploys=frozenset([1, 2, 3, 4])))
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.HELD)
    tries = at(story, ev.RollingBack)
    assert len(tries) == 4
    assert [round(b - a) for a, b in pairwise(tries)] == [10, 20, 40]
    assert story.world.files["postfix"] == "one/a"


def test_a_server_that_relapses_after_the_swap_makes_it_go_back_and_then_forward_again() -> None:
    """A secondary hands out the set from before: back at once, since both keys are in DNS; then the wait, and forward."""
    relapse = Span(300.0, 100.0)
    story = Story(Fate(servers=(ServerFate(), ServerFate(lag=3.0, relapses=(relapse,), depth=2))))
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.world.strangers.add(B.chain)  # nobody could have prevented it; what counts is the way out
    story.world.relapses_allowed = True
    story.until(lambda one: bool(one.happened(ev.Restored)))
    story.world.relapses_allowed = story.world.now < story.world.start + 400
    story.until(lambda one: one.world.now > one.world.start + 405)
    story.world.strangers.clear()
    story.until(lambda one: one.rolled_to(B))
    assert len(story.happened(ev.Deployed)) == 2
    assert at(story, ev.Deployed)[1] >= 400 + WAIT


@pytest.mark.parametrize("state", [Security.BOGUS, Security.INSECURE, Security.INDETERMINATE])
def test_a_server_whose_answers_are_not_secure_never_swaps(state: Security) -> None:
    """L4: DNSSEC or nothing, on every server; the server is named, and when it is mended the wait begins."""
    story = stable(Fate(servers=(ServerFate(), ServerFate(broken=(Span(50.0, 1500.0),), state=state))))
    story.stage(B)
    story.until(lambda one: one.world.now > one.world.start + 1400)
    assert not story.happened(ev.Deploying)
    assert "ns1" in story.plan().why
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= 1550 + WAIT - 1


def test_an_unreachable_server_never_swaps_and_is_named() -> None:
    """T9: what does not answer us may answer others with anything; when it comes back the wait begins."""
    story = stable(Fate(servers=(ServerFate(), ServerFate(down=(Span(30.0, 3000.0),)))))
    story.stage(B)
    story.until(lambda one: one.world.now > one.world.start + 2900)
    assert not story.happened(ev.Deploying)
    assert "ns1 (192.0.2.1) does not answer" in story.plan().why
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= 3030 + WAIT - 1


def test_a_held_certificate_waits_for_a_person() -> None:
    """Another kind of key: nothing is published or deployed until somebody says so."""
    story = stable()
    story.stage(RSA_B, hold="the key is RSA, the current one ECDSA")
    story.wait(600)
    assert records(story) == only(A)
    assert story.phase() is Phase.HELD
    assert "the key is RSA" in story.plan().why
    assert story.plan().remedy
    story.say(ev.Released())
    story.until(lambda one: one.rolled_to(RSA_B))


def test_a_good_renewal_takes_the_place_of_one_that_is_held() -> None:
    """The held one was a mistake; the next renewal is fine and rolls by itself."""
    story = stable()
    story.stage(RSA_B, hold="the key is RSA, the current one ECDSA")
    story.wait(100)
    story.stage(C)
    story.until(lambda one: one.rolled_to(C))
    assert records(story) == only(C)


def test_a_lineage_without_consumers_says_when_the_operator_may_swap() -> None:
    """The tool owns DNS only: it says when, notices the swap, and retires."""
    story = stable(lineages=(Lineage("one", SERVICES, "dns", (), policy=POLICY),))
    story.stage(B)
    story.until(lambda one: "may go into service now" in (one.memory.plan("one") or one.plan()).why)
    assert story.world.now - story.world.start >= at(story, ev.Published)[-1] + 7 + WAIT
    story.world.reload(story.lineages[0], B.chain)
    story.world.relapses_allowed = False
    story.until(lambda one: one.rolled_to(B))
    assert records(story) == only(B)


def test_a_backend_that_refuses_is_tried_again() -> None:
    """Refused twice, lost once, answered silently once: the records get there, each once, and the wait counts from then."""
    story = stable(Fate(refused=frozenset([1, 2]), lost=frozenset([3]), silent=frozenset([4])))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert all(records(story, owner) == only(B) for owner in story.world.owners)


def test_a_retirement_that_was_accepted_but_not_applied_is_done_again() -> None:
    """The records are read back: what is still there is still ours to remove."""
    story = stable(Fate(lost=frozenset([3])))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    story.wait(100)
    assert all(records(story, owner) == only(B) for owner in story.world.owners)


def test_a_person_who_has_to_change_dns_is_asked_once_and_then_watched() -> None:
    """The manual backend: asked for publication and for removal, each once a target; DNS tells when it is done."""
    story = Story()
    story.world.asks, story.world.readable = True, False
    story.begin(A)
    story.run()
    story.stage(B)
    story.wait(100)
    assert len(story.world.asked) == 2
    assert not story.happened(ev.Deploying)
    for owner in story.world.owners:
        story.world.write(owner, story.world.standing(owner) | B.chain.records())
    story.until(lambda one: len(one.world.asked) > 2)
    story.wait(50)
    assert not story.rolled_to(B)
    assert len(story.world.asked) == 4
    for owner in story.world.owners:
        story.world.write(owner, B.chain.records())
    story.until(lambda one: one.rolled_to(B))


def test_a_backend_that_cannot_be_read_is_watched_through_the_servers() -> None:
    """It takes changes but cannot tell what it has: the servers' answers do, and nothing is sent twice in a hurry."""
    story = Story(Fate(servers=(ServerFate(lag=20.0), ServerFate(lag=30.0))))
    story.world.readable = False
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert story.world.sends == 4
    assert records(story) == only(B)


def test_a_file_that_somebody_else_wrote_is_given_the_current_certificate_again() -> None:
    """L3: an old habit copies a file over ours; what the services present still is put back."""
    story = stable()
    story.world.files["postfix"] = "unknown"
    story.wait(100)
    assert story.world.files["postfix"] == "one/a"


def test_a_clock_that_is_stepped_back_restarts_the_wait() -> None:
    """T14: two hours back in the middle of the wait: measured again."""
    story = stable(Fate(clock_steps=((150.0, -7200.0),)))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    deployed = next(moment for moment, _ in story.happened(ev.Deployed)) + 7200  # the journal's times are the wall clock's
    assert deployed >= 150 + WAIT


def test_a_clock_that_is_stepped_back_is_noticed_even_if_nothing_but_a_look_was_written_down() -> None:
    """It died in its first run, then the clock went back a day: the look is from the future, so it counts not."""
    story = Story(Fate(ttl=10, crashes=frozenset([3]), clock_steps=((1.0, -86400.0),)))
    story.begin(A)
    story.run()
    assert story.died
    story.stage(B)
    story.until(lambda one: one.rolled_to(B), within=5000)


@pytest.mark.parametrize("touch", range(1, 75, 3))
def test_a_crash_at_any_moment_of_a_rollover_changes_nothing_about_its_end(touch: int) -> None:
    """The process dies before or after any touch of the world or the journal; the next run finishes."""
    story = stable(Fate(crashes=frozenset([touch, touch + 1, touch + 5]), reload_delays=(0.0, 3.0)))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    story.wait(70)
    assert all(records(story, owner) == only(B) for owner in story.world.owners)
    assert story.vetoes() == []


def test_it_is_too_late_to_give_a_rollover_up_when_the_swap_has_begun() -> None:
    """The process died after the intent; the files may be new. An abort changes nothing then; the swap is finished."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.say(ev.Deploying("one/b", (A.chain.fingerprint,)))
    story.say(ev.Aborted("one/b"))
    assert story.facts().next == "one/b"
    story.until(lambda one: not one.facts().deploying)
    assert records(story) == only(A, B)


def test_a_swap_that_died_before_its_time_is_taken_back_and_done_in_order() -> None:
    """The intent stands in the journal and meanwhile the gate has closed: the former files are put back, without a hold."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.WAITING)
    story.say(ev.Deploying("one/b", (A.chain.fingerprint,)))
    story.until(lambda one: one.rolled_to(B))
    assert story.happened(ev.Restored)


def test_an_address_that_presents_the_former_certificate_again_keeps_its_record_in_dns() -> None:
    """L2: a machine came back from a backup; its record stays until it presents the new certificate, for ever if need be."""
    story = stable(addresses=2)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    place = ("mx.example.org:25", "192.0.2.101", "one")
    story.world.presented[place] = A.chain
    story.wait(2000)
    assert records(story) == only(A, B)
    assert "192.0.2.101 still presents the former certificate" in str(story.plan().blockers)
    story.world.presented[place] = B.chain
    story.until(lambda one: one.rolled_to(B))


def test_an_address_that_cannot_be_reached_when_the_window_is_over_keeps_the_former_record() -> None:
    """L2: what is not proven to present the new certificate may present the former one."""
    story = stable(addresses=2)
    story.stage(B)
    story.until(lambda one: one.phase() is Phase.SWAPPED)
    story.world.unreachable.add(("mx.example.org:25", "192.0.2.101"))
    story.wait(2000)
    assert records(story) == only(A, B)
    story.world.unreachable.clear()
    story.until(lambda one: one.rolled_to(B))


def test_a_consumer_that_does_not_read_our_file_blocks_the_swap() -> None:
    """To write a file that nobody reads would prove nothing."""
    story = stable()
    story.world.configured = False
    story.stage(B)
    story.wait(600)
    assert not story.happened(ev.Deploying)
    assert "postfix does not read /etc/postfix.pem" in story.plan().why


def test_a_server_that_cannot_be_asked_is_not_taken_for_one_without_records() -> None:
    """Unknown is never absent: a backend that cannot be read is not told again what the other server shows."""
    story = Story(Fate(servers=(ServerFate(), ServerFate(down=(Span(30.0, 3000.0),)))))
    story.world.readable = False
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.world.now > one.world.start + 2900)
    assert story.world.sends == 2


def test_a_swap_that_broke_the_old_set_in_an_unseen_cache_is_waited_for() -> None:
    """The only server cannot be reached before the new record stands on it: what it handed out until then nobody knows."""
    story = Story(Fate(ttl=300, servers=(ServerFate(down=(Span(0.0, 170.0),)),)))
    story.begin(A)
    story.run()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= 170 + 600 + 30


def test_a_server_that_answers_with_an_old_zone_during_the_wait_restarts_it() -> None:
    """A relapse that looks can see: the clock runs from its end."""
    story = stable(Fate(servers=(ServerFate(), ServerFate(relapses=(Span(150.0, 40.0),)))))
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    assert at(story, ev.Deployed)[0] >= 190 + WAIT


def test_a_neighbour_that_is_held_or_rolls_does_not_look_like_a_wrong_certificate() -> None:
    """Both lineages swap in the same minute: each knows what the other's files may make the servers present."""
    story = two_lineages()
    story.stage(RSA_B, lineage="one")
    story.stage(C, lineage="two")
    story.until(lambda one: one.rolled_to(C, "two") and one.rolled_to(RSA_B, "one"))
    assert not story.happened(ev.RollingBack)
    assert not [one for one in story.memory.events if isinstance(one[2], ev.RollingBack)]


def test_dane_is_not_switched_on_before_it_is_known_what_every_address_presents() -> None:
    """The first record makes senders demand a match everywhere; an address that cannot be probed may have another key."""
    story = Story()
    story.addresses = 2
    story.begin(A, published=False)
    story.world.unreachable.add(("mx.example.org:25", "192.0.2.101"))
    story.wait(200)
    assert records(story) == set()
    assert "192.0.2.101 cannot be probed" in str(story.plan().blockers)
    story.world.unreachable.clear()
    story.until(lambda one: records(one) == only(A))


def test_a_host_that_stays_unreachable_after_the_way_back_is_waited_for_without_reloading_again_and_again() -> None:
    """T16, to its end: put back once; when the host answers with the former certificate the way back is proven, and held."""
    story = stable(addresses=2)
    story.stage(B)
    place = ("mx.example.org:25", "192.0.2.101")
    deploy = story.world.deploy

    def lose(lineage: Lineage, name: str) -> None:
        story.world.unreachable.add(place)
        deploy(lineage, name)

    story.world.deploy = lose  # type: ignore[method-assign]
    story.until(lambda one: bool(one.happened(ev.RolledBack)))
    story.wait(2000)
    assert story.world.deploys == 2
    assert "192.0.2.101 cannot be probed" in str(story.plan().blockers)
    assert only(A, B) == records(story)
    story.world.deploy = deploy  # type: ignore[method-assign]
    story.world.unreachable.clear()
    story.until(lambda one: one.phase() is Phase.HELD)


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("wrong", ["refused", "silent", "lost"])
@pytest.mark.parametrize("number", [3, 5])
def test_a_record_that_was_just_removed_does_not_count_because_servers_still_show_it(
    number: int,
    wrong: str,
    readable: bool,  # noqa: FBT001  a parameter
) -> None:
    """A key comes again while the removal of its record is on its way, and the new publication goes wrong: no swap yet."""
    fate = Fate(servers=(ServerFate(lag=70.0),), **{wrong: frozenset([number])})  # type: ignore[arg-type]
    story = stable(fate)
    story.world.readable = readable
    story.stage(B)
    story.until(lambda one: bool(one.happened(ev.Retiring)))
    again = generation("again", key="a")
    story.stage(again)
    story.until(lambda one: one.rolled_to(again))
    assert records(story) == only(A)
