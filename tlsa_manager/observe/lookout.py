"""DNS for a whole run of many targets: one event loop, one cache, any number of coroutines that ask at the same time."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.rdatatype

from tlsa_manager.clock import monotonic, now
from tlsa_manager.errors import BadInput
from tlsa_manager.observe import witness
from tlsa_manager.observe.anchor import read_anchor
from tlsa_manager.observe.ask import Asker, Place, first
from tlsa_manager.observe.memory import KEEP, Memory
from tlsa_manager.observe.sight import Sight, behold, find_out, hearken, overhear
from tlsa_manager.observe.texts import TextView, look_at_texts
from tlsa_manager.observe.unseen import blind
from tlsa_manager.observe.zone import Walk
from tlsa_manager.observe.zone_view import look_at_zone, overhear_zone
from tlsa_manager.security import Cause
from tlsa_manager.surroundings import Lookup, ZoneView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dns.name import Name

    from tlsa_manager.observe.anchor import Anchor
    from tlsa_manager.snapshot import OwnerView

STAY = 10.0  # seconds with one resolver before it is found out again which one answers
BOGUS = "dnssec-failed.org."  # signed wrongly on purpose, by its owner, for tests like ours


class Lookout:
    """Looks up names and owners, as often as it is asked, within one event loop. What was answered is kept for a minute at most.

    `resolver`: addresses of recursive resolvers, in order of preference, as `ADDRESS`, `ADDRESS#PORT` or `ADDRESS:PORT`;
    `anchor`: file with the trust anchor, None for the system's; `timeout`: seconds for one try; `tries`: over UDP, before one
    over TCP; `port`: of all authoritative servers; `bogus`: a name that every validator must refuse; `quick`: ask only the
    resolver, and take its word for DNSSEC, if it turns out to validate.
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
        quick: bool = False,
    ) -> None:
        self._resolvers = tuple(parse_place(text) for text in resolver)
        if not self._resolvers:
            raise BadInput("no resolver is configured", "give the address of a validating resolver, such as 127.0.0.1")
        self._anchor: Anchor = read_anchor(anchor)
        self._timeout, self._tries, self._port = timeout, tries, port
        self._bogus, self._quick = dns.name.from_text(bogus), quick
        self._memory = Memory()
        self._swept = monotonic()
        self._sight: Sight | None = None
        self._chosen_until = 0.0
        self._asker = self._new_asker(math.inf, KEEP)

    def begin_round(self, owners: int, seconds_each: float) -> None:
        """Forget what was answered, and set a limit of time for the next questions. For a caller that polls."""
        self._memory.sweep()
        self._asker = self._new_asker(2 * (self._tries + 1) * self._timeout + seconds_each * owners, None)

    async def owners(self, names: Iterable[str]) -> dict[str, OwnerView]:
        """Look at TLSA owners side by side. Every name that was asked for is in the result."""
        wanted = tuple(dict.fromkeys(names))
        sight = await self._open()
        if isinstance(sight, str):
            return blind(wanted, sight, now())
        named = {text: name for text in wanted if (name := read_name(text)) is not None}
        views = await (hearken(sight, named) if self._quick else behold(sight, named))
        for text in wanted:
            if text not in views:
                views |= blind((text,), f"{text[:80]!r} is not a domain name", now())
        return {text: views[text] for text in wanted}

    async def texts(self, names: Iterable[str]) -> dict[str, TextView]:
        """Look at TXT records side by side, at every server of their zones. Every name that was asked for is in the result."""
        wanted = tuple(dict.fromkeys(names))
        sight = await self._open()
        if isinstance(sight, str):
            return {text: TextView(text, problem=sight, cause=Cause.LOST) for text in wanted}
        named = {text: name for text in wanted if (name := read_name(text)) is not None}
        views = await look_at_texts(sight, named)
        return {text: views.get(text) or TextView(text, problem=f"{text[:80]!r} is not a domain name") for text in wanted}

    async def look_up(self, questions: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Lookup]:
        """Answer questions, (name, type), side by side. The keys of the result: name in lower case with a final dot, and type."""
        wanted = tuple(dict.fromkeys((_key(name), rdtype.upper()) for name, rdtype in questions))
        sight = await self._open()
        found = await asyncio.gather(*(self._answer(sight, *question) for question in wanted))
        return dict(zip(wanted, found, strict=True))

    async def zones(self, names: Iterable[str]) -> dict[str, ZoneView]:
        """Look how zones are set up. The keys of the result: names in lower case with a final dot."""
        wanted = tuple(dict.fromkeys(_key(name) for name in names))
        sight = await self._open()
        found = await asyncio.gather(*(self._zone(sight, name) for name in wanted))
        return dict(zip(wanted, found, strict=True))

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host as the resolver tells them, IPv4 first; empty where it knows none or fails."""
        sight, name = await self._open(), read_name(host)
        return (await sight.walk.addresses(name)).found if name is not None and not isinstance(sight, str) else ()

    async def _answer(self, sight: Sight | str, name: str, rdtype: str) -> Lookup:
        if isinstance(sight, str):
            return Lookup(name, rdtype, None, cause=Cause.LOST, reason=sight)
        asked = read_name(name)
        if asked is None:
            return Lookup(name, rdtype, None, reason=f"{name[:80]!r} is not a domain name")
        return await (overhear if self._quick else find_out)(sight, asked, dns.rdatatype.from_text(rdtype))

    async def _zone(self, sight: Sight | str, name: str) -> ZoneView:
        if isinstance(sight, str):
            return ZoneView(name, cause=Cause.LOST, reason=sight)
        asked = read_name(name)
        if asked is None:
            return ZoneView(name, reason=f"{name[:80]!r} is not a domain name")
        return await (overhear_zone if self._quick else look_at_zone)(sight, asked)

    def _new_asker(self, limit: float, keep: float | None) -> Asker:
        return Asker(timeout=self._timeout, tries=self._tries, limit=limit, keep=keep)

    async def _open(self) -> Sight | str:
        """Return what to look with, or why nobody can look."""
        if monotonic() - self._swept > 1:
            self._memory.sweep()
            self._asker.sweep()
            self._swept = monotonic()
        asker = self._asker
        if self._sight is not None and self._sight.asker is asker and monotonic() < self._chosen_until:
            return self._sight
        chosen = await first(asker, self._resolvers, witness.ROOT, lambda reply: reply.message is not None)
        if chosen.message is None:
            silent = ", ".join(str(place) for place in self._resolvers)
            return f"no resolver answers ({silent}): {chosen.fault}; name one: --resolver, or in the configuration"
        if self._sight is None or self._sight.asker is not asker or self._sight.resolver != chosen.place:
            walk = Walk(asker, chosen.place, self._port, self._memory)
            self._sight = Sight(walk, self._memory, self._anchor, self._bogus)
        self._chosen_until = monotonic() + STAY
        return self._sight


def parse_place(text: str) -> Place:
    """Read `ADDRESS`, `ADDRESS#PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises BadInput."""
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?|([^#]+)#(\d{1,5})|([^:]+):(\d{1,5})|(.+)", text.strip())
    parts = [part for part in found.groups() if part] if found else []
    port = int(parts[1]) if len(parts) > 1 else 53
    try:
        address = ipaddress.ip_address(parts[0])
    except (ValueError, IndexError):
        address = None
    if address is None or not 0 < port < 65536:
        raise BadInput(f"{text[:80]!r} is not the address of a resolver", "write it as 127.0.0.1, 127.0.0.1#5353 or [::1]:5353")
    return Place(str(address), port)


def read_name(text: str) -> Name | None:
    """Read a domain name; None where it is none."""
    try:
        return dns.name.from_text(text).canonicalize()
    except (dns.exception.DNSException, UnicodeError):
        return None


def _key(name: str) -> str:
    return name.rstrip(".").lower() + "."
