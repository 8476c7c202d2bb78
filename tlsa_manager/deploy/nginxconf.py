"""The language of nginx.conf: directives with words and blocks, and files that include others."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.disk import in_words
from tlsa_manager.errors import DeployError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(
    r"""(?P<gap>\s+|\#[^\n]*) | (?P<mark>[{};])
    | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s{};\\])+)""",
    re.VERBOSE | re.DOTALL,
)  # fmt: skip
_DEPTH = 20  # includes within includes; nginx itself counts only open files


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
    return tuple(_read(config, config.parent, _DEPTH))


def walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Go through all directives, also in blocks."""
    for one in directives:
        yield one
        yield from walk(one.inside)


def _read(file: Path, base: Path, depth: int) -> Iterator[Directive]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        message = f"{file} cannot be read: {in_words(error)}"
        raise DeployError(message, "name the nginx.conf that is in use in the option config") from None
    yield from _block(_tokens(text, file), file, base, depth)


def _block(tokens: Iterator[tuple[str, bool, str]], file: Path, base: Path, depth: int) -> Iterator[Directive]:
    """Read directives to the end of the block, or of the file."""
    words: list[str] = []
    place = ""
    for text, is_mark, here in tokens:
        if not is_mark:
            place = place if words else here
            words.append(text)
        elif text == "}":
            return
        elif words:
            inside = tuple(_block(tokens, file, base, depth)) if text == "{" else ()
            if words[0] == "include" and depth:
                for name in sorted(glob(str(base / " ".join(words[1:])))):  # noqa: PTH207  like glob(3), it passes over dot files
                    yield from _read(Path(name), base, depth - 1)
            else:
                yield Directive(words[0], tuple(words[1:]), inside, place)
            words = []


def _tokens(text: str, file: Path) -> Iterator[tuple[str, bool, str]]:
    """Yield the words and marks: the text, whether it is one of `{`, `}`, `;`, and its place."""
    line = 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "gap"
        if kind != "gap":
            value = found[kind] if kind == "mark" else re.sub(r"\\(.)", r"\1", found[kind])
            yield value, kind == "mark", f"{file}:{line}"
        line += found[0].count("\n")
