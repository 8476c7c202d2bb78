"""How long to wait, and which key comes next: what the configuration wants of a lineage, as values. All durations in seconds."""

from __future__ import annotations

from tlsa_manager.value import dataclass

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Timing of one lineage; the symbols are those of standards.md §2.1 / RFC 7671 §8.1."""

    ttl: int = 3600  # given to records that are published where none stood
    ttl_multiplier: float = 2.0  # k
    cache_floor: float = 2 * HOUR  # F: for resolvers that raise small TTLs
    margin: float = 10 * MINUTE  # M: poll interval, unseen anycast nodes, sender-side caching
    rollback_window: float = DAY  # R is at least this and at least 2·TTL
    poll_interval: float = MINUTE  # between two poll rounds while something is going on
    check_interval: float = HOUR  # between two looks at a stable lineage
    confirm_within: float = 2 * MINUTE  # after a swap every answer must be new within this
    signature_margin: float = DAY  # signatures must live at least this long at the swap


KEY_TYPES = {
    "ecdsa-p256": "ECDSA", "ecdsa-p384": "ECDSA", "rsa-2048": "RSA", "rsa-3072": "RSA", "rsa-4096": "RSA",
}  # fmt: skip
DEFAULT_KEY_TYPE = "ecdsa-p256"


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Which key a renewal is made for, and how long a key serves.

    `next_key`: a next key is always published beside the current one; None: where keys are taken from us (an issuer of our own,
    or a client that asked for one). `reuse`: renewals keep the key. `lifetime`: after so many seconds in service a key is due to
    be replaced; 0 = at every renewal, with `reuse` only when somebody says so. `type`: one of KEY_TYPES, empty = as the current
    key. `accept`: kinds of key (RSA, ECDSA) to which a certificate may change without asking.
    """

    next_key: bool | None = None
    reuse: bool = False
    lifetime: float = 0.0
    type: str = ""
    accept: tuple[str, ...] = ()
