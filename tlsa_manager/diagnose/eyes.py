"""The eyes of a whole run, as the settings want them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tlsa_manager.diagnose.look import Dns, Tls
    from tlsa_manager.diagnose.settings import Settings
    from tlsa_manager.observe.prober import Prober
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import ServiceView
    from tlsa_manager.surroundings import StsPolicy

AT_ONE_ADDRESS = 4  # connections at the same time, of all workers together
AT_ONCE = 256  # connections in all, likewise


@asynccontextmanager
async def open_eyes(settings: Settings) -> AsyncIterator[tuple[Dns, Tls]]:
    """Open both kinds of eyes, for one event loop. Raises BadInput and ConfigError for settings that cannot be used."""
    from tlsa_manager.observe.handshake import CLIENTS, OLD_VERSIONS
    from tlsa_manager.observe.lookout import Lookout
    from tlsa_manager.observe.pkix import Authorities
    from tlsa_manager.observe.prober import Prober
    from tlsa_manager.observe.weak import SUITES

    dns = Lookout(
        resolver=settings.resolver, anchor=settings.anchor, timeout=settings.timeout, port=settings.port, quick=settings.quick
    )
    prober = Prober(
        timeout=settings.timeout,
        at_once=max(1, AT_ONCE // settings.workers),
        at_one_address=max(1, AT_ONE_ADDRESS // settings.workers),
        authorities=None if settings.quick else Authorities(settings.ca_file),
        sources=settings.sources,
    )
    clients = CLIENTS[:1] if settings.quick else (*CLIENTS, *((*OLD_VERSIONS, *SUITES) if settings.thorough else ()))
    yield dns, _Services(prober, clients, settings.thorough)


@dataclass(frozen=True, slots=True)
class _Services:
    """Eyes for services that know how closely to look."""

    prober: Prober
    clients: tuple[str, ...]
    thorough: bool

    async def look(self, service: Service, addresses: Sequence[str], *, recipient: str, repeats: int) -> ServiceView:
        """Probe a service. `recipient`: the mail domain whose postmaster mail without TLS would go to."""
        plain_to = recipient if self.thorough else ""
        return await self.prober.look(service, addresses, clients=self.clients, repeats=repeats, plain_to=plain_to)

    async def policy(self, domain: str, texts: Sequence[str], addresses: Sequence[str]) -> StsPolicy:
        """Fetch the MTA-STS policy of a mail domain."""
        return await self.prober.policy(domain, texts, addresses)
