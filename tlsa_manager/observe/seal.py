"""The arithmetic of DNSSEC: what is signed, with which key, named by which digest (RFC 4034). Pure; whoever fed it.

Only the algorithms that count for validators are here (RFC 9904), on top of `cryptography`. dnspython's own way to them loads all
that were ever assigned, to look at one host, and takes a key apart anew for each signature.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import dns.name

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.name import Name
    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rrset import RRset

    Check = Callable[[bytes, bytes], None]  # of a signature over data; raises

# RFC 9904 and RFC 9905: RSASHA1 (5) and RSASHA1-NSEC3-SHA1 (7) no longer count.
ALGORITHMS = {8: "RSASHA256", 10: "RSASHA512", 13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448"}
DIGESTS = {2: "SHA-256", 4: "SHA-384"}  # RFC 9904; SHA-1 (1) no longer counts (RFC 9905)
MAX_EXPONENT = 4096  # bits; nobody needs more, and to count with more takes long (RFC 3110 §2)
_STAR = dns.name.Name((b"*",))


def sealed(rrset: RRset, signature: RRSIG, key: DNSKEY) -> bool:
    """Whether the key has made the signature over the RRset (RFC 4035 §5.3.3), whenever that was."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if signature.type_covered != rrset.rdtype or signature.rdclass != rrset.rdclass or signature.algorithm != key.algorithm:
        return False
    data = signed_data(rrset, signature)
    try:
        if data is not None:
            _check(int(key.algorithm), key.key)(signature.signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
        return False
    return data is not None


def signed_data(rrset: RRset, signature: RRSIG) -> bytes | None:
    """Return what is signed, in canonical form (RFC 4034 §3.1.8.1, §6); None where the signature cannot be this RRset's."""
    labels = len(rrset.name) - 1
    if signature.labels > labels or (rrset.name.is_wild() and signature.labels != labels - 1):
        return None
    name = rrset.name if signature.labels == labels else _STAR.concatenate(rrset.name.split(signature.labels + 1)[1])
    begin = name.to_digestable() + struct.pack("!HHI", rrset.rdtype, rrset.rdclass, signature.original_ttl)
    octets = sorted(one.to_digestable() for one in rrset)
    fields = struct.pack(
        "!HBBIIIH", signature.type_covered, signature.algorithm, signature.labels,
        signature.original_ttl, signature.expiration, signature.inception, signature.key_tag,
    )  # fmt: skip
    records = (begin + len(one).to_bytes(2, "big") + one for one in octets)
    return b"".join((fields, signature.signer.to_digestable(), *records))


def key_tag(key: DNSKEY) -> int:
    """Return the number by which signatures and DS records name a key (RFC 4034 appendix B)."""
    return _tag(key.to_wire() or b"")


def key_digest(zone: Name, key: DNSKEY, kind: int) -> bytes | None:
    """Return the digest that a DS record has of a key (RFC 4034 §5.1.4); None for a kind that does not count."""
    made = {2: hashlib.sha256, 4: hashlib.sha384}.get(kind)
    return made(zone.to_digestable() + (key.to_wire() or b"")).digest() if made else None


def hashed(name: Name, salt: bytes, iterations: int) -> bytes:
    """Return the hash of a name as NSEC3 has it (RFC 5155 §5): SHA-1, once and `iterations` times more."""
    digest = hashlib.sha1(name.to_digestable() + salt, usedforsecurity=False).digest()
    for _ in range(iterations):
        digest = hashlib.sha1(digest + salt, usedforsecurity=False).digest()
    return digest


@lru_cache(1024)
def _tag(wire: bytes) -> int:
    wire += b"\0" * (len(wire) % 2)
    total: int = sum(struct.unpack(f"!{len(wire) // 2}H", wire))
    return (total + (total >> 16)) & 0xFFFF


@lru_cache(512)
def _check(algorithm: int, key: bytes) -> Check:
    """Return what checks signatures of a key. Raises ValueError for octets that are no key."""
    if algorithm in {8, 10}:
        return _rsa(algorithm, key)
    return _ecdsa(algorithm, key) if algorithm in {13, 14} else _eddsa(algorithm, key)


def _rsa(algorithm: int, key: bytes) -> Check:
    """RFC 5702, with keys as in RFC 3110 §2."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    at, length = (3, int.from_bytes(key[1:3], "big")) if key[:1] == b"\0" else (1, key[0] if key else 0)
    exponent, modulus = key[at : at + length], key[at + length :]
    if len(exponent) * 8 > MAX_EXPONENT:
        raise ValueError(length)
    public = RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()
    scheme, hash_ = padding.PKCS1v15(), hashes.SHA256() if algorithm == 8 else hashes.SHA512()
    return lambda signature, data: public.verify(signature, data, scheme, hash_)


def _ecdsa(algorithm: int, key: bytes) -> Check:
    """RFC 6605: point and signature are two bare numbers each."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    size = 32 if algorithm == 13 else 48
    curve, hash_ = (ec.SECP256R1(), hashes.SHA256()) if algorithm == 13 else (ec.SECP384R1(), hashes.SHA384())
    public, scheme = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + key), ec.ECDSA(hash_)

    def check(signature: bytes, data: bytes) -> None:
        if len(signature) != 2 * size:
            raise ValueError(len(signature))
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        public.verify(encode_dss_signature(r, s), data, scheme)

    return check


def _eddsa(algorithm: int, key: bytes) -> Check:
    """RFC 8080."""
    if algorithm == 15:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(key).verify
    if algorithm == 16:
        from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey

        return Ed448PublicKey.from_public_bytes(key).verify
    raise ValueError(algorithm)
