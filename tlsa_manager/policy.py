"""How long to wait: the `[timing]` of the configuration as a value. All durations in seconds."""

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
