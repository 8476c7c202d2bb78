"""A terminal for a program that tells its errors to people only: what it writes there is copied to a file."""

from __future__ import annotations

import os
import select
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_LOOK_EVERY = 0.1  # seconds, where a daemon that was left behind keeps the terminal open


class Terminal:
    """Gives the number of a terminal's file, to be some program's stderr; listens until the end of the block.

    It is nobody's controlling terminal, so no signal comes from it. Raises OSError where there are no terminals.
    """

    def __init__(self, copy: IO[bytes]) -> None:
        self._copy = copy
        self._over = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="terminal", daemon=True)
        self._ours, self._theirs = os.openpty()

    def __enter__(self) -> int:
        """Listen."""
        self._listener.start()
        return self._theirs

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Copy what was said until now."""
        os.close(self._theirs)
        self._over.set()
        self._listener.join()
        os.close(self._ours)

    def _listen(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.is_set()  # asked before we look: whatever was said until then is there now
            try:
                while select.select([self._ours], [], [], 0 if is_over else _LOOK_EVERY)[0]:
                    self._copy.write(os.read(self._ours, 65536))
            except OSError:  # nobody holds the other side any more
                return
