"""What `status` advises although nothing is wrong now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sim.fate import Fate
from sim.story import Story, generation

from tlsa_manager.lineage import Key
from tlsa_manager.policy import KeyPolicy, Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import lifespan
from tlsa_manager.rollover.advice import advice, room, too_short, waiting
from tlsa_manager.rollover.facts import Facts, apply

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.tlsa import RRset

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


def short_lived(story: Story, *, hours: float = 160, ttl: int = 86400, **keys: object) -> tuple[Lineage, Facts]:
    """A lineage with the usual timing, whose certificate began now and lives so long, with records of this TTL for ever."""
    made, now = generation("a"), story.world.now
    current = replace(made, not_before=now, chain=replace(made.chain, not_after=now + hours * 3600))
    lineage = replace(story.lineages[0], policy=Policy(), keys=KeyPolicy(**keys))  # type: ignore[arg-type]
    facts = apply(Facts(lineage.name), ev.Adopted(current), now - 30 * DAY)
    return lineage, seen(lineage, facts, current.records(lineage.params), ttl, now - 30 * DAY)


def seen(lineage: Lineage, facts: Facts, records: RRset, ttl: int, at: float) -> Facts:
    """What is known after every server answered these records."""
    for owner in lineage.owners:
        facts = apply(facts, ev.Seen(owner, owner, at, (ev.ServedSet(tuple(sorted(records)), ttl),), complete=True), at)
    return facts


def next_key(lineage: Lineage, facts: Facts, ttl: int, at: float) -> Facts:
    """What is known when a next key stands beside the current one since a moment."""
    leaf = generation("next").chain.leaf
    facts = apply(facts, ev.Prepared(Key("k", leaf.spki_sha256, leaf.spki_sha512, "ECDSA")), at)
    current = facts.generations["a"]
    assert facts.standby
    return seen(lineage, facts, current.records(lineage.params) | facts.standby.records(lineage.params), ttl, at)


@pytest.mark.parametrize(("life", "slack"), [(90 * 24, 30 * 24), (64 * 24, 64 * 8), (45 * 24, 15 * 24), (160, 80), (240, 120)])
def test_the_usual_slack(life: int, slack: int) -> None:
    """ACME clients renew when a third of the life is left, of ten days or less when half of it is; here in hours."""
    assert lifespan.usual_slack(life * 3600.0) == slack * 3600


def test_t20_and_t21_are_told_before_anything_begins() -> None:
    """160 hours: with a TTL of a day little will be to spare, with two days it will not fit, with an hour it will."""
    story = Story()
    for ttl, words in ((86400, "more than half of that"), (172800, "more than that"), (3600, "")):
        lineage, facts = short_lived(story, ttl=ttl)
        said = too_short(lineage, facts, story.world.now)
        assert words in said
        assert bool(said) == bool(words)
        if said:
            assert "80.0 hours before it expires" in said.replace("3.3 days", "80.0 hours")
            assert "lower the TTL" in said
            assert "next-key = true" in said
            assert said in advice(lineage, facts, story.world.now)


def test_nothing_is_said_early_where_the_next_key_is_known_or_the_key_stays() -> None:
    """Neither needs a wait; a next key that was published a moment ago will be known long before the renewal, too."""
    story = Story()
    now = story.world.now
    lineage, facts = short_lived(story, ttl=172800, reuse=True)
    assert not advice(lineage, facts, now)
    lineage, facts = short_lived(story, ttl=86400, next_key=True)
    for published in (now - 20 * DAY, now):
        known = next_key(lineage, facts, 86400, published)
        assert not too_short(lineage, known, now), published
    assert not waiting(lineage, next_key(lineage, facts, 86400, now - 20 * DAY), now + 159 * 3600)


def test_the_waiting_of_a_certificate_that_came_too_late_is_told() -> None:
    """With 40 hours left and a TTL of a day the hook says so at once; with the key in service there is nothing to wait for."""
    story = Story()
    now = story.world.now + 120 * 3600
    lineage, facts = short_lived(story)
    assert "expires in 40.0 hours, and a rollover takes 2.0 days" in waiting(
        lineage, apply(facts, ev.Staged(generation("b")), now), now
    )
    same = replace(generation("b"), chain=replace(facts.generations["a"].chain, not_after=now + 200 * 3600))
    assert not waiting(lineage, apply(facts, ev.Staged(same), now), now)
    assert room(lineage, apply(facts, ev.Staged(same), now), now) == "nothing has to be waited for: every cache knows the key"
    assert room(lineage, facts, story.world.now).startswith("the waiting, 2.0 days, fits into the 6.7 days")
