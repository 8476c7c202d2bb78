"""Durations as people write them: `90s`, `10m`, `2h`, `7d`, `500ms`, or a number of seconds."""

from __future__ import annotations

import math

from tlsa_manager import option
from tlsa_manager.errors import BadInput

LONGEST = 3650 * 86400.0
_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_HINT = "write it as 500ms, 90s, 10m, 2h or 7d"


def seconds(value: str | float) -> float:
    """Return a duration in seconds. Raises BadInput."""
    if not isinstance(value, str):
        length = float(value) if abs(value) <= LONGEST else math.inf  # a long int has no float
    elif value.endswith("ms"):
        length = option.seconds(value.removesuffix("ms") + "s") / 1000
    else:
        length = option.seconds(value)
    if math.isnan(length) or not 0 <= length <= LONGEST:
        msg = f"{str(value)[:40]!r} is not between 0 and ten years"
        raise BadInput(msg, _HINT)
    return length


def duration(value: float) -> str:
    """Write seconds in the largest unit that leaves a whole number: 5400 is `90m`, 0.5 is `500ms`."""
    for unit, length in _UNITS.items():
        count = value / length
        if count >= 1 and abs(count - round(count)) < 1e-9:  # floats round
            return f"{round(count)}{unit}"
    return f"{value:g}s"
