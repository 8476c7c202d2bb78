"""Self-signed certificates made on the spot, in the form a mail server reads: key first, then the certificate."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its certificate, both PEM."""

    key: bytes
    certificate: bytes

    @property
    def combined(self) -> bytes:
        """Key first, then the certificate: one file that can be replaced by one rename."""
        return self.key + self.certificate

    @property
    def record(self) -> str:
        """Rdata of the TLSA record `3 1 1` of this key."""
        return record(self.certificate)

    def install(self, path: Path) -> None:
        """Write the combined file, private from its first byte, and rename it into place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(self.combined)
        fresh.rename(path)


def self_signed(*names: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None) -> Pair:
    """Make a certificate for these host names or addresses, valid for a month, with this key or a new ECDSA key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    no_password = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return Pair(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password), certificate.public_bytes(pem))


def record(certificate_pem: bytes) -> str:
    """Return the rdata `3 1 1` of the first certificate of a PEM text."""
    public_key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"3 1 1 {hashlib.sha256(der).hexdigest()}"


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
