"""Whether an RRset is what the zone's keys have signed (RFC 4035 §5.3), and from when until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import dns.rdatatype

from tlsa_manager.observe.message import signatures, text
from tlsa_manager.observe.seal import ALGORITHMS, key_tag, sealed
from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdata import Rdata
    from dns.rdataset import Rdataset
    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rrset import RRset

MAX_SIGNATURES = 8  # tried over one RRset, and
MAX_KEYS = 4  # of one key tag: a zone cannot keep us busy for long (CVE-2023-50387)
# What is told of several faulty signatures: the one that should have been good says most.
_TELLING = (
    Cause.SIGNATURE_EXPIRED,
    Cause.SIGNATURE_FUTURE,
    Cause.SIGNATURE_BAD,
    Cause.KEY_GONE,
    Cause.SIGNATURE_STRANGE,
)
MAX_FOUND_OUT = 1024  # signatures whose truth is remembered
_ORDER = (Security.SECURE, Security.INSECURE, Security.INDETERMINATE, Security.BOGUS)


@dataclass(frozen=True, slots=True)
class Proof:
    """What follows from signatures: the state, why not secure, the zone where the chain breaks, and the dates.

    `since`: latest inception, `until`: earliest expiration of all signatures it rests on, seconds since 1970, good or not;
    `life`: seconds from beginning to end of the signature that ends first; `cause`: of the reason.
    """

    security: Security
    reason: str = ""
    zone: str = ""
    since: float | None = None
    until: float | None = None
    life: float = 0.0
    cause: Cause = Cause.NONE

    @property
    def secure(self) -> bool:
        """Whether everything is signed as it should be."""
        return self.security is Security.SECURE

    def along(self, other: Proof) -> Proof:
        """Join with a proof that the same answer rests on: the worse of both, within the dates of both."""
        worse = max(self, other, key=lambda proof: _ORDER.index(proof.security))
        since = [date for date in (self.since, other.since) if date is not None]
        ends = [(proof.until, proof.life) for proof in (self, other) if proof.until is not None]
        until, life = min(ends, default=(None, 0.0))
        return replace(worse, since=max(since, default=None), until=until, life=life)


NOTHING = Proof(Security.SECURE)


@dataclass(frozen=True, slots=True)
class Signer:
    """A zone with its trusted keys, at one moment (seconds since 1970)."""

    zone: Name
    keys: Rdataset
    now: float


def verify(rrset: RRset, section: list[RRset], signer: Signer) -> tuple[Proof, RRSIG | None]:
    """Validate an RRset by the signatures in its section, with the keys of its zone.

    Returns the proof and the valid signature that lasts longest.
    """
    what = f"{dns.rdatatype.to_text(rrset.rdtype)} of {text(rrset.name)}"
    zone = text(signer.zone)
    made = signatures(section, rrset)
    if made is None:
        reason = f"{what} has no signature, although {zone} is signed"
        return Proof(Security.BOGUS, reason, zone, cause=Cause.SIGNATURE_MISSING), None
    valid: list[RRSIG] = []
    faults: list[tuple[Cause, str]] = []
    tried = [cast("RRSIG", rdata) for rdata in made][:MAX_SIGNATURES]
    for signature in tried:
        fault = _fault(rrset, signature, signer)
        if fault is not None:
            faults.append(fault)
        else:
            valid.append(signature)
    if not valid:
        reason = f"signature over {what} " + "; another ".join(dict.fromkeys(words for _, words in faults))
        cause = min((cause for cause, _ in faults), key=_TELLING.index)
        return _dated(Proof(Security.BOGUS, reason, zone, cause=cause), tried[0]), None
    best = max(valid, key=lambda signature: signature.expiration)
    return _dated(NOTHING, best), best


def expanded(rrset: RRset, signature: RRSIG) -> bool:
    """Whether the RRset was made from a wildcard (RFC 4035 §5.3.4)."""
    return signature.labels < len(rrset.name) - 1 and not rrset.name.is_wild()


def signs(rrset: RRset, signature: RRSIG, keys: list[Rdata]) -> bool:
    """Whether any of the keys has made the signature, whenever that was. Found out once for the same objects."""
    return _signs(_Same((rrset, signature, *keys)))


def date(moment: float) -> str:
    """Write a date for people, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


class _Same:
    """Objects that are the same and not only equal: quickly compared, and kept from vanishing."""

    __slots__ = ("objects",)

    def __init__(self, objects: tuple[Any, ...]) -> None:
        self.objects = objects

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.objects)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same) or len(self.objects) != len(other.objects):
            return False
        return all(one is another for one, another in zip(self.objects, other.objects, strict=True))


@lru_cache(MAX_FOUND_OUT)
def _signs(same: _Same) -> bool:
    rrset, signature, *keys = same.objects
    return any(sealed(rrset, signature, key) for key in keys)


def _dated(proof: Proof, signature: RRSIG) -> Proof:
    since, until = float(signature.inception), float(signature.expiration)
    return replace(proof, since=since, until=until, life=until - since)


def _fault(rrset: RRset, signature: RRSIG, signer: Signer) -> tuple[Cause, str] | None:
    zone, now = signer.zone, signer.now
    if signature.signer != zone:
        return Cause.SIGNATURE_STRANGE, f"is made by {text(signature.signer)}, not by {text(zone)}"
    if signature.expiration < now:
        return Cause.SIGNATURE_EXPIRED, f"has expired: it was valid until {date(signature.expiration)}"
    if signature.inception > now:
        return Cause.SIGNATURE_FUTURE, f"is not yet valid: it begins at {date(signature.inception)}"
    if signature.algorithm not in ALGORITHMS:
        number = int(signature.algorithm)
        return Cause.SIGNATURE_STRANGE, f"is made with algorithm {number}, which does not count (RFC 9904, RFC 9905)"
    fitting = [key for key in signer.keys if _fits(cast("DNSKEY", key), signature)][:MAX_KEYS]
    if not fitting:
        return Cause.KEY_GONE, f"is made with key {signature.key_tag}, which is not among the keys of {text(zone)}"
    if not signs(rrset, signature, fitting):
        return Cause.SIGNATURE_BAD, "does not fit the data"
    return None


def _fits(key: DNSKEY, signature: RRSIG) -> bool:
    if key.algorithm != signature.algorithm or key_tag(key) != signature.key_tag:
        return False
    revoked = bool(key.flags & 0x80) and signature.type_covered != dns.rdatatype.DNSKEY  # RFC 5011 §2.1
    return bool(key.flags & 0x100) and key.protocol == 3 and not revoked  # RFC 4034 §2.1
