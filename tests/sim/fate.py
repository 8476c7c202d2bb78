"""What will go wrong in a world, chosen beforehand so that a failure can be told and played again."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlsa_manager.security import Security


@dataclass(frozen=True)
class Span:
    """From `start` for `length` seconds."""

    start: float
    length: float

    def covers(self, at: float) -> bool:
        """Whether a moment lies inside."""
        return self.start <= at < self.start + self.length


@dataclass(frozen=True)
class ServerFate:
    """One authoritative address.

    How long it lags, when it cannot be reached by us (others may reach it), when it relapses to the zone of `depth` versions
    ago, when its answers are not secure but `state`. `hidden`: an instance behind an anycast address, which answers caches but
    never us; of that kind the backend alone knows what they have.
    """

    lag: float = 0.0
    down: tuple[Span, ...] = ()
    relapses: tuple[Span, ...] = ()
    depth: int = 1
    broken: tuple[Span, ...] = ()
    state: Security = Security.BOGUS
    hidden: bool = False


@dataclass(frozen=True)
class Fate:
    """All of it. Indices count calls: the third publication is lost, the twelfth act of the engine is its last...

    `timers`: how late (or early, negative) each run starts. `clock_steps`: (true time, seconds) the wall clock is moved.
    `reload_delays`: how long each address keeps the old certificate after a reload, one after another.
    """

    ttl: int = 60
    servers: tuple[ServerFate, ...] = (ServerFate(), ServerFate(lag=7.0))
    stretch: float = 0.0  # caches raise TTLs to this
    lost: frozenset[int] = frozenset()  # accepted, never applied
    refused: frozenset[int] = frozenset()
    silent: frozenset[int] = frozenset()  # applied, but the answer was lost
    unserved: frozenset[int] = frozenset()  # the backend has it, but serves it only when it is told again
    crashes: frozenset[int] = frozenset()  # the engine dies at its n-th touch of the world or the journal
    timers: tuple[float, ...] = ()
    clock_steps: tuple[tuple[float, float], ...] = ()
    reload_delays: tuple[float, ...] = field(default=(0.0,))
    failed_deploys: frozenset[int] = frozenset()
    seed: int = 0
