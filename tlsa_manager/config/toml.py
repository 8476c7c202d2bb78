"""Values as TOML text; the standard library only reads it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def document(tables: Mapping[str, Any]) -> str:
    """Write nested tables: `[name]` for tables of values, `[name.sub]` for tables of tables."""
    return "\n".join(_table(tables, ())).strip("\n") + "\n"


def value(given: object) -> str:
    """Write one value: text, number, boolean, list or inline table."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's
    if isinstance(given, (list, tuple)):
        return "[" + ", ".join(value(one) for one in given) + "]"
    if isinstance(given, dict):
        return "{ " + ", ".join(f"{key(name)} = {value(one)}" for name, one in given.items()) + " }"
    if isinstance(given, (int, float)):
        return repr(given)
    msg = f"{type(given).__name__} has no TOML form here"
    raise TypeError(msg)


def key(name: str) -> str:
    """Write a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {name: one for name, one in table.items() if not isinstance(one, dict)}
    lines = ["", f"[{'.'.join(map(key, path))}]"] if plain and path else []
    lines += [f"{key(name)} = {value(one)}" for name, one in plain.items()]
    for name, one in table.items():
        if isinstance(one, dict):
            lines += _table(one, (*path, name))
    return lines
