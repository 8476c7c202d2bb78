"""A terminal for a program that tells its errors to people only: what it writes there is kept as what it says to a pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tlsa_manager.deploy.listener import Listener

if TYPE_CHECKING:
    from types import TracebackType

    from tlsa_manager.deploy.listener import Kept


class Terminal:
    """Gives the number of a terminal's file, to be some program's stderr; listens until the end of the block.

    It is nobody's controlling terminal, so no signal comes from it. Raises OSError where there are no terminals.
    """

    def __init__(self, kept: Kept) -> None:
        ours, self._theirs = os.openpty()
        self._listener = Listener(ours, kept)

    def __enter__(self) -> int:
        """Listen."""
        self._listener.__enter__()
        return self._theirs

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Hear what was said until now."""
        os.close(self._theirs)
        self._listener.__exit__(kind, problem, trace)
