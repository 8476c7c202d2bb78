"""The words of DNS on the wire: a question written, an answer read, both bounded whatever a stranger sends.

Written by hand and not with dnspython's own reader, for two reasons. One TLSA record that is too short to be one must not cost
the whole answer; and thousands of answers are read in a run, of which most of the fields are of no interest.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.wire

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdataclass import RdataClass
    from dns.rdatatype import RdataType
    from dns.rrset import RRset

PAYLOAD = 1232  # bytes; fits every path without fragments (DNS flag day 2020, RFC 9715 §3.2)
HEADER = 12
_DO = 0x8000
_NS, _SOA, _OPT, _RRSIG, _NSEC, _NSEC3, _TLSA, _TSIG = 2, 6, 41, 46, 47, 50, 52, 250
_Wanted = tuple[frozenset[int] | None, ...]  # types by section; None for all
_WHOLE: _Wanted = (None, None, None)
_BRIEF: _Wanted = (None, frozenset({_SOA}), frozenset())
_PROVEN: _Wanted = (None, frozenset({_SOA, _NSEC, _NSEC3, _RRSIG}), frozenset())  # what was asked for, and what proves it
_MAY_BE_BARE = (dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED)  # without repeating the question


class Garbage(Exception):
    """What came is no answer to what was asked. The text says why."""


class Query:
    """A question as it goes over the wire, but for its identifier. `edns`: with EDNS and DO (RFC 6891, RFC 3225).

    `wanted`: the types of records that are read, by section. Of a resolver's answer (RD) the records and the SOA of a denial: its
    proofs are its own affair. Of an authoritative one no servers that nobody asked for, nor their addresses.
    """

    __slots__ = ("_rest", "_tail", "_title", "wanted")

    def __init__(self, name: Name, rdtype: RdataType, rdclass: RdataClass, flags: int, *, edns: bool = True) -> None:
        self.wanted = _BRIEF if flags & dns.flags.RD else _WHOLE if rdtype == _NS else _PROVEN
        self._title = name.to_wire() or b"\0"
        self._tail = struct.pack("!HH", rdtype, rdclass)
        opt = struct.pack("!BHHIH", 0, _OPT, PAYLOAD, _DO, 0) if edns else b""
        self._rest = struct.pack("!HHHHH", flags, 1, 0, 0, len(opt) and 1) + self._title + self._tail + opt

    def wire(self, identifier: int) -> bytes:
        """Return the message."""
        return identifier.to_bytes(2, "big") + self._rest

    def repeated(self, data: bytes) -> bool:
        """Whether a message begins as an answer to this question (RFC 5452 §9): the identifier is for the caller to compare."""
        flags, questions = struct.unpack_from("!HH", data, 2)
        if not flags & dns.flags.QR or flags & 0x7800:
            return False
        if not questions:
            return flags & 0xF in _MAY_BE_BARE
        end = HEADER + len(self._title)
        same = data[HEADER:end].lower() == self._title.lower() and data[end : end + 4] == self._tail
        return questions == 1 and same


def read(data: bytes, wanted: _Wanted = _WHOLE) -> Message:
    """Read a message. Raises Garbage. Names that point at themselves and lengths beyond the end are garbage.

    Two servers that say the same, as they should, make one message, whose identifier is 0: it is for the caller to compare.
    """
    try:
        return _read(data[2:], wanted)
    except Exception as fault:  # noqa: BLE001  fed by strangers: whatever it trips over is their garbage
        raise Garbage(f"sent an answer that cannot be read ({type(fault).__name__}: {str(fault)[:80]})") from None


@lru_cache(256)
def _read(rest: bytes, wanted: _Wanted) -> Message:
    parser = dns.wire.Parser(b"\0\0" + rest)  # names point at places in the whole
    _, flags, questions, *counts = parser.get_struct("!HHHHHH")
    message = dns.message.QueryMessage(0)
    message.flags = dns.flags.Flag(flags)
    names = _Names(parser)
    for _ in range(questions):
        name = names.read()
        rdtype, rdclass = parser.get_struct("!HH")
        kind, cls = dns.rdatatype.RdataType.make(rdtype), dns.rdataclass.RdataClass.make(rdclass)
        message.question.append(dns.rrset.RRset(name, cls, kind))
    if wanted is _PROVEN and not (flags & dns.flags.AA and counts[0]):
        wanted = _WHOLE  # a referral or a denial
    for section, count, kinds in zip((message.answer, message.authority, message.additional), counts, wanted, strict=True):
        _records(names, count, section, message, kinds)
    if parser.remaining():
        raise dns.message.TrailingJunk
    return message


class _Names:
    """Reads names; those that only point at an earlier one, as most do, once."""

    def __init__(self, parser: dns.wire.Parser) -> None:
        self.parser = parser
        self._known: dict[bytes, Name] = {}

    def read(self) -> Name:
        parser = self.parser
        begin = parser.wire[parser.current : parser.current + 2]
        if not begin or begin[0] < 0xC0:
            return dns.name.from_wire_parser(parser)
        name = self._known.get(begin)
        if name is None:
            name = self._known[begin] = dns.name.from_wire_parser(parser)
        else:
            parser.get_bytes(2)
        return name


def _records(names: _Names, count: int, section: list[RRset], message: Message, wanted: frozenset[int] | None) -> None:
    """Read a section. Records of one name and type are one set, wherever they stand (RFC 2181 §5)."""
    sets: dict[tuple[Name, int, int, int], RRset] = {}
    parser = names.parser
    for _ in range(count):
        name = names.read()
        number, rdclass, ttl, length = parser.get_struct("!HHIH")
        if number == _OPT:
            with parser.restrict_to(length):
                _extended(parser, name, rdclass, ttl, message)
            continue
        if wanted is not None and not (number in wanted and (number != _RRSIG or _covered(parser) in wanted)):
            parser.get_bytes(length)
            continue
        kind = _kind(rdclass, number)
        with parser.restrict_to(length):
            data = kind.read(parser)
        if number == _TSIG:
            continue
        covers = data.covers()
        key = (name, number, rdclass, covers)
        found = sets.get(key)
        if found is None:
            found = sets[key] = dns.rrset.RRset(name, data.rdclass, data.rdtype, covers)
            section.append(found)
        found.add(data, ttl if ttl <= 0x7FFFFFFF else 0)  # RFC 2181 §8


def _covered(parser: dns.wire.Parser) -> int:
    """Return the type that the signature is over which is read next (RFC 4034 §3.1)."""
    return int.from_bytes(parser.wire[parser.current : parser.current + 2], "big")


class _Kind:
    """How records of one class and type are read."""

    def __init__(self, rdclass: int, number: int) -> None:
        self._class, self._type = dns.rdataclass.RdataClass.make(rdclass), dns.rdatatype.RdataType.make(number)
        # dnspython refuses a digest of a wrong length; a TLSA record is taken as it is, since its neighbours count, too.
        known = number != _TLSA
        found = dns.rdata.get_rdata_class(self._class, self._type) if known else None  # type: ignore[no-untyped-call]
        self._made: type[dns.rdata.Rdata] = found if found is not None else dns.rdata.GenericRdata

    def read(self, parser: dns.wire.Parser) -> dns.rdata.Rdata:
        return self._made.from_wire_parser(self._class, self._type, parser)


_kind = lru_cache(256)(_Kind)


def _extended(parser: dns.wire.Parser, name: Name, payload: int, ttl: int, message: Message) -> None:
    if message.opt is not None or name != dns.name.root:
        raise dns.exception.FormError
    message.opt = _opt(payload, ttl, parser.get_remaining())


@lru_cache(64)
def _opt(payload: int, ttl: int, octets: bytes) -> RRset:
    """Read what EDNS adds: mostly nothing, and always the same."""
    data = dns.rdata.from_wire(payload, _OPT, octets, 0, len(octets))  # type: ignore[arg-type]  # numbers will do
    return dns.rrset.from_rdata(dns.name.root, ttl, data)
