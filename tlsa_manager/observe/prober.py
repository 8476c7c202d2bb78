"""Probes of a whole run in one process: polite to each server, nothing asked twice, as much side by side as is allowed."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.clock import now
from tlsa_manager.errors import BadInput
from tlsa_manager.observe import places
from tlsa_manager.observe.ending import printable
from tlsa_manager.observe.handshake import CLIENTS
from tlsa_manager.observe.probe import PLAIN, TALKATIVE, Probe, Seen, as_before, make
from tlsa_manager.observe.spoken import conversation
from tlsa_manager.observe.turns import AT_ONE_ADDRESS, Turns
from tlsa_manager.service import host_name
from tlsa_manager.snapshot import Outcome, Presentation, ServiceView
from tlsa_manager.surroundings import StsPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tlsa_manager.observe.pkix import Authorities
    from tlsa_manager.service import Service

MAX_REMEMBERED = 4096  # probes
MAX_POLICY_ADDRESSES = 2  # a web server that two addresses cannot reach is down
MAX_OCTETS = 16 * 1024 * 1024  # of certificates in remembered probes


class Prober:
    """Looks at services. Belongs to one event loop; what it has seen stays as it was for the whole run."""

    def __init__(
        self,
        *,
        timeout: float = 3.0,
        at_once: int = 256,
        at_one_address: int = AT_ONE_ADDRESS,
        authorities: Authorities | None = None,
        sources: Sequence[str] = (),
    ) -> None:
        """Set the limits. Raises BadInput if one of `sources` is not an address of this machine.

        timeout: seconds for a connection; a conversation may take three times as long. at_once, at_one_address: connections
        at the same time. authorities: who answers whether a chain is publicly trusted; without them it is not examined.
        sources: local addresses from which `any` looks besides the usual one.
        """
        self._sources = tuple(map(_own, sources))
        self._timeout = timeout
        self._turns = Turns(at_once, at_one_address)
        self._late: dict[tuple[str, int], Presentation] = {}
        self._known: OrderedDict[Probe, asyncio.Task[Seen]] = OrderedDict()
        self._octets = 0
        self._authorities = authorities

    async def look(
        self,
        service: Service,
        addresses: Sequence[str] = (),
        *,
        clients: Sequence[str] = ("any",),
        repeats: int = 1,
        plain_to: str = "",
        tell: Callable[[Presentation], None] | None = None,
    ) -> ServiceView:
        """Look at one service at these addresses, or where `service.connect` says.

        clients: of CLIENTS, OLD_VERSIONS, WEAK, ANONYMOUS. repeats: handshakes for each. plain_to: a mail domain; SMTP and
        LMTP servers are asked whether they take mail to its postmaster without TLS (no mail is sent). tell: called with
        each result as soon as it is there. A source address from which the server cannot be reached shows nothing.
        Remote faults are recorded, never raised. Raises BadInput if `plain_to` is no domain.
        """
        spots, problem = places.given(service) if service.connect else places.at(service, addresses)
        plain = host_name(plain_to) if plain_to and service.protocol in TALKATIVE else ""
        probes = [
            *(one for place in spots for one in _by_client(service, place, clients, max(1, repeats))),
            *(one for place in spots for one in self._from_elsewhere(service, place, clients)),
            *(Probe(service.host, service.protocol, place, PLAIN, plain_to=plain) for place in spots if plain),
        ]
        seen = await asyncio.gather(*(self._tell(one, tell) for one in probes))
        made = list(zip(probes, seen, strict=True))
        said = [(place.text, [one.heard for probe, one in made if probe.place == place]) for place in spots]
        return ServiceView(
            str(service),
            max((one.at for one in seen), default=0.0) or now(),
            distinct(one.presentation for probe, one in made if _shows(one, probe)),
            printable(problem),
            tuple(filter(None, (conversation(text, heard) for text, heard in said))),
        )

    async def policy(self, domain: str, texts: Sequence[str], addresses: Sequence[str], *, port: int = 443) -> StsPolicy:
        """Fetch the MTA-STS policy of a mail domain (RFC 8461).

        texts: the TXT records at `_mta-sts.DOMAIN`, presentation form; addresses: of `mta-sts.DOMAIN`. Nothing is fetched
        where nothing is announced, or no authorities are known. Everything that goes wrong is the policy's `problem`.
        """
        from tlsa_manager.observe.sts import NoPolicyError, announcement, fetch

        if problem := announcement(texts):
            return StsPolicy(domain, announced=bool(texts), problem=problem if texts else "")
        if self._authorities is None:
            return StsPolicy(domain, announced=True, problem="the policy was not fetched")
        problem = f"mta-sts.{domain} has no address"
        for address in addresses[:MAX_POLICY_ADDRESSES]:
            try:
                async with self._turns.at(address):
                    return await fetch(domain, address, authorities=self._authorities, timeout=self._timeout, port=port)
            except NoPolicyError as error:
                problem = error.problem
                if not error.unreachable:
                    break
        return StsPolicy(domain, announced=True, problem=problem)

    def _from_elsewhere(self, service: Service, place: places.Place, clients: Sequence[str]) -> Iterator[Probe]:
        """Look as `any` from the other source addresses of the same family."""
        for source in self._sources:
            if "any" in clients and (":" in source) == (":" in place.address):
                yield Probe(service.host, service.protocol, place, "any", source)

    async def _tell(self, probe: Probe, tell: Callable[[Presentation], None] | None) -> Seen:
        """Probe, ask the authorities, and tell at once."""
        seen = await self._once(probe)
        if self._authorities is not None and seen.presentation.certificates:
            doubt = self._authorities.doubt(seen.presentation.certificates, probe.host)
            seen = replace(seen, presentation=replace(seen.presentation, pkix=doubt))
        if tell is not None and _shows(seen, probe):
            tell(seen.presentation)
        return seen

    async def _once(self, probe: Probe) -> Seen:
        """Make a probe, or wait for the one that somebody else has begun, or remember it."""
        task = self._known.get(probe)
        if task is None:
            task = self._known[probe] = asyncio.create_task(self._make(probe))
        else:
            self._known.move_to_end(probe)
        return await asyncio.shield(task)

    async def _make(self, probe: Probe) -> Seen:
        """Wait for our turn. What took too long at a port once is not tried again."""
        port = probe.place.address, probe.place.port
        async with self._turns.at(probe.place.address):
            if late := self._late.get(port):
                return as_before(probe, late)
            seen = await make(probe, self._timeout)
        if seen.late and probe.client in CLIENTS and not probe.source:  # what is asked besides must not hide how senders fare
            self._late[port] = seen.presentation
        self._octets += _size(seen)
        self._forget()
        return seen

    def _forget(self) -> None:
        """Forget the probes that were not asked for the longest, as long as there is too much."""
        while len(self._known) > MAX_REMEMBERED or self._octets > MAX_OCTETS:
            oldest = next((one for one, task in self._known.items() if task.done()), None)
            if oldest is None:
                return
            task = self._known.pop(oldest)
            self._octets -= 0 if task.cancelled() or task.exception() else _size(task.result())


def _own(source: str) -> str:
    """Return a local address, if one can connect from it. Raises BadInput."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET) as trial:
            trial.bind((source, 0))
    except OSError as error:
        msg = f"{source[:60]!r} cannot be connected from: {error.strerror or error}"
        raise BadInput(msg, "name addresses that this machine has (ip address)") from None
    return source


def _by_client(service: Service, place: places.Place, clients: Sequence[str], repeats: int) -> Iterator[Probe]:
    for number in range(repeats):
        for client in clients:
            yield Probe(service.host, service.protocol, place, client, number=number)


def _shows(seen: Seen, probe: Probe) -> bool:
    """Whether it says how the server treats clients: without TLS nothing is presented, and from elsewhere all may be filtered."""
    return probe.client != PLAIN and not (probe.source and seen.presentation.outcome is Outcome.UNREACHABLE)


def distinct(presentations: Iterable[Presentation]) -> tuple[Presentation, ...]:
    """Return what was seen; equal results are told once."""
    found: dict[tuple[object, ...], Presentation] = {}
    for one in presentations:
        found.setdefault((one.address, one.client, one.outcome, one.chain), one)
    return tuple(found.values())


def _size(seen: Seen) -> int:
    return sum(len(one) for one in seen.presentation.certificates)
