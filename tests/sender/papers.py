"""Certificates of every make for the tests of the sender's mind, and what a server presents with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tlsa_manager.certificates import chain_of
from tlsa_manager.der import certificate_spki
from tlsa_manager.sender.route import Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Presentation
from tlsa_manager.tlsa import Params, Tlsa, associate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key

HOST = "mx.example.org"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
AT = NOW.timestamp()
STOP = Stop(Service(HOST, 25, "smtp"), HOST, owners=(f"_25._tcp.{HOST}.",), names=(HOST,))
PARAMS = tuple(Params(usage, selector, matching) for usage in range(4) for selector in (0, 1) for matching in (0, 1, 2))


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of somebody, always the same one in a run."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Paper:
    """How a certificate is to be. `days`: validity relative to NOW; `ca`: None = no basic constraints; `key`: whose."""

    name: str
    issuer: str = ""
    key: str = ""
    issuer_key: str = ""
    names: tuple[str, ...] = ()
    ca: bool | None = True
    path_length: int | None = None
    days: tuple[float, float] = (-10, 100)
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = field(default=())
    common_names: tuple[str, ...] = ()

    def der(self) -> bytes:
        """Make it."""
        return _made(self)


@cache
def _made(one: Paper) -> bytes:
    return build(one, key_of(one.key or one.name), key_of(one.issuer_key or one.issuer or one.key or one.name))


def build(one: Paper, key: Key, issuer_key: Key) -> bytes:
    """Sign a certificate."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(*(one.common_names or (one.name,))))
        .issuer_name(_name(one.issuer or one.name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=one.days[0]))
        .not_valid_after(NOW + timedelta(days=one.days[1]))
    )
    if one.ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(one.ca, one.path_length), critical=True)
    if one.names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in one.names]), critical=False)
    for extension, critical in one.extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _name(*common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name, _validate=False) for name in common if name])


def leaf(*names: str, issuer: str = "Issuer", **words: object) -> Paper:
    """Describe a server's certificate."""
    return Paper("leaf", issuer, names=names or (HOST,), **{"ca": False, **words})  # type: ignore[arg-type]  handed through


ROOT = Paper("Root")
ISSUER = Paper("Issuer", "Root", path_length=0)


def seen(*certificates: bytes, pkix: str | None = None, client: str = "any", address: str = "192.0.2.1") -> Presentation:
    """Return what a client sees of a server that presents these, in this order."""
    return Presentation(address, client, Outcome.PRESENTED, chain_of(certificates), certificates=certificates, pkix=pkix)


def record(params: str | Params, certificate: bytes) -> Tlsa:
    """Return the record of a certificate."""
    wanted = params if isinstance(params, Params) else Params.parse(params)
    return associate(wanted, certificate, certificate_spki(certificate))
