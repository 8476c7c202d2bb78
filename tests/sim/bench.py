"""A bench: one lineage, looks made by hand at exact moments, through note, apply and decide. No world, no engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tlsa_manager.rollover.decide import decide
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.note import note
from tlsa_manager.rollover.scene import Scene
from tlsa_manager.rollover.steps import Act, Deploy
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
    Witness,
)  # fmt: skip

if TYPE_CHECKING:
    from tlsa_manager.chain import Chain
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.rollover.steps import Decision
    from tlsa_manager.tlsa import RRset


@dataclass
class Name:
    """What the servers of one owner answer: by server, (records or None, TTL); where the owner's alias leads."""

    answers: dict[str, tuple[RRset | None, int]]
    target: str = ""
    alias_ttl: int = 0
    witness: Witness | None = None
    signed_until: dict[str, float] = field(default_factory=dict)
    ns_ttl: int = 0


class Bench:
    """Facts, and looks at them. `presented`: by service, then by address; where there is no chain, what comes of connecting."""

    def __init__(self, lineage: Lineage) -> None:
        self.lineage = lineage
        self.facts = Facts(lineage.name)
        self.names: dict[str, Name] = {}
        self.presented: dict[str, dict[str, Chain | Outcome]] = {}
        self.decision: Decision | None = None

    def happen(self, at: float, *events: Event) -> None:
        """Apply events."""
        for event in events:
            self.facts = apply(self.facts, event, at)

    def serve(self, records: RRset | None, ttl: int, *, on: tuple[str, ...] = ("ns1", "ns2"), owner: str = "") -> Name:
        """From now on these servers answer this."""
        name = self.names.setdefault(owner or self.lineage.owners[0], Name({}))
        name.answers |= dict.fromkeys(on, (records, ttl))
        return name

    def present(self, what: Chain | Outcome, *, at: tuple[str, ...] = ("192.0.2.1",)) -> None:
        """From now on these addresses of every service present this, or nothing with this outcome."""
        for service in self.lineage.services:
            self.presented.setdefault(str(service), {}).update(dict.fromkeys(at, what))

    def look(self, at: float) -> Decision:
        """Look once at a moment, note what it proves, decide."""
        scene = self.scene(at)
        self.happen(at, *note(scene))
        self.decision = decide(replace(scene, facts=self.facts))
        return self.decision

    def scene(self, at: float) -> Scene:
        """What a decision at this moment is made from."""
        owners = {owner: self._view(owner, name, at) for owner, name in self.names.items()}
        held = {view.target: Held(view.target, view.answers[0].records) for view in owners.values()}
        services = {service: ServiceView(service, at, tuple(_seen(table))) for service, table in self.presented.items()}
        files = {one: FileView(one, f"/etc/{one}", "unknown", configured=True) for one in self.lineage.consumers}
        return Scene(self.lineage, self.facts, Snapshot(at, owners, held, services, files), at)

    def swaps_at(self, at: float) -> bool:
        """Whether a look at this moment, and none the blink of an eye before, swaps."""
        before = self.facts
        early = self.look(at - 0.001)
        self.facts = before
        return not _is_swap(early) and _is_swap(self.look(at))

    def _view(self, owner: str, name: Name, at: float) -> OwnerView:
        answers = tuple(
            Answer(
                server, f"192.0.2.{n}", records, ttl, Security.SECURE if records is not None else Security.INDETERMINATE,
                "" if records is not None else "timeout", signed_until=name.signed_until.get(server, at + 1e7),
            ) for n, (server, (records, ttl)) in enumerate(name.answers.items())
        )  # fmt: skip
        return OwnerView(
            owner, name.target or owner, "example.org.", at, answers, name.alias_ttl, name.witness, ns_ttl=name.ns_ttl
        )


def _is_swap(decision: Decision) -> bool:
    return isinstance(decision, Act) and isinstance(decision.step, Deploy)


def _seen(table: dict[str, Chain | Outcome]) -> list[Presentation]:
    return [
        Presentation(address, "any", what) if isinstance(what, Outcome) else Presentation(address, "any", Outcome.PRESENTED, what)
        for address, what in table.items()
    ]
