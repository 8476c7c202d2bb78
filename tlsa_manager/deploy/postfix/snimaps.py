"""Postfix' maps from the name a client asks for to its certificate files (`tls_server_sni_maps`), and which hold copies of those.

Measured with 3.7: an indexed map holds what was in the files when `postmap -F` made it, also behind `proxy:` and inside
`unionmap:`, so no reload helps alone. All others read the files when a process opens the map, before it goes into its chroot.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INDEXED = {"hash", "btree", "lmdb", "cdb", "dbm", "sdbm"}  # postmap -F puts copies of the files into these
_SEVERAL = {"unionmap", "pipemap", "randmap"}  # made of others: unionmap:{hash:/etc/postfix/a, hash:/etc/postfix/b}


def words(value: str) -> tuple[str, ...]:
    """Split as Postfix does, at blanks and commas, but not inside braces (`inline:{...}`)."""
    depth, parts = 0, [""]
    for character in value:
        if depth == 0 and (character.isspace() or character == ","):
            parts.append("")
            continue
        depth = max(0, depth + (character == "{") - (character == "}"))
        parts[-1] += character
    return tuple(part for part in parts if part)


def tables(value: str) -> tuple[str, ...]:
    """Return the maps of a value of `tls_server_sni_maps`, those inside others, too, each as `hash:/etc/postfix/sni`."""
    return tuple(_flat(words(value)))


def mentions(table: str, path: Path) -> bool:
    """Whether the source text of a map names the file (or the map itself does: inline, static)."""
    kind, _, source = table.partition(":")
    if kind in {"inline", "static"}:
        return str(path) in re.split(r"[{}\s,=]+", source)
    try:
        text = Path(source).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(str(path) in re.split(r"[\s,]+", line) for line in text.splitlines() if not line.startswith("#"))


def copies(of: Iterable[str], path: Path) -> tuple[str, ...]:
    """Return the maps among these that hold a copy of the file; `postmap -F` must make them anew."""
    return tuple(dict.fromkeys(table for table in of if table.partition(":")[0] in _INDEXED and mentions(table, path)))


def _flat(found: Iterable[str]) -> Iterator[str]:
    for word in found:
        table = word.removeprefix("proxy:")
        kind, colon, inside = table.partition(":")
        if kind in _SEVERAL:
            yield from _flat(words(inside.strip().removeprefix("{").removesuffix("}")))
        elif colon:
            yield table
