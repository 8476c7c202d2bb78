"""The little DER (X.690) that is needed to cut a SubjectPublicKeyInfo out of a certificate, byte for byte as it stands.

A TLSA record with selector 1 is made of exactly these bytes (RFC 6698 §1.3). Libraries give the key encoded anew, which
is nearly always the same; nearly is not enough for something that decides whether mail is delivered.
"""

from __future__ import annotations

from tlsa_manager.errors import BadInput
from tlsa_manager.value import dataclass

_SEQUENCE = 0x30
_VERSION = 0xA0  # [0] EXPLICIT: absent in a version 1 certificate
_OID = 0x06
_INTEGER, _OCTETS = 0x02, 0x04
_PARAMETERS, _POINT = 0xA0, 0xA1  # [0] and [1] of an ECPrivateKey
_KINDS = {
    "2a864886f70d010101": "RSA",  # rsaEncryption, RFC 3279 §2.3.1
    "2a8648ce3d0201": "ECDSA",  # id-ecPublicKey, RFC 5480 §2.1.1
    "2b6570": "Ed25519",  # RFC 8410 §3
    "2b6571": "Ed448",
}


def certificate_spki(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate (DER), as it stands (RFC 5280 §4.1). Raises BadInput."""
    fields = _fields(certificate, "certificate")
    if fields and fields[0].tag == _VERSION:
        fields = fields[1:]
    return _spki(fields, 5, "certificate")  # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo


def request_spki(request: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate request (DER), as it stands (RFC 2986 §4.1). Raises BadInput."""
    return _spki(_fields(request, "certificate request"), 2, "certificate request")  # version, subject, subjectPKInfo


def kind_of_key(spki: bytes) -> str:
    """Name the kind of a public key (SubjectPublicKeyInfo, DER): RSA, ECDSA, Ed25519, Ed448, or other."""
    try:
        algorithm = _elements(_elements(_only(spki))[0].content)[0]
    except (BadInput, IndexError):
        return "other"
    return _KINDS.get(algorithm.content.hex(), "other") if algorithm.tag == _OID else "other"


def rsa_sizes(key: bytes) -> tuple[int, ...]:
    """Return how many bits the numbers of an RSA private key have (RFC 8017 §A.1.2): version, modulus, exponents, primes, ...

    `key`: DER, of the traditional form or PKCS #8 (RFC 5208 §5). Empty for a key of another kind. Raises BadInput.
    """
    fields = _elements(_only(key))
    if len(fields) > 2 and fields[2].tag == _OCTETS:  # PKCS #8: version, algorithm, the key itself
        inner = fields[2].content
        fields = _elements(_only(inner)) if inner[:1] == bytes([_SEQUENCE]) else ()
    if len(fields) < 6 or any(one.tag != _INTEGER for one in fields[:6]):
        return ()
    return tuple(int.from_bytes(one.content).bit_length() for one in fields)


def curve_and_number(key: bytes) -> tuple[str, bytes, bytes] | None:
    """Return the curve (its OID, hexadecimal), the number and, if it is there, the point of a private key on a curve.

    None for a key of another kind.

    `key`: DER, of the traditional form (RFC 5915 §3) or PKCS #8 (RFC 5208 §5). Raises BadInput.
    """
    fields, curve = _elements(_only(key)), ""
    if len(fields) > 2 and fields[1].tag == _SEQUENCE and fields[2].tag == _OCTETS:  # PKCS #8: version, algorithm, the key
        curve = next((one.content.hex() for one in _elements(fields[1].content)[1:] if one.tag == _OID), "")
        fields = _elements(_only(fields[2].content))
    named = [one for one in fields[2:] if one.tag == _PARAMETERS]
    curve = _elements(named[0].content)[0].content.hex() if named else curve
    if len(fields) < 2 or fields[1].tag != _OCTETS or not curve:
        return None
    point = next((one.content for one in fields[2:] if one.tag == _POINT), b"")
    return curve, fields[1].content, _elements(point)[0].content[1:] if point else b""  # a BIT STRING counts its unused bits


def names_its_curve(spki: bytes) -> bool:
    """Whether a public key on an elliptic curve names the curve, as it must in a certificate (RFC 5480 §2.1.1)."""
    algorithm = _elements(_elements(_only(spki))[0].content)
    return len(algorithm) > 1 and algorithm[1].tag == _OID


@dataclass(frozen=True, slots=True)
class _Element:
    """One tag, length, value. `whole`: with its tag and length."""

    tag: int
    whole: bytes
    content: bytes


def _fields(signed: bytes, what: str) -> tuple[_Element, ...]:
    """Return the fields of what is signed: SEQUENCE { SEQUENCE { fields }, algorithm, signature }."""
    try:
        inner = _elements(_only(signed))[0]
        if inner.tag == _SEQUENCE:
            return _elements(inner.content)
    except (BadInput, IndexError):
        pass
    raise BadInput(f"this is not a {what} in DER: its outer structure is broken", "it may be cut off; fetch the file again")


def _spki(fields: tuple[_Element, ...], place: int, what: str) -> bytes:
    if len(fields) > place and fields[place].tag == _SEQUENCE:
        return fields[place].whole
    raise BadInput(f"this {what} has no public key where one belongs", "it may be damaged; fetch the file again")


def _only(data: bytes) -> bytes:
    """Return the content of the one SEQUENCE that is the whole of the data."""
    found = _elements(data)
    if len(found) != 1 or found[0].tag != _SEQUENCE:
        raise BadInput("this is not one DER sequence")
    return found[0].content


def _elements(data: bytes) -> tuple[_Element, ...]:
    """Cut data into elements that fill it exactly; definite lengths of up to four octets only (X.690 §10.1)."""
    found = []
    start = 0
    while start < len(data):
        if len(data) < start + 2 or data[start] & 0x1F == 0x1F:
            raise BadInput("this is not DER: a tag is cut off or too large")
        length, content = data[start + 1], start + 2
        if length & 0x80:
            octets = length & 0x7F
            if not 0 < octets <= 4:
                raise BadInput("this is not DER: a length is indefinite or absurd")
            length, content = int.from_bytes(data[content : content + octets]), content + octets
        end = content + length
        if end > len(data):
            raise BadInput("this is not DER: it ends too early")
        found.append(_Element(data[start], data[start:end], data[content:end]))
        start = end
    return tuple(found)
