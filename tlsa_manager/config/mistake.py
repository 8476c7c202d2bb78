"""Where a mistake stands and what it is: collected, so that the operator sees all of them at once."""

from __future__ import annotations

import re
from dataclasses import field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`(?: - at `\$(.*)`)?")
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
        mistakes.add(place, _in_words(str(error)))
        return None


def _in_words(message: str) -> str:
    found = _EXPECTED.fullmatch(message)
    if found is None:
        return message[:1].lower() + message[1:]
    wanted = " or ".join(dict.fromkeys(_WORDS.get(word, word) for word in found[1].split(" | ")))
    where = f" at {found[3]}" if found[3] else ""
    return f"{wanted} is needed{where}, this is {_WORDS.get(found[2], found[2])}"


def _quoted(key: str) -> str:
    return '"' + key[:80].replace("\\", "\\\\").replace('"', '\\"') + '"'
