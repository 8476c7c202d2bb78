"""What the live services present: every address, every kind of client, several times. It measures and never judges.

Old and new worker processes answer side by side for a while after a reload, and each address, SNI and key algorithm may
have a certificate of its own, so one handshake proves little (RFC 7671 §8.1). All probes run side by side, but only a few
at the same time at one address: servers count connections, Postfix with anvil(8).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from tlsa_manager.clock import now
from tlsa_manager.observe import places
from tlsa_manager.observe.ending import ProbeError, printable
from tlsa_manager.observe.handshake import CLIENTS, shake
from tlsa_manager.observe.starttls import FAREWELL, Dialogue
from tlsa_manager.observe.wire import Wire
from tlsa_manager.snapshot import Outcome, Presentation, ServiceView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tlsa_manager.chain import Chain
    from tlsa_manager.service import Service

AT_ONE_ADDRESS = 4  # connections at the same time; Postfix allows 50 (smtpd_client_connection_count_limit)


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
    with ThreadPoolExecutor(max_workers=max(1, concurrency), thread_name_prefix="probe") as pool:
        try:
            work = {str(service): _Work() for service in chosen}
            found = _look_up(chosen, resolve, resolver, timeout, pool)
            queues: dict[str, _Queue] = {}
            for service in chosen:
                _plan(work[str(service)], service, found, queues, max(1, repeats))
            lanes = [[queue] * min(AT_ONE_ADDRESS, len(queue.probes)) for queue in queues.values()]
            turns = [queue for turn in zip_longest(*lanes) for queue in turn if queue is not None]
            for _ in pool.map(lambda queue: _lane(queue, timeout), turns):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: one.view(name) for name, one in work.items()}


@dataclass(slots=True, eq=False)
class _Work:
    """The probes of one service in the order in which they are to be told. It may be wanted twice, at different places."""

    probes: list[_Probe] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def view(self, name: str) -> ServiceView:
        """Make the value; equal results are told once."""
        at = max((probe.at for probe in self.probes), default=0.0) or now()
        seen: dict[tuple[object, ...], Presentation] = {}
        for one in (probe.seen for probe in self.probes if probe.seen):
            seen.setdefault((one.address, one.client, one.outcome, one.chain), one)
        return ServiceView(name, at, tuple(seen.values()), printable("; ".join(self.problems)))


@dataclass(slots=True, eq=False)
class _Probe:
    """One handshake to be done, and its result."""

    service: Service
    place: places.Place
    client: str
    seen: Presentation | None = None
    at: float = 0.0


@dataclass(slots=True, eq=False)
class _Queue:
    """The probes of one address. `late`: what took too long at a port once and is not tried again in this look."""

    probes: deque[_Probe] = field(default_factory=deque)
    late: dict[int, ProbeError] = field(default_factory=dict)


def _look_up(
    chosen: Sequence[Service],
    resolve: Callable[[str], tuple[str, ...]] | None,
    resolver: tuple[str, ...],
    timeout: float,
    pool: ThreadPoolExecutor,
) -> dict[str, places.Found]:
    """Look up every host once, side by side."""

    def one(host: str) -> places.Found:
        if resolve is None:
            return places.ask(host, resolver, timeout)
        try:
            return places.listed(host, resolve(host))
        except OSError as error:
            return places.Found((), f"the addresses of {host} could not be looked up: {error}")

    hosts = tuple(dict.fromkeys(service.host for service in chosen if not service.connect))
    return dict(zip(hosts, pool.map(one, hosts), strict=True))


def _plan(work: _Work, service: Service, found: dict[str, places.Found], queues: dict[str, _Queue], repeats: int) -> None:
    """Put all probes of a service into the queues of their addresses."""
    if service.connect:
        spots, problem = places.given(service)
    else:
        addresses = found[service.host]
        spots, problem = tuple(places.Place(one, one, service.port) for one in addresses.addresses), addresses.problem
    if problem:
        work.problems.append(problem)
    for place in spots:
        for client in CLIENTS * repeats:
            probe = _Probe(service, place, client)
            work.probes.append(probe)
            queues.setdefault(place.address, _Queue()).probes.append(probe)


def _lane(queue: _Queue, timeout: float) -> None:
    """Do probes of one address until none is left."""
    while queue.probes:
        try:
            probe = queue.probes.popleft()
        except IndexError:
            return  # another lane took the last one
        outcome, chain, reason = _result(probe, queue.late, timeout)
        probe.seen, probe.at = Presentation(probe.place.text, probe.client, outcome, chain, reason), now()


def _result(probe: _Probe, late: dict[int, ProbeError], timeout: float) -> tuple[Outcome, Chain | None, str]:
    port = probe.place.port
    if port in late:
        return late[port].outcome, None, late[port].reason
    try:
        return Outcome.PRESENTED, _look(probe, timeout), ""
    except ProbeError as end:
        if end.late:
            late[port] = end
        return end.outcome, None, end.reason


def _look(probe: _Probe, timeout: float) -> Chain:
    """Make one connection and one handshake. Raises ProbeError."""
    service = probe.service
    with Wire(probe.place.address, probe.place.port, timeout) as wire:
        farewell = FAREWELL.get(service.protocol, b"")
        if service.protocol != "tls":
            _start_tls(wire, service, farewell)
        return shake(wire, probe.client, service.host, farewell)


def _start_tls(wire: Wire, service: Service, farewell: bytes) -> None:
    """Talk in plain text until TLS begins."""
    dialogue = Dialogue(service.protocol, service.host, wire.greeting_name)
    try:
        answer = dialogue.begin()
        while not dialogue.ready:
            if answer:
                wire.send(answer)
            answer = dialogue.feed(wire.receive())
    except ProbeError as end:
        if not end.late:
            wire.leave(farewell)
        raise
