"""Proofs that something is not there: NSEC (RFC 4035 §5.4) and NSEC3 (RFC 5155 §8)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.name
import dns.rdatatype

from tlsa_manager.observe.message import text
from tlsa_manager.observe.seal import hashed
from tlsa_manager.observe.signature import NOTHING, Proof, Signer, expanded, verify
from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rdtypes.ANY.NSEC import NSEC
    from dns.rdtypes.ANY.NSEC3 import NSEC3
    from dns.rrset import RRset

MAX_RRSETS = 10  # a denial needs three
MAX_ITERATIONS = 100  # beyond, validators give up and call it insecure (RFC 9276 §3.2)
_DS, _NS, _SOA, _CNAME, _DNAME = (dns.rdatatype.from_text(t) for t in ("DS", "NS", "SOA", "CNAME", "DNAME"))


def absent(name: Name, rdtype: RdataType, message: Message, signer: Signer) -> Proof:
    """Judge a negative answer. Indeterminate: the signatures are good, but what they say does not prove it to us."""
    return _judge(message, signer, lambda proofs: proofs.no_type(name, rdtype))


def unmatched(name: Name, labels: int, message: Message, signer: Signer) -> Proof:
    """Judge the proof beside a wildcard's answer that the name itself does not exist (RFC 4035 §5.3.4, RFC 5155 §8.8).

    `labels`: of the signature over the answer, not counting the asterisk.
    """
    closest = dns.name.Name(name.labels[-(labels + 1) :])
    return _judge(message, signer, lambda proofs: proofs.no_name(name, closest))


def _judge(message: Message, signer: Signer, claim: _Claim) -> Proof:
    zone = signer.zone
    found = [r for r in message.authority if r.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3) and r.name.is_subdomain(zone)]
    if not found:
        reason = f"{text(zone)} is signed, but the denial comes without a proof (NSEC, NSEC3)"
        return Proof(Security.BOGUS, reason, text(zone), cause=Cause.DENIAL_MISSING)
    joined = NOTHING
    for rrset in found[:MAX_RRSETS]:
        proof, signature = verify(rrset, message.authority, signer)
        joined = joined.along(proof if signature is None or not expanded(rrset, signature) else _misplaced(zone, rrset))
    if not joined.secure:
        return joined
    told = claim(_Nsec(zone, found) if found[0].rdtype == dns.rdatatype.NSEC else _Nsec3(zone, found))
    return joined.along(told)


_PROVEN = NOTHING


def _unproven(zone: Name) -> Proof:
    reason = f"the denial of {text(zone)} is signed, but does not prove that nothing is there"
    return Proof(Security.INDETERMINATE, reason, text(zone), cause=Cause.DENIAL_UNPROVEN)


def _misplaced(zone: Name, rrset: RRset) -> Proof:
    """A wildcard's NSEC verifies at any name that it is moved to, but is true at the asterisk only (RFC 4592, erratum 5119)."""
    what = f"{dns.rdatatype.to_text(rrset.rdtype)} of {text(rrset.name)}"
    reason = f"{what} is made from a wildcard's, and so proves nothing there"
    return Proof(Security.BOGUS, reason, text(zone), cause=Cause.DENIAL_MISSING)


@dataclass(frozen=True, slots=True)
class _Nsec:
    zone: Name
    rrsets: list[RRset]

    def no_type(self, name: Name, rdtype: RdataType) -> Proof:
        """Show NODATA, or NXDOMAIN with no wildcard either."""
        at = self._at(name)
        if at is not None:
            return _PROVEN if _lacks(at, rdtype) else _unproven(self.zone)
        cover = self._cover(name)
        if cover is None:
            return _unproven(self.zone)
        after = cast("NSEC", cover[0]).next
        if after.is_subdomain(name):  # the name exists, but only as a step on the way to another
            return _PROVEN
        closest = max((_common(name, cover.name), _common(name, after)), key=len)
        wild = dns.name.Name((b"*", *closest.labels))
        at = self._at(wild)
        if at is not None:
            return _PROVEN if _lacks(at, rdtype) else _unproven(self.zone)
        return _PROVEN if self._cover(wild) is not None else _unproven(self.zone)

    def no_name(self, name: Name, closest: Name) -> Proof:
        """Show that the name one label below the closest encloser does not exist, nor anything below it."""
        nearer = dns.name.Name(name.labels[-(len(closest) + 1) :])
        cover = self._cover(nearer)
        there = cover is None or cast("NSEC", cover[0]).next.is_subdomain(nearer)
        return _unproven(self.zone) if there else _PROVEN

    def _at(self, name: Name) -> RRset | None:
        return next((r for r in self.rrsets if r.rdtype == dns.rdatatype.NSEC and r.name == name), None)

    def _cover(self, name: Name) -> RRset | None:
        for rrset in self.rrsets:
            if rrset.rdtype != dns.rdatatype.NSEC:
                continue
            after = cast("NSEC", rrset[0]).next
            last = after == self.zone
            if rrset.name < name and (last or name < after) and not _delegates(rrset, name):
                return rrset
        return None


