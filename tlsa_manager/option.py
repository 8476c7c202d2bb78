"""Options as data: each backend and each consumer declares its own once.

From the same declaration come the check of the configuration, its JSON Schema, the example file and the reference.
Pure: nothing here opens a file or asks the network.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from tlsa_manager.errors import BadInput, ConfigError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["str", "int", "bool", "duration", "file", "argv", "list"]
Value = str | int | float | bool | tuple[str, ...] | None

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhdw])")
_WORDS: dict[Kind, str] = {
    "str": "a text in quotes",
    "int": "a whole number",
    "bool": "true or false",
    "duration": 'a duration such as "90s", "10m", "2h" or "7d"',
    "file": 'the path of a file, such as "/etc/tlsa-manager/tsig.key"',
    "argv": 'a list: the program by its absolute path, then its arguments, such as ["/usr/local/bin/tool", "--flag"]',
    "list": 'a list of texts, such as ["one", "two"]',
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a section. `default` has the type that the configuration file would give it (a duration is text).

    `secret`: the value itself must never be shown (a path to a secret is no secret). `bounds`: the least and the most that a
    duration may be.
    """

    name: str
    type: Kind
    help: str
    default: Value = None
    required: bool = False
    secret: bool = False
    example: Value = None
    bounds: tuple[str, str] | None = None

    def read(self, given: object) -> Value:
        """Return the value as the program uses it: durations in seconds (float), lists as tuples. Raises BadInput."""
        value = _convert(self.type, given)
        if value is None:
            shown = "a value" if self.secret else repr(given)[:60]
            raise BadInput(f"{self.name} is {shown}, but must be {_WORDS[self.type]}", self.help)
        if self.bounds and isinstance(value, float) and not seconds(self.bounds[0]) <= value <= seconds(self.bounds[1]):
            raise BadInput(f"{self.name} is {given!r}, but must be from {self.bounds[0]} to {self.bounds[1]}", self.help)
        return value


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of one section, checked, defaults filled in. Asking for an option that was not declared is a KeyError."""

    section: str  # as a person finds it in the file: dns.ns1
    values: Mapping[str, Value] = field(repr=False)

    def text(self, name: str) -> str:
        """Return a `str` or `file` option; empty when not given."""
        value = self.values[name]
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return an `int` option; 0 when not given."""
        value = self.values[name]
        return value if isinstance(value, int) else 0

    def seconds(self, name: str) -> float:
        """Return a `duration` option in seconds; 0 when not given."""
        value = self.values[name]
        return value if isinstance(value, float) else 0.0

    def flag(self, name: str) -> bool:
        """Return a `bool` option; False when not given."""
        return self.values[name] is True

    def words(self, name: str) -> tuple[str, ...]:
        """Return an `argv` or `list` option; empty when not given."""
        value = self.values[name]
        return value if isinstance(value, tuple) else ()


def settle(section: str, declared: Iterable[Option], given: Mapping[str, object]) -> Settings:
    """Check what the configuration gives against what is declared.

    Raises ConfigError with every mistake of the section in `mistakes`, each beginning with `section.option`.
    """
    options = {option.name: option for option in declared}
    mistakes = [f"{section}.{name}: unknown option{suggestion(name, options)}" for name in given if name not in options]
    values: dict[str, Value] = {}
    for option in options.values():
        if option.name not in given:
            if option.required:
                mistakes.append(f"{section}.{option.name}: missing; {option.help}")
            values[option.name] = None if option.default is None else option.read(option.default)
            continue
        try:
            values[option.name] = option.read(given[option.name])
        except BadInput as error:
            mistakes.append(f"{section}.{error.message}")
    if mistakes:
        raise ConfigError("; ".join(mistakes), f"correct section [{section}] of the configuration", tuple(mistakes))
    return Settings(section, values)


def mistake(where: str, message: str, hint: str) -> ConfigError:
    """Return the error for one option that cannot be obeyed. `where`: section and option, as in `dns.ns1.server`."""
    line = f"{where}: {message}"
    return ConfigError(line, hint, (line,))


def patience(what: str, default: str) -> Option:
    """Return the option `timeout`, which says how long to wait for `what`."""
    return Option("timeout", "duration", what, default=default, bounds=("0.1s", "1h"))


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'server'?`, or what there is to choose from."""
    import difflib  # only a mistake needs it

    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(names)}" if names else ""


def seconds(text: str) -> float:
    """Read a duration: a number and one of s, m, h, d, w. Raises BadInput."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text[:40]!r} is not a duration", f"write {_WORDS['duration']}")
    return float(found[1]) * _UNITS[found[2]]


def _convert(kind: Kind, given: object) -> Value:
    """Return the value, or None when `given` is not of this kind."""
    if kind == "bool":
        return given if isinstance(given, bool) else None
    if kind == "int":
        return given if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else None
    if kind in {"argv", "list"}:
        return _texts(given, kind)
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        return None
    if kind == "file":
        return given if given.startswith("/") else None
    if kind == "duration":
        try:
            return seconds(given)
        except BadInput:
            return None
    return given


def _texts(given: object, kind: Kind) -> tuple[str, ...] | None:
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) and "\0" not in one for one in given):
        return None
    if kind == "argv" and not (given and given[0].startswith("/")):
        return None  # a bare name would be looked up in whatever PATH the caller happens to have
    return tuple(given)
