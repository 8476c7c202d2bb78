"""One message to the server and its answer: over TCP, signed both ways with TSIG (RFC 8945)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from tlsa_manager.clock import monotonic, now
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.publish.rfc2136 import refusals
from tlsa_manager.tlsa import RRset, Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.publish import Change, Text
    from tlsa_manager.publish.rfc2136 import Server
    from tlsa_manager.publish.rfc2136.key import TsigKey
    from tlsa_manager.publish.rfc2136.refusals import Place

_TSIG_WORDS = {
    dns.tsig.PeerBadSignature: "BADSIG", dns.tsig.PeerBadKey: "BADKEY", dns.tsig.PeerBadTime: "BADTIME",
    dns.tsig.PeerBadTruncation: "BADTRUNC", dns.tsig.BadTime: "BADTIME", dns.tsig.PeerError: "of an unknown kind",
    dns.tsig.BadSignature: "FORGED", dns.tsig.BadKey: "FORGED", dns.tsig.BadAlgorithm: "FORGED",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """A believed answer: response code as a word, and the message with the bytes it was read from."""

    rcode: str
    message: dns.message.Message
    octets: bytes

    @property
    def authoritative(self) -> bool:
        """Whether the AA bit is set."""
        return bool(self.message.flags & dns.flags.AA)

    def soa(self) -> str:
        """Return the owner of the SOA in the answer or, for a denial, in the authority section (RFC 2308 §3); empty if none."""
        for section in (self.message.answer, self.message.authority):
            for rrset in section:
                if rrset.rdtype == dns.rdatatype.SOA:
                    return rrset.name.to_text().lower()
        return ""

    def delegated(self) -> str:
        """Return the name that is delegated away, when the answer is a referral."""
        names = [rrset.name for rrset in self.message.authority if rrset.rdtype == dns.rdatatype.NS]
        return names[0].to_text().lower() if names and not self.message.answer and not self.authoritative else ""

    def alias(self) -> str:
        """Return where the name points, when it is an alias (CNAME, or below a DNAME)."""
        for rrset in self.message.answer:
            if rrset.rdtype == dns.rdatatype.CNAME:
                return str(rrset[0].to_text()).lower()
        return ""

    def wildcard(self, target: str) -> str:
        """Return the wildcard the answer was made from, told by the labels of its signature (RFC 4035 §5.3.2), or empty."""
        name = dns.name.from_text(target)
        for rrset in self.message.answer:
            if rrset.rdtype == dns.rdatatype.RRSIG and rrset.name == name and rrset[0].labels < len(name) - 1:
                return "*." + name.split(int(rrset[0].labels) + 1)[1].to_text().lower()
        return ""

    def tlsa(self, target: str) -> tuple[RRset, int]:
        """Return the TLSA records of the target and their TTL, as bytes say: dnspython refuses malformed foreign ones."""
        questions, answers = struct.unpack_from("!HH", self.octets, 4)
        here = 12
        for _ in range(questions):
            here += dns.name.from_wire(self.octets, here)[1] + 4
        name, records, ttls = dns.name.from_text(target), set[Tlsa](), [0]
        for _ in range(answers):
            owner, used = dns.name.from_wire(self.octets, here)
            kind, _class, ttl, length = struct.unpack_from("!HHIH", self.octets, here + used)
            here += used + 10 + length
            data = self.octets[here - length : here]
            if kind == dns.rdatatype.TLSA and owner == name and length >= 3:
                records.add(Tlsa(data[0], data[1], data[2], data[3:].hex()))
                ttls.append(ttl)
        return frozenset(records), max(ttls)

    def texts(self, target: str) -> tuple[frozenset[str], int]:
        """Return the values of the TXT records that stand at the target itself, and their TTL."""
        name = dns.name.from_text(target)
        found = [rrset for rrset in self.message.answer if rrset.rdtype == dns.rdatatype.TXT and rrset.name == name]
        if not found or self.wildcard(target):
            return frozenset(), 0
        values = (b"".join(rdata.strings).decode("ascii", "replace") for rdata in found[0])
        return frozenset(values), found[0].ttl

    def eclipsed(self, target: str) -> str:
        """Return the wildcard that answers for the name above the target too, where none stands itself; empty if that stands.

        A record at the target would make that name exist, and so take from it all that it has from the wildcard (RFC 4592 §2.2).
        """
        wildcard = self.wildcard(target)
        return wildcard if wildcard and dns.name.from_text(wildcard).parent() != dns.name.from_text(target).parent() else ""


def question(target: str, kind: str) -> dns.message.Message:
    """Make a question to an authoritative server: signatures wanted, recursion not."""
    return dns.message.make_query(target, kind, use_edns=0, want_dnssec=True, flags=0)


def update(change: Change, zone: str, ttl: int) -> dns.message.Message:
    """Make the update: prerequisites (RFC 2136 §2.4), then single records added or deleted (§2.5.1, §2.5.4)."""
    message = dns.update.UpdateMessage(zone)
    name = dns.name.from_text(change.target)
    message.absent(name, "CNAME")  # beside a CNAME the server would say NOERROR and do nothing, §3.4.2.2
    if change.expect:
        message.present(name, *(_rdata(record) for record in sorted(change.expect)))  # the exact set, §2.4.2
    elif change.expect is not None:
        message.absent(name, "TLSA")
    for record in sorted(change.add):
        message.add(name, ttl, _rdata(record))
    for record in sorted(change.remove):
        message.delete(name, _rdata(record))
    return message


def update_text(text: Text, zone: str, ttl: int) -> dns.message.Message:
    """Make the update that adds or deletes one TXT record, unless the name is an alias."""
    message = dns.update.UpdateMessage(zone)
    name = dns.name.from_text(text.target)
    message.absent(name, "CNAME")
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, f'"{text.value}"')
    if text.present:
        message.add(name, ttl, rdata)
    else:
        message.delete(name, rdata)
    return message


def ask(message: dns.message.Message, server: Server, key: TsigKey, place: Place) -> Reply:
    """Send one message, return the answer if it can be believed. Any response code; raises PublishError for the rest."""
    message.use_tsig(dns.tsig.Key(key.name, key.secret, key.algorithm))
    octets = _transport(message.to_wire(), server, place)
    try:
        answer = dns.message.from_wire(
            octets, keyring=message.keyring, request_mac=message.mac, continue_on_error=True, ignore_trailing=True
        )
        fits = message.is_response(answer)
    except (dns.exception.DNSException, ValueError):
        fits = False
    if not fits:
        kind = PublishTemporary if place.update else PublishError  # an update may have been done all the same
        raise kind(f"{place.server} sent something that is not an answer", "check `server`: is that a DNS server?")
    for fault in answer.errors:
        if isinstance(fault.exception, dns.exception.DNSException) and type(fault.exception) in _TSIG_WORDS:
            word = "ECHOED" if _echoed(octets, message) else _TSIG_WORDS[type(fault.exception)]
            raise refusals.tsig(word, place, _skew(octets)) from None
    word = dns.rcode.to_text(answer.rcode())
    if not answer.had_tsig:
        raise refusals.tsig("UNSIGNED", place) if word == "NOERROR" else refusals.rcode(word, place, signed=False)
    return Reply(word, answer, octets)


def _rdata(record: Tlsa) -> dns.rdata.Rdata:
    """Any record goes as it is, malformed foreign ones too: they are part of what is compared."""
    return dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.TLSA, record.rdata)


def _echoed(octets: bytes, question: dns.message.Message) -> bool:
    """Whether the answer bears the question's own signature: whoever does not know TSIG may send back what it was sent."""
    answer = dns.message.from_wire(octets, keyring=False, continue_on_error=True, ignore_trailing=True)
    return answer.tsig is not None and bool(answer.tsig[0].mac) and answer.tsig[0].mac == question.mac


