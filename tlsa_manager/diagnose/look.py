"""One look at one target: everything that is needed to judge it, side by side, nothing twice.

    domain or SRV name -> hosts -> addresses -> TLSA owners, handshakes -> what the checks want to know besides

A host's handshakes begin when its addresses are known, while DNS is still being asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from tlsa_manager import clock
from tlsa_manager.checks.questions import questions
from tlsa_manager.sender.route import route, services_of, stop
from tlsa_manager.service import literal
from tlsa_manager.snapshot import Snapshot
from tlsa_manager.target import Kind
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from tlsa_manager.diagnose.settings import Settings
    from tlsa_manager.sender.route import Route
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import OwnerView, ServiceView
    from tlsa_manager.surroundings import Lookup, StsPolicy, ZoneView
    from tlsa_manager.target import Target

Question = tuple[str, str]
REPEATS = 3  # handshakes of each kind where old and new processes may stand side by side


class Dns(Protocol):
    """The eyes for DNS: one for a whole run."""

    async def owners(self, names: Iterable[str]) -> dict[str, OwnerView]:
        """Look at TLSA owners."""

    async def look_up(self, asked: Iterable[Question]) -> dict[Question, Lookup]:
        """Answer questions of any type."""

    async def zones(self, names: Iterable[str]) -> dict[str, ZoneView]:
        """Tell how zones are set up."""


class Tls(Protocol):
    """The eyes for services: one for a whole run."""

    async def look(self, service: Service, addresses: Sequence[str], *, recipient: str, repeats: int) -> ServiceView:
        """Probe a service at these addresses, or where its `connect` says."""

    async def policy(self, domain: str, texts: Sequence[str], addresses: Sequence[str]) -> StsPolicy:
        """Fetch the MTA-STS policy of a mail domain. `texts`: the TXT records that announce it; `addresses`: of its host."""


@dataclass(slots=True)
class Look:
    """What is being gathered for one target."""

    target: Target
    dns: Dns
    tls: Tls
    settings: Settings
    services: tuple[Service, ...] = ()  # of a lineage
    lookups: dict[Question, Lookup] = field(default_factory=dict)
    owners: dict[str, OwnerView] = field(default_factory=dict)
    seen: dict[str, ServiceView] = field(default_factory=dict)
    policies: dict[str, StsPolicy] = field(default_factory=dict)
    zones: dict[str, ZoneView] = field(default_factory=dict)

    async def gather(self) -> Snapshot:
        """Look, and return what was seen."""
        await self._together(self._way(), self._mta_sts())
        if not self.settings.quick:
            await self._together(
                self._ask(questions(self.route, self.snapshot, self.target, thorough=self.settings.thorough)), self._zones()
            )
        return self.snapshot

    @property
    def route(self) -> Route:
        """How senders come to the target, as far as it is known by now."""
        return route(self.target, self.lookups, self.services)

    @property
    def snapshot(self) -> Snapshot:
        """What is known by now."""
        return Snapshot(
            clock.now(),
            dict(self.owners),
            services=dict(self.seen),
            lookups=dict(self.lookups),
            zones=dict(self.zones),
            policies=dict(self.policies),
        )

    async def _way(self) -> None:
        await self._together(*(self._service(one) for one in await self._named()))

    async def _named(self) -> tuple[Service, ...]:
        """Find out which services the target stands for."""
        if self.target.kind in {Kind.DOMAIN, Kind.SRV}:
            await self._ask({(self.target.name + ".", "MX" if self.target.kind is Kind.DOMAIN else "SRV")})
        return services_of(self.target, self.lookups, self.services)

    async def _service(self, service: Service) -> None:
        """Look at one service: its addresses, then its records and itself."""
        host = service.host + "."
        async with asyncio.TaskGroup() as group:
            if not service.connect and not literal(service.host):
                group.create_task(self._owners((service.owner,)))  # nearly always the base that senders use
                await self._ask({(host, "A"), (host, "AAAA")})
            others = [owner for owner in stop(service, self.lookups).owners if service.connect or owner != service.owner]
            group.create_task(self._owners(others))
            group.create_task(self._probe(service))

    async def _probe(self, service: Service) -> None:
        if service.probe:
            recipient = self.target.name if self.target.kind is Kind.DOMAIN else service.host
            repeats = REPEATS if self.settings.thorough or self.target.kind is Kind.LINEAGE else 1
            addresses = self._addresses(service.host)
            self.seen[str(service)] = await self.tls.look(service, addresses, recipient=recipient, repeats=repeats)

    async def _mta_sts(self) -> None:
        """Fetch the policy of a mail domain, where one is announced (RFC 8461 §3.1)."""
        if self.target.kind is not Kind.DOMAIN or self.settings.quick:
            return
        domain, host = self.target.name, f"mta-sts.{self.target.name}"
        await self._ask({(f"_mta-sts.{domain}.", "TXT")})
        texts = self.lookups[f"_mta-sts.{domain}.", "TXT"].records or ()
        if texts:
            await self._ask({(host + ".", "A"), (host + ".", "AAAA")})
        self.policies[domain] = await self.tls.policy(domain, texts, self._addresses(host))

    async def _zones(self) -> None:
        names = {one.zone for one in self.owners.values()} | {one.zone for one in self.lookups.values()}
        names |= {one.broken_zone for one in self.lookups.values()}
        names |= {answer.broken_zone for one in self.owners.values() for answer in one.answers}
        self.zones |= await self.dns.zones(sorted(filter(None, names)))

    async def _owners(self, names: Sequence[str]) -> None:
        wanted = [name for name in names if name not in self.owners]
        if wanted:
            self.owners |= await self.dns.owners(wanted)

    async def _ask(self, asked: Iterable[Question]) -> None:
        wanted = [one for one in asked if one not in self.lookups]
        if wanted:
            self.lookups |= await self.dns.look_up(wanted)

    def _addresses(self, host: str) -> tuple[str, ...]:
        if address := literal(host):
            return (address,)
        kinds = ("A",) if self.settings.ipv4_only else ("AAAA",) if self.settings.ipv6_only else ("A", "AAAA")
        found = (self.lookups.get((host + ".", kind)) for kind in kinds)
        return tuple(dict.fromkeys(address for one in found if one for address in one.records or ()))

    @staticmethod
    async def _together(*work: Coroutine[None, None, None]) -> None:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
