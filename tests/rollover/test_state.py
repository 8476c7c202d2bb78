"""How far a record has spread: hidden, rumoured, omnipresent, unretentive, computed for a moment of a rollover."""

from __future__ import annotations

from sim.fate import Fate, ServerFate
from sim.story import Story, generation

from tlsa_manager.rollover.state import Spread, spread

A, B = generation("a"), generation("b")


def spreads(story: Story) -> tuple[Spread, Spread]:
    """How far the records of A and of B have spread at the first owner now."""
    lineage = story.lineages[0]
    owner = story.facts().owners[lineage.owners[0]]
    old, new = (next(iter(one.records(lineage.params))) for one in (A, B))
    now = story.world.moment().wall
    return spread(old, owner, lineage.policy, now), spread(new, owner, lineage.policy, now)


def test_a_record_goes_through_the_four_states() -> None:
    """The new one is rumoured until no cache can lack it; the old one is unretentive until no cache can hold it."""
    story = Story(Fate(servers=(ServerFate(), ServerFate(lag=25.0))))
    story.begin(A)
    story.run()
    assert spreads(story) == (Spread.OMNIPRESENT, Spread.HIDDEN)
    story.stage(B)
    story.run()
    story.step()
    assert spreads(story) == (Spread.OMNIPRESENT, Spread.RUMOURED)
    story.until(lambda one: spreads(one)[1] is Spread.OMNIPRESENT)
    assert story.world.swapped_at is None or story.world.swapped_at <= story.world.now
    story.until(lambda one: one.rolled_to(B))
    story.until(lambda one: spreads(one)[0] is Spread.UNRETENTIVE)
    story.until(lambda one: spreads(one) == (Spread.HIDDEN, Spread.OMNIPRESENT))
