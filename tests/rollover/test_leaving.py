"""A lineage that is given up: its records go when nothing has presented it for the rollback window, and not before (L2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim.fate import ServerFate
from sim.story import POLICY, SERVICES, Story, generation
from test_succession import NEXT, only, records

from tlsa_manager.lineage import Lineage
from tlsa_manager.order import Order
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import renewal, succession
from tlsa_manager.rollover.decide import decide
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.state import Phase
from tlsa_manager.rollover.steps import Record

EC, RSA = generation("ec"), generation("rsa", kind="RSA")
B, C = generation("b"), generation("c")


def side_by_side(keys: KeyPolicy | None = None, *, probe: bool = True) -> Story:
    """RSA and ECDSA on the same services; `old` is the lineage that will leave."""
    services = tuple(replace(one, probe=probe) for one in SERVICES)
    names = ("old", "new")
    lineages = tuple(Lineage(name, services, "dns", (f"file-{name}",), policy=POLICY, keys=keys or KeyPolicy()) for name in names)
    story = Story(lineages=lineages)
    story.begin(RSA, lineage="old")
    story.begin(EC, lineage="new")
    story.run()
    return story


def leave(story: Story, *, leaving: bool = True) -> None:
    """The operator writes `leaving` into the section of the old lineage, or takes it out again."""
    story.lineages = (replace(story.lineages[0], leaving=leaving), *story.lineages[1:])
    story.engine = story._engine()


def take_out(story: Story) -> None:
    """The operator takes the old certificate out of the server's configuration."""
    story.world.unread.add("file-old")
    for place in [one for one in story.world.presented if one[2] == "old"]:
        del story.world.presented[place]


def gone(story: Story) -> bool:
    """Whether the old lineage is given up."""
    return bool(story.happened(ev.Left, "old"))


def test_a_lineage_leaves_after_the_rollback_window_and_the_other_one_is_not_touched() -> None:
    """RSA beside ECDSA becomes ECDSA alone."""
    story = side_by_side()
    leave(story)
    story.wait(700)
    assert records(story) == only(RSA, EC)
    assert "presents its certificate" in story.plan("old").why
    assert "take /etc/file-old.pem out of the server's configuration" in story.plan("old").remedy
    take_out(story)
    out = story.world.now - story.world.start
    story.until(gone)
    vanished = story.happened(ev.Vanished, "old")[0][0]
    assert out <= vanished
    assert story.happened(ev.Retiring, "old")[0][0] >= vanished + POLICY.rollback_window
    assert records(story) == only(EC)
    assert story.phase("old") is Phase.STABLE
    assert "its section may be removed" in story.plan("old").why
    story.wait(300)
    assert story.vetoes() == []


def test_the_other_lineage_rolls_over_while_one_leaves() -> None:
    """Neither stands in the other's way."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.stage(B, lineage="new")
    story.until(lambda one: one.rolled_to(B, "new") and gone(one))
    assert records(story) == only(B)
    assert story.vetoes() == []
    assert not story.happened(ev.RollingBack, "new")


def test_a_certificate_that_is_presented_again_begins_the_window_anew() -> None:
    """Somebody restarted an old container; its record stands still, and stays for a whole window after that."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.until(lambda one: bool(one.happened(ev.Vanished, "old")))
    story.wait(100)
    story.present(RSA, "old")
    story.until(lambda one: bool(one.happened(ev.Reappeared, "old")))
    assert only(RSA) <= records(story)
    take_out(story)
    story.until(gone)
    assert story.happened(ev.Retiring, "old")[0][0] >= story.happened(ev.Vanished, "old")[1][0] + POLICY.rollback_window


def test_a_lineage_that_stays_after_all_is_as_it_was() -> None:
    """`leaving` is taken out again in the middle of the window: its records are wanted, and repaired, as before."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.until(lambda one: bool(one.happened(ev.Vanished, "old")))
    leave(story, leaving=False)
    story.run()
    assert story.facts("old").vanished_at is None
    story.world.unread.clear()
    story.present(RSA, "old")
    story.world.write(story.world.owners[0], EC.chain.records())
    story.world.strangers.add(RSA.chain)  # the one who removed it is to blame
    story.wait(100)
    assert records(story) == only(RSA, EC)


def again(story: Story) -> None:
    """The old lineage is taken back, and the server reads its file when it is said to, not before."""
    leave(story, leaving=False)
    story.until(lambda one: "have the server read it" in one.plan("old").remedy)
    assert story.facts("old").current == ""
    assert only(RSA) <= records(story)
    story.world.unread.clear()
    story.present(RSA, "old")
    story.world.judge()
    story.until(lambda one: one.rolled_to(RSA, "old"))
    story.wait(300)
    assert records(story) == only(RSA, EC)
    assert story.vetoes() == []


def test_a_lineage_that_has_left_and_is_taken_back_begins_like_a_new_one() -> None:
    """Its newest certificate is published, every cache is waited for, and then a person has the server read it."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.until(gone)
    story.wait(1000)
    back = story.world.now - story.world.start
    again(story)
    assert story.happened(ev.Adopted, "old")[-1][0] >= back + 180


