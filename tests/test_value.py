"""Dataclasses that are made when they are used do what those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, replace
from typing import Any

import pytest

from tlsa_manager.value import dataclass


def _declare(decorator: Any, **options: bool) -> type:
    @decorator(**options)
    class Sample:
        """A class with every kind of field that is used."""

        first: int
        second: str = "two"
        third: tuple[int, ...] = ()
        made: list[int] = field(default_factory=list)
        beside: str = field(default="", compare=False)
        hidden: bytes = field(default=b"", repr=False)

        @property
        def double(self) -> int:
            """Compute something."""
            return 2 * self.first

    return Sample


@dataclass(frozen=True, slots=True)
class Sent:
    """A value that goes to another process."""

    number: int
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """A value without fields."""


@dataclass(frozen=True, slots=True)
class Own:
    """A value with methods of its own."""

    path: str = ""

    def __repr__(self) -> str:
        return "its own words"


@pytest.mark.parametrize("options", [{"frozen": True, "slots": True}, {"slots": True}, {"frozen": True}], ids=str)
def test_they_behave_as_those_of_the_standard_library(options: dict[str, bool]) -> None:
    """The same calls give the same values, representations, comparisons and refusals."""
    ours, theirs = _declare(dataclass, **options), _declare(dataclasses.dataclass, **options)
    for arguments, named in (((1,), {}), ((1, "b"), {"made": [3]}), ((), {"first": 2, "beside": "x", "hidden": b"y"})):
        one, other = ours(*arguments, **named), theirs(*arguments, **named)
        assert repr(one) == repr(other)
        assert dataclasses.asdict(one) == dataclasses.asdict(other)
        assert one.double == other.double
        assert one == ours(*arguments, **named)
        assert one == replace(one, beside="does not count")
        assert one != replace(one, first=9)
        assert one != other
        assert copy.deepcopy(one) == one
    for wrong in ((), (1, 2, 3, 4, 5, 6, 7)):
        with pytest.raises(TypeError) as refusal:
            ours(*wrong)
        with pytest.raises(TypeError) as expected:
            theirs(*wrong)
        assert str(refusal.value) == str(expected.value)
    assert ours(1).made is not ours(1).made
    assert [one.name for one in dataclasses.fields(ours)] == [one.name for one in dataclasses.fields(theirs)]
    assert hasattr(ours(1), "__dict__") == hasattr(theirs(1), "__dict__")


def test_a_frozen_one_can_be_a_key_and_not_be_changed() -> None:
    """Equal values are one key; setting or deleting a field is refused; one that is not frozen is no key."""
    assert {Sent(1), Sent(1), Sent(2)} == {Sent(1), Sent(2)}
    with pytest.raises(FrozenInstanceError, match="number"):
        Sent(1).number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="number"):
        del Sent(1).number
    with pytest.raises(TypeError, match="unhashable"):
        hash(_declare(dataclass, slots=True)(1))


def test_they_travel_between_processes() -> None:
    """What is pickled comes back equal."""
    sent = Sent(3, ("a", "b"))
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301  our own


def test_no_fields_and_own_methods_are_respected() -> None:
    """A class without fields has equal values, and a method that a class brings stays."""
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    assert repr(Own("x")) == "its own words"
    assert Own("x") == Own("x")
