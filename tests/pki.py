"""Certificates for tests, made in the test: a small authority, chains of it, and every way to get one wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


def new_key(kind: str = "ECDSA", bits: int = 2048) -> Key:
    """Make a key of a kind."""
    makers = {
        "ECDSA": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RSA": lambda: rsa.generate_private_key(65537, bits),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "Ed448": ed448.Ed448PrivateKey.generate,
    }
    return makers[kind]()


def key_pem(key: Key, password: bytes | None = None, form: str = "PKCS8") -> bytes:
    """Return a key as PEM: PKCS8 or TraditionalOpenSSL, with a password if one is given."""
    guard = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, getattr(serialization.PrivateFormat, form), guard)


@dataclass(frozen=True)
class Authority:
    """A certificate authority: a root and one intermediate that signs."""

    root: x509.Certificate
    certificate: x509.Certificate
    key: Key

    def issue(self, *names: str, key: Key, common_name: str = "", days: tuple[float, float] = (-1, 90)) -> x509.Certificate:
        """Issue a leaf; `days`: validity relative to now."""
        extensions = [x509.SubjectAlternativeName([x509.DNSName(name) for name in names])] if names else []
        return _sign(common_name, key, self.certificate.subject, self.key, extensions=extensions, days=days)

    def chain(self, *names: str, key: Key, **words: object) -> bytes:
        """Issue a leaf and return it with the intermediate, PEM."""
        leaf = self.issue(*names, key=key, **words)  # type: ignore[arg-type]  handed through
        return leaf.public_bytes(PEM) + self.certificate.public_bytes(PEM)


@cache
def authority(name: str = "Lab") -> Authority:
    """Make an authority, once a run."""
    root_key, key = new_key(), new_key()
    issuer = x509.BasicConstraints(ca=True, path_length=None)
    root_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} Root")])
    root = _sign(f"{name} Root", root_key, root_name, root_key, extensions=[issuer], days=(-10, 3650))
    return Authority(root, _sign(f"{name} Issuer", key, root.subject, root_key, extensions=[issuer], days=(-10, 1000)), key)


def pair(*names: str, kind: str = "ECDSA") -> tuple[bytes, bytes]:
    """Make a chain and its key, both PEM, as an ACME client would bring them."""
    key = new_key(kind)
    return authority().chain(*(names or ("mx.example.org",)), key=key), key_pem(key)


def _sign(
    subject: str,
    key: Key,
    issuer: x509.Name,
    issuer_key: Key,
    *,
    extensions: list[x509.ExtensionType],
    days: tuple[float, float],
) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(
        issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    )
