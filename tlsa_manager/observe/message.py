"""Reading what a DNS message says. Pure; the message may come from anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.edns
import dns.flags
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from tlsa_manager.security import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.CNAME import CNAME
    from dns.rdtypes.ANY.DNAME import DNAME
    from dns.rdtypes.ANY.NS import NS
    from dns.rdtypes.ANY.SOA import SOA
    from dns.rrset import RRset

    from tlsa_manager.observe.ask import Reply

NEGATIVE = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
_TYPES_OF_ADDRESS = (dns.rdatatype.A, dns.rdatatype.AAAA)


def text(name: Name) -> str:
    """Return the name in lower case with its final dot."""
    return name.canonicalize().to_text()


def find(section: list[RRset], name: Name, rdtype: RdataType) -> RRset | None:
    """Return the RRset of the section."""
    return next((r for r in section if r.rdtype == rdtype and r.name == name and r.rdclass == dns.rdataclass.IN), None)


def signatures(section: list[RRset], rrset: RRset) -> RRset | None:
    """Return the RRSIG records over an RRset of the section."""
    for found in section:
        if found.rdtype == dns.rdatatype.RRSIG and found.covers == rrset.rdtype and found.name == rrset.name:
            return found
    return None


def unusable(reply: Reply) -> str:
    """Why the reply is no authoritative answer, or an empty text. NOERROR and NXDOMAIN with AA are answers."""
    if reply.message is None:
        return reply.fault
    rcode = reply.message.rcode()
    if rcode not in NEGATIVE:
        return f"answered {dns.rcode.to_text(rcode)}{told(reply.message)}"
    if not reply.message.flags & dns.flags.AA:
        return "is not authoritative for it (no AA in its answer)"
    return ""


def cause_of(reply: Reply) -> Cause:
    """The same in one word: why the reply is no authoritative answer."""
    if reply.message is None:
        return reply.cause
    rcode = reply.message.rcode()
    if rcode not in NEGATIVE:
        return Cause.EDNS if rcode in (dns.rcode.FORMERR, dns.rcode.BADVERS) else Cause.RCODE
    return Cause.NONE if reply.message.flags & dns.flags.AA else Cause.LAME


def told(message: Message) -> str:
    """Return what the sender says in extended errors (RFC 8914), as ` (EDE 7 signature expired)`, or an empty text."""
    said = [option for option in message.options if isinstance(option, dns.edns.EDEOption)]
    words = (f"{_ede(option)}{': ' + _plain(option.text) if option.text else ''}" for option in said[:4])
    return f" ({'; '.join(words)})" if said else ""


def soa(message: Message, *, under: Name | None = None) -> RRset | None:
    """Return the SOA RRset of the answer or, for a negative answer, of the authority section."""
    for found in (*message.answer, *message.authority):
        if found.rdtype == dns.rdatatype.SOA and (under is None or found.name.is_subdomain(under)):
            return found
    return None


def soa_data(rrset: RRset) -> SOA:
    """Return the first record of an SOA RRset."""
    return cast("SOA", rrset[0])


def referral(message: Message, below: Name, name: Name) -> RRset | None:
    """Return the NS RRset by which the servers of zone `below` refer to a zone further down, on the way to `name`."""
    if message.flags & dns.flags.AA or message.answer or message.rcode() != dns.rcode.NOERROR:
        return None
    for found in message.authority:
        between = found.name != below and found.name.is_subdomain(below) and name.is_subdomain(found.name)
        if found.rdtype == dns.rdatatype.NS and between:
            return found
    return None


def hosts(rrset: RRset | None) -> tuple[Name, ...]:
    """Return the servers that an NS RRset names."""
    return tuple(sorted(cast("NS", rdata).target for rdata in rrset)) if rrset is not None else ()


def addresses(section: list[RRset], host: Name | None = None) -> tuple[str, ...]:
    """Return the addresses in a section, of one host or of any, IPv4 first."""
    found = [r for r in section if r.rdtype in _TYPES_OF_ADDRESS and r.rdclass == dns.rdataclass.IN and host in (None, r.name)]
    return tuple(rdata.to_text() for rrset in sorted(found, key=lambda r: r.rdtype) for rdata in rrset)


def exists(message: Message) -> bool | None:
    """Whether the name is there at all: not where it is denied (NXDOMAIN), and unknown after a failure."""
    return {dns.rcode.NOERROR: True, dns.rcode.NXDOMAIN: False}.get(message.rcode())


def alias(message: Message, name: Name) -> tuple[RRset, Name] | None:
    """Return the CNAME or DNAME RRset that redirects `name`, and the name it leads to (RFC 6672 §3.1)."""
    for found in _dnames(message, name):
        prefix = name.relativize(found.name)
        try:
            return found, prefix.derelativize(cast("DNAME", found[0]).target)
        except dns.name.NameTooLong:
            return None
    cname = find(message.answer, name, dns.rdatatype.CNAME)
    return (cname, cast("CNAME", cname[0]).target) if cname is not None else None


def _dnames(message: Message, name: Name) -> Iterator[RRset]:
    for found in message.answer:
        if found.rdtype == dns.rdatatype.DNAME and found.name != name and name.is_subdomain(found.name):
            yield found


def _ede(option: dns.edns.EDEOption) -> str:
    try:
        return f"EDE {int(option.code)} {dns.edns.EDECode(option.code).name.replace('_', ' ').lower()}"
    except ValueError:
        return f"EDE {int(option.code)}"


def _plain(words: str) -> str:
    """Make a stranger's words fit for a line of ours."""
    return "".join(c if c.isprintable() else "?" for c in words)[:120]
