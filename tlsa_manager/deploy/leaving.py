"""Whoever ends this program by a signal ends what it has started, too: that is in sessions of its own, so nobody else does.

A file of a configuration may be a pipe that the server's own program waits for; after `systemctl stop` or a closed terminal it
would wait for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_started: set[tuple[int, int]] = set()  # who started it, and its process group


def mind() -> None:
    """Be prepared, where nobody else is for such a signal; only the main thread may, in others nothing is done."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _leave)


@contextmanager
def taken_along(group: int) -> Iterator[None]:
    """Have a process group end with us, as long as this lasts."""
    mind()
    mine = (os.getpid(), group)
    _started.add(mine)
    try:
        yield
    finally:
        _started.discard(mine)


def _leave(number: int, _: FrameType | None) -> None:
    for starter, group in tuple(_started):
        if starter == os.getpid():  # not what a parent of ours has started
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
