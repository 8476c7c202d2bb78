"""An authority that lives as long as the demo, in place of Let's Encrypt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from tlsa_manager import clock, keys
from tlsa_manager.demo.names import HOST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

_DAYS = 90


class CertificateAuthority:
    """Issues certificates for the mail server. Its own key is nowhere but in memory."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Demo CA")

    def renew(self) -> keys.Pair:
        """Make a new key and a certificate for it, as a renewal brings them."""
        key = keys.generate()
        now = datetime.fromtimestamp(clock.now(), UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(HOST))
            .issuer_name(self._name)
            .public_key(cast("CertificatePublicKeyTypes", load_der_public_key(keys.read_any(key).spki)))
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
            .sign(self._key, SHA256())
        )
        return keys.load_pair(certificate.public_bytes(Encoding.PEM), key)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
