"""The timeline that `rollover plan` prints is what then happens, where nothing goes wrong."""

from __future__ import annotations

import pytest
from sim.fate import Fate, ServerFate
from sim.story import POLICY, SERVICES, Story, generation

from tlsa_manager import forecast
from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev

A, B, C = generation("a"), generation("b"), generation("c")
IDEAL = Fate(ttl=120, servers=(ServerFate(), ServerFate()))
WAIT = 240.0 + POLICY.margin  # two TTLs are longer than the floor here
TOLD = (ev.Published, ev.Deployed, ev.Confirmed, ev.Finished)


def stable(fate: Fate = IDEAL, **more: object) -> Story:
    """One lineage, stable with A."""
    story = Story(fate, **more)  # type: ignore[arg-type]
    story.begin(A)
    story.run()
    return story


def foresee(story: Story) -> forecast.Forecast:
    """Ask for the timeline of the first lineage now."""
    known = {one.name: story.memory.facts(one.name) for one in story.lineages}
    return forecast.foresee({one.name: one for one in story.lineages}, known, story.lineages[0].name, story.world.moment().wall)


def moments(timeline: forecast.Forecast, kind: type) -> list[float]:
    """When an event is said to happen."""
    return [turn.at for turn in timeline.turns if isinstance(turn.event, kind)]


@pytest.mark.parametrize("later", [0.0, 45.0, 400.0])
def test_the_forecast_is_what_then_happens_in_an_ideal_world(later: float) -> None:
    """From any moment of a rollover, to the second."""
    story = stable()
    story.stage(B)
    story.run()
    story.world.pass_time(story.world.now + later)
    story.run()
    before = len(story.memory.events)
    timeline = foresee(story)
    story.until(lambda one: one.rolled_to(B))
    happened = story.memory.events[before:]
    for kind in TOLD:
        came = [at for at, _, event in happened if isinstance(event, kind)]
        assert moments(timeline, kind) == pytest.approx(came, abs=1.0), kind


def test_what_was_changed_in_dns_is_said_when_it_is_done() -> None:
    """That something is wanted is no word for that it was published; nor is that it is needed no more for that it is gone."""
    story = stable()
    story.stage(B)
    story.until(lambda one: one.rolled_to(B))
    told = [text for _, text in story.told]
    for owner in story.world.owners:
        done = [text for text in told if text.endswith(f"at {owner}")]
        assert done == [f"one: published 1 record(s) at {owner}", f"one: removed 1 record(s) at {owner}"]
        wanted = next(number for number, text in enumerate(told) if f"wanted at {owner} and not there" in text)
        assert wanted < told.index(done[0])


def test_a_silent_server_does_not_end_the_forecast() -> None:
    """The timeline is for the case that everybody answers from now on; what is in the way now is `status`'s to say."""
    story = stable(Fate(servers=(ServerFate(lag=90.0), ServerFate())))
    story.stage(B)
    story.run()
    assert moments(foresee(story), ev.Deployed) == pytest.approx([story.world.now + 150 + POLICY.margin], abs=1.0)


def test_a_queued_renewal_is_part_of_the_timeline() -> None:
    """Both rollovers, one after the other."""
    story = stable()
    story.stage(B)
    story.run()
    story.stage(C)
    assert len(moments(foresee(story), ev.Deployed)) == 2


def test_what_holds_the_rollover_ends_the_timeline() -> None:
    """A held certificate: the end says what a person has to do."""
    story = stable()
    story.stage(B, hold="the key is of another kind")
    timeline = foresee(story)
    assert timeline.stop == "the key is of another kind"
    assert timeline.remedy


def test_a_lineage_without_consumers_is_foreseen_up_to_the_operators_part() -> None:
    """The timeline ends when the operator may swap, and says so."""
    story = stable(lineages=(Lineage("one", SERVICES, "dns", (), policy=POLICY),))
    story.stage(B)
    timeline = foresee(story)
    assert not moments(timeline, ev.Deployed)
    assert "put it into service yourself" in timeline.remedy


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
    assert moments(timeline, ev.Finished) == pytest.approx(finished, abs=1.0)
