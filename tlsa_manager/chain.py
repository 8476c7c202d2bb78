"""Certificate chains as values: the digests a TLSA record may carry, the names, the dates, the kind of key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Params, RRset, Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Digests:
    """The four digests of one certificate, lower-case hexadecimal: of the whole (DER) and of its SubjectPublicKeyInfo."""

    certificate_sha256: str
    certificate_sha512: str
    spki_sha256: str
    spki_sha512: str

    @classmethod
    def of(cls, certificate: bytes, spki: bytes) -> Digests:
        """Hash a certificate and its SubjectPublicKeyInfo, both DER as they stand in the certificate."""
        return cls(
            hashlib.sha256(certificate).hexdigest(), hashlib.sha512(certificate).hexdigest(),
            hashlib.sha256(spki).hexdigest(), hashlib.sha512(spki).hexdigest(),
        )  # fmt: skip

    def record(self, params: Params) -> Tlsa:
        """The record with these parameters; matching type 1 or 2 only."""
        table = {
            (0, 1): self.certificate_sha256, (0, 2): self.certificate_sha512,
            (1, 1): self.spki_sha256, (1, 2): self.spki_sha512,
        }  # fmt: skip
        return Tlsa(params.usage, params.selector, params.matching, table[params.selector, params.matching])

    def matches(self, record: Tlsa) -> bool:
        """Whether the data of a record selects this certificate (RFC 6698 §2.1.2, §2.1.3)."""
        if record.flaw:
            return False
        if record.matching == 0:
            digest = hashlib.sha256(bytes.fromhex(record.data)).hexdigest()
            return digest == (self.spki_sha256 if record.selector else self.certificate_sha256)
        return self.record(record.params).data == record.data


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as a server presents it, leaf first: one Digests a certificate, and the leaf's kind of key (RSA, ECDSA...)."""

    certificates: tuple[Digests, ...]
    kind: str
    not_after: float = 0.0

    @property
    def leaf(self) -> Digests:
        """The digests of the certificate that names the server."""
        return self.certificates[0]

    @property
    def fingerprint(self) -> str:
        """What tells one certificate from another: SHA-256 of the leaf."""
        return self.leaf.certificate_sha256

    def records(self, params: Iterable[Params] = (DANE_EE_SPKI_SHA256,)) -> RRset:
        """The records this chain needs: DANE-EE of the leaf, DANE-TA of the issuer nearest to the root that it brings along.

        A chain without an issuer has no record of usage 2: then nothing covers these parameters, and a swap has to wait.
        """
        return frozenset(one.record(wish) for wish in params for one in self._named_by(wish))

    def _named_by(self, params: Params) -> tuple[Digests, ...]:
        """The certificate that a record with these parameters is made of, if there is one (RFC 7671 §5.2)."""
        return self.certificates[1:][-1:] if params.usage == 2 else (self.leaf,)

    def matches(self, record: Tlsa) -> bool:
        """Whether a record matches this chain: usages 1 and 3 the leaf, 0 and 2 any issuer that is sent (RFC 7671 §5)."""
        if record.usage in {1, 3}:
            return self.leaf.matches(record)
        return any(certificate.matches(record) for certificate in self.certificates[1:] or self.certificates)
