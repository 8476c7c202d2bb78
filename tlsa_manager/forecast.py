"""What would happen if nothing went wrong: the engine itself, in a world without faults, in virtual time.

`rollover plan` prints it. It cannot promise more than the rules do, because it asks nobody but them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.clock import Moment
from tlsa_manager.engine import Engine
from tlsa_manager.lineage import Generation, Key
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.publish import Ticket
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import law, succession
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.steps import Stop
from tlsa_manager.security import Security
from tlsa_manager.snapshot import (
    Answer,
    FileView,
    Held,
    Outcome,
    OwnerView,
    Presentation,
    ServiceView,
    Snapshot,
)  # fmt: skip
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.facts import CachedSet
    from tlsa_manager.rollover.plan import Plan
    from tlsa_manager.rollover.steps import Publish, Retire, Wait
    from tlsa_manager.tlsa import RRset

SUPPOSED = "(the next certificate)"
MAX_TURNS = 5000  # of the loop; a rollover takes some dozens
_TOLD = (
    ev.Staged,
    ev.Adopted,
    ev.Prepared,
    ev.Published,
    ev.Deployed,
    ev.Confirmed,
    ev.Restored,
    ev.Retired,
    ev.Finished,
    ev.Promoted,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that would happen: an event, or (`event` None) the beginning of a wait, with its reason."""

    at: float
    event: Event | None
    why: str = ""
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The timeline. `supposed`: it begins with a certificate that does not exist. `stop`: what a person has to do, or empty."""

    turns: tuple[Turn, ...]
    supposed: bool
    stop: str = ""
    remedy: str = ""


def foresee(lineages: Mapping[str, Lineage], known: Mapping[str, Facts], name: str, now: float) -> Forecast:
    """Tell what would happen to a lineage from `now` on; to a rollover with a supposed certificate if none is going on."""
    facts = known.get(name, Facts(name))
    supposed = not (facts.next or facts.queued or facts.previous or facts.deploying or facts.way_back or facts.hold)
    memory = _Memory({**known, name: facts})
    if supposed:
        memory.append(name, ev.Staged(_newcomer(lineages[name], facts, now)), now)
    world = _World(lineages, memory, name, now)
    engine = Engine(lineages, memory, world, moment=world.moment)
    turns: list[Turn] = []
    for _ in range(MAX_TURNS):
        decision = engine.advance(name)
        turns += [Turn(at, event) for at, event in memory.news() if isinstance(event, _TOLD)]
        if isinstance(decision, Stop):
            return Forecast(tuple(turns), supposed, decision.why, decision.remedy)
        if _at_rest(memory.facts(name)):
            break
        if not turns or turns[-1].event is not None:
            turns.append(Turn(world.now, None, decision.why, decision.due))
        world.now = _next_look(decision, world.now)
    return Forecast(tuple(turns), supposed)


def _at_rest(facts: Facts) -> bool:
    return not (facts.next or facts.queued or facts.previous or facts.deploying or facts.way_back)


def _next_look(decision: Wait, now: float) -> float:
    """Go straight to the moment that is waited for: in between nothing changes in a world without faults."""
    return max(decision.until if decision.due is None else decision.due, now + 0.01)


def _newcomer(lineage: Lineage, facts: Facts, now: float) -> Generation:
    """A certificate as the next renewal would bring it: for the key in service, the next key, or a new one of the same kind."""
    current, made = facts.generation(facts.current), Digests.of(b"a supposed certificate", b"a supposed key")
    kind, issuers = (current.chain.kind, current.chain.certificates[1:]) if current else ("ECDSA", ())
    if current is not None and not succession.renews_key(lineage, facts, now):
        made = _of_key(made, current.chain.leaf)
    elif facts.standby is not None:
        made, kind = _of_key(made, facts.standby), facts.standby.kind
    return Generation(SUPPOSED, Chain((made, *issuers), kind), origin="supposed")


def _of_key(made: Digests, key: Digests | Key) -> Digests:
    return replace(made, spki_sha256=key.spki_sha256, spki_sha512=key.spki_sha512)


class _Memory:
    """A journal that forgets: facts to begin with, events on top."""

    def __init__(self, known: Mapping[str, Facts]) -> None:
        self._facts = dict(known)
        self._news: list[tuple[float, Event]] = []

    def facts(self, lineage: str) -> Facts:
        return self._facts.get(lineage, Facts(lineage))

    def folded(self, lineage: str) -> int:  # noqa: ARG002  the engine's protocol; nobody else writes here
        return 0

    def append(self, lineage: str, event: Event, at: float, *, after: int | None = None) -> None:  # noqa: ARG002  likewise
        self._news.append((at, event))
        self._facts[lineage] = apply(self.facts(lineage), event, at)

    def plan(self, lineage: str) -> None:
        """Know none: nobody is late in virtual time, and no clock is moved."""

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Forget it."""

    def news(self) -> list[tuple[float, Event]]:
        news, self._news = self._news, []
        return news


