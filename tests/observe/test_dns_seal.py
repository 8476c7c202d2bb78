"""The arithmetic of DNSSEC against dnspython's, which does the same in another way."""

from __future__ import annotations

import base64
from typing import Any

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsa_manager.errors import ConfigError
from tlsa_manager.observe.anchor import parse_anchor
from tlsa_manager.observe.seal import ALGORITHMS, hashed, key_digest, key_tag, sealed, signed_data

ZONE = dns.name.from_text("Signed.Example.")


def _keys() -> dict[int, Any]:
    return {
        8: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        10: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        13: ec.generate_private_key(ec.SECP256R1()),
        14: ec.generate_private_key(ec.SECP384R1()),
        15: ed25519.Ed25519PrivateKey.generate(),
        16: ed448.Ed448PrivateKey.generate(),
    }


PRIVATE, OTHER = _keys(), _keys()
KEYS = {number: dns.dnssec.make_dnskey(one.public_key(), number, flags=257) for number, one in PRIVATE.items()}
SETS = {
    "A": ("192.0.2.1", "192.0.2.20", "192.0.2.3"),
    "AAAA": ("2001:db8::1",),
    "MX": ("10 MX.Example.", "5 b.example.", "10 a.Example."),
    "NS": ("NS1.example.", "ns2.EXAMPLE."),
    "CNAME": ("Other.Example.",),
    "DNAME": ("Other.Example.",),
    "SRV": ("1 2 25 MX.Example.",),
    "SOA": ("NS.Example. Host.Example. 1 2 3 4 5",),
    "TXT": ('"one" "two"', '"A"'),
    "TLSA": ("3 1 1 " + "ab" * 32, "2 0 1 " + "01" * 32),
    "NSEC": ("Next.Example. A RRSIG NSEC",),
    "NSEC3": ("1 0 5 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG",),
    "DS": ("1 13 2 " + "cd" * 32,),
}


def _rrset(rdtype: str, owner: str = "Mail.Signed.Example.") -> dns.rrset.RRset:
    return dns.rrset.from_text(owner, 300, "IN", rdtype, *SETS[rdtype])


def _signed(rrset: dns.rrset.RRset, algorithm: int = 13) -> dns.rdata.Rdata:
    return dns.dnssec.sign(rrset, PRIVATE[algorithm], ZONE, KEYS[algorithm], inception=1, expiration=2_000_000_000)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("rdtype", ["A", "TLSA"])
def test_each_algorithm_is_checked(algorithm: int, rdtype: str) -> None:
    """What dnspython signs is good, and neither with other data, another key, nor a damaged signature."""
    rrset = _rrset(rdtype)
    signature = _signed(rrset, algorithm)
    assert sealed(rrset, signature, KEYS[algorithm])
    assert not sealed(rrset, signature, dns.dnssec.make_dnskey(OTHER[algorithm].public_key(), algorithm))
    assert not sealed(_rrset(rdtype, "other.signed.example."), signature, KEYS[algorithm])
    assert not sealed(_rrset("MX"), signature, KEYS[algorithm])
    for damaged in (
        b"",
        signature.signature[:-1],
        signature.signature + b"\0",
        bytes([signature.signature[0] ^ 1]) + signature.signature[1:],
    ):
        assert not sealed(rrset, signature.replace(signature=damaged), KEYS[algorithm])


@pytest.mark.parametrize("rdtype", SETS)
def test_every_type_is_put_into_canonical_form(rdtype: str) -> None:
    """Names in old types in lower case, records sorted, the owner in lower case (RFC 4034 §6, RFC 6840 §5.1)."""
    rrset = _rrset(rdtype)
    signature = _signed(rrset)
    assert signed_data(rrset, signature) == dns.dnssec._make_rrsig_signature_data(rrset, signature, None)
    assert sealed(rrset, signature, KEYS[13])
    lower = dns.rrset.from_rdata_list(rrset.name.canonicalize(), 7, list(reversed(rrset)))
    assert sealed(lower, signature, KEYS[13]), "neither TTL nor order nor case of the owner count"


