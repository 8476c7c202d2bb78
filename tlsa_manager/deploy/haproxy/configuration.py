"""The language of haproxy.cfg as far as it names certificates: lines of words in sections (configuration.txt §2).

`bind ... ssl crt FILE-OR-DIRECTORY`, `crt-list FILE`, and since 3.0 `crt-store` with `load crt FILE key FILE`, since 3.2
`ssl-f-use crt FILE`. Conditions (`.if`) are not decided: what stands in any of their branches counts.
"""

from __future__ import annotations

import shlex
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy.reading import Use
from tlsa_manager.deploy.text import Texts
from tlsa_manager.disk import read_plain
from tlsa_manager.errors import DeployError
from tlsa_manager.pem import MAX_BYTES
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    _Pair = tuple[Path, Path | None]  # chain and key

_LISTENS = {"bind", "default-bind", "ssl-f-use"}
_SECTIONS = {
    "global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "mailers", "userlist", "program", "http-errors",
    "ring", "cache", "log-forward", "fcgi-app", "crt-store", "traces", "log-profile", "acme",
}  # fmt: skip
_BESIDE = (".key", ".issuer", ".ocsp", ".sctl")  # in a directory of certificates these are none themselves
_REMEDY = "name the files that haproxy is started with (-f) in the option config"
_BUNDLE = (".rsa", ".dsa", ".ecdsa")  # where the file itself is missing (ssl-load-extra-files)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its words, the section it stands in (`crt-store web`), the directory its relative names are of, its place."""

    words: tuple[str, ...]
    section: tuple[str, ...]
    base: Path
    place: str

    def after(self, word: str) -> tuple[str, ...]:
        """Return what follows each time the word stands there: `a` and `b` of `crt a crt b`."""
        return tuple(value for name, value in zip(self.words, self.words[1:], strict=False) if name == word)


def read(configs: Iterable[Path]) -> tuple[Line, ...]:
    """Read configuration files; of a directory all files *.cfg, as `haproxy -f` does. Raises DeployError."""
    lines: list[Line] = []
    texts = Texts(_REMEDY)
    for config in configs:
        for file in sorted(config.glob("*.cfg")) if config.is_dir() else [config]:
            lines += _read(file, texts)
    return tuple(lines)


def uses(lines: tuple[Line, ...]) -> Iterator[Use]:
    """Name each certificate that a listener presents. Raises DeployError where a crt-list cannot be read."""
    stores = dict(_stored(lines))
    listed = cache(partial(_listed, Texts(_REMEDY)))
    for line in lines:
        if line.words[0] in _LISTENS:
            where = f"{' '.join(line.words[:2])} at {line.place}"
            for crt in line.after("crt"):
                yield from _named(where, crt, line, lines, stores)
            for name in line.after("crt-list"):
                for one in listed(line.base / name, line.base):
                    yield from _named(one.place, one.words[0], one, lines, stores)


def _named(where: str, crt: str, line: Line, lines: tuple[Line, ...], stores: Mapping[str, _Pair]) -> Iterator[Use]:
    """Name what a word after `crt` stands for: one of a store, a file, a bundle of files, or all files of a directory."""
    if crt.startswith("@"):
        pairs = [stores[crt]] if crt in stores else []
    else:
        keys = [_base(lines, "key-base", line) / key for key in line.after("key")]
        pairs = [(file, keys[0] if keys else None) for file in _files(_base(lines, "crt-base", line) / crt)]
    for chain, key in pairs:
        yield Use(where, str(chain), str(key or ""), _key_beside(chain))


def _read(file: Path, texts: Texts) -> Iterator[Line]:
    section: tuple[str, ...] = ("",)
    base = Path("/")  # where systemd starts it; an administrator's shell is nobody's business
    for number, text in enumerate(texts.read(file).splitlines(), 1):
        words = _words(text, f"{file}:{number}")
        if not words:
            continue
        if words[0] in _SECTIONS:
            section = words
        elif words[0] == "default-path" and words[1:]:
            places = {"config": file.parent, "parent": file.parent.parent, "origin": Path(words[-1])}
            base = places.get(words[1], base)
        yield Line(words, section, base, f"{file}:{number}")


def _stored(lines: tuple[Line, ...]) -> Iterator[tuple[str, _Pair]]:
    """Yield how a listener calls a certificate of a store, `@web/site`, with its chain and key (configuration.txt §3.11)."""
    for line in lines:
        if line.section[0] == "crt-store" and line.words[0] == "load":
            keys = [_base(lines, "key-base", line) / key for key in line.after("key")]
            for crt in line.after("crt"):
                pair = (_base(lines, "crt-base", line) / crt, keys[0] if keys else None)
                yield from ((f"@{''.join(line.section[1:])}/{name}", pair) for name in (crt, *line.after("alias")))


def _base(lines: tuple[Line, ...], word: str, line: Line) -> Path:
    """Return the directory that relative names of certificates or keys are of: what the section says, or the global one."""
    sections = {line.section, ("global",)} if line.section[0] == "crt-store" else {("global",)}
    said = [one.words[1] for one in lines if one.words[0] == word and one.section in sections and one.words[1:]]
    return Path(said[-1]) if said else line.base


def _listed(texts: Texts, file: Path, base: Path) -> tuple[Line, ...]:
    """Read a crt-list: on each line a certificate, then perhaps options in brackets and names."""
    lines = ((text, f"{file}:{number}") for number, text in enumerate(texts.read(file).splitlines(), 1))
    found = ((_words(text.replace("[", " ").replace("]", " "), place), place) for text, place in lines)
    return tuple(Line(words, ("",), base, place) for words, place in found if words)


def _files(crt: Path) -> list[Path]:
    if crt.is_dir():
        return [one for one in sorted(crt.iterdir()) if not one.name.startswith(".") and one.suffix not in _BESIDE]
    bundle = [one for one in (Path(f"{crt}{end}") for end in _BUNDLE) if one.exists()]
    return [crt] if crt.exists() or not bundle else bundle


def _key_beside(chain: Path) -> str:
    """Return the file that HAProxy takes the key from where the file of the chain has none; empty where it has it."""
    beside = Path(f"{chain}.key")
    try:
        return str(beside) if beside.exists() and b"PRIVATE KEY" not in read_plain(chain, MAX_BYTES) else ""
    except OSError:
        return ""


def _words(text: str, place: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text, comments=True))
    except ValueError:
        raise DeployError(f"{place} cannot be understood: a quote is left open", "haproxy -c says more") from None
