"""A story: a world, an engine in it, and a timer that calls the engine; a crash of the engine is a fact of life."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sim.fate import Fate
from sim.memory import Memory
from sim.world import Crash, World, generation
from tlsa_manager.engine import Engine
from tlsa_manager.lineage import Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.state import Phase, phase
from tlsa_manager.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.lineage import Generation
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.tlsa import RRset

POLICY = Policy(
    ttl=60, ttl_multiplier=2.0, cache_floor=150.0, margin=30.0, rollback_window=300.0, poll_interval=10.0, check_interval=60.0,
    confirm_within=20.0, signature_margin=60.0,
)  # fmt: skip
SERVICES = (Service.parse("mx.example.org:25"), Service.parse("mx.example.org:465"))


class TouchyMemory(Memory):
    """A journal at whose touch the engine may die: before the write or after it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def append(self, lineage: str, event: ev.Event, at: float, *, after: int | None = None) -> None:
        """Keep one event."""
        self.world.touch()
        super().append(lineage, event, at, after=after)
        self.world.touch()


class Story:
    """One lineage (or more, sharing the world), told step by step."""

    def __init__(self, fate: Fate | None = None, *, lineages: tuple[Lineage, ...] = (), addresses: int = 1) -> None:
        self.fate = fate or Fate()
        self.lineages = lineages or (Lineage("one", SERVICES, "dns", ("postfix",), policy=POLICY),)
        owners = tuple(dict.fromkeys(owner for one in self.lineages for owner in one.owners))
        self.world = World(self.fate, owners)
        self.memory = TouchyMemory(self.world)
        self.told: list[tuple[float, str]] = []
        self.addresses = addresses
        self.runs = self.crashes = 0
        self.died = False  # in the latest run
        self.keys: dict[str, str] = {}  # generation -> name of its private key, where it is not the generation's own
        self.engine = self._engine()

    def _engine(self) -> Engine:
        return Engine(
            {one.name: one for one in self.lineages}, self.memory, self.world, moment=self.world.moment,
            watch=lambda name, text: self.told.append((self.world.now, f"{name}: {text}")),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The first lineage."""
        return self.lineages[0].name

    def begin(self, first: Generation, *, published: bool = True, lineage: str = "") -> None:
        """The lineage is stable with this generation: presented, in the consumer's file, and (by default) published by us."""
        one = self._lineage(lineage)
        self.know(first, one.name)
        self.present(first, lineage)
        for consumer in one.consumers:
            self.world.files[consumer] = f"{one.name}/{first.id}"
        self.say(ev.Adopted(self.key(first, one.name)), one.name)
        if published:
            records = first.records(one.params)
            self.stands(records, *one.owners)
            for owner in one.owners:
                self.say(ev.Publishing(self.world.target(owner), tuple(records)), one.name)

    def present(self, what: Generation, lineage: str = "") -> None:
        """Every address of the lineage's services presents this from now on, however it came about."""
        one = self._lineage(lineage)
        for service in one.services:
            for number in range(self.addresses):
                self.world.presented[str(service), f"192.0.2.{100 + number}", one.name] = what.chain

    def stands(self, records: RRset, *owners: str) -> None:
        """These records have stood in DNS since long before the story."""
        for owner in owners or self.world.owners:
            standing = self.world.standing(owner) | records
            target = self.world.target(owner)
            self.world.versions[0][1][target] = self.world.versions[-1][1][target] = standing

    def say(self, event: ev.Event, lineage: str = "") -> None:
        """A person (or a hook) puts an event into the journal."""
        Memory.append(self.memory, self._lineage(lineage).name, event, self.world.moment().wall)

    def know(self, new: Generation, lineage: str) -> None:
        """Put a generation into the world's store."""
        self.world.chains[f"{lineage}/{new.id}"] = self.key(new, lineage)

    def key(self, new: Generation, lineage: str) -> Generation:
        """The generation as the store of a lineage names it."""
        return type(new)(f"{lineage}/{new.id}", new.chain, new.names, new.ours, new.origin)

    def stage(self, new: Generation, *, lineage: str = "", hold: str = "") -> None:
        """An ACME client's hook hands a generation over."""
        one = self._lineage(lineage)
        self.know(new, one.name)
        self.say(ev.Staged(self.key(new, one.name), hold, "say so" if hold else ""), one.name)

    def run(self) -> None:
        """What the timer calls: every lineage once, as far as the process lives."""
        self.runs += 1
        self.died = False
        try:
            for one in self.lineages:
                self.engine.advance(one.name)
        except Crash:
            self.crashes += 1
            self.died = True
            self.engine = self._engine()
        self.world.judge()

    def step(self) -> None:
        """Time passes to the next start of the timer; it may start late or early."""
        plans = [plan for one in self.lineages if (plan := self.memory.plan(one.name))]
        wall = self.world.moment().wall
        wait = min((plan.wake_at - wall for plan in plans), default=self.lineages[0].policy.poll_interval)
        wait = min(max(wait, 1.0), self.lineages[0].policy.check_interval)
        late = self.fate.timers[self.runs % len(self.fate.timers)] if self.fate.timers else 0.0
        self.world.pass_time(self.world.now + max(0.5, wait + late))
        self.run()

    def until(self, done: Callable[[Story], bool], *, within: float = 20_000.0) -> Story:
        """Go on until something is true; AssertionError with the whole story if it does not become true in time."""
        end = self.world.now + within
        while not done(self):
            if self.world.now > end:
                raise AssertionError("it never came to that:\n" + self.tell())
            self.step()
        return self

    def wait(self, seconds: float) -> Story:
        """Go on for a while."""
        end = self.world.now + seconds
        while self.world.now < end:
            self.step()
        return self

    def facts(self, lineage: str = "") -> Facts:
        """What the journal says of a lineage."""
        return self.memory.facts(self._lineage(lineage).name)

    def plan(self, lineage: str = "") -> Plan:
        """What a lineage waits for."""
        plan = self.memory.plan(self._lineage(lineage).name)
        assert plan is not None, "it has not come to rest yet"
        return plan

    def happened(self, kind: type[ev.Event], lineage: str = "") -> list[tuple[float, ev.Event]]:
        """When events of a kind happened, in seconds since the beginning, and the events."""
        name = self._lineage(lineage).name
        return [
            (at - self.world.start, event) for at, whose, event in self.memory.events if whose == name and isinstance(event, kind)
        ]

    def phase(self, lineage: str = "") -> Phase:
        """Where a lineage stands."""
        one = self._lineage(lineage)
        return phase(one, self.memory.facts(one.name), self.world.moment().wall)

    def rolled_to(self, new: Generation, lineage: str = "") -> bool:
        """Whether the rollover to this generation is over."""
        name = self._lineage(lineage).name
        facts = self.memory.facts(name)
        return facts.current == f"{name}/{new.id}" and not facts.previous and not facts.next and not facts.queued

    def vetoes(self) -> list[str]:
        """Steps that a rule wanted and the veto forbade: each is a defect of the rules."""
        return [
            event.reason for _, _, event in self.memory.events if isinstance(event, ev.Failed) and "safety law" in event.reason
        ]

    def tell(self) -> str:
        """What happened."""
        lines = [f"{at - self.world.start:9.1f}  {name}: {event}" for at, name, event in self.memory.events[-40:]]
        plans = [f"{one.name}: {plan.why}" for one in self.lineages if (plan := self.memory.plan(one.name))]
        text = "\n".join([*lines, f"now {self.world.now - self.world.start:.1f}", *plans, str(self.fate)])
        return re.sub(r"[0-9a-f]{64,}", lambda digest: digest[0][:8], text)

    def _lineage(self, name: str) -> Lineage:
        return next(one for one in self.lineages if name in ("", one.name))


__all__ = ["POLICY", "SERVICES", "Story", "generation"]
