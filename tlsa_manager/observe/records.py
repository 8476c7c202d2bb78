"""From the records of an answer to values. Pure; the records may come from anybody, and as many as they like."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.rdata
import dns.rdatatype

from tlsa_manager.observe.message import signatures, soa, soa_data, text
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rdata import Rdata
    from dns.rdtypes.ANY.MX import MX
    from dns.rdtypes.ANY.NS import NS
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rdtypes.ANY.SOA import SOA
    from dns.rdtypes.IN.SRV import SRV
    from dns.rrset import RRset

    from tlsa_manager.tlsa import RRset as Records

MAX_RECORDS = 100  # of one type at one name: BIND refuses an answer with more by default (9.18.28, against CVE-2024-1737)
_LABEL = 3  # octets of a TLSA record before its data (RFC 6698 §2.1)
_NAMES = {dns.rdatatype.NS, dns.rdatatype.CNAME, dns.rdatatype.DNAME, dns.rdatatype.PTR}


def tlsa(rrset: RRset | None) -> Records:
    """Return the TLSA records, whatever they hold."""
    whole = (data for one in rrset or () if len(data := _octets(one)) >= _LABEL)
    return frozenset(Tlsa(data[0], data[1], data[2], data[_LABEL:].hex()) for data in whole)


def excess(rrset: RRset | None) -> str:
    """Say that there are more records than a sender's resolver may take, or nothing. Such an answer is none."""
    if rrset is None or len(rrset) <= MAX_RECORDS:
        return ""
    kind = dns.rdatatype.to_text(rrset.rdtype)
    return f"gave {len(rrset)} {kind} records of {text(rrset.name)}, and resolvers refuse more than {MAX_RECORDS}"


def stumps(rrset: RRset | None) -> str:
    """Say that records are too short to be TLSA records at all (RFC 6698 §2.1), or nothing."""
    count = sum(len(_octets(one)) < _LABEL for one in rrset or ())
    return f"{count} of the records are shorter than three octets, and no TLSA records" if count else ""


def presented(rrset: RRset | None) -> tuple[str, ...]:
    """Return the records in presentation form, names in lower case with a final dot, sorted."""
    return tuple(sorted(_presented(one) for one in rrset or ()))


def ttl(rrset: RRset, message: Message) -> int:
    """Return the TTL as it was signed: no server can lower it, and no cache may hold the set longer (RFC 4035 §5.3.3)."""
    made = signatures(message.answer, rrset)
    return max((int(cast("RRSIG", rdata).original_ttl) for rdata in made or ()), default=int(rrset.ttl))


def negative_ttl(message: Message) -> int:
    """Return how long the absence may be kept (RFC 2308 §5)."""
    found = soa(message)
    return min(int(soa_data(found).minimum), int(found.ttl)) if found is not None else 0


def wildcard(rrset: RRset | None, message: Message) -> str:
    """Return the asterisk name that the records were made from, as their signature tells (RFC 4035 §5.3.4), or nothing."""
    made = signatures(message.answer, rrset) if rrset is not None else None
    if rrset is None or made is None:
        return ""
    labels = int(cast("RRSIG", made[0]).labels)
    if rrset.name.is_wild() or labels >= len(rrset.name) - 1:
        return ""
    return "*." + text(rrset.name.split(labels + 1)[1]).lstrip(".")


def _octets(rdata: Rdata) -> bytes:
    return rdata.to_wire() or b""


def _presented(rdata: Rdata) -> str:
    if rdata.rdtype == dns.rdatatype.TLSA and len(data := _octets(rdata)) >= _LABEL:
        return str(Tlsa(data[0], data[1], data[2], data[_LABEL:].hex()))
    if isinstance(rdata, dns.rdata.GenericRdata):
        return rdata.to_text()
    if rdata.rdtype == dns.rdatatype.MX:
        mx = cast("MX", rdata)
        return f"{mx.preference} {text(mx.exchange)}"
    if rdata.rdtype == dns.rdatatype.SRV:
        srv = cast("SRV", rdata)
        return f"{srv.priority} {srv.weight} {srv.port} {text(srv.target)}"
    if rdata.rdtype in _NAMES:
        return text(cast("NS", rdata).target)
    if rdata.rdtype == dns.rdatatype.SOA:
        one = cast("SOA", rdata)
        numbers = (one.serial, one.refresh, one.retry, one.expire, one.minimum)
        return f"{text(one.mname)} {text(one.rname)} {' '.join(map(str, numbers))}"
    return rdata.to_text()
