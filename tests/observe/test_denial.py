"""Denials that are signed and still prove nothing: made in the test from what a zone really signed, and moved elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.dnssec
import dns.message
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tlsa_manager.observe.denial import absent, unmatched
from tlsa_manager.observe.signature import Signer
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from dns.message import Message

ZONE = dns.name.from_text("example.")
OWNER = dns.name.from_text("_25._tcp.mx.example.")
NOW = 1_500_000
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = dns.dnssec.make_dnskey(PRIVATE.public_key(), dns.dnssec.ECDSAP256SHA256, flags=257)
SIGNER = Signer(ZONE, dns.rdataset.from_rdata_list(0, [PUBLIC]), NOW)


def denial(*signed: tuple[str, str, str]) -> Message:
    """Make a negative answer of NSEC or NSEC3 records: (signed at, said to be at, type and data), each with its signature."""
    message = dns.message.make_response(dns.message.make_query(OWNER, "TLSA"))
    for real, moved, data in signed:
        rrset = dns.rrset.from_text(real, 60, "IN", *data.split(" ", 1))
        signature = dns.dnssec.sign(rrset, PRIVATE, ZONE, PUBLIC, inception=NOW - 9, expiration=NOW + 9)
        message.authority.append(dns.rrset.from_rdata(moved, 60, *rrset))
        message.authority.append(dns.rrset.from_rdata(moved, 60, signature))
    return message


def test_a_denial_where_it_was_signed_is_good() -> None:
    """The records that the next tests move: at their own names they prove that nothing is there."""
    there = denial((OWNER.to_text(), OWNER.to_text(), "NSEC zz.example. A RRSIG NSEC"))
    beside = denial(("*.example.", "*.example.", "NSEC zz.example. A RRSIG NSEC"))
    assert absent(OWNER, dns.rdatatype.TLSA, there, SIGNER).security is Security.SECURE
    assert absent(OWNER, dns.rdatatype.TLSA, beside, SIGNER).security is Security.SECURE


@pytest.mark.parametrize(
    ("moved", "because"),
    [
        (OWNER.to_text(), "is made from a wildcard's"),
        ("!.example.", "is made from a wildcard's"),
        ("*.mx.example.", "does not fit the data"),
    ],
)
def test_a_wildcards_nsec_denies_nothing_elsewhere(moved: str, because: str) -> None:
    """Rewritten to the name itself, to one before it or to a wildcard further down, it is refused."""
    proof = absent(OWNER, dns.rdatatype.TLSA, denial(("*.example.", moved, "NSEC zz.example. A RRSIG NSEC")), SIGNER)
    assert (proof.security, proof.zone) == (Security.BOGUS, "example.")
    assert because in proof.reason


def test_a_wildcards_nsec3_denies_nothing_elsewhere() -> None:
    """The same with hashes."""
    hashed = dns.dnssec.nsec3_hash(OWNER, "", 0, "SHA1").lower()
    data = f"NSEC3 1 0 0 - {hashed[:-1]}{'v' if hashed[-1] != 'v' else 'u'} A RRSIG"
    good = denial((f"{hashed}.example.", f"{hashed}.example.", data))
    moved = denial(("*.example.", f"{hashed}.example.", data))
    assert absent(OWNER, dns.rdatatype.TLSA, good, SIGNER).security is Security.SECURE
    assert absent(OWNER, dns.rdatatype.TLSA, moved, SIGNER).security is Security.BOGUS


@pytest.mark.parametrize(
    ("at", "until", "security"),
    [
        ("example.", "zz.example.", Security.SECURE),
        ("mx.example.", "zz.example.", Security.INDETERMINATE),  # mx itself is there, so *.example. does not apply below it
        ("aa.example.", "zz.mx.example.", Security.INDETERMINATE),  # mx is there as a step on the way
    ],
)
def test_a_wildcards_answer_needs_that_nothing_is_nearer(at: str, until: str, security: Security) -> None:
    """A wildcard applies only where no name between it and the owner exists (RFC 4592 §3.3.1)."""
    proof = unmatched(OWNER, 1, denial((at, at, f"NSEC {until} A RRSIG NSEC")), SIGNER)
    assert proof.security is security, proof.reason
