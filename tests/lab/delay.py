"""A secondary that gets each change only seconds later: the zone is not notified, and this thread refreshes it late."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.1


class DelayedRefresh:
    """Watches a zone's serial on the primary; `delay` seconds after the last change the secondary may transfer it.

    Every single change is late by at least `delay`; if changes keep coming, by at most three times that.
    """

    def __init__(self, zone: str, serial: Callable[[str, str], int | None], refresh: Callable[[str], None]) -> None:
        self.zone = zone
        self.delay = 4.0
        self._serial, self._refresh = serial, refresh
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"late {zone}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _watch(self) -> None:
        from lab.zones import PRIMARY

        known = self._serial(PRIMARY, self.zone)
        first = last = 0.0
        while not self._ends.wait(_LOOK_EVERY):
            now, serial = time.monotonic(), self._serial(PRIMARY, self.zone)
            if serial is not None and serial != known:
                known, last, first = serial, now, first or now
            if first and (now - last >= self.delay or now - first >= 3 * self.delay):
                first = 0.0 if self._refresh_quietly() else now

    def _refresh_quietly(self) -> bool:
        try:
            self._refresh(self.zone)
        except AssertionError:  # the secondary is stopped: a test's doing; it is tried again until it is back
            return False
        return True
