"""What would happen from now on if nothing went wrong: note, apply and decide, run in an ideal world. `rollover plan` prints it.

In that world every change is on every server at once, everybody answers, signatures do not end, and a reload takes no time.
What is really in the way now and does not go away by itself (a hold, a foreign record that would stop matching) stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.lineage import Generation
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import law
from tlsa_manager.rollover.decide import decide
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.note import note
from tlsa_manager.rollover.scene import Scene
from tlsa_manager.rollover.state import Phase, phase
from tlsa_manager.rollover.steps import Act, Deploy, Import, Install, Publish, Record, Retire, RollBack, Step, Stop, Wait, intent
from tlsa_manager.snapshot import Answer, FileView, Held, Outcome, OwnerView, Presentation, Security, ServiceView, Snapshot

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.steps import Decision
    from tlsa_manager.tlsa import RRset

NEW_KEY = "(a new key)"
MAX_LOOKS = 1000  # no rollover needs a hundred
PATIENCE = 20  # looks without a step or a due moment: it waits for something that an ideal world does not bring


@dataclass(frozen=True, slots=True)
class Milestone:
    """What happens when (seconds since 1970), and the phase that the lineage is in afterwards."""

    at: float
    phase: Phase
    what: str


def forecast(lineage: Lineage, facts: Facts, snapshot: Snapshot | None, now: float) -> tuple[Milestone, ...]:
    """Return the timeline from now up to the next stable moment, or to what would hold it.

    Without a next generation, a new key is assumed to be staged now. `snapshot`: the latest look, None = what is known counts.
    """
    facts = replace(facts, failures={})
    if not (facts.next or facts.previous or facts.queued or facts.way_back):
        facts = apply(facts, ev.Staged(_new_key(facts)), now)
    return tuple(_Ideal(lineage, facts, snapshot, now).run())


class _Ideal:
    """The ideal world. `records` by target."""

    def __init__(self, lineage: Lineage, facts: Facts, snapshot: Snapshot | None, now: float) -> None:
        self.lineage, self.facts, self.now = lineage, facts, now
        self.seen = snapshot or Snapshot(now)
        self.targets = {name: self._target(name) for name in lineage.owners}
        self.records = {target: self._standing(name, target) for name, target in self.targets.items()}
        self.presented = self._presented()
        self.files = {name: self._file(name) for name in lineage.consumers}

    def run(self) -> list[Milestone]:
        """Look, decide, act, again and again."""
        story: list[Milestone] = []
        waited = 0
        for _ in range(MAX_LOOKS):
            scene = self._look()
            for event in note(scene):
                self._happen(event)
            decision = decide(replace(scene, facts=self.facts))
            where = phase(self.lineage, self.facts, self.now)
            if isinstance(decision, Wait):
                waited = waited + 1 if decision.due is None else 0
                if waited > PATIENCE or self._is_over(decision):
                    return [*story, Milestone(self.now, where, decision.why)]
                self.now = max(self.now, decision.until if decision.due is None else decision.due)
                continue
            if isinstance(decision, Stop):
                return [*story, Milestone(self.now, where, f"{decision.why}: {decision.remedy}")]
            waited = 0
            what = self._take(decision)
            story.append(Milestone(self.now, phase(self.lineage, self.facts, self.now), what))
        return story

    def _is_over(self, decision: Decision) -> bool:
        """Whether nothing is left to do but to look again one day."""
        facts = self.facts
        return isinstance(decision, Wait) and not (
            facts.next or facts.previous or facts.queued or facts.way_back or facts.deploying or decision.blockers
        )

    def _happen(self, event: Event) -> None:
        self.facts = apply(self.facts, event, self.now)

    def _take(self, decision: Act | Record) -> str:
        """Do what was decided; return a sentence about it."""
        if isinstance(decision, Record):
            for event in decision.events:
                self._happen(event)
            return decision.why
        for event in (*intent(decision.step), self._outcome(decision.step)):
            self._happen(event)
        return _sentence(decision.step)

    def _outcome(self, step: Step) -> Event:
        match step:
            case Publish():
                self.records[step.target] |= step.add
                return ev.Published(step.target, tuple(sorted(step.add)))
            case Retire():
                self.records[step.target] -= step.remove
                return ev.Retired(step.target, tuple(sorted(step.remove)))
            case Import():
                return ev.Adopted(
                    Generation("(what is presented)", self.presented[0] if self.presented else _unknown("presented"))
                )
            case Install():
                self.files[step.consumer] = self._chain(step.generation).fingerprint
                return ev.Installed(step.generation, step.consumer)
            case Deploy():
                self._give(step.generation)
                return ev.Deployed(step.generation)
            case RollBack():
                self._give(step.generation)
                return ev.RolledBack(step.generation)

    def _give(self, name: str) -> None:
        chain = self._chain(name)
        self.presented = (chain,)
        self.files = dict.fromkeys(self.files, chain.fingerprint)

    def _chain(self, name: str) -> Chain:
        known = self.facts.generation(name)
        return known.chain if known else _unknown(name)

    # -- what it begins with ---------------------------------------------------------------------------------------------
    def _target(self, owner: str) -> str:
        view, known = self.seen.owners.get(owner), self.facts.owners.get(owner)
        return view.target if view and view.answers else known.target if known else owner

    def _standing(self, owner: str, target: str) -> RRset:
        """What stands at a target, with what has been sent already."""
        held, view, known = self.seen.held.get(target), self.seen.owners.get(owner), self.facts.owners.get(owner)
        answers = [one.records for one in view.answers if one.records is not None] if view else []
        if held is not None and held.records is not None:
            standing = held.records
        else:
            standing = frozenset().union(*(answers or [one.records for one in known.served] if known else answers))
        sent, removing = self.facts.sent.get(target), self.facts.removing.get(target)
        coming = sent.records & law.wanted(self.lineage, self.facts) if sent else frozenset()
        return (standing | coming) - (removing.records if removing else frozenset())

    def _presented(self) -> tuple[Chain, ...]:
        """The current certificate (or the next, where the swap has begun); before there is one, whatever was seen."""
        facts = self.facts
        name = (
            facts.way_back.generation if facts.way_back else facts.next if facts.deployed_at and facts.deploying else ""
        ) or facts.current
        if name:
            return (self._chain(name),)
        seen = {
            one.chain: None
            for view in self.seen.services.values()
            for one in view.presentations
            if one.chain and one.client == "any"
        }
        return tuple(seen)[:1]

    def _file(self, consumer: str) -> str:
        view = self.seen.files.get(consumer)
        return view.fingerprint if view else self.presented[0].fingerprint if self.presented else ""

    # -- what is seen of it ----------------------------------------------------------------------------------------------
    def _look(self) -> Scene:
        snapshot = Snapshot(
            self.now,
            owners={name: self._view(name) for name in self.lineage.owners},
            held={target: Held(target, records) for target, records in self.records.items()},
            services={str(one): ServiceView(str(one), self.now, self._shown()) for one in self.lineage.services if one.probe},
            files={name: FileView(name, name, fingerprint, configured=True) for name, fingerprint in self.files.items()},
        )
        return Scene(self.lineage, self.facts, snapshot, self.now)

    def _view(self, owner: str) -> OwnerView:
        seen, known = self.seen.owners.get(owner), self.facts.owners.get(owner)
        target = self.targets[owner]
        ttl = (
            max((one.ttl for one in known.served if one.records), default=self.lineage.policy.ttl)
            if known
            else self.lineage.policy.ttl
        )
        answer = Answer("every server", "", self.records[target], ttl, Security.SECURE)
        alias = seen.alias_ttl if seen and seen.answers else known.alias_ttl if known else 0
        return OwnerView(owner, target, seen.zone if seen else "", self.now, (answer,), alias)

    def _shown(self) -> tuple[Presentation, ...]:
        if not self.presented:
            return (Presentation("every address", "any", Outcome.NO_TLS),)
        return tuple(Presentation("every address", "any", Outcome.PRESENTED, chain) for chain in self.presented)


def _new_key(facts: Facts) -> Generation:
    """Make the generation that would be staged, with digests that nobody else has."""
    current = facts.generation(facts.current)
    chain = _unknown(NEW_KEY)
    issuers = current.chain.certificates[1:] if current else ()
    return Generation(NEW_KEY, Chain((chain.leaf, *issuers), current.chain.kind if current else chain.kind))


def _unknown(name: str) -> Chain:
    return Chain((Digests.of(f"certificate {name}".encode(), f"key {name}".encode()),), "ECDSA")


def _sentence(step: Step) -> str:
    match step:
        case Publish():
            return f"{len(step.add)} record(s) are published at {step.target}"
        case Retire():
            return f"{len(step.remove)} record(s) are removed at {step.target}"
        case Import():
            return f"what {step.consumer} has is taken in as the current certificate"
        case Install():
            return f"{step.consumer} is given the current certificate"
        case Deploy():
            return "the new certificate goes into service"
        case RollBack():
            return f"the former certificate is put back: {step.reason}"
