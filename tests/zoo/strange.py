"""Certificates that no library makes any more, byte by byte: names, numbers and keys of any kind, signed by their own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
KEY_PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)  # fmt: skip
ALT_NAMES = bytes.fromhex("551d11")  # the object identifier of subjectAltName
_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("550403")
UNKNOWN_KEY = bytes.fromhex("3012300b06092a030405060708090a030300" + "0102")  # an algorithm that nobody has given a meaning


def der(tag: int, *parts: bytes) -> bytes:
    """Return one value of DER."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + body


def name(words: bytes) -> bytes:
    """Return a distinguished name of one common name, which may be any bytes (TeletexString)."""
    return der(0x30, der(0x31, der(0x30, der(6, _COMMON_NAME), der(0x14, words))))


def alt_names(*hosts: bytes) -> bytes:
    """Return the extension with the DNS names of a certificate."""
    return extension(ALT_NAMES, der(0x30, *(der(0x82, one) for one in hosts)))


def extension(identifier: bytes, content: bytes) -> bytes:
    """Return any extension."""
    return der(0x30, der(6, identifier), der(4, content))


def certificate(
    *extensions: bytes,
    version: int = 3,
    serial: bytes = b"\x01",
    subject: bytes = b"mx.example.org",
    issuer: bytes | None = None,
    dates: tuple[bytes, bytes] = (b"250101000000Z", b"491231235959Z"),
    spki: bytes = SPKI,
    key: EllipticCurvePrivateKey = KEY,
) -> bytes:
    """Return a certificate (DER) for KEY, unless told otherwise."""
    algorithm = der(0x30, der(6, _ECDSA_SHA256))
    body = der(
        0x30,
        der(0xA0, der(2, bytes([version - 1]))) if version > 1 else b"",
        der(2, serial),
        algorithm,
        name(subject if issuer is None else issuer),
        der(0x30, *(der(0x17, one) for one in dates)),
        name(subject),
        spki,
        der(0xA3, der(0x30, *extensions)) if extensions else b"",
    )
    return der(0x30, body, algorithm, der(3, b"\0", key.sign(body, ec.ECDSA(hashes.SHA256()))))


def pem(*certificates: bytes) -> bytes:
    """Return certificates as a chain file."""
    from ssl import DER_cert_to_PEM_cert

    return b"".join(DER_cert_to_PEM_cert(one).encode() for one in certificates)


def flight(*certificates: bytes) -> bytes:
    """Return what a TLS 1.2 server says first, ServerHello and Certificate, with anything as its certificates."""
    hello = b"\x03\x03" + bytes(range(32)) + b"\0" + b"\xc0\x2b" + b"\0"  # ECDHE-ECDSA-AES128-GCM-SHA256
    chain = b"".join(len(one).to_bytes(3, "big") + one for one in certificates)
    said = _message(2, hello) + _message(11, len(chain).to_bytes(3, "big") + chain)
    pieces = (said[at : at + 16000] for at in range(0, len(said), 16000))
    return b"".join(b"\x16\x03\x03" + len(one).to_bytes(2, "big") + one for one in pieces)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body
