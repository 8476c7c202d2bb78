"""The language of nginx.conf: directives with words and blocks, and files that include others."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy.text import Texts
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(
    r"""(?P<gap>\s+|\#[^\n]*) | (?P<mark>[{};])
    | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<word>(?:\\.|\$\{[^}\s]{0,4096}\}|[^\s{};\\])+)""",
    re.VERBOSE | re.DOTALL,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its name, its words, what stands in its block, and where it is: `/etc/nginx/nginx.conf:12`."""

    name: str
    words: tuple[str, ...]
    inside: tuple[Directive, ...]
    place: str


def read(config: Path) -> tuple[Directive, ...]:
    """Read a configuration with all it includes, in order. Raises DeployError.

    Relative names are of the directory of the first file (nginx: the prefix of the configuration).
    """
    texts = Texts("name the nginx.conf that is in use in the option config")
    return tuple(_Reader(texts, config.parent).file(config, ()))


def walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Go through all directives, also in blocks."""
    for one in directives:
        yield one
        yield from walk(one.inside)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one configuration. `base`: the directory that relative names are of."""

    texts: Texts
    base: Path

    def file(self, file: Path, within: tuple[Path, ...], depth: int = 0) -> Iterator[Directive]:
        """Read one file. `within`: those that include it; nginx would not start with one that includes itself."""
        yield from self.block(_tokens(self.texts.read(file, depth), file), (*within, file), depth)

    def block(self, tokens: Iterator[tuple[str, bool, str]], within: tuple[Path, ...], depth: int) -> Iterator[Directive]:
        """Read directives to the end of the block, or of the file. `depth`: of blocks and files around it."""
        self.texts.go_down(within[-1], depth)
        words: list[str] = []
        place = ""
        for text, is_mark, here in tokens:
            if not is_mark:
                place = place if words else here
                words.append(text)
            elif text == "}":
                return
            elif words:
                inside = tuple(self.block(tokens, within, depth + 1)) if text == "{" else ()
                if words[0] == "include":
                    yield from self.included(" ".join(words[1:]), within, depth)
                else:
                    yield Directive(words[0], tuple(words[1:]), inside, place)
                words = []

    def included(self, pattern: str, within: tuple[Path, ...], depth: int) -> Iterator[Directive]:
        """Read the files that a pattern stands for."""
        for name in sorted(glob(str(self.base / pattern))):  # noqa: PTH207  like glob(3), it passes over dot files
            if (file := Path(name)) not in within:
                yield from self.file(file, within, depth + 1)


def _tokens(text: str, file: Path) -> Iterator[tuple[str, bool, str]]:
    """Yield the words and marks: the text, whether it is one of `{`, `}`, `;`, and its place."""
    line = 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "gap"
        if kind != "gap":
            value = found[kind] if kind == "mark" else re.sub(r"\\(.)", r"\1", found[kind])
            yield value, kind == "mark", f"{file}:{line}"
        line += found[0].count("\n")
