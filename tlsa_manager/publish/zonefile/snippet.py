"""The text of a snippet in zone file form (RFC 1035 §5.1): what stands at a name, records added, records taken out.

Whatever is not of that name and type stays to the byte, understood or not. Pure: no file is opened here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlsa_manager.tlsa import RRset

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # not str.splitlines: that breaks lines where no name server does
_WORD = re.compile(r'"(?:\\.|[^"\\\n])*"|;.*|[()"]|(?:\\.|[^\s();"\\])+|\\')
_TTL = re.compile(r"(?=.)(?:[0-9]{1,10}[smhdw])*(?:[0-9]{1,10})?", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_ESCAPE = re.compile(r"\\([0-9]{3}|.)")
_GENERIC = {"TYPE52": "TLSA", "TYPE16": "TXT", "TYPE5": "CNAME"}  # RFC 3597 §5


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, directive, comment or blank line with all its lines. What is not known of it is empty.

    `spelled`: the owner as it is written here or above; `owner`: absolute, in lower case; `inherits`: it is written above.
    """

    text: str
    owner: str = ""
    spelled: str = ""
    inherits: bool = False
    ttl: int = 0
    kind: str = ""
    data: tuple[str, ...] = ()

    @property
    def tlsa(self) -> Tlsa | None:
        """The record, if it is one that can be read."""
        words = self.data
        if words[:1] == ("\\#",):  # RFC 3597 §5: the length, then all octets
            octets = "".join(words[2:])
            words = (*(str(int(octets[i : i + 2], 16)) for i in (0, 2, 4)), octets[6:]) if _is_octets(octets) else ()
        try:
            return Tlsa.parse(" ".join(words)) if self.kind == "TLSA" else None
        except BadInput:
            return None

    @property
    def value(self) -> str:
        """The strings of a TXT record, joined."""
        return "".join(_ESCAPE.sub(_character, word.strip('"') if word[0] == '"' else word) for word in self.data)


@dataclass(frozen=True, slots=True)
class Snippet:
    """All entries in their order."""

    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        """Return the text."""
        return "".join(entry.text for entry in self.entries)

    def alias(self, target: str) -> str:
        """Return where a CNAME at the target leads, as it is written; empty if there is none."""
        return next((" ".join(entry.data) for entry in self._at(target, "CNAME")), "")

    def tlsa(self, target: str) -> tuple[RRset, int]:
        """Return the TLSA records of the target and their TTL, 0 where it is not written."""
        found = [(record, entry.ttl) for entry in self._at(target, "TLSA") if (record := entry.tlsa)]
        return frozenset(record for record, _ in found), max((ttl for _, ttl in found), default=0)

    def texts(self, target: str) -> tuple[frozenset[str], int]:
        """Return the values of the TXT records of the target and their TTL, 0 where it is not written."""
        found = [(entry.value, entry.ttl) for entry in self._at(target, "TXT")]
        return frozenset(value for value, _ in found), max((ttl for _, ttl in found), default=0)

    def adding(self, target: str, ttl: int, kind: str, data: Iterable[str]) -> str:
        """Return the text with records of the target at its end, by their absolute name."""
        text = str(self)
        return text + ("\n" if text and not text.endswith("\n") else "") + "".join(
            f"{target} {ttl} IN {kind} {one}\n" for one in data
        )  # fmt: skip

    def removing(self, target: str, kind: str, goes: Callable[[Entry], bool]) -> str:
        """Return the text without those records of the target that go. An owner that is written only there moves on."""
        out, moved = list[str](), ""
        going = [entry for entry in self._at(target, kind) if goes(entry)]
        for entry in self.entries:
            if any(entry is one for one in going):
                moved = moved if entry.inherits else entry.spelled
            elif entry.inherits:
                out.append(moved + entry.text)
                moved = ""
            else:
                out.append(entry.text)
                moved = "" if entry.spelled else moved
        return "".join(out)

    def _at(self, target: str, kind: str) -> Iterator[Entry]:
        owner = target.lower()
        return (entry for entry in self.entries if entry.kind == kind and entry.owner == owner)


@lru_cache(maxsize=2)
def parse(text: str) -> Snippet:
    """Read a snippet. Raises BadInput where parentheses or quotation marks are open at the end: nothing can be added there."""
    entries, ttl, origin, last = list[Entry](), 0, "", ""
    for piece, words in _pieces(text):
        inherits = piece[0] in " \t"
        first = words[0].upper() if words else ""
        if not words or (first.startswith("$") and not inherits):
            ttl = _ttl(words[1]) if first == "$TTL" and len(words) > 1 else ttl
            origin = words[1] if first == "$ORIGIN" and len(words) > 1 else origin
            last = "" if first == "$GENERATE" else last
            entries.append(Entry(piece))
            continue
        last = last if inherits else words[0]
        rest = words if inherits else words[1:]
        entries.append(_record(piece, rest, last, _absolute(last, origin), inherits=inherits, ttl=ttl))
    return Snippet(tuple(entries))


def _pieces(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines that belong together, with their words: comments and parentheses left out."""
    taken, words, depth = "", list[str](), 0
    for number, line in enumerate(_LINE.findall(text), 1):
        taken += line
        for word in _WORD.findall(line):
            if word == '"':
                raise BadInput(f"line {number}: a quotation mark is open", "close it")
            depth += {"(": 1, ")": -1}.get(word, 0)
            if word not in "()" and word[0] != ";":
                words.append(word)
        if depth <= 0:
            yield taken, words
            taken, words, depth = "", [], 0
    if taken:
        raise BadInput("a parenthesis is open at its end", "close it")


def _record(piece: str, words: list[str], spelled: str, owner: str, *, inherits: bool, ttl: int) -> Entry:
    """Read what follows the owner: TTL and class in any order, the type, the data."""
    rest = list(words)
    while rest and (rest[0].upper() == "IN" or _TTL.fullmatch(rest[0])):
        word = rest.pop(0)
        ttl = ttl if word.upper() == "IN" else _ttl(word)
    kind = rest[0].upper() if rest else ""
    return Entry(piece, owner, spelled, inherits, ttl, _GENERIC.get(kind, kind), tuple(rest[1:]))


def _absolute(name: str, origin: str) -> str:
    """Return the absolute name in lower case; empty where that depends on who includes the snippet."""
    if name.endswith(".") and not name.endswith("\\."):
        return name.lower()
    if not name or not origin.endswith("."):
        return ""
    return (origin if name == "@" else f"{name}.{origin.removeprefix('.')}").lower()


def _ttl(word: str) -> int:
    """Return seconds; 0 for what is no TTL."""
    return sum(int(number) * _SECONDS[unit.lower()] for number, unit in _TTL_PART.findall(word)) if _TTL.fullmatch(word) else 0


def _is_octets(text: str) -> bool:
    return re.fullmatch(r"(?:[0-9A-Fa-f]{2}){3,}", text) is not None


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1])) if len(found[1]) == 3 else found[1]
