"""The hands that the configuration makes: changes that come into force later, and consumers that are served side by side."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import DeployError, PublishTemporary
from tlsa_manager.hands import HouseHands, _side_by_side
from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover.facts import Facts, Sent
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Held

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "_25._tcp.mx.example.org."
HELD = Held(NAME, frozenset(), 60)


class Early:
    """A backend whose changes are in force when it says so."""

    name = "early"

    def read(self, target: str) -> Held:
        """Say that there is nothing."""
        return HELD

    def change(self, change: object) -> None:
        """Do nothing."""

    def text(self, text: object) -> None:
        """Do nothing."""


class Late(Early):
    """A backend that gives its changes numbers; `done`: those that are in force, or the error that asking ends with."""

    name, late = "late", True
    late = True

    def __init__(self, *done: str, error: Exception | None = None) -> None:
        self.done, self.error = done, error

    def settled(self, ticket: str) -> bool:
        """Tell, or be out of reach."""
        if self.error:
            raise self.error
        return ticket in self.done


def settled(backend: object, *numbers: str) -> Held:
    """What a look adds to what the backend holds."""
    hands = object.__new__(HouseHands)
    hands._backends = {"dns": backend}  # type: ignore[dict-item]
    lineage = Lineage("one", (Service.parse("mx.example.org:25"),), "dns", ())
    return hands._settled(lineage, Facts("one", sent={NAME: Sent(frozenset(), 1.0, numbers=numbers)}))(HELD)


def test_a_provider_is_asked_for_what_it_had_taken_for_later() -> None:
    """What is in force is told by number; what is not, with a reason."""
    held = settled(Late("1"), "1", "2")
    assert held.settled == {"1"}
    assert "late" in held.unsettled
    assert settled(Late("1", "2"), "1", "2") == Held(NAME, frozenset(), 60, settled=frozenset({"1", "2"}), late=True)
    assert not settled(Early()).late


def test_a_provider_that_cannot_be_asked_has_not_said_yes() -> None:
    """Unknown is not done; the reason is the provider's."""
    held = settled(Late("1", error=PublishTemporary("it is away")), "1")
    assert (held.settled, held.unsettled) == (frozenset(), "it is away")


def test_a_backend_without_numbers_is_not_waited_for() -> None:
    """Where the configuration names another backend by now, nobody could ever say that the change is in force."""
    assert settled(Early(), "1").settled == {"1"}


class Consumer:
    """A consumer whose act waits for the others' to begin, or fails."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act


def test_consumers_act_side_by_side_and_all_of_them() -> None:
    """Each begins before any has ended; one that fails keeps no other from its turn, and is told."""
    together, done = threading.Barrier(3, timeout=30), []

    def well() -> None:
        together.wait()
        done.append("well")

    def badly() -> None:
        together.wait()
        raise DeployError("no", "yes")

    with pytest.raises(DeployError):
        _side_by_side([Consumer(well), Consumer(badly), Consumer(well)], lambda one: one.act())  # type: ignore[list-item,attr-defined]
    assert done == ["well", "well"]


class Back:
    """A consumer that takes what it is given back, and waits for the others to be told, too."""

    def __init__(self, together: threading.Barrier, *, takes: bool = True, reloads: bool = True) -> None:
        self.together, self.takes, self.reloads, self.did = together, takes, reloads, list[str]()

    def install(self, combined: bytes) -> None:
        """Take it, or not."""
        if not self.takes:
            raise DeployError("not written", "make room")
        self.did.append(combined.decode())

    def reload(self) -> None:
        """Wait for the others, then fail or not."""
        self.together.wait()
        if not self.reloads:
            raise DeployError("not reloaded", "start it")
        self.did.append("reload")


def test_the_way_back_goes_side_by_side_past_all_that_fails() -> None:
    """Reloads begin before any has ended; who could not be written to is not told; failures are raised when all is done."""
    together, four = threading.Barrier(3, timeout=30), threading.Barrier(4, timeout=30)
    all_of_them = {
        "first": Back(together, reloads=False),
        "second": Back(together),
        "third": Back(together, takes=False),
        "last": Back(together),
    }
    hands = object.__new__(HouseHands)
    hands._consumers = dict(all_of_them)  # type: ignore[arg-type]
    hands.store = SimpleNamespace(combined=lambda *_: b"old")  # type: ignore[assignment]
    lineage = Lineage("one", (Service.parse("mx.example.org:25"),), "dns", tuple(all_of_them))
    with pytest.raises(DeployError, match="not written"):
        hands.restore(lineage, "g1")
    assert {name: one.did for name, one in all_of_them.items()} == {
        "first": ["old"], "second": ["old", "reload"], "third": [], "last": ["old", "reload"]
    }  # fmt: skip
    all_of_them["third"].takes = True
    for one in all_of_them.values():
        one.together = four
    with pytest.raises(DeployError, match="not reloaded"):
        hands.restore(lineage, "g1")
    assert all_of_them["third"].did == ["old", "reload"]


def test_no_consumer_is_no_error() -> None:
    """A lineage may have none: then a person puts certificates into service."""
    _side_by_side([], lambda one: one.reload())
