"""The house and watched files: a change makes a lineage due, what is wrong with them bars nothing else, and it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import clock, config, wiring
from tlsa_manager.handover.watching import PATIENCE
from tlsa_manager.rollover.steps import Wait

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.rollover.plan import Plan

NAME = "mx.example"
CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"
[dns.by-hand]
backend = "manual"
[consumer.postfix]
type = "postfix"
file = "{directory}/mx.pem"
[lineage."mx.example"]
services = ["mx.example:25"]
dns = "by-hand"
consumers = ["postfix"]
watch = {{ certificate = "tls.crt", key = "tls.key" }}
"""


class Engine:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.advanced = 0

    def advance(self, name: str) -> Wait:
        """Have nothing to do for ever."""
        assert name == NAME
        self.advanced += 1
        return Wait(float("inf"), "nothing is due")

    def publish(self, name: str) -> None:
        """Have nothing to publish."""


@pytest.fixture
def home(tmp_path: Path) -> wiring.House:
    return house_of(tmp_path)


def house_of(directory: Path) -> wiring.House:
    (directory / "config.toml").write_text(CONFIG.format(directory=directory))
    home = wiring.House(config.load(directory / "config.toml"))
    home.__dict__["engine"] = Engine()
    return home


def write(directory: Path) -> None:
    """Write a new pair, as a client does."""
    for file, content in zip(("tls.crt", "tls.key"), pki.pair(NAME), strict=True):
        (directory / file).write_bytes(content)


def taken(home: wiring.House) -> list[str]:
    return [one.origin for one in home.journal.facts(NAME).generations.values()]


def test_a_change_makes_it_due_and_no_event_is_read_for_that(
    home: wiring.House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a change of the configuration: seen without folding facts."""
    write(tmp_path)
    assert home.run([NAME], anyway=True) == {}
    assert taken(home) == ["watch"]
    plan = _planned(home)
    now = plan.looked[0] + 5
    monkeypatch.setattr(home.journal, "plan", lambda name: plan)
    monkeypatch.setattr(home.journal, "facts", lambda name: pytest.fail(f"the events of {name} were folded"))
    assert not home.due(NAME, now)
    write(tmp_path)
    assert home.due(NAME, now)


def test_files_that_are_of_no_use_bar_nothing_and_are_told_once(
    home: wiring.House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lineage is looked after all the same; after ten minutes one run fails because of them, and `status` says it again."""
    write(tmp_path)
    (tmp_path / "tls.key").write_bytes(pki.pair(NAME)[1])
    now = clock.now() + 100
    monkeypatch.setattr(clock, "now", lambda: now)
    assert home.run([NAME], anyway=True) == {}
    assert home.standing(NAME).advice == ()
    now += PATIENCE
    (error,) = home.run([NAME], anyway=True).values()
    assert "of no use for 10 minutes" in error.message
    assert home.run([NAME], anyway=True) == {}
    assert home.engine.advanced == 3  # type: ignore[attr-defined]  our engine
    again = house_of(tmp_path)
    assert [one for one in again.standing(NAME).advice if "of no use" in one]
    write(tmp_path)
    now += 100
    assert again.run([NAME], anyway=True) == {}
    assert again.standing(NAME).advice == ()
    assert taken(again) == ["watch"]


def test_a_new_journal_reads_the_files_once_more(home: wiring.House, tmp_path: Path) -> None:
    """One that was moved away because it was damaged: what was taken over into it is to be taken over again."""
    write(tmp_path)
    home.run([NAME], anyway=True)
    for file in (tmp_path / "state").glob("state.db*"):
        file.unlink()
    again = house_of(tmp_path)
    assert again.run([NAME], anyway=True) == {}
    assert taken(again) == ["watch"]


def test_a_change_of_this_moment_is_taken_over_by_the_same_run(home: wiring.House, tmp_path: Path) -> None:
    """The run waits until the files have been left alone for a second; nobody has to call it again."""
    said: list[str] = []
    home.watch = lambda name, text: said.append(f"{name}: {text}")
    write(tmp_path)
    assert home.run([NAME], anyway=True) == {}
    assert taken(home) == ["watch"]
    (text,) = said
    assert text.startswith(f"{NAME}: {tmp_path / 'tls.crt'} has changed: generation ")
    assert home.run([NAME], anyway=True) == {}
    assert len(said) == 1


def _planned(home: wiring.House) -> Plan:
    """A plan that knows all and wants nothing."""
    from tlsa_manager.rollover.plan import Plan

    looked = (clock.now(), "", 0.0)
    return Plan(float("inf"), "nothing is due", "", (), None, looked, seen=home.journal.latest(NAME))
