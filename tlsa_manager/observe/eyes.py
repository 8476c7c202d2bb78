"""One look at DNS: every owner, every authoritative address, our own chain of trust, and the resolver beside it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.rdatatype

from tlsa_manager.clock import now
from tlsa_manager.errors import BadInput
from tlsa_manager.observe import witness
from tlsa_manager.observe.anchor import read_anchor
from tlsa_manager.observe.ask import Asker, Place, Reply, first
from tlsa_manager.observe.chain_of_trust import said
from tlsa_manager.observe.judge import Trust, view
from tlsa_manager.observe.memory import Memory
from tlsa_manager.observe.survey import Trail, follow
from tlsa_manager.observe.unseen import blind
from tlsa_manager.observe.zone import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dns.name import Name

    from tlsa_manager.observe.anchor import Anchor
    from tlsa_manager.observe.witness import Examination, Testimony
    from tlsa_manager.snapshot import OwnerView

SECONDS_EACH = 0.02  # added to the length of a round for every owner: thousands take their time
BOGUS = "dnssec-failed.org."  # signed wrongly on purpose, by its owner, for tests like ours


class DnsEyes:
    """Looks at owners, round after round. Keep it between rounds: what may be kept is kept for a minute at most.

    `resolver`: addresses of recursive resolvers, in order of preference, as `ADDRESS`, `ADDRESS#PORT` or `ADDRESS:PORT`;
    `anchor`: file with the trust anchor, None for the system's; `timeout`: seconds for one try; `tries`: over UDP, before one
    over TCP; `port`: of all authoritative servers; `bogus`: a name that every validator must refuse.
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
        self._resolvers = tuple(parse_place(text) for text in resolver)
        if not self._resolvers:
            raise BadInput("no resolver is configured", "give the address of a validating resolver, such as 127.0.0.1")
        self._anchor: Anchor = read_anchor(anchor)
        self._timeout, self._tries, self._port = timeout, tries, port
        self._bogus = dns.name.from_text(bogus)
        self._memory = Memory()

    def owners(self, names: Iterable[str]) -> dict[str, OwnerView]:
        """Look at all owners side by side, once. Every name that was asked for is in the result."""
        wanted = tuple(dict.fromkeys(names))
        self._memory.sweep()
        return asyncio.run(self._round(wanted)) if wanted else {}

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host as the resolver tells them, IPv4 first; empty where it knows none or fails."""
        return asyncio.run(self._addresses(host))

    def _asker(self, owners: int = 1) -> Asker:
        limit = 2 * (self._tries + 1) * self._timeout + SECONDS_EACH * owners
        return Asker(timeout=self._timeout, tries=self._tries, limit=limit)

    async def _addresses(self, host: str) -> tuple[str, ...]:
        asker = self._asker()
        name = _name(host)
        resolver = await self._choose(asker)
        if name is None or resolver.message is None:
            return ()
        return (await Walk(asker, resolver.place, self._port, self._memory).addresses(name)).found

    async def _choose(self, asker: Asker) -> Reply:
        """Return the reply of the first resolver that answers at all."""
        return await first(asker, self._resolvers, witness.ROOT, lambda reply: reply.message is not None)

    async def _round(self, wanted: tuple[str, ...]) -> dict[str, OwnerView]:
        asker = self._asker(len(wanted))
        resolver = await self._choose(asker)
        if resolver.message is None:
            silent = ", ".join(str(place) for place in self._resolvers)
            problem = f"no resolver answers ({silent}): {resolver.fault}; see `resolver` in the configuration"
            return blind(wanted, problem, now())
        names = {text: name for text in wanted if (name := _name(text)) is not None}
        look = _Look(asker, resolver.place, self._port, self._memory, self._bogus)
        views = dict(zip(names, await look.at(self._anchor, names), strict=True))
        for text in wanted:
            if text not in views:
                views |= blind((text,), f"{text[:80]!r} is not a domain name", now())
        return {text: views[text] for text in wanted}


class _Look:
    """Gathers first, then judges all against the moment when the last answer had come."""

    def __init__(self, asker: Asker, resolver: Place, port: int, memory: Memory, bogus: Name) -> None:
        self._asker, self._resolver, self._port, self._memory, self._bogus = asker, resolver, port, memory, bogus

    async def at(self, anchor: Anchor, names: dict[str, Name]) -> list[OwnerView]:
        walk = Walk(self._asker, self._resolver, self._port, self._memory)
        exam, trails, heard = await asyncio.gather(
            self._examine(),
            asyncio.gather(*(follow(walk, name) for name in names.values())),
            asyncio.gather(*(witness.testify(self._asker, self._resolver, name) for name in names.values())),
        )
        moment = now()
        replies = {name: reply for trail in trails for name, reply in trail.keys.items()}
        alone = Trust(anchor, moment, str(self._resolver), believed=False, replies=replies)
        lies = not exam.proven and any(_lies(trail, told, alone) for trail, told in zip(trails, heard, strict=True))
        validates = False if lies else exam.validates
        trust = Trust(anchor, moment, str(self._resolver), believed=bool(validates), replies=replies)
        return [self._view(*seen, trust, validates) for seen in zip(names, trails, heard, strict=True)]

    def _view(self, owner: str, trail: Trail, testimony: Testimony, trust: Trust, validates: bool | None) -> OwnerView:  # noqa: FBT001
        word = said(testimony.checked, _TLSA, str(self._resolver)) if validates else None
        seen = view(owner, trail, trust, word)
        spoken = witness.judge(self._resolver, validates, testimony)
        return replace(seen, witness=spoken)

    async def _examine(self) -> Examination:
        held = self._memory.get(("examination", self._resolver))
        if isinstance(held, witness.Examination):
            return held
        exam = await witness.examine(self._asker, self._resolver, self._bogus)
        self._memory.put(("examination", self._resolver), exam, exam.ttl)
        return exam


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


_TLSA = dns.rdatatype.from_text("TLSA")


def _lies(trail: Trail, testimony: Testimony, alone: Trust) -> bool:
    """Whether the resolver vouches for an owner in a zone that we have proven, without its help, to be insecure."""
    if not testimony.vouches or trail.problem or not trail.hops:
        return False
    return any(alone.unlinked(hop.zone) for hop in trail.hops)


def _name(text: str) -> Name | None:
    try:
        return dns.name.from_text(text).canonicalize()
    except (dns.exception.DNSException, UnicodeError):
        return None