@dataclass(frozen=True, slots=True)
class _Nsec3:
    zone: Name
    rrsets: list[RRset]

    def no_type(self, name: Name, rdtype: RdataType) -> Proof:
        """Show NODATA, or NXDOMAIN by the closest encloser proof (RFC 5155 §8.3-8.7)."""
        if self._heavy():
            return self._heavy_proof()
        at = self._at(name)
        if at is not None:
            return _PROVEN if _lacks(at, rdtype) else _unproven(self.zone)
        closest = next((n for n in _ancestors(name, self.zone) if self._at(n) is not None), None)
        if closest is None:
            return _unproven(self.zone)
        covered = self.no_name(name, closest)
        if covered.security is not Security.SECURE:
            return covered
        wild = dns.name.Name((b"*", *closest.labels))
        at = self._at(wild)
        if at is not None:
            return _PROVEN if _lacks(at, rdtype) else _unproven(self.zone)
        return _PROVEN if self._cover(wild) is not None else _unproven(self.zone)

    def no_name(self, name: Name, closest: Name) -> Proof:
        """Show that the name one label below the closest encloser does not exist; with opt-out it may, unsigned."""
        if self._heavy():
            return self._heavy_proof()
        cover = self._cover(dns.name.Name(name.labels[-(len(closest) + 1) :]))
        if cover is None:
            return _unproven(self.zone)
        if cast("NSEC3", cover[0]).flags & 1:  # opt-out: an unsigned delegation may be there (RFC 5155 §6)
            reason = f"{text(self.zone)} leaves unsigned names out of its proofs (NSEC3 opt-out)"
            return Proof(Security.INSECURE, reason, text(self.zone), cause=Cause.OPT_OUT)
        return _PROVEN

    def _heavy(self) -> bool:
        return any(cast("NSEC3", r[0]).iterations > MAX_ITERATIONS or cast("NSEC3", r[0]).algorithm != 1 for r in self.rrsets)

    def _heavy_proof(self) -> Proof:
        reason = f"{text(self.zone)} uses NSEC3 parameters that validators do not follow (RFC 9276)"
        return Proof(Security.INSECURE, reason, text(self.zone), cause=Cause.NSEC3_PARAMETERS)

    def _hash(self, name: Name, like: RRset) -> str:
        data = cast("NSEC3", like[0])
        return base64.b32hexencode(hashed(name, data.salt or b"", data.iterations)).decode().rstrip("=")

    def _at(self, name: Name) -> RRset | None:
        return next((r for r in self.rrsets if _label(r) == self._hash(name, r)), None)

    def _cover(self, name: Name) -> RRset | None:
        for rrset in self.rrsets:
            low, wanted, high = _label(rrset), self._hash(name, rrset), _next(rrset)
            if low < wanted < high or (high <= low and (wanted > low or wanted < high)):
                return rrset
        return None


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Claim = Callable[[_Nsec | _Nsec3], Proof]


def _lacks(rrset: RRset, rdtype: RdataType) -> bool:
    """Whether the bitmap says that neither the type nor an alias is there, and speaks for the right side of a zone cut."""
    held = _types(rrset)
    if rdtype == _DS:  # the parent's word: an apex of the child has SOA (RFC 6840 §4.4)
        return _DS not in held and _CNAME not in held and (_SOA not in held or rrset.name == dns.name.root)
    return rdtype not in held and _CNAME not in held and (_NS not in held or _SOA in held)


def _delegates(rrset: RRset, name: Name) -> bool:
    """Whether the NSEC stands above the name at a delegation or DNAME, and so proves nothing for it (RFC 6840 §4.1)."""
    held = _types(rrset)
    return name.is_subdomain(rrset.name) and (_DNAME in held or (_NS in held and _SOA not in held))


def _types(rrset: RRset) -> set[int]:
    """Return the types in the bitmap (RFC 4034 §4.1.2)."""
    held: set[int] = set()
    for window, bits in cast("NSEC | NSEC3", rrset[0]).windows:
        held.update(window * 256 + i * 8 + bit for i, octet in enumerate(bits) for bit in range(8) if octet & (0x80 >> bit))
    return held


def _common(one: Name, other: Name) -> Name:
    return one.split(one.fullcompare(other)[2])[1]


def _ancestors(name: Name, zone: Name) -> Iterator[Name]:
    while name not in (zone, dns.name.root):
        name = name.parent()
        yield name


def _label(rrset: RRset) -> str:
    return rrset.name.labels[0].decode("ascii", "replace").upper()


def _next(rrset: RRset) -> str:
    return base64.b32hexencode(cast("NSEC3", rrset[0]).next).decode().rstrip("=")
