"""What can be decided: one step with its reason, a wait until a moment, a hold until a person acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.tlsa import RRset
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.rollover.events import Event


@dataclass(frozen=True, slots=True)
class Publish:
    """Add records at a target. `expect`: what is known to stand there, None = not known; `ttl` for a set that is new."""

    target: str
    zone: str
    add: RRset
    expect: RRset | None
    ttl: int

    def __str__(self) -> str:
        return f"publish {self.target}"


@dataclass(frozen=True, slots=True)
class Retire:
    """Remove records at a target."""

    target: str
    zone: str
    remove: RRset
    expect: RRset | None
    ttl: int

    def __str__(self) -> str:
        return f"retire {self.target}"


@dataclass(frozen=True, slots=True)
class Import:
    """Take the key and certificate that a consumer has now into the store: they are the current generation."""

    consumer: str

    def __str__(self) -> str:
        return f"import {self.consumer}"


@dataclass(frozen=True, slots=True)
class Install:
    """Give one consumer's file the current generation, which the services present already."""

    generation: str
    consumer: str

    def __str__(self) -> str:
        return f"install {self.consumer}"


@dataclass(frozen=True, slots=True)
class Deploy:
    """Give every consumer the next generation and reload it: the swap. `before`: fingerprints presented until now."""

    generation: str
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "deploy"


@dataclass(frozen=True, slots=True)
class RollBack:
    """Give every consumer the former generation again and reload it. `hold`: then wait for a person."""

    generation: str
    reason: str
    hold: bool = True

    def __str__(self) -> str:
        return "roll back"


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make a key of this type (policy.KEY_TYPES) and keep it: the next key."""

    type: str

    def __str__(self) -> str:
        return "prepare"


Step = Publish | Retire | Import | Install | Deploy | RollBack | Prepare


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that stands in the way. `until`: the moment it ends by itself, None = when the world changes.

    `subject`: the owner, server, service or file it is about.
    """

    subject: str
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Do one step now."""

    step: Step
    why: str


@dataclass(frozen=True, slots=True)
class Record:
    """Nothing to do but to remember what has been proven or settled."""

    events: tuple[Event, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until`. `due`: when the step that is waited for is expected, None = not only a matter of time."""

    until: float
    why: str
    blockers: tuple[Blocker, ...] = ()
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A person has to do something; look again at `until` all the same."""

    until: float
    why: str
    remedy: str
    blockers: tuple[Blocker, ...] = ()


Decision = Act | Record | Wait | Stop


def intent(step: Step) -> tuple[Event, ...]:
    """What is written before a step, so that a crash in the middle of it is known."""
    match step:
        case Publish():
            return (ev.Publishing(step.target, tuple(sorted(step.add))),)
        case Retire():
            return (ev.Retiring(step.target, tuple(sorted(step.remove))),)
        case Deploy():
            return (ev.Deploying(step.generation, step.before),)
        case RollBack():
            return (ev.RollingBack(step.generation, step.reason, step.hold),)
        case _:
            return ()
