"""What a decision is made from: a lineage, what is known of it, one look at the world, its neighbours, one `now`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import law
from tlsa_manager.snapshot import Outcome
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.chain import Chain
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.policy import Policy
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import OwnerView, Presentation, Snapshot
    from tlsa_manager.tlsa import RRset

EVIDENCE = ("any", "rsa", "ecdsa")  # clients that send SNI, as RFC 7672 §8.1 demands of senders


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that rules may look at. `neighbours`: other lineages that share an owner with this one."""

    lineage: Lineage
    facts: Facts
    snapshot: Snapshot
    now: float
    neighbours: tuple[tuple[Lineage, Facts], ...] = ()

    @property
    def policy(self) -> Policy:
        """The timing of the lineage."""
        return self.lineage.policy

    @property
    def current(self) -> Generation | None:
        """The generation proven to be presented."""
        return self.facts.generation(self.facts.current)

    @property
    def next(self) -> Generation | None:
        """The generation on its way."""
        return self.facts.generation(self.facts.next)

    @property
    def previous(self) -> Generation | None:
        """The generation before the swap, while the way back is open."""
        return self.facts.generation(self.facts.previous)

    @property
    def given_up(self) -> bool:
        """Whether the lineage is to be given up, and nothing presents it any more."""
        return (self.lineage.leaving and self.facts.vanished_at is not None) or self.facts.is_going

    def targets(self) -> dict[str, tuple[str, ...]]:
        """The owners of this lineage by the name where their records really are."""
        table: dict[str, tuple[str, ...]] = {}
        for owner in self.lineage.owners:
            view = self.snapshot.owners.get(owner)
            known = self.facts.owners.get(owner)
            target = view.target if view and view.answers else known.target if known else owner
            table[target] = (*table.get(target, ()), owner)
        return table

    def view(self, owner: str) -> OwnerView | None:
        """This look's poll round over an owner."""
        return self.snapshot.owners.get(owner)

    def standing(self, target: str, owner: str) -> tuple[RRset, ...]:
        """The sets that a change at a target starts from: what the backend holds, else what the servers answer."""
        held = self.snapshot.held.get(target)
        if held is not None and held.records is not None:
            return (held.records,)
        view = self.view(owner)
        return tuple({one.records for one in view.answers if one.records is not None}) if view else ()

    def shown(self, owners: tuple[str, ...]) -> RRset:
        """What some name server hands out for some of these owners, as far as was heard."""
        views = [view for owner in owners if (view := self.view(owner))]
        return frozenset().union(*(answer.records or () for view in views for answer in view.answers))

    def unsettled(self, target: str) -> str:
        """Why what was published at a target is not known to be in force on all servers of the backend; empty where it is."""
        sent, held = self.facts.sent.get(target), self.snapshot.held.get(target)
        if sent is not None and not set(sent.numbers) <= (held.settled if held else frozenset()):
            return (held.unsettled if held else "") or "the backend has not been asked whether it is in force"
        if any(facts.sent[target].numbers for _, facts in self.neighbours if target in facts.sent):
            return "a change for another lineage at the same name is not in force yet"
        lost = self.unsure(target) or self.unheard(target)
        return "the outcome of the latest change was lost, it is asked for again" if lost else ""

    def unheard(self, target: str) -> RRset:
        """What such a backend was told to remove, and nobody knows by which number to ask whether that is in force."""
        held, begun = self.snapshot.held.get(target), self.facts.unheard.get(target, frozenset())
        if held is None or not held.late:
            return frozenset()
        return begun - (held.records or frozenset())  # what it has still was never removed

    def unsure(self, target: str) -> RRset:
        """What a backend whose changes come into force later has, and nobody knows since when, or by which number to ask."""
        held, begun = self.snapshot.held.get(target), self.facts.unsure.get(target)
        if begun is None or held is None or not held.late:
            return frozenset()
        return begun if held.records is None else begun & held.records

    def services_of(self, owner: str) -> tuple[Service, ...]:
        """The services of this lineage behind an owner."""
        return tuple(one for one in self.lineage.services if one.owner == owner)

    def smtp(self, owner: str) -> bool:
        """Whether senders of RFC 7672 are the clients of an owner."""
        return any(one.opportunistic for one in self.services_of(owner))

    def presentations(self, service: Service) -> tuple[Presentation, ...]:
        """What was seen of a service in this look."""
        view = self.snapshot.services.get(str(service))
        return view.presentations if view else ()

    def presented(self, owner: str) -> tuple[Chain, ...]:
        """Every chain that a sender was shown behind an owner in this look, whoever's it is."""
        chains = {
            one.chain: None
            for service in self.services_of(owner)
            for one in self.presentations(service)
            if one.outcome is Outcome.PRESENTED and one.chain and one.client in EVIDENCE
        }
        return tuple(chains)

    def instead_of(self, owner: str) -> tuple[Chain, ...]:
        """The chains behind an owner whose place a deployment takes: all that is presented and nobody else's."""
        seen = tuple(one for one in self.presented(owner) if one not in self.foreign_chains())
        known = (self.current.chain,) if self.current else ()
        return seen + tuple(one for one in known if one not in seen)

    def foreign_chains(self) -> tuple[Chain, ...]:
        """What the neighbours' files make the servers present (an ECDSA lineage beside an RSA one)."""
        return tuple(chain for _, facts in self.neighbours for chain in law.presentable(facts))

    def beside(self, target: str, owners: tuple[str, ...]) -> tuple[tuple[Lineage, Facts], ...]:
        """The neighbours whose senders are given what stands at a target, too."""
        places = {target, *owners}
        return tuple((lineage, facts) for lineage, facts in self.neighbours if places & names_of(lineage, facts))

    def neighbours_want(self) -> RRset:
        """The records that other lineages need where this one has its own."""
        return frozenset().union(*(law.wanted(lineage, facts) for lineage, facts in self.neighbours))


def names_of(lineage: Lineage, facts: Facts) -> set[str]:
    """The owners of a lineage, and the names where aliases lead: two lineages that meet there are neighbours."""
    return {*lineage.owners, *(one.target for name, one in facts.owners.items() if name in lineage.owners)}
