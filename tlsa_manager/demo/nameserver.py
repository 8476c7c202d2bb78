"""What an authoritative server of one signed zone answers (RFC 1034 §4.3.2, RFC 4035 §3.1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.zone import Zone

_A, _DS, _NS, _NSEC, _RRSIG, _SOA = (dns.rdatatype.from_text(t) for t in ("A", "DS", "NS", "NSEC", "RRSIG", "SOA"))


def answer(query: Message, zone: Zone) -> Message:
    """Answer a question from a zone."""
    response = dns.message.make_response(query)
    question = query.question[0] if len(query.question) == 1 else None
    origin = zone.origin or dns.name.root
    if question is None:
        response.set_rcode(dns.rcode.FORMERR)
    elif question.rdclass != dns.rdataclass.IN or not question.name.is_subdomain(origin):
        response.set_rcode(dns.rcode.REFUSED)
    else:
        _Answering(zone, origin, response, signed=bool(query.ednsflags & dns.flags.DO)).answer(question.name, question.rdtype)
    return response


class _Answering:
    """Fills one response."""

    def __init__(self, zone: Zone, origin: Name, response: Message, *, signed: bool) -> None:
        self._zone, self._origin, self._response, self._signed = zone, origin, response, signed

    def answer(self, name: Name, rdtype: RdataType) -> None:
        cut = self._cut(name)
        if cut is not None and not (cut == name and rdtype == _DS):
            self._refer(cut)
            return
        self._response.flags |= dns.flags.AA
        if self._zone.get_rdataset(name, rdtype) is not None:
            self._add(self._response.answer, name, rdtype)
            return
        if not any(one.is_subdomain(name) for one in self._zone.nodes):
            self._response.set_rcode(dns.rcode.NXDOMAIN)
        self._deny(name)

    def _cut(self, name: Name) -> Name | None:
        """Return where the zone is cut on the way down to the name."""
        for length in range(len(self._origin) + 1, len(name) + 1):
            above = dns.name.Name(name.labels[-length:])
            if self._zone.get_rdataset(above, _NS) is not None:
                return above
        return None

    def _refer(self, cut: Name) -> None:
        authority = self._response.authority
        self._add(authority, cut, _NS)
        if self._signed:
            self._add(authority, cut, _DS if self._zone.get_rdataset(cut, _DS) is not None else _NSEC)
        for server in self._zone.find_rdataset(cut, _NS):
            glue = self._zone.get_rdataset(server.target, _A)
            if glue is not None:
                self._response.additional.append(dns.rrset.from_rdata_list(server.target, glue.ttl, list(glue)))

    def _deny(self, name: Name) -> None:
        """Add the SOA and, where signatures are wanted, the proof (RFC 4035 §3.1.3)."""
        authority = self._response.authority
        self._add(authority, self._origin, _SOA)
        if not self._signed:
            return
        proofs = [self._covering(name)]
        if self._response.rcode() == dns.rcode.NXDOMAIN:
            encloser = name
            while not any(one.is_subdomain(encloser) for one in self._zone.nodes):
                encloser = encloser.parent()
            proofs.append(self._covering(dns.name.Name((b"*", *encloser.labels))))
        for proof in dict.fromkeys(proofs):
            self._add(authority, proof, _NSEC)

    def _covering(self, name: Name) -> Name:
        """Return the owner of the NSEC record at a name, or of the one that spans it."""
        return max(one for one in self._zone.nodes if one <= name and self._zone.get_rdataset(one, _NSEC) is not None)

    def _add(self, section: list[dns.rrset.RRset], name: Name, rdtype: RdataType) -> None:
        for kind, covers in ((rdtype, dns.rdatatype.NONE), (_RRSIG, rdtype)):
            found = self._zone.get_rdataset(name, kind, covers) if kind == rdtype or self._signed else None
            if found is not None:
                section.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