class _World:
    """Servers that answer, sign and serve at once whatever they are given."""

    def __init__(self, lineages: Mapping[str, Lineage], memory: _Memory, name: str, now: float) -> None:
        self.now = self._began = now
        self._memory = memory
        facts = memory.facts(name)
        self._neighbours = [one for one in lineages.values() if one.name != name and set(one.owners) & set(lineages[name].owners)]
        self._records = {known.target: _standing(known.served) for known in facts.owners.values()}
        self._ttls = {known.target: max((one.ttl for one in known.served), default=0) for known in facts.owners.values()}
        shown = facts.next if facts.deploying or not facts.current else facts.current
        generation = facts.generation(shown)
        self._presented = generation.chain if generation else None

    def moment(self) -> Moment:
        return Moment(self.now, "virtual", self.now - self._began)

    def look(self, lineage: Lineage, facts: Facts, probes: int) -> Snapshot:
        targets = {owner: facts.owners[owner].target if owner in facts.owners else owner for owner in lineage.owners}
        places = {owner: facts.owners[owner].addresses if owner in facts.owners else () for owner in targets}
        owners = {owner: self._owner(owner, target, lineage, places[owner]) for owner, target in targets.items()}
        held = {target: Held(target, self._set(target), self._ttl(target, lineage)) for target in targets.values()}
        services = {str(one): self._service(str(one)) for one in lineage.services} if probes else {}
        fingerprint = self._presented.fingerprint if self._presented else ""
        files = {one: FileView(one, one, fingerprint, configured=True) for one in lineage.consumers}
        return Snapshot(self.now, owners, held, services, files)

    def publish(self, lineage: Lineage, step: Publish) -> Ticket:
        self._ttls.setdefault(step.target, lineage.policy.ttl)
        self._records[step.target] = self._set(step.target) | step.add
        return Ticket("done")

    def retire(self, lineage: Lineage, step: Retire) -> Ticket:  # noqa: ARG002  the engine's protocol
        self._records[step.target] = self._set(step.target) - step.remove
        return Ticket("done")

    def take_in(self, lineage: Lineage, consumer: str) -> Generation:
        return Generation(f"(what {consumer} has)", self._presented or _newcomer(lineage, Facts(lineage.name), self.now).chain)

    def prepare(self, lineage: Lineage, key_type: str) -> Key:  # noqa: ARG002  the engine's protocol
        supposed = Digests.of(b"a certificate that nobody has", b"a supposed next key")
        return Key("(the next key)", supposed.spki_sha256, supposed.spki_sha512, KEY_TYPES[key_type], key_type)

    def install(self, lineage: Lineage, generation: str, consumer: str) -> None:
        """Do nothing: the file has it already."""

    def deploy(self, lineage: Lineage, generation: str) -> None:
        known = self._memory.facts(lineage.name).generation(generation)
        self._presented = known.chain if known else self._presented

    def restore(self, lineage: Lineage, generation: str) -> None:
        self.deploy(lineage, generation)

    def _set(self, target: str) -> RRset:
        return self._records.get(target, frozenset())

    def _ttl(self, target: str, lineage: Lineage) -> int:
        return self._ttls.get(target) or lineage.policy.ttl

    def _owner(self, owner: str, target: str, lineage: Lineage, places: tuple[str, ...]) -> OwnerView:
        """What the servers answer, at the very addresses where they are known: none of them is taken out of the NS set."""
        held, ttl = self._set(target), self._ttl(target, lineage)
        answers = tuple(Answer("every server", place, held, ttl, Security.SECURE) for place in places or ("",))
        return OwnerView(owner, target, "", self.now, answers)

    def _service(self, service: str) -> ServiceView:
        foreign = (chain for one in self._neighbours for chain in law.presentable(self._memory.facts(one.name)))
        chains = dict.fromkeys(chain for chain in (self._presented, *foreign) if chain is not None)
        seen = tuple(Presentation("every address", "any", Outcome.PRESENTED, chain) for chain in chains)
        return ServiceView(service, self.now, seen)


def _standing(served: tuple[CachedSet, ...]) -> RRset:
    return frozenset[Tlsa]().union(*(one.records for one in served))
