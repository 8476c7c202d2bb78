"""What is kept from one round to the next, so that a process that polls for hours asks the high zones once a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Hashable

KEEP = 60.0  # seconds; a change of the name servers is seen after a minute at most
MOST = 4096  # values; the oldest go first


class Memory:
    """What outlives a round. Holds values with the moment they end; forgets the ended ones."""

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[object, float]] = {}
        self.last_root: object | None = None  # the last one seen: a resolver that fails for a moment does not make us lose it

    def get(self, key: Hashable) -> object | None:
        """Return the value, or None."""
        value, end = self._held.get(key, (None, 0.0))
        return value if monotonic() < end else None

    def put(self, key: Hashable, value: object, ttl: float) -> None:
        """Keep a value for `ttl` seconds, at most a minute."""
        self._held.pop(key, None)
        self._held[key] = (value, monotonic() + min(ttl, KEEP))
        if len(self._held) > MOST:
            self.sweep()
        while len(self._held) > MOST:
            del self._held[next(iter(self._held))]

    def sweep(self) -> None:
        """Forget what has ended."""
        moment = monotonic()
        self._held = {key: held for key, held in self._held.items() if moment < held[1]}
