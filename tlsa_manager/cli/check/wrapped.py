"""Prose as wide as the terminal; what is to be copied stays in one piece."""

from __future__ import annotations

import re
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from tlsa_manager.cli.flat import flat

if TYPE_CHECKING:
    from collections.abc import Iterator

_TO_BE_COPIED = re.compile(r"\S{41,}")  # a digest: a record broken in two is no record
_LABEL = 7  # columns of `to do: `


def wrapped(text: str, width: int | None, *, indent: int = 0) -> Iterator[str]:
    """Break one paragraph at blanks; `width` None leaves it whole, and so does a digest inside it. Lines after the first hang."""
    first, others = " " * indent, " " * (indent + 2)
    if width is None or _TO_BE_COPIED.search(text):
        yield first + text
        return
    wrapper = TextWrapper(width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False)
    yield from wrapper.wrap(text)


def labelled(label: str, text: str, width: int | None, *, indent: int) -> Iterator[str]:
    """Write `label: text`, the text's own lines below each other. Nothing for an empty text."""
    lines = [flat(line.rstrip()) for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        mark = f"{label}:" if not number else ""
        room = width - indent - _LABEL if width else None
        for place, piece in enumerate(wrapped(line, room)):
            yield " " * indent + f"{mark if not place else '':<{_LABEL}}{piece.lstrip() if place else piece}"
