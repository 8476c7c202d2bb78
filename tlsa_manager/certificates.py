"""Certificates from bytes to values: chains, names, dates. Every digest is made of the DER exactly as it stands."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise
from typing import TYPE_CHECKING

from tlsa_manager import der, pem
from tlsa_manager.chain import Chain, Digests
from tlsa_manager.errors import BadInput
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

MAX_CERTIFICATES = 20
CERTIFICATE_LABELS = {"CERTIFICATE", "X509 CERTIFICATE"}  # RFC 7468 §5.1: the latter is to be read, not written


@dataclass(frozen=True, slots=True)
class Details:
    """What a Chain does not carry: the leaf's DNS names and dates (seconds since 1970), and the chain as tidy PEM text.

    `signed_by_itself`: the leaf is its own issuer; no authority vouches for its names.
    """

    names: tuple[str, ...]
    not_before: float
    not_after: float
    pem: bytes
    signed_by_itself: bool = False


def read_chain(data: bytes) -> tuple[Chain, Details]:
    """Read a chain from PEM (leaf first) or one certificate from DER. Raises BadInput when it is not one clean chain.

    Refused are: nothing or too much of it, damage, duplicates, a certificate that did not issue the one before it.
    """
    found = certificates_in(data)
    parsed = [_parse(one, place) for place, one in enumerate(found, 1)]
    _check_order(parsed, found)
    return chain_of(found), Details(
        _names(parsed[0]),
        parsed[0].not_valid_before_utc.timestamp(),
        parsed[0].not_valid_after_utc.timestamp(),
        b"".join(to_pem(one) for one in found),
        parsed[0].issuer == parsed[0].subject,
    )


def certificates_in(data: bytes) -> tuple[bytes, ...]:
    """Return all certificates (DER) of PEM text, or the one that DER data is; at least one. Raises BadInput."""
    if not pem.is_pem(data):
        return (pem.bounded(data, "certificate"),)
    found = tuple(block.content for block in pem.blocks(data, "certificate file") if block.label in CERTIFICATE_LABELS)
    if not found:
        raise BadInput("the certificate file has no certificate in it", "name the file that is called fullchain or cert")
    if len(found) > MAX_CERTIFICATES:
        raise BadInput(f"the certificate file has {len(found)} certificates; a chain has three or four", "name the right file")
    return found


def chain_of(certificates: Sequence[bytes]) -> Chain:
    """Make the value of certificates (DER) in the order they came, as a server presents them; nothing is judged.

    Raises BadInput if there is none, or one is not DER.
    """
    if not certificates:
        raise BadInput("there is no certificate", "a server must send one")
    digests = tuple(Digests.of(one, der.certificate_spki(one)) for one in certificates)
    return Chain(digests, der.kind_of_key(der.certificate_spki(certificates[0])), _end(certificates[0]))


def names_cover(names: Sequence[str], host: str) -> bool:
    """Whether one of a certificate's DNS names is this host; `*.` stands for exactly one whole label (RFC 7672 §3.2.3)."""
    wanted = host.rstrip(".").lower()
    _, dot, parent = wanted.partition(".")
    usable = {wanted, f"*.{parent}"} if dot else {wanted}
    return bool(wanted) and any(name.rstrip(".").lower() in usable for name in names)


def to_pem(certificate: bytes) -> bytes:
    """Return one certificate (DER) as PEM text (RFC 7468 §5)."""
    text = b64encode(certificate)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


def _end(leaf: bytes) -> float:
    """Return when a leaf ends. Its names may be as odd as they like: where a record names the key nobody looks at them."""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(leaf).not_valid_after_utc.timestamp()
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion):
        raise _unread(1) from None


def _parse(certificate: bytes, place: int) -> Certificate:
    """Parse a certificate, and at once those fields that the library would parse (and refuse) only when they are asked for."""
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        _ = parsed.subject, parsed.issuer, parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion):
        raise _unread(place) from None
    return parsed


def _unread(place: int) -> BadInput:
    msg = f"certificate {place} of the chain cannot be read: it is damaged, or no certificate at all"
    return BadInput(msg, "try: openssl x509 -noout -text -in FILE; then fetch it again from where it was made")


def _check_order(parsed: Sequence[Certificate], found: Sequence[bytes]) -> None:
    """Each certificate is issued by the one after it, and none comes twice (RFC 5246 §7.4.2; what Postfix demands, too)."""
    for place, (certificate, issuer) in enumerate(pairwise(parsed), 1):
        if found[place] in found[:place]:
            msg = f"certificate {place + 1} of the chain stands in it twice"
            raise BadInput(msg, "give the chain as the certificate authority sent it: each certificate once")
        if not _issued(certificate, issuer):
            msg = f"certificate {place + 1} of the chain did not issue certificate {place}, so it does not belong there"
            raise BadInput(msg, "the leaf comes first, then each issuer in turn; ACME clients call that file fullchain.pem")


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except UnsupportedAlgorithm:
        return True  # the names agree, and nobody here can say more
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _names(certificate: Certificate) -> tuple[str, ...]:
    """Return the DNS names; the common name only where there is none (RFC 7672 §3.2.3)."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise BadInput("the leaf certificate has a damaged extension", "have it issued anew") from None
    if not names:
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[-1:]]
    return tuple(name for name in dict.fromkeys(names) if name.isascii() and name.isprintable())  # they go into messages
