"""Looking again until something is done at the authority: as often as it wants, and not for ever (RFC 8555 §7.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tlsa_manager import clock
from tlsa_manager.errors import IssueTemporary
from tlsa_manager.issue.refusal import STAYS

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 300.0  # seconds in all
_FIRST, _LONGEST = 0.25, 5.0  # between two looks, where the authority does not say

T = TypeVar("T")


def patience() -> float:
    """Return until when to wait from now on, in clock.monotonic's seconds."""
    return clock.monotonic() + PATIENCE


def wait(look: Callable[[], tuple[T, bool, float]], what: str, deadline: float) -> T:
    """Look until it is done. `look` returns what it saw, whether that is the end, and not before when to look again (or 0).

    Raises IssueTemporary when patience ends (`deadline`), or would end before the authority wants to be asked again.
    """
    pause = _FIRST
    while True:
        seen, done, ask_at = look()
        if done:
            return seen
        needed = max(ask_at - clock.now(), pause)
        if clock.monotonic() + needed > deadline:
            hint = "nothing is lost: the next run goes on where this one ended"
            raise IssueTemporary(f"{what} takes long; {STAYS}", hint, ask_at)
        clock.sleep(needed)
        pause = min(pause * 1.6, _LONGEST)
