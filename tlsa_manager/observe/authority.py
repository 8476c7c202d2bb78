"""Whether a name server answers for a host with authority, at an address: for a first configuration, and no proof."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

PATIENCE = 1.0  # seconds; what is asked is on this host


def answers_for(place: str, host: str) -> bool:
    """Ask for the SOA of a host over TCP, as updates go. `place`: ADDRESS or ADDRESS#PORT. Never raises for remote faults.

    A resolver that has the zone in its cache answers, too, but without authority (RFC 1035 §4.1.1, the AA bit).
    """
    address, _, port = place.partition("#")
    try:
        question = dns.message.make_query(host, "SOA", flags=0)
        answer = dns.query.tcp(question, address, PATIENCE, int(port or 53))
    except (dns.exception.DNSException, OSError, EOFError, ValueError):
        return False
    sections = (*answer.answer, *answer.authority)
    return bool(answer.flags & dns.flags.AA) and any(one.rdtype == dns.rdatatype.SOA for one in sections)
