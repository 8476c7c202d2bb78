"""What a server's own certificate says of itself, as far as records depend on it: its dates, its key, its issuer."""

from __future__ import annotations

from functools import lru_cache

from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate. Dates in seconds since 1970; `bits`: of the key, 0 where it has no size that varies."""

    not_before: float
    not_after: float
    kind: str
    bits: int
    self_signed: bool

    @property
    def lifetime(self) -> float:
        """Seconds from the first to the last moment."""
        return self.not_after - self.not_before


@lru_cache(maxsize=1024)
def leaf(certificate: bytes) -> Leaf | None:
    """Read a certificate (DER); None where it cannot be read."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        own = parsed.subject == parsed.issuer
        dates = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion):
        return None
    try:
        key = parsed.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Leaf(*dates, "other", 0, own)
    if isinstance(key, rsa.RSAPublicKey):
        return Leaf(*dates, "RSA", key.key_size, own)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Leaf(*dates, "ECDSA", key.key_size, own)
    return Leaf(*dates, type(key).__name__.removesuffix("PublicKey"), 0, own)