def _skew(octets: bytes) -> float | None:
    """Return the server's clock minus ours: with BADTIME it sends its own time along (RFC 8945 §5.2.3)."""
    answer = dns.message.from_wire(octets, keyring=False, continue_on_error=True, ignore_trailing=True)
    if answer.tsig is None:
        return None
    record = answer.tsig[0]
    told = int.from_bytes(record.other) if len(record.other) == 6 else record.time_signed
    return float(told) - now()


def _transport(payload: bytes, server: Server, place: Place) -> bytes:
    """Send and receive one message over TCP (RFC 7766 §8)."""
    end = monotonic() + server.timeout
    try:
        with socket.create_connection((server.host, server.port), server.timeout) as stream:
            stream.sendall(len(payload).to_bytes(2) + payload)
            return _receive(stream, int.from_bytes(_receive(stream, 2, end)), end)
    except socket.gaierror:
        raise PublishTemporary(
            f"the address of DNS server {server.host} cannot be found, so {place.target} was not changed",
            "write its address in `server`: then a failing resolver does not stop the updates",
        ) from None
    except TimeoutError:
        reason = f"did not answer within {server.timeout:g} s"
    except ConnectionRefusedError:
        reason = "refuses TCP connections: nobody listens there"
    except EOFError:
        reason = "closed the connection without an answer"
    except OSError as error:
        reason = f"cannot be reached: {error.strerror or error}"
    raise PublishTemporary(
        f"DNS server {place.server} {reason}", f"is it running, and is TCP port {server.port} open from here? Tried again later"
    )


def _receive(stream: socket.socket, size: int, end: float) -> bytes:
    """Read exactly so many bytes. Raises EOFError, TimeoutError."""
    got = bytearray()
    while len(got) < size:
        left = end - monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(left)
        piece = stream.recv(size - len(got))
        if not piece:
            raise EOFError
        got += piece
    return bytes(got)
