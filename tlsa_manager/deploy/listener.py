"""What a program says is listened to while it runs, and of it so much is kept: the beginning for us, the end for a message.

Nothing goes to a disk that it could fill. What it leaves in the background neither keeps us waiting nor is hurt: it holds both
ends of its pipe, so that no signal ends it when we are gone, and from then on what does not fit is an error to it, not a wait.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_LOOK_EVERY = 0.1  # seconds, where something that was left behind holds the other end
_AFTERWARDS = 1 << 20  # bytes; what is in a pipe when its writer has ended is no more than that (pipe(7))
_TAIL = 4096  # bytes


class Kept:
    """The first `limit` bytes of what was said, and the last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.head, self.tail = bytearray(), b""

    def add(self, said: bytes) -> None:
        """Take some more."""
        self.head += said[: max(0, self._limit - len(self.head))]
        self.tail = (self.tail + said)[-_TAIL:]


class Listener:
    """Listens to a descriptor in a thread of its own, from the beginning of the block to its end."""

    def __init__(self, ours: int, kept: Kept) -> None:
        self._ours, self._kept = ours, kept
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> None:
        """Listen."""
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Hear what was said until now, and close our end."""
        self._over.set()
        self._thread.join()
        os.close(self._ours)

    def _listen(self) -> None:
        left = _AFTERWARDS
        while left > 0:
            is_over = self._over.is_set()  # asked before we look: whatever was said until then is there now
            try:
                if not select.select([self._ours], [], [], 0 if is_over else _LOOK_EVERY)[0]:
                    if is_over:
                        return
                    continue
                said = os.read(self._ours, 65536)
            except OSError:  # nobody holds the other side of a terminal any more
                return
            if not said:
                return
            self._kept.add(said)
            left -= len(said) if is_over else 0


class Pipe:
    """Gives the number of a pipe's end to be some program's stdout or stderr; listens until the end of the block."""

    def __init__(self, kept: Kept) -> None:
        ours, end = os.pipe()
        try:
            self._theirs = os.open(f"/proc/self/fd/{end}", os.O_RDWR | os.O_CLOEXEC)
        finally:
            os.close(end)
        self._listener = Listener(ours, kept)

    def __enter__(self) -> int:
        """Listen."""
        self._listener.__enter__()
        return self._theirs

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Hear what was said until now."""
        os.set_blocking(self._theirs, False)  # of all who have it
        os.close(self._theirs)
        self._listener.__exit__(kind, problem, trace)
