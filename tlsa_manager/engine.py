"""The loop, and only the loop: load, observe, decide, act, journal, until nothing is due. No rule lives here, and no provider.

The same for the hook, the timer and the terminal. An intent is journalled before an act and its outcome after it, so that a
process may die between any two lines: the next one reads the journal, looks again and decides again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tlsa_manager import clock
from tlsa_manager.errors import PublishTemporary, Stale, TlsaManagerError
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.decide import decide, look_at
from tlsa_manager.rollover.note import clock_step, note
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.rollover.safety import veto
from tlsa_manager.rollover.scene import Scene, names_of
from tlsa_manager.rollover.steps import (
    Act,
    Deploy,
    Import,
    Install,
    Prepare,
    Publish,
    Record,
    Retire,
    RollBack,
    Step,
    Stop,
    Wait,
    intent,
)  # fmt: skip
from tlsa_manager.rollover.timing import unwatched_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tlsa_manager.clock import Moment
    from tlsa_manager.lineage import Generation, Key, Lineage
    from tlsa_manager.publish import Ticket
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.snapshot import Snapshot

MAX_STEPS = 60  # in one pass over one lineage; more would mean that two rules undo each other


class Memory(Protocol):
    """What the engine needs of the journal."""

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events of a lineage."""

    def folded(self, lineage: str) -> int:
        """Return the number of the last event that `facts` has folded."""

    def append(self, lineage: str, event: Event, at: float, *, after: int | None = None) -> None:
        """Write one event for ever; it is on disk when this returns. `after`: only if nothing followed that one, else Stale."""

    def plan(self, lineage: str) -> Plan | None:
        """Return the latest plan, if any."""

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Replace the plan."""


class Hands(Protocol):
    """Eyes and hands. Acts raise TlsaManagerError; a look never raises for a fault of the world."""

    def look(self, lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        """Look once at everything that bears on a lineage."""

    def publish(self, lineage: Lineage, step: Publish) -> Ticket:
        """Add records."""

    def retire(self, lineage: Lineage, step: Retire) -> Ticket:
        """Remove records."""

    def take_in(self, lineage: Lineage, consumer: str) -> Generation:
        """Copy what a consumer has into the store."""

    def install(self, lineage: Lineage, generation: str, consumer: str) -> None:
        """Write a generation into one consumer's file and reload the consumer."""

    def prepare(self, lineage: Lineage, key_type: str) -> Key:
        """Make a key and keep it safely; it is the next one."""

    def deploy(self, lineage: Lineage, generation: str) -> None:
        """Have every consumer check itself, write a generation into every file, reload each."""

    def restore(self, lineage: Lineage, generation: str) -> None:
        """Write a generation into every file and reload each, whatever the consumers' own checks say."""


