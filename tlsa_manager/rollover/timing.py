"""Every interval of a rollover, one function each. Seconds; moments are seconds since 1970. Nothing here knows the time."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.policy import Policy
    from tlsa_manager.rollover.facts import CachedSet, Failure, OwnerFacts

MAX_RETRY = 3600.0
ASK_AGAIN = 86400.0  # a person is reminded daily
SEND_AGAIN = 900.0  # a backend that cannot be read is told once more
TELL_AGAIN = 3600.0  # so is one that can, where the name servers go on showing something else


def cache_wait(ttl: int, policy: Policy) -> float:
    """W: how long caches may hold a set after the last server stopped handing it out (RFC 7671 §8.1: two TTLs).

    The floor is for resolvers that raise small TTLs; none is known to stretch further than two hours.
    """
    return max(policy.ttl_multiplier * ttl, policy.cache_floor)


def forgotten_at(one: CachedSet, policy: Policy) -> float | None:
    """Return the moment since which no cache can hold a set, or None while a server may still hand it out (L1)."""
    if one.gone_since is None:
        return None
    return one.gone_since + cache_wait(one.ttl, policy) + policy.margin


def history_known_at(owner: OwnerFacts, policy: Policy) -> float | None:
    """Return the moment since which no cache can hold a set from before the first look at an owner (L1)."""
    if owner.since is None:
        return None
    ttl = max((one.ttl for one in owner.sets if one.records), default=0)
    return owner.since + cache_wait(ttl, policy) + policy.margin


def retire_at(confirmed_at: float, ttl: int, policy: Policy) -> float:
    """T_retire: the rollback window after every service was proven new: R = max(2·TTL, configured)."""
    return confirmed_at + rollback_window(ttl, policy)


def rollback_window(ttl: int, policy: Policy) -> float:
    """R: how long the way back stays open at once."""
    return max(2.0 * ttl, policy.rollback_window)


def signatures_needed_until(now: float, ends: float | None, policy: Policy) -> float:
    """Until when signatures have to live: to the end of the wait, and a margin from now on (standards: RFC 7671 §13)."""
    return max(now + policy.signature_margin, ends if ends is not None else now)


def confirm_until(deployed_at: float, policy: Policy) -> float:
    """Until when every service must have been seen with the new certificate, or the old one is put back."""
    return deployed_at + policy.confirm_within


def unwatched_after(policy: Policy) -> float:
    """How late a look may be before nobody can say that a wait went without a break (L1)."""
    return max(policy.margin, policy.check_interval, 10 * policy.poll_interval)


def back_again_at(done_at: float, tries: int, policy: Policy) -> float:
    """When a way back that had no effect is tried again: twice as long each time, at most an hour."""
    return done_at + min(policy.confirm_within * 2.0 ** min(tries, 20), max(MAX_RETRY, policy.confirm_within))


def retry_at(failure: Failure, policy: Policy) -> float:
    """Return when a failed step is tried again: after a poll interval, then twice as long each time, at most an hour.

    Not before whoever refused it allows it (RFC 8555 §6.6, Retry-After).
    """
    return max(failure.until, failure.at + min(policy.poll_interval * 2.0 ** min(failure.count - 1, 20), MAX_RETRY))


def deferred_until(seen_everywhere: float, ttl: int, policy: Policy) -> tuple[float, float]:
    """E2: when the key is swapped without a wait, until when senders with the old set in a conforming cache defer their mail.

    The second moment is for caches that raise small TTLs (standards §2.8, §2.10 T19). `ttl`: of the old set.
    """
    return seen_everywhere + ttl, seen_everywhere + max(float(ttl), policy.cache_floor)


def mixed(ttls: Iterable[int]) -> tuple[int, ...]:
    """The TTLs, if what is one RRset is handed out with several: forbidden (RFC 2181 §5.2), and the largest one counts."""
    found = tuple(sorted(set(ttls)))
    return found if len(found) > 1 else ()


class Verdict(StrEnum):
    """Whether a rollover fits into what is left of a certificate's life."""

    FITS = "fits"
    WARN = "warn"  # it takes more than half of it: one bad day, and the certificate expires
    ERROR = "error"  # it cannot be finished in time: lower the TTL first, or reuse the key


def fit(left: float, lag: float, ttl: int, policy: Policy) -> tuple[Verdict, float]:
    """Compare what a rollover needs, lag + W + M, with the life that is `left`; return verdict and spare seconds.

    `lag`: from the publication to the last server; `ttl`: of the set that stands there (standards §2.9).
    """
    needed = lag + cache_wait(ttl, policy) + policy.margin
    return verdict(needed, left), left - needed


def verdict(needed: float, left: float) -> Verdict:
    """Compare what is needed with the life that is left, both in seconds (standards §2.10, T20 and T21)."""
    return Verdict.ERROR if needed > left else Verdict.WARN if 2 * needed > left else Verdict.FITS


def effective_everywhere_at(published_seen: float, negative_ttl: int) -> float:
    """When a first publication is known to every sender: cached denials have run out by then (RFC 2308 §5)."""
    return published_seen + negative_ttl
