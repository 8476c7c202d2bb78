"""Moments and durations in words."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def iso(moment: float | None) -> str | None:
    """Write a moment (seconds since 1970) for programs: UTC, ISO 8601, milliseconds."""
    return (
        None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def clock(moment: float, now: float) -> str:
    """Write a moment for people: local time, the date only where it is not today's, and how far away it is."""
    there, here = (datetime.fromtimestamp(one, UTC).astimezone() for one in (moment, now))
    text = there.strftime("%H:%M:%S" if there.date() == here.date() else "%Y-%m-%d %H:%M")
    distance = span(abs(moment - now))
    return f"{text} (in {distance})" if moment > now else f"{text} ({distance} ago)"


def stamp(moment: float) -> str:
    """Write a moment for a list: local date and time with its zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def day(moment: float) -> str:
    """Write the date of a moment."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d")


def span(seconds: float) -> str:
    """Write a duration in its two largest units: `2 h 10 min`."""
    rest, words = round(seconds), list[str]()
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            words.append(f"{count} {unit}")
        elif words:
            break
    return " ".join(words[:2]) or "0 s"
