"""From the trust anchor to the keys of a zone, link by link (RFC 4035 §5).

A link has two halves: what the parent says about the child (its DS records, or a proof that there are none), and the child's
own DNSKEY RRset, signed by a key that a DS record names. Pure; judged anew against the time of each round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.flags
import dns.rcode
import dns.rdataset
import dns.rdatatype

from tlsa_manager.observe.denial import absent
from tlsa_manager.observe.message import NEGATIVE, cause_of, find, text, unusable
from tlsa_manager.observe.seal import ALGORITHMS, DIGESTS, key_digest, key_tag
from tlsa_manager.observe.signature import MAX_SIGNATURES, NOTHING, Proof, Signer, verify
from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.DS import DS
    from dns.rrset import RRset

    from tlsa_manager.observe.ask import Reply

MAX_KEYS = 64  # in one DNSKEY RRset


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the parent, or the anchor (`anchored`), says about a zone: the DS records that count, if the proof is secure."""

    proof: Proof
    digests: tuple[DS, ...] = ()
    anchored: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a zone, if the proof is secure."""

    proof: Proof
    signer: Signer | None = None


def delegated(parent: Keys, zone: Name, reply: Reply, word: Proof | None) -> Delegation:
    """Judge the parent's reply to the question for DS of `zone`.

    `word`: what a resolver that is known to validate says about the absence of DS, for where we cannot prove it ourselves.
    """
    if not parent.proof.secure or parent.signer is None:
        return Delegation(parent.proof)
    parent_zone = parent.signer.zone
    fault = unusable(reply)
    if fault or reply.message is None:
        why = f"DS of {text(zone)} is not known: {reply.place} {fault}"
        return Delegation(Proof(Security.INDETERMINATE, why, text(parent_zone), cause=cause_of(reply)))
    rrset = find(reply.message.answer, zone, dns.rdatatype.DS)
    if rrset is None:
        proof = absent(zone, dns.rdatatype.DS, reply.message, parent.signer)
        return Delegation(_undelegated(parent.proof.along(proof), parent_zone, zone, word))
    proof, _ = verify(rrset, reply.message.answer, parent.signer)
    proof = parent.proof.along(proof)
    return trusted(zone, tuple(cast("DS", rdata) for rdata in rrset), proof) if proof.secure else Delegation(proof)


def trusted(zone: Name, digests: tuple[DS, ...], proof: Proof = NOTHING, *, anchored: bool = False) -> Delegation:
    """Keep the DS records that count. If there are none the zone is insecure (RFC 4035 §5.2)."""
    counting = tuple(ds for ds in digests if ds.algorithm in ALGORITHMS and ds.digest_type in DIGESTS)
    if counting:
        return Delegation(proof, counting, anchored)
    odd = ", ".join(f"algorithm {int(ds.algorithm)} with digest {int(ds.digest_type)}" for ds in digests[:4])
    reason = f"no DS record of {text(zone)} counts for validators ({odd}; RFC 9904, RFC 9905)"
    return Delegation(Proof(Security.INSECURE, reason, text(zone), cause=Cause.OLD_ALGORITHM))


def entrusted(zone: Name, delegation: Delegation, reply: Reply, now: float) -> Keys:
    """Judge the DNSKEY RRset that a server hands out."""
    if not delegation.proof.secure:
        return Keys(delegation.proof)
    fault = unusable(reply)
    if fault or reply.message is None:
        why = f"the keys of {text(zone)} are not known: {reply.place} {fault}"
        return Keys(Proof(Security.INDETERMINATE, why, text(zone), cause=cause_of(reply)))
    rrset = find(reply.message.answer, zone, dns.rdatatype.DNSKEY)
    if rrset is None:
        why = f"{text(zone)} has no DNSKEY, although its parent has a DS record for it"
        return Keys(Proof(Security.BOGUS, why, text(zone), cause=Cause.NO_DNSKEY))
    entries = _entries(zone, rrset, delegation.digests)
    if not entries:
        return Keys(_unfit(zone, delegation))
    proof, _ = verify(rrset, reply.message.answer, Signer(zone, dns.rdataset.from_rdata_list(0, entries), now))
    proof = delegation.proof.along(proof)
    return Keys(proof, Signer(zone, dns.rdataset.from_rdata_list(0, list(rrset)[:MAX_KEYS]), now) if proof.secure else None)


def _unfit(zone: Name, delegation: Delegation) -> Proof:
    """No key fits: the zone's fault where its parent names other keys, ours where the anchor does."""
    tags = ", ".join(sorted({str(ds.key_tag) for ds in delegation.digests}))
    if not delegation.anchored:
        reason = f"no key of {text(zone)} fits the DS record at its parent (key tag {tags})"
        return Proof(Security.BOGUS, reason, text(zone), cause=Cause.DS_MISMATCH)
    reason = f"no key of {text(zone)} fits the trust anchor (key tag {tags}): it is out of date, or this is another DNS"
    return Proof(Security.BOGUS, reason, text(zone), cause=Cause.ANCHOR)


def _entries(zone: Name, rrset: RRset, digests: tuple[DS, ...]) -> list[DNSKEY]:
    """Return the keys that a DS record names (RFC 4035 §5.2)."""
    keys = [cast("DNSKEY", rdata) for rdata in rrset][:MAX_KEYS]
    return [key for key in keys if any(_named(zone, key, ds) for ds in digests[:MAX_SIGNATURES])]


def _named(zone: Name, key: DNSKEY, ds: DS) -> bool:
    if key.algorithm != ds.algorithm or key_tag(key) != ds.key_tag:
        return False
    return key_digest(zone, key, int(ds.digest_type)) == ds.digest


def _undelegated(proof: Proof, parent_zone: Name, zone: Name, word: Proof | None) -> Proof:
    """There is no DS record: insecure, if that is proven."""
    if proof.secure or proof.security is Security.INSECURE:
        reason = f"{text(parent_zone)} has no DS record for {text(zone)}: it is not signed, or not linked"
        cause = proof.cause if proof.cause is Cause.NSEC3_PARAMETERS else Cause.NO_DS
        return Proof(Security.INSECURE, reason, text(zone), cause=cause)
    if proof.security is Security.INDETERMINATE and word is not None:
        return word
    return proof


def said(reply: Reply | None, rdtype: dns.rdatatype.RdataType, resolver: str) -> Proof | None:
    """Return the word of a resolver, known to validate, on an absence: None when it does not confirm it."""
    if reply is None or reply.message is None or reply.message.rcode() not in NEGATIVE:
        return None
    if any(rrset.rdtype == rdtype for rrset in reply.message.answer):
        return None
    if reply.message.flags & dns.flags.AD:
        return NOTHING
    reason = f"the validating resolver {resolver} vouches for no more than that nothing is signed here"
    return Proof(Security.INSECURE, reason, cause=Cause.RESOLVER)
