"""The only place that asks for the time, so that everything else can be run in virtual time."""

from __future__ import annotations

import time
from pathlib import Path

from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """The wall clock (seconds since 1970) beside what cannot be set: the boot and the seconds since it.

    Two moments of one boot tell whether somebody moved the wall clock between them.
    """

    wall: float
    boot: str
    uptime: float


def now() -> float:
    """Return the wall clock, seconds since 1970."""
    return time.time()


def monotonic() -> float:
    """Return seconds since an arbitrary start, never going back."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait. Zero or less returns at once."""
    if seconds > 0:
        time.sleep(seconds)


def moment() -> Moment:
    """Return the wall clock together with the boot it belongs to. The boot is empty where the system does not tell it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))
