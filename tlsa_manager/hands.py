"""The engine's eyes and hands, made from the configuration: which backend, which consumers, which resolver.

Everything heavy is imported when it is first needed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import local
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import BadInput, ConfigError, PublishError, PublishTemporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlsa_manager.config import Config
    from tlsa_manager.deploy import Consumer
    from tlsa_manager.lineage import Generation, Key, Lineage
    from tlsa_manager.observe import DnsEyes
    from tlsa_manager.publish import Backend, Change, Ticket
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.steps import Publish, Retire
    from tlsa_manager.snapshot import FileView, Held, OwnerView, ServiceView, Snapshot
    from tlsa_manager.store import Store

SLOW = 2.0  # seconds; a backend that has taken longer to tell nothing is left alone for a poll interval
_LATER = "is it running, and can it be reached from here? It is asked again later"


class HouseHands:
    """The engine's eyes and hands, made from the configuration. Looks never raise for a fault of the world; acts do."""

    def __init__(self, config: Config, store: Store, watch: Callable[[str, str], None]) -> None:
        self.config = config
        self.store = store
        self.watch = watch
        self._local = local()
        self._backends: dict[str, Backend] = {}
        self._consumers: dict[str, Consumer] = {}
        self._read_last: dict[tuple[str, str], tuple[float, Held]] = {}  # by backend and target, when (monotonic)
        self._silent: dict[str, tuple[float, PublishTemporary]] = {}  # until when (monotonic) a backend is not asked, and why

    def look(self, lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        """Look once, at everything side by side."""
        from tlsa_manager.snapshot import Snapshot

        guessed = {facts.owners[owner].target if owner in facts.owners else owner for owner in lineage.owners}
        settled = self._settled(lineage, facts)  # before the round: it saw nothing of what comes into force while it goes on
        with ThreadPoolExecutor(4) as pool:
            owners = pool.submit(self._looking(lineage), lineage.owners)
            asked = pool.submit(self._held, lineage, guessed, facts)
            services = pool.submit(self._services, lineage, probes)
            files = pool.submit(self.files, lineage)
            views: Mapping[str, OwnerView] = owners.result()
            found = asked.result()
            aliases = {view.target for view in views.values() if view.answers} - found.keys()
            found |= self._held(lineage, aliases, facts) if aliases else {}
            held = {target: settled(one) for target, one in found.items()}
            return Snapshot(clock.now(), views, held, services.result(), files.result())

    def publish(self, lineage: Lineage, step: Publish) -> Ticket:
        """Add records."""
        from tlsa_manager.publish import Change

        return self._change(lineage, Change(step.target, step.zone, step.add, frozenset(), step.expect, step.ttl))

    def retire(self, lineage: Lineage, step: Retire) -> Ticket:
        """Remove records."""
        from tlsa_manager.publish import Change

        return self._change(lineage, Change(step.target, step.zone, frozenset(), step.remove, step.expect, step.ttl))

    def take_in(self, lineage: Lineage, consumer: str) -> Generation:
        """Copy what a consumer has into the store. Raises DeployError, BadInput, StateError."""
        from tlsa_manager.keys import split_combined

        one = self.consumer(consumer)
        content = one.current()
        if content is None:
            raise BadInput(f"there is nothing to take in at {one.path}", "put the present key and certificate there, key first")
        return self.store.put(lineage.name, split_combined(content), f"found at {one.path}")

    def install(self, lineage: Lineage, generation: str, consumer: str) -> None:
        """Write a generation into one consumer's file and reload it. Raises DeployError, StateError."""
        one = self.consumer(consumer)
        one.install(self.store.combined(lineage.name, generation))
        one.reload()

    def prepare(self, lineage: Lineage, key_type: str) -> Key:
        """Make a key and keep it. Raises BadInput, StateError."""
        from tlsa_manager.keys import generate

        return self.store.put_key(lineage.name, generate(key_type))

    def deploy(self, lineage: Lineage, generation: str) -> None:
        """Have every consumer check itself, then write every file, then have each reload. Raises DeployError, StateError.

        Checks run side by side, and so do reloads: between the first and the last server presents what the others do not.
        """
        content = self.store.combined(lineage.name, generation)
        consumers = [self.consumer(name) for name in lineage.consumers]
        _side_by_side(consumers, lambda one: one.check())
        for one in consumers:
            one.install(content)
        _side_by_side(consumers, lambda one: one.reload())

    def restore(self, lineage: Lineage, generation: str) -> None:
        """Write every file and reload each, whatever the consumers' own checks say: the way back is never barred.

        A consumer that fails bars no other; the first failure is raised when all were tried. One whose file could not be
        written is not reloaded: it might read the very certificate that shall go. Reloads are side by side, as in `deploy`:
        none waits for another that takes its time.
        """
        content = self.store.combined(lineage.name, generation)
        failed: list[Exception] = []
        written: list[Consumer] = []
        for name in lineage.consumers:
            try:
                one = self.consumer(name)
                one.install(content)
                written.append(one)
            except Exception as error:  # noqa: BLE001  it is raised when the others were tried
                failed.append(error)
        try:
            _side_by_side(written, lambda one: one.reload())
        except Exception as error:  # noqa: BLE001  after what went wrong before
            failed.append(error)
        if failed:
            raise failed[0]

    def consumer(self, name: str) -> Consumer:
        """Return a configured consumer. Raises ConfigError."""
        if name not in self._consumers:
            from tlsa_manager.deploy import open_consumer

            section = self.config.consumers[name]
            self._consumers[name] = open_consumer(name, section.kind, section.options)
        return self._consumers[name]

    def backend(self, name: str) -> Backend:
        """Return a configured backend. Raises ConfigError."""
        if name not in self._backends:
            from tlsa_manager.publish import open_backend

            section = self.config.dns[name]
            self._backends[name] = open_backend(name, section.kind, section.options)
        return self._backends[name]

    def files(self, lineage: Lineage) -> dict[str, FileView]:
        """Look at the consumers' files alone, by consumer."""
        return {name: self._file(name) for name in lineage.consumers}

    def held(self, lineage: Lineage, targets: Iterable[str]) -> dict[str, Held]:
        """Ask the backend alone what it has, by target."""
        from tlsa_manager.rollover.facts import Facts

        return self._held(lineage, targets, Facts(lineage.name))

    def _eyes(self) -> DnsEyes:
        """Return this thread's eyes; they remember delegations for a minute."""
        eyes: DnsEyes | None = getattr(self._local, "eyes", None)
        if eyes is None:
            from tlsa_manager.observe import DnsEyes

            config = self.config
            eyes = DnsEyes(resolver=config.resolver, anchor=config.trust_anchor, port=config.authority_port)
            self._local.eyes = eyes
        return eyes

    def _looking(self, lineage: Lineage) -> Callable[[tuple[str, ...]], Mapping[str, OwnerView]]:
        """Return how to look at owners; without a trust anchor that can be read nothing is seen, which bars no way back."""
        from tlsa_manager.observe import blind

        try:
            return self._eyes().owners
        except (BadInput, ConfigError) as error:
            problem = error.message
            self.watch(lineage.name, f"{problem}; {error.hint}")
            return lambda names: blind(names, problem, clock.now())

    def _held(self, lineage: Lineage, targets: Iterable[str], facts: Facts) -> dict[str, Held]:
        """Ask the backend; one whose key may not be used any more bars no look, and so no way back."""
        from tlsa_manager.snapshot import Held

        if not lineage.dns:
            return {}
        try:
            backend = self.backend(lineage.dns)
        except ConfigError as error:
            self.watch(lineage.name, f"{error.message}; {error.hint}")
            return {target: Held(target, None, reason=error.message, failed=True) for target in targets}
        return {one: self._lately(lineage, one, facts) or self._read(lineage, backend, one) for one in sorted(targets)}

    def _settled(self, lineage: Lineage, facts: Facts) -> Callable[[Held], Held]:
        """Ask the backend which of the changes that it took for later are in force; return what adds that to what it holds."""
        waiting = {target: sent.numbers for target, sent in facts.sent.items() if sent.numbers}
        try:
            backend = self.backend(lineage.dns) if lineage.dns else None
        except ConfigError as error:
            reason = error.message
            return lambda held: replace(held, unsettled=reason, late=True)
        found = {target: _in_force(backend, numbers) for target, numbers in waiting.items()}
        late = _is_late(backend)

        def add(held: Held) -> Held:
            done, reason = found.get(held.target, (frozenset(), ""))
            return replace(held, settled=done, unsettled=reason, late=late)

        return add

    def _lately(self, lineage: Lineage, target: str, facts: Facts) -> Held | None:
        """What the backend said within a poll interval: while a swap is proven we look each second, at a provider's expense."""
        if not (facts.deploying or facts.way_back):
            return None
        at, held = self._read_last.get((lineage.dns, target), (0.0, None))
        return held if clock.monotonic() - at < lineage.policy.poll_interval else None

    def _read(self, lineage: Lineage, backend: Backend, target: str) -> Held:
        """Ask for one target, unless the backend has just kept us waiting for nothing."""
        from tlsa_manager.snapshot import Held

        if silent := self._silence(lineage.dns):
            return Held(target, None, reason=silent.message, failed=True)
        began = clock.monotonic()
        held = backend.read(target)
        self._read_last[lineage.dns, target] = began, held
        if held.records is None and clock.monotonic() - began > SLOW:
            self._silent[lineage.dns] = clock.monotonic() + lineage.policy.poll_interval, PublishTemporary(held.reason, _LATER)
        return held

    def _silence(self, name: str) -> PublishTemporary | None:
        """Why a backend is left alone for now: twenty owners must not wait twenty times for a server that hangs."""
        until, error = self._silent.get(name, (0.0, None))
        return error if clock.monotonic() < until else None

    def _services(self, lineage: Lineage, probes: int) -> Mapping[str, ServiceView]:
        if not probes:
            return {}
        from tlsa_manager.observe.live import services

        return services(lineage.services, repeats=probes, resolver=self.config.resolver)

    def _file(self, consumer: str) -> FileView:
        """Look at a consumer's file; a consumer that cannot be made of its options is one that cannot be given anything."""
        from tlsa_manager.snapshot import FileView

        try:
            return self.consumer(consumer).look()
        except ConfigError as error:
            path = str(self.config.consumers[consumer].options.get("file", ""))
            return FileView(consumer, path, configured=False, problems=(f"{error.message}; {error.hint}",))

    def _change(self, lineage: Lineage, change: Change) -> Ticket:
        if silent := self._silence(lineage.dns):
            raise silent
        self._read_last.pop((lineage.dns, change.target), None)
        ticket = self.backend(lineage.dns).change(change)
        if ticket.state == "asked":
            self.watch(lineage.name, ticket.message)
        return ticket


def _side_by_side(consumers: Sequence[Consumer], act: Callable[[Consumer], None]) -> None:
    """Have each consumer do something; when all have tried, raise the first failure."""
    if len(consumers) == 1:
        act(consumers[0])
        return
    with ThreadPoolExecutor(max(len(consumers), 1)) as pool:
        tried = [pool.submit(act, one) for one in consumers]
    for one in tried:
        one.result()


def _is_late(backend: Backend | None) -> bool:
    """Whether changes of a backend come into force later, by numbers."""
    from tlsa_manager.publish import LateBackend

    return isinstance(backend, LateBackend) and backend.late


def _in_force(backend: Backend | None, numbers: Sequence[str]) -> tuple[frozenset[str], str]:
    """Return which changes are in force, and why the others are not; a backend that knows no later (any more) has done all."""
    from tlsa_manager.publish import LateBackend

    if not isinstance(backend, LateBackend):
        return frozenset(numbers), ""
    try:
        done = frozenset(number for number in numbers if backend.settled(number))
    except PublishError as error:
        return frozenset(), error.message
    return done, "" if done >= set(numbers) else f"{backend.name} is still at it"
