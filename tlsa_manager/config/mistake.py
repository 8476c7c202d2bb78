"""Where a mistake stands and what it is: collected, so that the operator sees all of them at once."""

from __future__ import annotations

import re
from dataclasses import field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_BOUND = re.compile(r"Expected `[^`]*` (<=|>=) (\S+)")
_ENUM = re.compile(r"Invalid enum value '?(.*?)'?", re.DOTALL)
_STEP = re.compile(r"\[([0-9]+)\]|\.([^.\[]+)")
_SIDES = {"<=": "at most", ">=": "at least"}
_WORDS = {
    "int": "a whole number", "float": "a number", "str": "text in quotes", "bool": "true or false", "null": "nothing",
    "array": "a list in brackets", "object": "a table", "datetime": "a date", "date": "a date", "time": "a time of day",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A key in a file."""

    file: Path
    keys: tuple[str, ...] = ()

    def at(self, *keys: str) -> Place:
        """Return the place of a key inside this table."""
        return Place(self.file, (*self.keys, *keys))

    def __str__(self) -> str:
        """Return `file: key`, the key as TOML writes it."""
        dotted = ".".join(key if _BARE.fullmatch(key) else _quoted(key) for key in self.keys)
        return f"{self.file}: {dotted}" if dotted else str(self.file)


@dataclass(slots=True)
class Mistakes:
    """All that is wrong with a configuration, one line each."""

    lines: list[str] = field(default_factory=list)

    def add(self, place: Place, what: str, remedy: str = "") -> None:
        """Note a mistake: `file: key: what is wrong; remedy`, one line whatever stands in the file."""
        line = f"{place}: {what}" + (f"; {remedy}" if remedy else "")
        self.lines.append("".join(c if c.isprintable() else repr(c)[1:-1] for c in line))

    def unknown(self, place: Place, given: str, known: Iterable[str], what: str) -> None:
        """Note a word that is not known, with the nearest that is."""
        choices = sorted(known)
        near = get_close_matches(given, choices, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else "known: " + (", ".join(choices) or "none")
        self.add(place, what, remedy)


def unknown_keys(table: Mapping[str, object], known: Iterable[str], place: Place, mistakes: Mistakes) -> None:
    """Note every key of a table that means nothing here: a misspelt key must not be ignored silently."""
    words = set(known)
    for key in table:
        if key not in words:
            mistakes.unknown(place.at(key), key, words, "unknown key")


def converted(value: object, kind: Any, place: Place, mistakes: Mistakes) -> Any:
    """Return the value as `kind` (a type msgspec knows), or None with the mistake noted."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        mistakes.add(_inside(place, path), *_in_words(message, kind))
        return None


def choices(kind: Any) -> tuple[str, ...]:
    """Return the words that a type allows (its Literal, wherever it stands in it); none: it is not a choice."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(word for part in get_args(kind) for word in choices(part))


def _inside(place: Place, path: str) -> Place:
    """Return the place inside a value that msgspec names: `[0].at` is the first entry's `at`, people count from one."""
    return place.at(*(str(int(number) + 1) if number else key for number, key in _STEP.findall(path.rstrip("`"))))


def _in_words(message: str, kind: Any) -> tuple[str, str]:
    """What is wrong, and what to do."""
    if found := _ENUM.fullmatch(message):
        return f"{found[1][:40]!r} is not known here; there is {', '.join(choices(kind))}", _nearest(found[1], choices(kind))
    if found := _BOUND.fullmatch(message):
        return f"must be {_SIDES[found[1]]} {found[2]}", ""
    found = _EXPECTED.fullmatch(message)
    if found is None:
        return message[:1].lower() + message[1:], ""
    words = dict.fromkeys(_WORDS.get(word, word) for word in found[1].split(" | ") if word != "null")  # TOML has no null
    return f"{' or '.join(words)} is needed, this is {_WORDS.get(found[2], found[2])}", ""


def _nearest(given: str, known: tuple[str, ...]) -> str:
    by_case = {word.lower(): word for word in known}
    near = get_close_matches(given.lower(), by_case, n=1, cutoff=0.5)
    return f"did you mean {by_case[near[0]]!r}?" if near else ""


def _quoted(key: str) -> str:
    return '"' + key[:80].replace("\\", "\\\\").replace('"', '\\"') + '"'
