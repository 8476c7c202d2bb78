"""The language of nginx.conf: directives with words and blocks, and files that include others."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy.reading import text_of
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(
    r"""(?P<gap>\s+|\#[^\n]*) | (?P<mark>[{};])
    | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s{};\\])+)""",
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
    return tuple(_read(config, config.parent, ()))


def walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Go through all directives, also in blocks."""
    for one in directives:
        yield one
        yield from walk(one.inside)


def _read(file: Path, base: Path, within: tuple[Path, ...]) -> Iterator[Directive]:
    """Read one file. `within`: those that include it; what includes itself is no configuration that nginx would start with."""
    text = text_of(file, "name the nginx.conf that is in use in the option config")
    yield from _block(_tokens(text, file), base, (*within, file))


def _block(tokens: Iterator[tuple[str, bool, str]], base: Path, within: tuple[Path, ...]) -> Iterator[Directive]:
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
            inside = tuple(_block(tokens, base, within)) if text == "{" else ()
            if words[0] == "include":
                names = sorted(glob(str(base / " ".join(words[1:]))))  # noqa: PTH207  like glob(3), it passes over dot files
                for included in (Path(name) for name in names):
                    yield from _read(included, base, within) if included not in within else ()
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
