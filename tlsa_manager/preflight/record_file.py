"""TLSA records from a file: whole records as in a zone file (RFC 1035 §5.1), or bare data, `3 1 1 ab12...`, one a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.tlsa import MATCHINGS, SELECTORS, USAGES, Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlsa_manager.tlsa import RRset

_TTL = "$TTL 3600\n"  # for records that have none; it says nothing here
_PRIVATE = 65399  # of the types for private use (RFC 6895 §3.1)
_WORDS = {*USAGES, *SELECTORS, *MATCHINGS}
_OWNER = re.compile(r"(?:_(\d{1,5})|\*)\._(?:tcp|udp|sctp)\.([^*]+?)\.?", re.IGNORECASE)
_MOST_ALIASES = 16  # one behind the other


def read_records(text: str, name: str) -> dict[str, RRset]:
    """Return the records of a file's text by owner, in lower case with a final dot; bare ones by the empty name.

    `name`: what to call the file. Raises BadInput where a line is neither, or there is no TLSA record.
    """
    bare: set[Tlsa] = set()
    rest: list[str] = []
    for lines, words in _entries(text):
        type_at = _type_at(lines[0], words)
        if type_at is not None:
            rest += [_as_unknown(lines[0], words, type_at, name), *[""] * (len(lines) - 1)]
        elif _is_bare(words):
            bare.add(_parsed(" ".join(words), name))
            rest += [""] * len(lines)
        else:
            rest += lines
    sets = _zone("\n".join(rest), name)
    if bare:
        sets[""] = frozenset(bare)
    if not sets:
        raise BadInput(
            f"{name} has no TLSA record", "write records as: _25._tcp.mx.example.org. IN TLSA 3 1 1 ab12..., or: 3 1 1 ab12..."
        )
    return sets


def place_of(owner: str) -> tuple[str, int] | None:
    """Return host and port of a TLSA owner name (RFC 6698 §3), 25 for all ports; None where nobody looks for records there."""
    found = _OWNER.fullmatch(owner)
    if found is None:
        return None
    port = found[1] or "25"
    return (found[2], int(port)) if 0 < int(port) < 65536 and not port.startswith("0") else None


def _entries(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Cut a zone file into entries: the lines of each, and its words without comments and parentheses (RFC 1035 §5.1)."""
    lines: list[str] = []
    words: list[str] = []
    depth = 0
    for line in text.splitlines():
        plain = _without_comment(line)
        depth += plain.count("(") - plain.count(")")
        lines.append(line)
        words += plain.replace("(", " ").replace(")", " ").split()
        if depth <= 0:
            yield lines, words
            lines, words, depth = [], [], 0
    if lines:
        yield lines, words


def _without_comment(line: str) -> str:
    """Return a line up to its semicolon, without what stands in quotes: a TLSA record has neither inside."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', line).partition(";")[0]


def _type_at(line: str, words: list[str]) -> int | None:
    """Return where in an entry its type stands, if it is a TLSA record: behind owner, TTL and class as far as they are there."""
    first = 0 if line[:1].isspace() else 1
    return next((place for place in range(first, min(4, len(words))) if words[place].upper() in {"TLSA", "TYPE52"}), None)


def _as_unknown(line: str, words: list[str], type_at: int, name: str) -> str:
    """Write a TLSA record as one of a private type (RFC 3597 §5): readers refuse malformed ones, which have to be judged."""
    data = words[type_at + 1 :]
    if data[:1] == ["\\#"]:
        octets = "".join(data[2:])
        data = [*(str(int(octets[at : at + 2], 16)) for at in (0, 2, 4)), octets[6:]] if _is_hex(octets) else []
    wire = _parsed(" ".join(data), name).rdata
    blank = " " if line[:1].isspace() else ""
    return blank + " ".join((*words[:type_at], f"TYPE{_PRIVATE}", "\\#", str(len(wire)), wire.hex()))


def _is_hex(text: str) -> bool:
    return re.fullmatch(r"(?:[0-9a-fA-F]{2}){3,}", text) is not None


def _is_bare(words: list[str]) -> bool:
    """Whether an entry is the data of a record alone: it begins with three parameters."""
    return len(words) >= 3 and all(word.isdigit() or word.upper() in _WORDS for word in words[:3])


def _parsed(text: str, name: str) -> Tlsa:
    try:
        return Tlsa.parse(text)
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", error.hint) from None


def _zone(text: str, name: str) -> dict[str, RRset]:
    """Read whole records with a reader of zone files; types that are not TLSA stand for themselves."""
    import dns.exception
    import dns.rdatatype
    import dns.zone

    try:
        zone = dns.zone.from_text(_TTL + text, ".", relativize=False, check_origin=False, allow_directives=("$ORIGIN", "$TTL"))
    except (dns.exception.DNSException, ValueError, KeyError) as error:
        why = re.sub(r"<string>:(\d+)", lambda found: f"line {int(found[1]) - 1}", str(error)) or type(error).__name__
        raise BadInput(
            f"{name} cannot be read as a zone file: {why[:200]}", "named-checkzone tells more, for whole zones"
        ) from None
    found = zone.iterate_rdatasets(dns.rdatatype.from_text(f"TYPE{_PRIVATE}"))
    sets = {str(owner).lower(): frozenset(_from_wire(one.data) for one in rdataset) for owner, rdataset in found}
    aliases = {str(owner).lower(): str(rdataset[0].target).lower() for owner, rdataset in zone.iterate_rdatasets("CNAME")}
    return sets | {owner: sets[end] for owner in aliases if place_of(owner) and (end := _led(owner, aliases)) in sets}


def _led(owner: str, aliases: Mapping[str, str]) -> str:
    """Return where the aliases of a file lead: senders who ask at their beginning are told the records at their end."""
    for _ in range(_MOST_ALIASES):
        owner = aliases.get(owner, owner)
    return owner


def _from_wire(data: bytes) -> Tlsa:
    return Tlsa(data[0], data[1], data[2], data[3:].hex())
