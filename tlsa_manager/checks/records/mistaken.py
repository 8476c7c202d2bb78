"""What people put into a TLSA record, or hash, in the place of the DER that belongs there. Pure functions over bytes."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from tlsa_manager import der
from tlsa_manager.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"sha256": "SHA-256", "sha512": "SHA-512", "sha1": "SHA-1"}


@lru_cache(maxsize=256)
def digests(data: bytes) -> dict[str, str]:
    """Return what data may look like in a record, hexadecimal, each with its name ("the SHA-256 of"; "" for the data itself)."""
    made = {hashlib.new(name, data, usedforsecurity=False).hexdigest(): f"the {words} of " for name, words in NAMES.items()}
    return {**made, data.hex(): ""}


def texts(content: bytes, label: str) -> Iterator[tuple[str, bytes]]:
    """Give the texts that some DER is written as, each with its name: PEM and base64, with the line ends of every system."""
    body = b64encode(content)
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    for name, all_lines in (("PEM text", [begin, *lines, end]), ("base64 text", lines)):
        for ends, words in ((b"\n", ""), (b"\r\n", ", with the line ends of Windows")):
            text = ends.join(all_lines)
            yield f"{name}{words}", text + ends
            yield f"{name}{words}, without the last line end", text
    yield "base64 text in one line", body
    yield "base64 text in one line, with a line end", body + b"\n"
    for name, digits in (("hexadecimal text", content.hex()), ("hexadecimal text in capitals", content.hex().upper())):
        yield name, digits.encode()
        yield f"{name}, with a line end", digits.encode() + b"\n"


def inner_keys(spki: bytes) -> Iterator[tuple[str, bytes]]:
    """Give what stands inside a SubjectPublicKeyInfo and is mistaken for it, each with its name."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return
    if isinstance(key, rsa.RSAPublicKey):
        inner = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        modulus = f"{key.public_numbers().n:X}"
        yield "the bare RSA key (PKCS#1 RSAPublicKey)", inner
        yield from ((f"the bare RSA key (PKCS#1 RSAPublicKey) as {name}", text) for name, text in texts(inner, "RSA PUBLIC KEY"))
        yield "the RSA modulus, as openssl -modulus prints it", f"Modulus={modulus}\n".encode()
        yield "the RSA modulus", bytes.fromhex(modulus.zfill(len(modulus) + len(modulus) % 2))
    elif isinstance(key, ec.EllipticCurvePublicKey):
        yield "the bare point of the elliptic curve", key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        yield "the bare point of the elliptic curve, compressed", key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        x = key.public_numbers().x.to_bytes((key.key_size + 7) // 8)
        yield "the x coordinate of the point", x
    else:
        raw = getattr(key, "public_bytes_raw", None)
        if raw is not None:
            yield "the bare key without its algorithm", raw()


def public_key(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate, empty where it has none that can be read."""
    try:
        return der.certificate_spki(certificate)
    except BadInput:
        return b""
