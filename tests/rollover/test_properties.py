"""What holds in every world that hypothesis can think of. TLSA_MANAGER_WORLDS=10 tries ten times as many, others each time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sim import chance
from sim.life import Renewal, Setting, live
from sim.story import POLICY, Story, generation

from tlsa_manager.rollover import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.fate import Fate
    from sim.turns import Turn

MORE = float(os.environ.get("TLSA_MANAGER_WORLDS", "1"))
TALLY = {"worlds": 0, "rollovers": 0, "judgments": 0, "crashes": 0, "released": 0}


def worlds(number: int) -> settings:
    """So many worlds, the same ones in every run."""
    return settings(
        max_examples=int(number * MORE), derandomize=MORE == 1, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate) if MORE == 1 else tuple(Phase),
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _tally() -> Iterator[None]:
    yield
    print("\n" + ", ".join(f"{count} {what}" for what, count in TALLY.items()))


@worlds(250)
@given(chance.fates, chance.settings_of_a_life, chance.renewals)
def test_no_sender_ever_meets_a_mismatch_and_every_rollover_ends(
    fate: Fate, setting: Setting, renewals: tuple[Renewal, ...]
) -> None:
    """The oracle and the veto never speak, foreign records stay, a second run does nothing, and all comes to an end."""
    report = live(fate, setting, renewals)
    TALLY["worlds"] += 1
    TALLY["rollovers"] += report.rollovers
    TALLY["judgments"] += report.story.world.judged
    TALLY["crashes"] += report.story.crashes
    TALLY["released"] += report.released


@worlds(200)
@given(chance.fates, chance.settings_with_keys, chance.renewals_with_keys, chance.turns)
def test_whatever_a_person_does_about_keys_and_records_no_sender_meets_a_mismatch_that_was_not_told(
    fate: Fate, setting: Setting, renewals: tuple[Renewal, ...], turns: tuple[Turn, ...]
) -> None:
    """Next keys, changed modes and parameters, stolen keys, lineages that leave: the same holds, and all comes to an end."""
    report = live(fate, setting, renewals, turns)
    TALLY["worlds"] += 1
    TALLY["rollovers"] += report.rollovers
    TALLY["judgments"] += report.story.world.judged
    TALLY["crashes"] += report.story.crashes
    TALLY["released"] += report.released


@worlds(60)
@given(chance.quiet_fates, chance.settings_of_a_life)
def test_the_swap_comes_when_it_may_and_hardly_later(fate: Fate, setting: Setting) -> None:
    """Without faults: at least max(k·TTL, F) + M after the last server had the new set, and at most two poll intervals later."""
    report = live(fate, setting, (Renewal(5.0),))
    story = report.story
    new = generation("1", key="one 1").chain.leaf.spki_sha256
    born = [
        next(at for at, zone in story.world.versions if any(one.data == new for one in zone[owner]))
        for owner in story.world.owners
    ]
    everywhere = max(born) + max(one.lag for one in fate.servers)
    assert story.world.swapped_at is not None
    wait = max(2 * fate.ttl, POLICY.cache_floor) + POLICY.margin
    assert everywhere + wait <= story.world.swapped_at <= everywhere + wait + 2 * POLICY.poll_interval
    assert isinstance(report.story, Story)
    assert len([one for one in story.memory.events if isinstance(one[2], ev.Deployed)]) == 1