def test_a_wildcard_is_checked_under_its_own_name() -> None:
    """Records made from an asterisk fit its signature (RFC 4035 §5.3.2); a signature with too many labels fits nothing."""
    wild = _rrset("TLSA", "*.Signed.Example.")
    signature = _signed(wild)
    assert signature.labels == 2
    assert sealed(wild, signature, KEYS[13])
    made = dns.rrset.from_rdata_list(dns.name.from_text("a.b.signed.example."), 300, list(wild))
    assert sealed(made, signature, KEYS[13])
    assert signed_data(made, signature) == dns.dnssec._make_rrsig_signature_data(made, signature, None)
    assert signed_data(made, signature.replace(labels=9)) is None
    assert signed_data(wild, signature.replace(labels=1)) is None
    assert not sealed(made, signature.replace(labels=1), KEYS[13])


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(ALGORITHMS)), st.binary(max_size=300), st.binary(max_size=120))
def test_no_octets_of_a_stranger_make_it_stumble(algorithm: int, key: bytes, signature: bytes) -> None:
    """A key or signature of any octets is good for nothing, and raises nothing."""
    rrset = _rrset("A")
    good = _signed(rrset)
    stranger = KEYS[13].replace(algorithm=algorithm, key=key)
    assert not sealed(rrset, good.replace(algorithm=algorithm, signature=signature), stranger)
    assert key_tag(stranger) == dns.dnssec.key_id(stranger)


def test_a_key_with_a_huge_exponent_is_none() -> None:
    """To count with it would keep us busy: nobody signs with such a key."""
    numbers = PRIVATE[8].public_key().public_numbers()
    modulus = numbers.n.to_bytes(256, "big")
    rrset = _rrset("A")
    stranger = KEYS[8].replace(key=b"\0" + (1000).to_bytes(2, "big") + b"\x7f" * 1000 + modulus)
    assert not sealed(rrset, _signed(rrset, 8), stranger)
    assert sealed(rrset, _signed(rrset, 8), KEYS[8].replace(key=b"\0\0\x03\x01\0\x01" + modulus)), "the long form is one, too"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tags_and_digests_are_those_of_dnspython(algorithm: int) -> None:
    """The key tag and the digests of DS records; SHA-1 counts no more."""
    key = KEYS[algorithm]
    assert key_tag(key) == dns.dnssec.key_id(key)
    for kind in (2, 4):
        made = dns.dnssec.make_ds(ZONE, key, dns.dnssectypes.DSDigest(kind))
        assert key_digest(ZONE, key, kind) == made.digest
    assert key_digest(ZONE, key, 1) is None


@given(st.integers(0, 20), st.binary(max_size=20), st.from_regex(r"[a-zA-Z]{1,9}(\.[a-z]{1,9}){0,3}\.", fullmatch=True))
def test_hashed_names_are_those_of_dnspython(iterations: int, salt: bytes, text: str) -> None:
    """Hashes for NSEC3, whatever the case of the name."""
    name = dns.name.from_text(text)
    theirs = dns.dnssec.nsec3_hash(name, salt, iterations, dns.dnssectypes.NSEC3Hash.SHA1)
    assert base64.b32hexencode(hashed(name, salt, iterations)).decode() == theirs


ROOT_KEY = f". 172800 IN DNSKEY 257 3 13 {KEYS[13].to_text().split(' ', 3)[3].replace(' ', '')} ; key\n"


@pytest.mark.parametrize(
    "text",
    [
        ROOT_KEY,
        f"; a comment\n\n{ROOT_KEY}{ROOT_KEY}",
        ROOT_KEY.replace("172800 IN", "IN 172800"),
        ROOT_KEY.replace("172800 IN ", "").lower().replace(ROOT_KEY.split()[7].lower(), ROOT_KEY.split()[7]),
        ROOT_KEY.replace("257 3", "( 257\n  3").replace(" ;", " ) ;"),
        f"{ROOT_KEY}. 10 IN NS a.root.\n",
        f". DS {key_tag(KEYS[13])} 13 2 {(key_digest(dns.name.root, KEYS[13], 2) or b'').hex()}",
    ],
    ids=["plain", "twice", "class-first", "bare", "lines", "others", "digest"],
)
def test_an_anchor_is_the_same_in_every_form_of_a_zone_file(text: str) -> None:
    """One record a line, over several lines, with comments, twice, as key or as digest: it becomes the same digest."""
    expected = dns.dnssec.make_ds(dns.name.root, KEYS[13], dns.dnssectypes.DSDigest.SHA256)
    assert parse_anchor(text, "a test") == {dns.name.root: (expected,)}


@pytest.mark.parametrize("text", ["", "; nothing\n", ". NS a.root.", ". DS 1 13 2 zz", ". DS 1 13", "nonsense", "\0"])
def test_an_anchor_with_a_mistake_is_refused(text: str) -> None:
    """A file that cannot be used as a trust anchor is told of."""
    with pytest.raises(ConfigError, match="a test"):
        parse_anchor(text, "a test")
