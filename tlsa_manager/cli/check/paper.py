"""Where the answer goes: standard output, a file as it comes, or a file that appears whole."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tlsa_manager.cli.renaming import renamed
from tlsa_manager.cli.voice import printable
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from tlsa_manager.cli.voice import Voice

NARROW, WIDE = 40, 120  # columns: what is narrower cannot be read, what is wider neither


@dataclass(frozen=True, slots=True)
class Paper:
    """Takes lines: text and style. `width`: columns to wrap prose at, None for one line a paragraph."""

    line: Callable[[str, str], None]
    width: int | None = None


@contextmanager
def paper(voice: Voice, output: Path | None, *, by_rename: bool) -> Iterator[Paper]:
    """Open what the answer is written to. Raises OSError; with `by_rename` an exception leaves the former file as it was."""
    if output is None:
        yield Paper(voice.say, terminal_width())
    elif by_rename:
        with renamed(output) as stream:
            yield Paper(_into(stream))
    else:
        with output.open("w", encoding="utf-8") as stream:
            yield Paper(_into(stream))


def terminal_width() -> int | None:
    """Return the columns to wrap at, None where nobody looks on."""
    return min(max(shutil.get_terminal_size().columns, NARROW), WIDE) if sys.stdout.isatty() else None


def _into(stream: TextIO) -> Callable[[str, str], None]:
    def write(text: str, _: str) -> None:
        stream.write(printable(text) + "\n")
        stream.flush()

    return write
