"""Which records of a set a sender goes by: those that it can use, and of their digests the strongest (RFC 7671 §9)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tlsa_manager.rollover import law

if TYPE_CHECKING:
    from tlsa_manager.tlsa import RRset, Tlsa

_STRENGTH = (1, 2)  # matching types of digests, weakest first


def usable(records: RRset, *, smtp: bool) -> RRset:
    """Return the records that a sender acts on: those of the law, without what can be no certificate and no key."""
    return frozenset(one for one in law.usable(records, smtp=smtp) if not useless(one, smtp=smtp))


def useless(record: Tlsa, *, smtp: bool) -> str:
    """Why a sender does not act on a record, or an empty text (RFC 6698 §4.1, RFC 7672 §3.1.3)."""
    if record.flaw:
        return record.flaw
    if smtp and record.usage not in law.SMTP_USAGES:
        return f"certificate usage {record.usage} is unusable with SMTP (RFC 7672 §3.1.3)"
    return _malformed(record.selector, record.data) if record.matching == 0 else ""


def agile(usable: RRset) -> RRset:
    """Return the usable records that an agile sender acts on.

    For each (usage, selector) those with matching type 0, and of the digests only the strongest that is there.
    """
    strongest: dict[tuple[int, int], int] = {}
    for one in usable:
        if one.matching in _STRENGTH:
            group = one.usage, one.selector
            strongest[group] = max(one.matching, strongest.get(group, 0), key=lambda m: m in _STRENGTH and _STRENGTH.index(m))
    return frozenset(one for one in usable if one.matching == 0 or one.matching == strongest[one.usage, one.selector])


@lru_cache(maxsize=256)
def _malformed(selector: int, data: str) -> str:
    """Why the data of a record with matching type 0 is not what it has to be. A key of a kind that we do not know is one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    from tlsa_manager.der import certificate_spki
    from tlsa_manager.errors import BadInput

    try:
        if selector == 0:
            certificate_spki(bytes.fromhex(data))
        else:
            load_der_public_key(bytes.fromhex(data))
    except UnsupportedAlgorithm:
        return ""
    except (BadInput, ValueError, TypeError):
        return f"the data is no {'public key' if selector else 'certificate'} in DER, which matching type 0 needs (RFC 6698 §4.1)"
    return ""
