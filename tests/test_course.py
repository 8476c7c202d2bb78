"""What a person says of a rollover is judged by the facts as they are when it is written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pki
import pytest
from test_wiring import NAME, house_of

from tlsa_manager import clock, keys
from tlsa_manager.errors import Busy, Unsafe
from tlsa_manager.rollover import events as ev
from tlsa_manager.verbs import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.wiring import House


@pytest.fixture
def home(tmp_path: Path) -> House:
    """A house with a certificate in service, and another on its way."""
    made = house_of(tmp_path)
    generation = made.store.put(NAME, keys.load_pair(*pki.pair(NAME)), "files")
    made.journal.append(NAME, ev.Adopted(generation), clock.now())
    made.stage(NAME, *pki.pair(NAME), "files")
    return made


def meanwhile(home: House, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let something happen right after the facts were read for the first time."""
    read, left = home.journal.facts, [act]

    def facts(lineage: str) -> Facts:
        found, folded = read(lineage), home.journal.folded(lineage)
        if left:
            left.pop()()
            home.journal._folded_here()[lineage] = folded
        return found

    monkeypatch.setattr(home.journal, "facts", facts)


def events(home: House, kind: type) -> int:
    """How often it was written."""
    return sum(isinstance(one.event, kind) for one in home.journal.entries(NAME))


def test_a_swap_that_begins_at_this_moment_is_not_given_up(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live files hold the new certificate by now: its record has to stay."""
    coming = home.journal.facts(NAME).next
    meanwhile(home, monkeypatch, lambda: home.journal.append(NAME, ev.Deploying(coming), clock.now()))
    with pytest.raises(Unsafe, match="already in service"):
        home.abort(NAME)
    assert events(home, ev.Aborted) == 0


def test_nobody_goes_back_to_a_key_that_was_declared_stolen_at_this_moment(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both records still stand, so without that it would be done at once."""
    former, coming = home.journal.facts(NAME).generations[home.journal.facts(NAME).current], home.journal.facts(NAME).next
    for event in (ev.Deploying(coming), ev.Deployed(coming), ev.Confirmed(coming)):
        home.journal.append(NAME, event, clock.now())
    meanwhile(home, monkeypatch, lambda: home.journal.append(NAME, ev.Compromised((former.spki,)), clock.now()))
    with pytest.raises(Unsafe):
        home.back(NAME)
    assert events(home, ev.RollingBack) == 0


def test_what_is_held_at_this_moment_is_not_released_unseen(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kind of key has to be accepted by whoever goes on, also if it came a moment ago."""
    home.journal.append(NAME, ev.Failed("publish x", "no"), clock.now())
    other = home.store.put(NAME, keys.load_pair(*pki.pair(NAME, kind="RSA")), "files")

    def come() -> None:
        home.journal.append(NAME, ev.Aborted(home.journal.facts(NAME).next), clock.now())
        home.journal.append(NAME, ev.Staged(other, "the kind of key changed", "say so", "RSA"), clock.now())

    meanwhile(home, monkeypatch, come)
    with pytest.raises(Unsafe, match="the kind of key changed"):
        home.release(NAME)
    assert events(home, ev.Released) == 0


def test_what_nothing_bears_on_is_obeyed_all_the_same(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged once more, and written."""
    meanwhile(home, monkeypatch, lambda: home.journal.append(NAME, ev.HandedOut("k"), clock.now()))
    home.abort(NAME)
    assert events(home, ev.Aborted) == 1


def test_who_asks_for_a_certificate_waits_a_little_for_the_timer(home: House) -> None:
    """A run that is at it is over in a moment; only who is at it for longer is told of."""
    assert home._publishing is not None
    home._publishing.join()
    done: list[str] = []
    taken, over = threading.Event(), threading.Event()

    def run() -> None:
        with home.journal.lease(NAME):
            taken.set()
            over.wait(60)
            done.append("run")

    worker = threading.Thread(target=run)
    worker.start()
    taken.wait(60)
    act = lambda _, name: done.append(name)  # noqa: E731
    assert isinstance(side_by_side.each(home.journal, act, {NAME: [NAME]})[NAME], Busy)
    threading.Timer(0.3, over.set).start()
    assert side_by_side.each(home.journal, act, {NAME: [NAME]}, patience=60) == {}
    worker.join()
    assert done == ["run", NAME]
