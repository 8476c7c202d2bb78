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


def wait(look: Callable[[], tuple[T, bool, float]], what: str) -> T:
    """Look until it is done. `look` returns what it saw, whether that is the end, and not before when to look again (or 0).

    Raises IssueTemporary when patience ends, or would end before the authority wants to be asked again.
    """
    pause, deadline = _FIRST, clock.now() + PATIENCE
    while True:
        seen, done, ask_at = look()
        if done:
            return seen
        next_look = max(ask_at, clock.now() + pause)
        if next_look > deadline:
            hint = "nothing is lost: the next run goes on where this one ended"
            raise IssueTemporary(f"{what} takes long; {STAYS}", hint, ask_at)
        clock.sleep(next_look - clock.now())
        pause = min(pause * 1.6, _LONGEST)
