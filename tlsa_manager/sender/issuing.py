"""What one certificate says of itself, and whether one issued another. Everything that costs time is kept, for a while."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.x509 import Certificate, Extensions, GeneralName

SHORT = 60  # characters of a name that somebody else chose
_SUBJECTS, _MAIL = "directory names", "mail addresses"


@dataclass(frozen=True, slots=True)
class Paper:
    """One certificate, as far as a path goes by it (RFC 5280 §6.1). Dates in seconds since 1970.

    `names`: the leaf's names: DNS-IDs, else the last common name (RFC 7672 §3.2.3); `label`: what people call it;
    `ca`: why it may not issue others, or empty; `longest`: how many issuers may stand below it, None for any number;
    `server`: why it may not be used for a TLS server, or empty; `permitted`, `excluded`: DNS subtrees of its name constraints;
    `bounds`: the other kinds of names that they are about; `others`: the kinds of names that it has besides DNS names.
    """

    certificate: Certificate = field(repr=False)
    label: str
    not_before: float
    not_after: float
    names: tuple[str, ...] = ()
    ca: str = ""
    longest: int | None = None
    server: str = ""
    permitted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    bounds: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


@lru_cache(maxsize=128)
def paper(der: bytes) -> Paper | None:
    """Read a certificate (DER); None where it cannot be read, and then it vouches for nothing."""
    from cryptography import x509

    with suppress(ValueError, TypeError, OverflowError, x509.InvalidVersion, x509.DuplicateExtension):
        found = x509.load_der_x509_certificate(der)
        words = found.extensions
        permitted, excluded = _constraints(words)
        bounds, others = _kinds((*permitted, *excluded)), _kinds(_alternatives(words)) | _of_subject(found)
        return Paper(
            found, _label(found), found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp(),
            _names(found, words), _ca(words), _longest(words), _server(words), _dns(permitted), _dns(excluded), bounds, others,
        )  # fmt: skip
    return None


@lru_cache(maxsize=512)
def issued(der: bytes, issuer: bytes) -> bool:
    """Whether `issuer` is named as the issuer of `der`, and its key has signed it."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    below, above = paper(der), paper(issuer)
    if below is None or above is None:
        return False
    with suppress(InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        below.certificate.verify_directly_issued_by(above.certificate)
        return True
    return False


@lru_cache(maxsize=256)
def signed(der: bytes, spki: bytes) -> bool:
    """Whether a bare key (SubjectPublicKeyInfo, DER) has signed a certificate, whatever it is called."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    below = paper(der)
    if below is None:
        return False
    one = below.certificate
    with suppress(InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        key, way, digest = load_der_public_key(spki), one.signature_algorithm_parameters, one.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and isinstance(way, padding.AsymmetricPadding) and digest is not None:
            key.verify(one.signature, one.tbs_certificate_bytes, way, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(way, ec.ECDSA):
            key.verify(one.signature, one.tbs_certificate_bytes, way)
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(one.signature, one.tbs_certificate_bytes)
        else:
            return False
        return True
    return False


def _label(found: Certificate) -> str:
    """Return what people call a certificate: its common name, else its organisation, else its first name."""
    from cryptography import x509

    for kind in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        for one in found.subject.get_attributes_for_oid(kind):
            text = "".join(letter if letter.isprintable() else "?" for letter in str(one.value))
            return f"{'CN' if kind == x509.NameOID.COMMON_NAME else 'O'}={text[:SHORT]}"
    return "no name"


def _names(found: Certificate, words: Extensions) -> tuple[str, ...]:
    from cryptography import x509

    names = _dns(_alternatives(words))
    if names:
        return names
    return tuple(str(one.value) for one in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[-1:])


def _ca(words: Extensions) -> str:
    """Why it may not issue certificates (RFC 5280 §4.2.1.9, §4.2.1.3)."""
    from cryptography import x509

    try:
        if not words.get_extension_for_class(x509.BasicConstraints).value.ca:
            return "says itself that it is no certificate authority"
    except x509.ExtensionNotFound:
        return "does not say that it is a certificate authority"
    with suppress(x509.ExtensionNotFound):
        if not words.get_extension_for_class(x509.KeyUsage).value.key_cert_sign:
            return "may not sign certificates (key usage)"
    return ""


def _longest(words: Extensions) -> int | None:
    from cryptography import x509

    with suppress(x509.ExtensionNotFound):
        return words.get_extension_for_class(x509.BasicConstraints).value.path_length
    return None


def _server(words: Extensions) -> str:
    """Why it, or what it issued, may not be a TLS server's (RFC 5280 §4.2.1.12, §4.2)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    unknown = [one.oid.dotted_string for one in words if one.critical and isinstance(one.value, x509.UnrecognizedExtension)]
    if unknown:
        return f"has a critical extension that nobody knows ({unknown[0][:SHORT]})"
    with suppress(x509.ExtensionNotFound):
        uses = words.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.SERVER_AUTH not in uses and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in uses:
            return "may not be used for TLS servers (extended key usage)"
    return ""


def _alternatives(words: Extensions) -> tuple[GeneralName, ...]:
    from cryptography import x509

    with suppress(x509.ExtensionNotFound):
        return tuple(words.get_extension_for_class(x509.SubjectAlternativeName).value)
    return ()


def _constraints(words: Extensions) -> tuple[tuple[GeneralName, ...], tuple[GeneralName, ...]]:
    from cryptography import x509

    with suppress(x509.ExtensionNotFound):
        value = words.get_extension_for_class(x509.NameConstraints).value
        return tuple(value.permitted_subtrees or ()), tuple(value.excluded_subtrees or ())
    return (), ()


def _dns(names: Iterable[GeneralName]) -> tuple[str, ...]:
    from cryptography import x509

    return tuple(one.value for one in names if isinstance(one, x509.DNSName))


def _kinds(names: Iterable[GeneralName]) -> frozenset[str]:
    """Return what the kinds of names are called, of those that are no DNS names."""
    from cryptography import x509

    called = {x509.DirectoryName: _SUBJECTS, x509.RFC822Name: _MAIL, x509.IPAddress: "IP addresses"}
    return frozenset(called.get(type(one), "names of another kind") for one in names if not isinstance(one, x509.DNSName))


def _of_subject(found: Certificate) -> frozenset[str]:
    """Return the kinds of names that are in a subject, which constraints are about, too (RFC 5280 §4.2.1.10)."""
    from cryptography import x509

    mail = found.subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS)
    return frozenset(kind for kind, there in ((_SUBJECTS, found.subject.rdns), (_MAIL, mail)) if there)


__all__ = ["SHORT", "Paper", "issued", "paper", "signed"]
