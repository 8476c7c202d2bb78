"""One look at DNS, round after round: every owner, every authoritative address, our own chain of trust, and the resolver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlsa_manager.observe.lookout import BOGUS, Lookout, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.observe.texts import TextView
    from tlsa_manager.snapshot import OwnerView

__all__ = ["BOGUS", "DnsEyes", "parse_place"]

SECONDS_EACH = 0.02  # added to the length of a round for every owner: thousands take their time


class DnsEyes:
    """Looks at owners, round after round. Keep it between rounds: what may be kept is kept for a minute at most.

    `resolver`, `anchor`, `timeout`, `tries`, `port`, `bogus`: as for Lookout.
    Raises BadInput and ConfigError for what was configured, and nothing for what servers do.
    """

    def __init__(
        self,
        *,
        resolver: tuple[str, ...] = ("127.0.0.1",),
        anchor: str | None = None,
        timeout: float = 3.0,
        tries: int = 2,
        port: int = 53,
        bogus: str = BOGUS,
    ) -> None:
        self._lookout = Lookout(resolver=resolver, anchor=anchor, timeout=timeout, tries=tries, port=port, bogus=bogus)

    def owners(self, names: Iterable[str]) -> dict[str, OwnerView]:
        """Look at all owners side by side, once. Every name that was asked for is in the result."""
        wanted = tuple(dict.fromkeys(names))
        self._lookout.begin_round(len(wanted), SECONDS_EACH)
        return asyncio.run(self._lookout.owners(wanted)) if wanted else {}

    def texts(self, names: Iterable[str]) -> dict[str, TextView]:
        """Look at the TXT records of all names side by side, once. Every name that was asked for is in the result."""
        wanted = tuple(dict.fromkeys(names))
        self._lookout.begin_round(len(wanted), SECONDS_EACH)
        return asyncio.run(self._lookout.texts(wanted)) if wanted else {}

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host as the resolver tells them, IPv4 first; empty where it knows none or fails."""
        self._lookout.begin_round(1, SECONDS_EACH)
        return asyncio.run(self._lookout.addresses(host))
