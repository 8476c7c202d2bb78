"""Who may connect when: only so many at the same time at one address, and only so many in all, whoever asks."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT_ONE_ADDRESS = 4  # connections at the same time; Postfix allows 50 (smtpd_client_connection_count_limit)


class Turns:
    """Keeps everybody waiting in the order in which they came."""

    def __init__(self, at_once: int, at_one_address: int = AT_ONE_ADDRESS) -> None:
        """Set both limits; at least one connection is always allowed."""
        self._open = asyncio.Semaphore(max(1, at_once))
        self._at_one_address = max(1, at_one_address)
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def at(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn at an IP address. Who waits there takes no place from others."""
        key = ipaddress.ip_address(address).compressed
        gate = self._gates.setdefault(key, _Gate(asyncio.Semaphore(self._at_one_address)))
        gate.visitors += 1
        try:
            async with gate.semaphore, self._open:
                yield
        finally:
            gate.visitors -= 1
            if not gate.visitors:
                del self._gates[key]


@dataclass(slots=True, eq=False)
class _Gate:
    """The door to one address. `visitors`: inside or waiting."""

    semaphore: asyncio.Semaphore
    visitors: int = 0