@pytest.mark.parametrize("lag", [0.0, 60.0])
def test_a_lineage_that_is_taken_back_while_its_records_go_leaves_first(lag: float) -> None:
    """Between the removal and the last server that shows it nothing is promised: what went, goes; then it is published anew."""
    story = side_by_side()
    story.world.fate = replace(story.world.fate, servers=(ServerFate(), ServerFate(lag=lag)))
    leave(story)
    take_out(story)
    story.until(lambda one: bool(one.happened(ev.Retiring, "old")))
    leave(story, leaving=False)
    story.run()
    if lag:
        assert story.phase("old") is Phase.RETIRING
        assert not only(RSA) & records(story)
    story.until(gone)
    again(story)


def test_a_lineage_has_not_left_before_no_server_hands_out_its_records() -> None:
    """A slow secondary still does: who has the certificate presented again by then would lose its record."""
    story = side_by_side()
    story.world.fate = replace(story.world.fate, servers=(ServerFate(), ServerFate(lag=90.0)))
    leave(story)
    take_out(story)
    story.until(gone)
    assert story.happened(ev.Left, "old")[0][0] >= story.happened(ev.Retiring, "old")[-1][0] + 90.0
    assert not any(story.facts("old").leaving.values())


def test_a_lineage_that_is_taken_back_begins_with_the_newest_certificate_that_nobody_doubts() -> None:
    """Not with one that was held, nor with one whose key somebody else has; with none, that is said."""
    start = (ev.Adopted(RSA), ev.Staged(B), ev.Vanished("rsa"))
    table = {"b": (), "rsa": (ev.Aborted("b"),), "": (ev.Aborted("b"), ev.Compromised((RSA.spki,)))}
    for expected, events in table.items():
        facts = Facts("old")
        for event in (*start, *events, ev.Left("rsa")):
            facts = apply(facts, event, 0.0)
        story = side_by_side()
        scene = replace(story.engine.scene("old"), facts=facts)
        decision = decide(scene)
        assert isinstance(decision, Record)
        assert decision.events == (ev.Promoted(expected) if expected else ev.Reappeared(""),)
        if not expected:
            wait = decide(replace(scene, facts=apply(facts, ev.Reappeared(""), 1.0), snapshot=replace(scene.snapshot, files={})))
            assert "rollover start old" in wait.why
    doubtful = (ev.Adopted(RSA), ev.Staged(B, "it lacks a name"), ev.Vanished("rsa"), ev.Left("rsa"))
    facts = Facts("old")
    for event in doubtful:
        facts = apply(facts, event, 0.0)
    assert facts.left == "rsa"


def test_what_cannot_be_seen_does_not_leave() -> None:
    """An address that does not answer may present it still; a file that is read may make it be presented."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.world.unread.clear()
    story.wait(700)
    assert "file-old still reads /etc/file-old.pem" in story.plan("old").why
    story.world.unread.add("file-old")
    story.world.unreachable.add(("mx.example.org:465", "192.0.2.100"))
    story.wait(700)
    assert "cannot be probed" in story.plan("old").why
    assert not story.happened(ev.Vanished, "old")
    assert records(story) == only(RSA, EC)


def test_a_lineage_whose_host_is_switched_off_for_good_leaves_on_a_persons_word() -> None:
    """Nobody can ever see it again: the way out is named, and it is one."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.world.unreachable |= {(str(one), "192.0.2.100") for one in SERVICES}
    story.wait(2000)
    assert not gone(story)
    assert "cannot be probed" in story.plan("old").why
    assert "probe = false" in story.plan("old").remedy
    assert "no server reads /etc/file-old.pem" in story.plan("old").remedy
    vouched = tuple(replace(one, probe=False) for one in SERVICES)
    story.lineages = (replace(story.lineages[0], services=vouched), *story.lineages[1:])
    story.engine = story._engine()
    story.until(gone)
    assert story.vetoes() == []


def test_a_service_that_is_not_probed_is_believed_only_if_no_server_reads_the_file() -> None:
    """`probe = false`: nobody can see what it presents; the consumer's own configuration is the only witness."""
    story = side_by_side(probe=False)
    leave(story)
    story.world.configured = None
    story.wait(1500)
    assert "is not probed" in story.plan("old").why
    assert records(story) == only(RSA, EC)
    story.world.configured = True
    take_out(story)
    story.until(gone)
    assert records(story) == only(EC)


def test_the_next_key_leaves_with_its_lineage() -> None:
    """No key of it stays in DNS, and none is made any more."""
    story = side_by_side(NEXT)
    story.until(lambda one: one.facts("old").standby is not None and one.facts("new").standby is not None)
    story.wait(300)
    assert len(records(story)) == 4
    leave(story)
    assert not succession.keeps_next(story.lineages[0], story.facts("old"))
    take_out(story)
    story.until(gone)
    standby = story.facts("new").standby
    assert standby is not None
    assert records(story) == only(EC, standby)
    assert story.facts("old").standby is None


