"""The table of Postfix: read, put together with what is known now, never made weaker, written (postmap(1), TLS_README)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.cli.flat import flat
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tlsa_manager.cli.policy.choice import Choice

OURS = "#: "  # how our comments begin; others are kept
HEAD = (
    f"{OURS}Written by tlsa-manager policy. Comments that begin as this one does are made anew each time; all others are kept.\n"
)
STRENGTH = {"none": 0, "may": 1, "encrypt": 2, "dane": 3, "verify": 4, "secure": 5, "dane-only": 6}
LEVELS = frozenset({*STRENGTH, "fingerprint"})
_BY_HAND = 7  # a fingerprint, or a level that is not known here: nothing is surely as strong
_CARRIED = ("protocols", "ciphers", "exclude", "connection_reuse", "enable_rpk")  # fit every level, and may be strict
_REPLACED = ("match", "servername")  # by those of a new level


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table. `text`: as it stands there; `comments`: the lines above it that are not ours."""

    key: str
    level: str = ""
    attributes: tuple[str, ...] = ()
    text: str = ""
    comments: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names that a certificate may have, at the level `secure`."""
        found = [one.partition("=")[2] for one in self.attributes if one.startswith("match=")]
        usual = ("nexthop", "dot-nexthop") if not found else ()
        return frozenset(name.lower() for text in found for name in text.split(":")).union(usual)

    @property
    def by_hand(self) -> str:
        """An attribute that this program would not have written and does not understand, such as `tafile`; empty if none."""
        return next((one for one in self.attributes if one.partition("=")[0] not in {*_CARRIED, *_REPLACED}), "")


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one key: an entry or none, and our comment."""

    entry: Entry | None
    comment: str = ""


def read(text: str) -> dict[str, Entry]:
    """Read a table by key. Of two lines with one key Postfix goes by the first, so does this."""
    entries: dict[str, Entry] = {}
    for comments, line in _logical(text):
        words = line.split()
        kept = tuple(one for one in comments if not one.startswith(OURS.rstrip()))
        entries.setdefault(words[0].lower(), Entry(words[0].lower(), *_demand(words), line, kept))
    return entries


def is_table(entries: Mapping[str, Entry]) -> bool:
    """Whether a file may be a table: one with lines, none of which names a level of Postfix, is some other file."""
    return not entries or any(one.level in LEVELS for one in entries.values())


def merged(former: Mapping[str, Entry], choices: Iterable[Choice], *, weaken: bool = False) -> list[Row]:
    """Put the choices into the former table, by key. What is on no list stays as it is."""
    rows = {key: Row(entry) for key, entry in former.items()}
    for one in choices:
        own, parent = former.get(one.domain), _parent(former, one.domain)
        rows[one.domain] = _under(parent, one, weaken=weaken) if own is None and parent else _row(one, own, weaken=weaken)
    return [rows[key] for key in sorted(rows)]


def page(rows: Iterable[Row]) -> str:
    """Write the table."""
    return HEAD + "".join(f"{line}\n" for row in rows for line in _lines(row))


def weaker(one: Choice, old: Entry) -> bool:
    """Whether a choice demands less than a line that stood there: a lower level, or names that only unsigned DNS has told."""
    strength = STRENGTH.get(old.level, _BY_HAND)
    new = STRENGTH.get(one.level, -1)
    if new != strength or one.level != "secure" or one.vouched:
        return new < strength
    return not Entry(one.domain, one.level, one.attributes).names <= old.names


def _row(one: Choice, old: Entry | None, *, weaken: bool) -> Row:
    if old is not None and old.by_hand:  # what it demands is not known here, and so not whether it is kept
        return Row(old, f"{one.domain}: kept as it was, {old.by_hand} is beyond this program: change it by hand: {one.reason}")
    if not one.known:
        return Row(old, f"{one.domain}: {'kept as it was' if old else 'left out'}: {one.reason}")
    if old is not None and not weaken and weaker(one, old):
        now = one.level or "nothing"
        return Row(old, f"{one.domain}: kept as it was, {now} would be weaker (--weaken allows it): {one.reason}")
    if not one.level:
        return Row(None, f"{one.domain}: left out: {one.reason}")
    carried = [each for each in (old.attributes if old else ()) if each.partition("=")[0] in _CARRIED]
    attributes = (*one.attributes, *carried)
    text = f"{one.domain}  {' '.join((one.level, *attributes))}"
    return Row(Entry(one.domain, one.level, attributes, text, old.comments if old else ()), f"{one.domain}: {one.reason}")


def _under(parent: Entry, one: Choice, *, weaken: bool) -> Row:
    """Return what becomes of a domain without a line of its own that a line for all below a parent holds for."""
    if not one.known or not one.level:
        return Row(None, f"{one.domain}: left to {parent.key}: {one.reason}")
    if parent.by_hand or (not weaken and weaker(one, parent)):
        return Row(None, f"{one.domain}: left to {parent.key}, {one.level} may be weaker: {one.reason}")
    return _row(one, replace(parent, comments=()), weaken=True)


def _parent(former: Mapping[str, Entry], domain: str) -> Entry | None:
    """Return the line that Postfix goes by where a domain has none: that of the nearest parent, `.example.org`."""
    labels = domain.split(".")
    above = ("." + ".".join(labels[place:]) for place in range(1, len(labels)))
    return next((former[key] for key in above if key in former), None)


def _lines(row: Row) -> Iterator[str]:
    yield from row.entry.comments if row.entry else ()
    if row.comment:
        yield OURS + flat(row.comment)
    if row.entry:
        yield row.entry.text


def _logical(text: str) -> list[tuple[list[str], str]]:
    """Return each line with what continues it (a line that begins with a blank does), and the comments above it."""
    found: list[tuple[list[str], str]] = []
    comments: list[str] = []
    for line in filter(str.strip, text.splitlines()):
        if line.lstrip().startswith("#"):
            comments.append(line.rstrip())
        elif line[0].isspace() and found:
            found[-1] = found[-1][0], f"{found[-1][1]}\n{line.rstrip()}"
        else:
            found.append((comments, line.strip()))
            comments = []
    if found:
        found[-1][0].extend(comments)  # those at the end are nobody else's
    return found


def _demand(words: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the level and its attributes, which blanks or commas part."""
    parts = [part for word in words[1:] for part in word.split(",") if part]
    return (parts[0].lower(), tuple(parts[1:])) if parts else ("", ())
