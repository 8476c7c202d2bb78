"""Moments as authorities write them: in the Retry-After of an answer, and in its body."""

from __future__ import annotations

from datetime import UTC, datetime

LONGEST = 31 * 86400.0  # no authority has a limit that lasts longer; a larger number is a mistake, or meant to stop us for ever


def retry_at(value: str, now: float) -> float:
    """Return not before when to ask again: Retry-After is seconds or an HTTP date (RFC 9110 §10.2.3). 0: it does not say."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return now + min(float(text[:12]), LONGEST)
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return min(max(aware.timestamp(), now), now + LONGEST)


def moment(value: object) -> float:
    """Return a date of RFC 3339, seconds since 1970. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 40:
        raise ValueError("not a date")
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a date without time zone")
    return found.timestamp()
