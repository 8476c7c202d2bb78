"""How a probe ends when no chain was seen, and how the words of strangers are made fit to be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.snapshot import Outcome

MAX_REASON = 200
_UNFIT = re.compile(r"[^\x20-\x7e]+")


class ProbeError(Exception):
    """A probe ended without a chain. `late`: because its time was over, so that trying again would cost as much again.

    `refused`: the address said at once that nobody listens.
    Never leaves `observe/`: a remote fault is recorded as a Presentation.
    """

    def __init__(self, outcome: Outcome, reason: str, *, late: bool = False, refused: bool = False) -> None:
        """Keep the outcome and a reason that is safe to print."""
        super().__init__(reason)
        self.outcome = outcome
        self.reason = printable(reason)
        self.late = late
        self.refused = refused


def printable(words: bytes | str, limit: int = MAX_REASON) -> str:
    """Return words from a stranger as printable ASCII on one line: no escape codes, no newlines, at most `limit` characters."""
    text = words.decode("latin-1") if isinstance(words, bytes) else words
    text = _UNFIT.sub(" ", text[: 4 * limit]).strip()
    return text if len(text) <= limit else text[: limit - 3] + "..."
