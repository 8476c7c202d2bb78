"""Moments and durations as people say them."""

from __future__ import annotations

from datetime import UTC, datetime


def day(moment: float) -> str:
    """Return a moment (seconds since 1970): `2026-11-22 03:17 UTC`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def length(seconds: float) -> str:
    """Return a duration: `3.5 days`, `2.0 hours`, `90 minutes`, `5 seconds`."""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.1f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
