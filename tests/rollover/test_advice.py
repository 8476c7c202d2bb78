"""What `status` advises although nothing is wrong now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sim.fate import Fate
from sim.story import Story, generation

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.advice import advice
from tlsa_manager.rollover.facts import apply

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation

DAY = 86400.0


def expiring(story: Story, seconds: float) -> Generation:
    """A generation whose certificate ends so many seconds from now."""
    made = generation("a")
    return replace(made, chain=replace(made.chain, not_after=story.world.now + seconds))


def told(story: Story) -> str:
    """All advice, as one text."""
    return "\n".join(advice(story.lineages[0], story.facts(), story.world.now))


def test_nothing_is_advised_where_there_is_time() -> None:
    """A certificate with weeks left needs no words."""
    story = Story()
    story.begin(expiring(story, 30 * DAY))
    story.run()
    assert not told(story)


def test_little_time_and_too_little_time_are_told_apart() -> None:
    """A rollover takes 190 seconds here: 300 are little, 100 are not enough, none is expired."""
    for left, words in ((300, "little time is to spare"), (100, "lower the TTL"), (-5, "has expired")):
        story = Story()
        story.begin(expiring(story, left))
        story.run()
        assert words in told(story)


def test_several_ttls_of_one_set_are_told() -> None:
    """RFC 2181 forbids them; the largest one counts."""
    story = Story()
    story.begin(generation("a"))
    story.run()
    owner = story.lineages[0].owners[0]
    records = tuple(generation("a").records(story.lineages[0].params))
    sets = (ev.ServedSet(records, 300), ev.ServedSet(records, 7200))
    facts = apply(story.facts(), ev.Seen(owner, owner, story.world.now, sets, complete=True), story.world.now)
    assert "300, 7200" in "\n".join(advice(story.lineages[0], facts, story.world.now))


def test_a_first_publication_is_not_known_everywhere_at_once() -> None:
    """Senders that cached the denial use DANE only when it has run out; afterwards nothing is said."""
    story = Story(Fate(ttl=60))
    story.stage(generation("a"))
    story.present(generation("a"))
    story.run()
    story.until(lambda one: "some senders may not know" in told(one), within=200)
    story.until(lambda one: not told(one), within=200)
