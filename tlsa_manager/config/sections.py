"""The `[dns.NAME]` and `[consumer.NAME]` sections: a kind, and the options that the kind itself declares."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from tlsa_manager.config.mistake import unknown_keys
from tlsa_manager.errors import BadInput, ConfigError
from tlsa_manager.issue import SELF_SIGNED
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tlsa_manager.config.mistake import Mistakes, Place
    from tlsa_manager.option import Option

KIND_KEY = {"dns": "backend", "consumer": "type", "issuer": "type"}


@dataclass(frozen=True, slots=True)
class Section:
    """What kind it is, and its options as written, with relative files made absolute."""

    kind: str
    options: Mapping[str, object]


def section(name: str, table: Mapping[str, object], place: Place, base: Path, mistakes: Mistakes) -> Section | None:
    """Check one section `[dns.X]` or `[consumer.X]`; `name` is `dns` or `consumer`, `base` the directory of relative files."""
    key = KIND_KEY[name]
    kind = table.get(key)
    if place.keys == ("issuer", SELF_SIGNED):
        what = f'is never read: issuer = "{SELF_SIGNED}" means that the key signs for itself, and needs no section'
        mistakes.add(place, what, "take the section out, or give it another name")
    if not isinstance(kind, str):
        mistakes.add(place.at(key), "is missing" if kind is None else "text in quotes is needed", _kinds(name))
        return None
    try:
        declared = declaration(name, kind)
    except ConfigError as error:
        mistakes.add(place.at(key), error.message.removeprefix(f"{name}.{key}: "), error.hint)
        return None
    given = {word: value for word, value in table.items() if word != key}
    options = {word: _absolute(value, declared.get(word), base) for word, value in given.items()}
    unknown_keys(options, declared, place, mistakes)
    for option in declared.values():
        _check(option, options, place, mistakes)
    return Section(kind, options)


def declaration(name: str, kind: str) -> dict[str, Option]:
    """Return the options that a kind of `dns` or `consumer` declares. Raises ConfigError when there is no such kind."""
    return {option.name: option for option in _table(name).options_of(kind)}


def kinds(name: str) -> tuple[str, ...]:
    """Return the kinds of `dns` or `consumer` that come with this program."""
    return tuple(_table(name).KINDS)


class _Table(Protocol):
    """What publish and deploy tell about their kinds."""

    KINDS: Mapping[str, str]

    def options_of(self, kind: str) -> tuple[Option, ...]:
        """Return what the kind declares. Raises ConfigError."""


def _table(name: str) -> _Table:
    return cast(
        "_Table",
        import_module({"dns": "tlsa_manager.publish", "consumer": "tlsa_manager.deploy", "issuer": "tlsa_manager.issue"}[name]),
    )


def _kinds(name: str) -> str:
    return "one of: " + ", ".join(kinds(name))


def _absolute(value: object, option: Option | None, base: Path) -> object:
    """Make a relative file relative to the configuration."""
    if option is not None and option.type == "file" and isinstance(value, str) and value and value.isprintable():
        return str(base / value)
    return value


def _check(option: Option, options: Mapping[str, object], place: Place, mistakes: Mistakes) -> None:
    if option.name not in options:
        if option.required:
            mistakes.add(place.at(option.name), "is missing", option.help)
        return
    try:
        option.read(options[option.name])
    except BadInput as error:
        mistakes.add(place.at(option.name), error.message.removeprefix(f"{option.name} "), error.hint)
