"""What the live services present: every address, every kind of client, several times. It measures and never judges.

Old and new worker processes answer side by side for a while after a reload, and each address, SNI and key algorithm may
have a certificate of its own, so one handshake proves little (RFC 7671 §8.1). All probes run side by side, but only a few
at the same time at one address: servers count connections, Postfix with anvil(8).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tlsa_manager.observe import places
from tlsa_manager.observe.ending import printable
from tlsa_manager.observe.handshake import CLIENTS
from tlsa_manager.observe.prober import Prober, distinct
from tlsa_manager.observe.turns import AT_ONE_ADDRESS
from tlsa_manager.snapshot import ServiceView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlsa_manager.service import Service

__all__ = ["AT_ONE_ADDRESS", "services"]


def services(
    wanted: Iterable[Service],
    *,
    repeats: int = 1,
    resolve: Callable[[str], tuple[str, ...]] | None = None,
    resolver: tuple[str, ...] = (),
    timeout: float = 5.0,
    concurrency: int = 16,
) -> dict[str, ServiceView]:
    """Probe services and return what was seen, by `str(service)`. A service with `probe` False is left out.

    repeats: handshakes for each kind of client at each address; results that differ are all kept.
    resolve: gives the addresses of a host, may raise OSError; without it `resolver` (addresses) is asked, else the system.
    timeout: seconds for a connection; a whole conversation may take three times as long. A port that used up its time is
    not tried again in this look: what was still to be done there is recorded with the same outcome and reason.
    The view's `at` is when its last probe ended. A `problem` may stand beside presentations: then there may be addresses
    that nobody knows of. Remote faults are recorded, never raised.
    """
    chosen = tuple(dict.fromkeys(service for service in wanted if service.probe))
    pool = ThreadPoolExecutor(max_workers=max(1, concurrency), thread_name_prefix="lookup")

    def one(host: str) -> places.Found:
        if resolve is None:
            return places.ask(host, resolver, timeout)
        try:
            return places.listed(host, resolve(host))
        except OSError as error:
            return places.Found((), f"the addresses of {host} could not be looked up: {error}")

    async def look() -> list[ServiceView]:
        hosts = tuple(dict.fromkeys(service.host for service in chosen if not service.connect))
        loop = asyncio.get_running_loop()
        found = dict(zip(hosts, await asyncio.gather(*(loop.run_in_executor(pool, one, host) for host in hosts)), strict=True))
        prober = Prober(timeout=timeout, at_once=concurrency)
        return await asyncio.gather(*(_see(prober, service, found, repeats) for service in chosen))

    try:
        return _together(asyncio.run(look())) if chosen else {}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _see(prober: Prober, service: Service, found: dict[str, places.Found], repeats: int) -> ServiceView:
    if service.connect:
        return await prober.look(service, clients=CLIENTS, repeats=repeats)
    addresses = found[service.host]
    view = await prober.look(service, addresses.addresses, clients=CLIENTS, repeats=repeats)
    return ServiceView(view.service, view.at, view.presentations, printable(addresses.problem), view.conversations)


def _together(views: Sequence[ServiceView]) -> dict[str, ServiceView]:
    """Put views of one service at different places into one; equal results are told once."""
    found: dict[str, ServiceView] = {}
    for view in views:
        first = found.get(view.service, ServiceView(view.service, 0.0))
        found[view.service] = ServiceView(
            view.service,
            max(first.at, view.at),
            distinct((*first.presentations, *view.presentations)),
            printable("; ".join(filter(None, (first.problem, view.problem)))),
            tuple(dict.fromkeys((*first.conversations, *view.conversations))),
        )
    return found
