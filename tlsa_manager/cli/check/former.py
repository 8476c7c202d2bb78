"""`--resume FILE`: the results of a run that was cut off, and the file that the rest of them are added to.

One line of JSON a target, on the disk before the next one is asked for. What `kill -9` or a crash left half-written at the end is
cut off; its target is looked at again, and so is one that nothing could be found out about.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from tlsa_manager.cli.check.as_lines import line
from tlsa_manager.cli.check.result import UNREADABLE, Result, of_line
from tlsa_manager.errors import BadInput, Busy
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Former:
    """The file, and where in it which target stands. `unknown`: those that nothing could be found out about."""

    stream: BinaryIO
    places: dict[tuple[str, str], int]
    unknown: frozenset[tuple[str, str]] = frozenset()

    def result(self, place: int) -> Result:
        """Return what a former run wrote at a place."""
        return of_line(_line_at(self.stream.fileno(), place))

    def keep(self, one: Result) -> None:
        """Add a result; it is on the disk when this returns. Raises OSError."""
        if one.key in self.places or one.value["kind"] == UNREADABLE:
            return
        if one.key in self.unknown and _is_unknown(one):  # it says so already
            return
        self.stream.write(line(one.value).encode() + b"\n")
        self.stream.flush()
        os.fsync(self.stream.fileno())


@contextmanager
def resumed(path: Path | None) -> Iterator[Former | None]:
    """Open the file, made if there is none, and repair its end. Raises OSError, and BadInput if it is something else."""
    if path is None:
        yield None
        return
    with path.open("a+b") as stream:
        _alone(stream, path)
        stream.seek(0)
        places, unknown, end = _read(stream, path)
        stream.truncate(end)
        stream.seek(end)
        yield Former(stream, places, unknown)


def _alone(stream: BinaryIO, path: Path) -> None:
    """Make sure that no other run writes to the file: their lines would mingle. Raises Busy."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"another run is writing to {path}", "wait for its end, or name another file") from None


def _read(stream: BinaryIO, path: Path) -> tuple[dict[tuple[str, str], int], frozenset[tuple[str, str]], int]:
    """Return where each target stands, which are unknown, and where the last whole line ends.

    Raises BadInput for a file that is not ours.
    """
    places: dict[tuple[str, str], int] = {}
    unknown: set[tuple[str, str]] = set()
    end = 0
    for number, each in enumerate(stream, 1):
        if not each.endswith(b"\n") and each.startswith(_BEGINNING[: len(each)]):
            break  # half a line of ours
        try:
            one = of_line(each)
        except ValueError:
            raise BadInput(
                f"{path}: line {number} is no result of tlsa-manager check, so nothing was done",
                "name the file that a former --resume, or --format jsonl, has written",
            ) from None
        if _is_unknown(one):
            unknown.add(one.key)
        else:
            places[one.key] = end
        end += len(each)
    return places, frozenset(unknown), end


def _is_unknown(one: Result) -> bool:
    return one.value["outcome"] == Delivery.UNKNOWN


_BEGINNING = b'{"schema": '


def _line_at(descriptor: int, place: int) -> bytes:
    """Return the line that begins at a place, without moving the stream: another thread may be writing."""
    pieces: list[bytes] = []
    while piece := os.pread(descriptor, 1 << 16, place):
        head, mark, _ = piece.partition(b"\n")
        pieces.append(head)
        if mark:
            break
        place += len(piece)
    return b"".join(pieces)
