"""What is to be checked: the words of the command line, then the lines of a list, each target once."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tlsa_manager.cli.check.looking import config_if_any
from tlsa_manager.cli.check.result import Result, of_mistake
from tlsa_manager.errors import BadInput, UsageError
from tlsa_manager.target import Kind, Target
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from tlsa_manager.cli.check.former import Former
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config

STDIN = "-"
LONGEST = 4096  # bytes of a line
MOST_ASIDE = 1000  # results that wait for the next report
REMEMBERED = 500_000  # targets; one that is there again after more may be checked twice
_COUNTED = 5_000_000  # lines; of a longer list nobody waits for the end
_FIRST = re.compile(r"[\s,;]")  # what ends the first column


class Met:
    """What was there already, as far as it is remembered: the latest half million of targets at least, in some 70 MB at most.

    Eight bytes of a digest stand for a target: that two in a million are taken for one happens once in thirty million lists.
    """

    def __init__(self) -> None:
        self._latest: set[int] = set()
        self._before: set[int] = set()

    def again(self, key: tuple[str, str]) -> bool:
        """Whether it was there before; remember it."""
        mark = int.from_bytes(blake2b("\0".join(key).encode(), digest_size=8).digest())
        if mark in self._latest or mark in self._before:
            return True
        if len(self._latest) >= REMEMBERED:
            self._before, self._latest = self._latest, set()
        self._latest.add(mark)
        return False


@dataclass(slots=True)
class Work:
    """The targets of a run. A list is read as targets are taken, so it may be endless, and a pipe.

    What needs no look, lines that name no target and targets that a former run has finished, is told at once while nothing is
    under way; else it is put aside until the next report comes. When very much is put aside, nothing more is taken until it has
    been told, so that memory is bounded, and a list of nothing but mistakes is told as it is read.
    """

    named: tuple[Target, ...]
    lines: Iterable[bytes] = ()
    former: Former | None = None
    _aside: deque[Result | int] = field(default_factory=deque)
    _met: Met = field(default_factory=Met)
    _items: Iterator[Target | Result | int] | None = None

    def next_target(self) -> Generator[Result, None, Target | None]:
        """Yield what needs no look; return the first target that needs one, None at the end."""
        yield from self.aside()
        for one in self._all():
            if isinstance(one, Target):
                return one
            yield self._told(one)
        return None

    def some(self, first: Target) -> Iterator[Target]:
        """Yield this target, and those behind it until too much is put aside. Not to be taken while `next_target` reads."""
        yield first
        for one in self._all():
            if isinstance(one, Target):
                yield one
                continue
            self._aside.append(one)
            if len(self._aside) >= MOST_ASIDE:
                return

    def aside(self) -> Iterator[Result]:
        """Yield what has been put aside since the last call."""
        with suppress(IndexError):
            while True:
                yield self._told(self._aside.popleft())

    def _told(self, one: Result | int) -> Result:
        if isinstance(one, Result):
            return one
        if self.former is None:
            raise ValueError(one)
        return self.former.result(one)

    def _all(self) -> Iterator[Target | Result | int]:
        """Return what is left of the list: a target that needs a look, a mistake, or where a former run has put its result."""
        if self._items is None:
            self._items = self._read()
        return self._items

    def _read(self) -> Iterator[Target | Result | int]:
        for one in self._parsed():
            if isinstance(one, Result):
                yield one
                continue
            key = str(one.kind), one.name
            if self._met.again(key):
                continue
            place = self.former.places.get(key) if self.former else None
            yield one if place is None else place

    def _parsed(self) -> Iterator[Target | Result]:
        yield from self.named
        for number, line in enumerate(self.lines, 1):
            text = first_column(line)
            if not text:
                continue
            try:
                target = Target.parse(text)
            except BadInput as error:
                yield of_mistake(text[:120], f"line {number} of the list: {error.message}; {error.hint}")
            else:
                yield target


def first_column(line: bytes) -> str:
    """Return what a line of a list names: its first column (comma, semicolon, blank), without quotes; empty for a comment."""
    text = line.decode("utf-8", "backslashreplace").removeprefix("\ufeff").strip()
    if text.startswith("#"):
        return ""
    return _FIRST.split(text, maxsplit=1)[0].strip("\"'")


def choose(voice: Voice, words: tuple[str, ...], *, listed: bool) -> tuple[tuple[Target, ...], Config | None]:
    """Return the targets that are named, all configured lineages where nothing is, and the configuration if there is one.

    Raises ConfigError, UsageError where there is nothing to check, and BadInput for a word that is no target.
    """
    config = config_if_any(voice)
    if words or listed:
        known = config.lineages if config else ()
        return tuple(Target.parse(word, known) for word in words), config
    if config is None or not config.lineages:
        what = f"there is no configuration at {voice.config_file}" if config is None else f"{config.path} has no lineage"
        raise UsageError(
            f"{what}, so there is no lineage to check", "give a TARGET: tlsa-manager check example.org, or mx.example.org:25"
        )
    return tuple(Target(Kind.LINEAGE, name) for name in config.lineages), config


@contextmanager
def opened(file: str | None) -> Iterator[Iterable[bytes]]:
    """Open a list, standard input for `-`, nothing for None. Raises OSError.

    A pipe is not closed, and has a buffer of its own: another thread may be waiting for its next line for ever, and closing would
    wait with it.
    """
    if file is None:
        yield ()
    elif file != STDIN and Path(file).is_file():
        with Path(file).open("rb") as stream:
            yield _pieces(stream)
    else:
        pipe = os.dup(sys.stdin.fileno()) if file == STDIN else os.open(file, os.O_RDONLY)
        yield _pieces(open(pipe, "rb"))  # noqa: PTH123, SIM115  see above


def count(named: tuple[Target, ...], file: str | None) -> int | None:
    """Return how many targets there may be, None where only the end will tell."""
    if file is None:
        return len(named)
    if file == STDIN or not Path(file).is_file():
        return None
    with Path(file).open("rb") as stream:
        return len(named) + sum(bool(first_column(line)) for line in islice(_pieces(stream), _COUNTED))


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of one that is too long to name anything only its beginning."""
    while line := stream.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = stream.readline(LONGEST)
