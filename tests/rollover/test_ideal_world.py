"""The timeline that `rollover plan` prints is what then happens, where nothing goes wrong."""

from __future__ import annotations

import pytest
from sim.fate import Fate, ServerFate
from sim.story import POLICY, SERVICES, Story, generation

from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.forecast import NEW_KEY, Milestone, forecast
from tlsa_manager.rollover.state import Phase
from tlsa_manager.tlsa import Params

A, B, C = generation("a"), generation("b"), generation("c")
IDEAL = Fate(ttl=120, servers=(ServerFate(), ServerFate()))
TOLD = {
    ev.Published: "are published", ev.Deployed: "goes into service", ev.Confirmed: "presents the new certificate",
    ev.Retired: "are removed", ev.Finished: "nothing of the former certificate",
}  # fmt: skip


def stable(fate: Fate = IDEAL, **more: object) -> Story:
    """One lineage, stable with A."""
    story = Story(fate, **more)  # type: ignore[arg-type]
    story.begin(A)
    story.run()
    return story


def foresee(story: Story, *, look: bool = True) -> tuple[Milestone, ...]:
    """Ask for the timeline now."""
    lineage, now = story.lineages[0], story.world.moment().wall
    snapshot = story.world.look(lineage, story.facts(), 1) if look else None
    return forecast(lineage, story.facts(), snapshot, now)


def moments(timeline: tuple[Milestone, ...], words: str) -> list[float]:
    """When something is said to happen."""
    return [one.at for one in timeline if words in one.what]


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("later", [0.0, 45.0, 400.0])
def test_the_forecast_is_what_then_happens_in_an_ideal_world(later: float, look: bool) -> None:  # noqa: FBT001
    """From any moment of a rollover, with or without a look, to the second."""
    story = stable()
    story.stage(B)
    story.run()
    story.world.pass_time(story.world.now + later)
    story.run()
    before = len(story.memory.events)
    timeline = foresee(story, look=look)
    story.until(lambda one: one.rolled_to(B))
    happened = story.memory.events[before:]
    for kind, words in TOLD.items():
        times = [at for at, _, event in happened if isinstance(event, kind) and not getattr(event, "proven", False)]
        assert moments(timeline, words) == pytest.approx(times), words
    assert timeline[-1].phase is Phase.STABLE


def test_without_a_renewal_a_new_key_is_assumed() -> None:
    """`rollover plan` on a stable lineage answers what a rollover begun now would be like."""
    story = stable()
    timeline = foresee(story)
    now = story.world.now
    assert moments(timeline, "goes into service") == pytest.approx([now + 240 + POLICY.margin])
    assert moments(timeline, "are removed") == pytest.approx([now + 240 + POLICY.margin + POLICY.rollback_window] * 2)
    assert timeline[-1].phase is Phase.STABLE
    assert NEW_KEY not in str(story.facts())


def test_a_silent_server_does_not_end_the_forecast() -> None:
    """The timeline is for the case that everybody answers from now on; what is in the way now is `status`'s to say."""
    story = stable(Fate(servers=(ServerFate(lag=90.0), ServerFate())))
    story.stage(B)
    story.run()
    timeline = foresee(story)
    assert moments(timeline, "goes into service") == pytest.approx([story.world.now + 150 + POLICY.margin])


def test_a_queued_renewal_is_part_of_the_timeline() -> None:
    """Both rollovers, one after the other."""
    story = stable()
    story.stage(B)
    story.run()
    story.stage(C)
    timeline = foresee(story)
    assert len(moments(timeline, "goes into service")) == 2
    assert timeline[-1].phase is Phase.STABLE


def test_what_holds_the_rollover_ends_the_timeline() -> None:
    """A held certificate: the last line says what a person has to do."""
    story = stable()
    story.stage(B, hold="the key is of another kind")
    timeline = foresee(story)
    assert timeline[-1].phase is Phase.HELD
    assert "the key is of another kind: say so" in timeline[-1].what


def test_a_foreign_record_that_would_stop_matching_ends_the_timeline() -> None:
    """Not even an ideal world helps where the next certificate does not match what somebody else published."""
    story = Story(IDEAL)
    story.stands(frozenset([A.chain.certificates[1].record(Params(2, 1, 1))]))
    story.begin(A)
    story.run()
    story.stage(generation("d", issuer="another"))
    timeline = foresee(story)
    assert not moments(timeline, "goes into service")
    assert "2 1 1" in timeline[-1].what


def test_the_first_publication_is_foreseen() -> None:
    """An empty owner: published, and that is all."""
    story = Story(IDEAL)
    story.stage(A)
    story.present(A)
    timeline = foresee(story)
    assert len(moments(timeline, "are published")) == 2
    assert timeline[-1].phase is Phase.STABLE


def test_a_lineage_without_consumers_is_foreseen_up_to_the_operators_part() -> None:
    """When the operator may swap."""
    story = stable(lineages=(Lineage("one", SERVICES, "dns", (), policy=POLICY),))
    story.stage(B)
    timeline = foresee(story)
    assert timeline[-1].at == pytest.approx(story.world.now + 240 + POLICY.margin)
    assert "put it into service yourself" in timeline[-1].what


def test_another_lineage_on_the_same_services_does_not_confuse_the_forecast() -> None:
    """RSA beside ECDSA: the timeline of one is what then happens to it."""
    one = Lineage("one", SERVICES, "dns", ("f1",), policy=POLICY)
    two = Lineage("two", SERVICES, "dns", ("f2",), policy=POLICY)
    story = Story(IDEAL, lineages=(one, two), addresses=2)
    story.begin(A, lineage="one")
    story.begin(generation("ra", kind="RSA"), lineage="two")
    story.run()
    story.stage(B, lineage="one")
    story.run()
    timeline = foresee(story)
    story.until(lambda s: s.rolled_to(B, "one"))
    finished = [at for at, name, event in story.memory.events if name == "one" and isinstance(event, ev.Finished)]
    assert moments(timeline, "nothing of the former certificate") == pytest.approx(finished)