class Engine:
    """Runs lineages. `lineages` by name; `watch` is told what is being done, as (lineage, sentence)."""

    def __init__(
        self, lineages: Mapping[str, Lineage], memory: Memory, hands: Hands, *,
        moment: Callable[[], Moment] = clock.moment, watch: Callable[[str, str], None] = lambda name, text: None,  # noqa: ARG005
    ) -> None:  # fmt: skip
        self.lineages = lineages
        self.memory = memory
        self.hands = hands
        self.moment = moment
        self.watch = watch

    def advance(self, name: str) -> Wait | Stop:
        """Do whatever is due for a lineage, then say what it waits for. The caller holds the lease of the lineage."""
        for _ in range(MAX_STEPS):
            decision = self._once(name)
            if decision is not None:
                return decision
        return Wait(
            self.moment().wall + self.lineages[name].policy.poll_interval,
            "the rules do not come to rest; this is a defect of the tool",
        )  # fmt: skip

    def publish(self, name: str) -> None:
        """Only add what is wanted and missing in DNS, and touch nothing else: what a hook may do."""
        for _ in range(MAX_STEPS):
            scene = self.scene(name)
            decision = decide(scene)
            if isinstance(decision, Record):
                self._remember(scene, decision)
            elif isinstance(decision, Act) and isinstance(decision.step, Publish | Prepare):
                self._act(scene, decision)
            elif isinstance(decision, Act):
                return  # the next run does it
            else:
                self._keep(name, decision)
                return

    def scene(self, name: str) -> Scene:
        """Look once, remember what the look proves, and return what a decision would be made from."""
        lineage = self.lineages[name]
        before = self.moment()
        self._mind_the_clock(name, before)
        facts = self.memory.facts(name)
        snapshot = self.hands.look(lineage, facts, look_at(lineage, facts, before.wall).probes)
        after = self.moment()
        if self._mind_the_clock_since(name, before, after):
            snapshot = _as_of(snapshot, after.wall)
        now = after.wall
        neighbours = tuple((one, self.memory.facts(one.name)) for one in self._neighbours(lineage))
        scene = Scene(lineage, self.memory.facts(name), snapshot, now, neighbours)
        for event in note(scene):
            self.memory.append(name, event, now)
        return replace(scene, facts=self.memory.facts(name))

    def _once(self, name: str) -> Wait | Stop | None:
        """One look, one decision, at most one act; None = go on at once."""
        scene = self.scene(name)
        decision = decide(scene)
        if isinstance(decision, Act):
            self.watch(name, decision.why)
            self._act(scene, decision)
            return None
        if isinstance(decision, Record):
            self._remember(scene, decision)
            return None
        self._keep(name, decision)
        return decision

    def _remember(self, scene: Scene, decision: Record) -> None:
        self.watch(scene.lineage.name, decision.why)
        self._write(scene.lineage.name, decision.events, scene.now)  # or not: then it is looked and decided again

    def _act(self, scene: Scene, decision: Act) -> None:
        """Ask the veto, write the intent, act, write the outcome."""
        name, step = scene.lineage.name, decision.step
        refusal = veto(step, scene)
        if refusal:
            self._append(
                name, ev.Failed(str(step), f"the safety law forbids it: {refusal}", "this is a defect of the tool; report it")
            )
            return
        if not self._write(name, intent(step), self.moment().wall):
            return
        try:
            outcome = self._perform(scene, step)
        except TlsaManagerError as error:
            until = error.until if isinstance(error, PublishTemporary) else 0.0
            self._append(name, ev.Failed(str(step), error.message, error.hint, until))
            return
        self._append(name, outcome)
        if done := _done(outcome):
            self.watch(name, done)

    def _perform(self, scene: Scene, step: Step) -> Event:
        """Act once; return what happened."""
        lineage = scene.lineage
        match step:
            case Publish():
                taken = self.hands.publish(lineage, step)
                return ev.Published(step.target, tuple(sorted(step.add)), taken.state == "asked", taken.number)
            case Retire():
                taken = self.hands.retire(lineage, step)
                return ev.Retired(step.target, tuple(sorted(step.remove)), taken.state == "asked", number=taken.number)
            case Import():
                return ev.Adopted(self.hands.take_in(lineage, step.consumer))
            case Install():
                self.hands.install(lineage, step.generation, step.consumer)
                return ev.Installed(step.generation, step.consumer)
            case Prepare():
                return ev.Prepared(self.hands.prepare(lineage, step.type))
            case Deploy():
                self.hands.deploy(lineage, step.generation)
                return ev.Deployed(step.generation)
            case RollBack():
                self.hands.restore(lineage, step.generation)
                return ev.RolledBack(step.generation)

    def _write(self, name: str, events: Iterable[Event], at: float) -> bool:
        """Write what was decided; return False, and write nothing, if something happened since the look (a renewal, an abort)."""
        try:
            for event in events:
                self.memory.append(name, event, at, after=self.memory.folded(name))
                self.memory.facts(name)  # the next one follows this one
        except Stale:
            return False
        return True

    def _append(self, name: str, event: Event) -> None:
        self.memory.append(name, event, self.moment().wall)

    def _neighbours(self, lineage: Lineage) -> list[Lineage]:
        """The other lineages that share an owner with this one, or the name that aliases lead to."""
        mine = names_of(lineage, self.memory.facts(lineage.name))
        others = (one for one in self.lineages.values() if one.name != lineage.name)
        return [one for one in others if mine & names_of(one, self.memory.facts(one.name))]

    def _mind_the_clock(self, name: str, now: Moment) -> None:
        """If somebody moved the wall clock since the last look, or nobody looked for long, it is measured again."""
        plan = self.memory.plan(name)
        if plan is None:
            return
        seconds, late = clock_step(plan.looked, (now.wall, now.boot, now.uptime)), now.wall - plan.wake_at
        if seconds:
            self._measure_again(name, ev.ClockStepped(seconds), now)
        elif late > unwatched_after(self.lineages[name].policy) and self._waits_for_caches(name):
            self._measure_again(name, ev.Unwatched(late), now)

    def _waits_for_caches(self, name: str) -> bool:
        """Whether a break in the watch matters: a certificate is on its way, or a next key is known ahead of its own."""
        facts = self.memory.facts(name)
        return bool(facts.next) or facts.standby is not None

    def _mind_the_clock_since(self, name: str, before: Moment, after: Moment) -> bool:
        """Whether somebody moved the wall clock during a look; then what the look says of time counts for nothing."""
        seconds = clock_step((before.wall, before.boot, before.uptime), (after.wall, after.boot, after.uptime))
        if seconds:
            self._measure_again(name, ev.ClockStepped(seconds), after)
        return bool(seconds)

    def _measure_again(self, name: str, event: Event, now: Moment) -> None:
        """Remember what made the waits worthless, and that it is known: the same hour is not lost twice."""
        self.memory.append(name, event, now.wall)
        plan = self.memory.plan(name)
        if plan is not None:
            self.memory.keep_plan(name, replace(plan, looked=(now.wall, now.boot, now.uptime), wake_at=now.wall))

    def _keep(self, name: str, decision: Wait | Stop) -> None:
        """Write down what is waited for."""
        remedy = decision.remedy if isinstance(decision, Stop) else ""
        due = decision.due if isinstance(decision, Wait) else None
        now = self.moment()
        self.memory.keep_plan(
            name, Plan(decision.until, decision.why, remedy, decision.blockers, due, (now.wall, now.boot, now.uptime))
        )


def _done(outcome: Event) -> str:
    """Say that DNS was changed, once it is; of the rest it is enough that it was begun, or a person was asked."""
    match outcome:
        case ev.Published(target, records, asked=False):
            return f"published {len(records)} record(s) at {target}"
        case ev.Retired(target, records, asked=False):
            return f"removed {len(records)} record(s) at {target}"
    return ""


def _as_of(snapshot: Snapshot, at: float) -> Snapshot:
    """The look as if it had been made at a later moment: what was seen gone is taken to be gone since then only."""
    return replace(snapshot, at=at, owners={name: replace(view, at=at) for name, view in snapshot.owners.items()})
