"""Moments as authorities write them in the body of an answer."""

from __future__ import annotations

from datetime import datetime


def moment(value: object) -> float:
    """Return a date of RFC 3339, seconds since 1970. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 40:
        raise ValueError("not a date")
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a date without time zone")
    return found.timestamp()