@pytest.mark.parametrize("vanished", [False, True])
def test_the_record_of_a_stolen_next_key_goes_while_its_lineage_is_still_there(vanished: bool) -> None:  # noqa: FBT001  a parameter
    """What nobody needs is not kept for a server that presents another key of the lineage, nor for the window."""
    story = side_by_side(NEXT)
    story.wait(600)
    key = story.facts("old").standby
    assert key is not None
    assert only(key) <= records(story)
    leave(story)
    if vanished:
        take_out(story)
    story.say(ev.Compromised((key.spki_sha256,)), "old")
    story.wait(2 * POLICY.poll_interval)
    assert not only(key) & records(story)
    assert only(RSA) <= records(story)
    assert not gone(story)
    assert story.vetoes() == []


def test_a_rollover_that_was_begun_is_finished_first() -> None:
    """`leaving` comes in the soak: the rollback window ends, the former record goes, and then the lineage leaves."""
    story = side_by_side()
    rsa = generation("rsa2", kind="RSA")
    story.stage(rsa, lineage="old")
    story.until(lambda one: one.phase("old") is Phase.SWAPPED)
    leave(story)
    story.until(lambda one: bool(one.happened(ev.Finished, "old")))
    take_out(story)
    story.until(gone)
    assert records(story) == only(EC)


def test_records_of_a_certificate_that_never_went_into_service_leave_too() -> None:
    """It was published ahead, and then the lineage was given up before anything of it was ever presented."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.until(gone)
    for owner in story.world.owners:
        story.say(ev.Publishing(owner, tuple(C.chain.records())), "old")
        story.world.write(owner, story.world.standing(owner) | C.chain.records())
    story.until(lambda one: records(one) == only(EC))


def test_a_stolen_key_leaves_without_a_window() -> None:
    """Nobody wants to go back to it."""
    story = side_by_side()
    leave(story)
    take_out(story)
    story.say(ev.Compromised((RSA.spki,)), "old")
    began = story.world.now
    story.until(gone)
    assert story.world.now - began < POLICY.rollback_window
    assert records(story) == only(EC)


def test_a_certificate_that_the_other_lineage_has_too_is_the_other_lineages() -> None:
    """Two lineages with one certificate: what is presented is the neighbour's, and the record stays for it."""
    story = Story(lineages=side_by_side().lineages)
    story.begin(EC, lineage="old")
    story.begin(EC, lineage="new")
    story.run()
    leave(story)
    story.world.unread.add("file-old")
    story.until(gone)
    assert records(story) == only(EC)


def test_a_lineage_that_has_left_is_in_no_hurry_and_waits_for_no_order() -> None:
    """What was on its way when it left bars nothing when it is taken back: certificates are ordered anew."""
    facts = apply(Facts("old"), ev.Ordering(Order("https://ca.example/dir", ("mx.example.org",), "key")), 0.0)
    for event in (ev.Adopted(RSA), ev.Compromised((RSA.spki,), "b"), ev.Staged(B), ev.Vanished("rsa"), ev.Left("rsa")):
        facts = apply(facts, event, 0.0)
    assert (facts.current, facts.next, facts.at_once, facts.order) == ("", "", "", None)
    lineage = replace(side_by_side().lineages[0], issuer="ca")
    assert renewal.barred(lineage, apply(facts, ev.Reappeared(""), 1.0)) == ""


def test_a_clock_that_is_stepped_does_not_end_the_window() -> None:
    """A day forward: an hour stays an hour."""
    facts = apply(apply(Facts("old"), ev.Adopted(RSA), 0.0), ev.Vanished("rsa"), 1000.0)
    assert apply(facts, ev.ClockStepped(86400.0), 1100.0 + 86400.0).vanished_at == 1000.0 + 86400.0


def test_from_rsa_to_both_to_ecdsa_in_three_steps() -> None:
    """A second lineage is added, then the first one leaves: both kinds of sender always find a record that matches."""
    services = tuple(SERVICES)
    old = Lineage("old", services, "dns", ("file-old",), policy=POLICY)
    story = Story(lineages=(old,))
    story.begin(RSA, lineage="old")
    story.run()
    story.lineages = (old, replace(old, name="new", consumers=("file-new",)))
    story.engine = story._engine()
    story.know(EC, "new")
    for service in services:  # the server reads a second file, in which there is nothing yet
        story.world.presented[str(service), "192.0.2.100", "new"] = RSA.chain
    story.stage(EC, lineage="new")
    story.until(lambda one: one.facts("new").current == "new/ec" and not one.facts("new").deploying)
    story.wait(400)
    assert records(story) == only(RSA, EC)
    leave(story)
    take_out(story)
    story.until(gone)
    assert story.facts("new").current == "new/ec"
    assert records(story) == only(EC)
    assert story.vetoes() == []
