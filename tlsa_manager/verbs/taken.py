"""What became of a certificate that was handed over, in words for the log of whoever brought it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tlsa_manager.rollover import lifespan
from tlsa_manager.rollover.advice import waiting
from tlsa_manager.rollover.state import due_by_time
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a certificate that was handed over. `notes`: what is worth knowing, such as what was published at once.

    `outlook`: when it goes into service; `ready`: every cache that can be judged is ready for it already.
    `known`: it came before, and nothing was done; `fate`: what became of it then, where it was given up.
    """

    generation: Generation
    hold: str
    remedy: str
    known: bool
    notes: tuple[str, ...] = ()
    outlook: str = ""
    ready: bool = False
    fate: str = ""

    @property
    def id(self) -> str:
        """The generation."""
        return self.generation.id

    def __str__(self) -> str:
        """One sentence for the client's log."""
        if self.fate:
            return f"generation {self.id} came before and is kept, but {self.fate}"
        if self.known:
            return f"generation {self.id} was here already; nothing to do"
        kept = f"generation {self.id} is safely kept"
        if self.hold:
            return f"{kept}, and held: {self.hold}; {self.remedy}"
        return "; ".join([kept, *filter(None, (self.outlook,)), *self.notes])


def is_ready(lineage: Lineage, facts: Facts, generation: str, now: float) -> bool:
    """Whether every cache knows the record of a generation that is next, as far as the latest look can tell."""
    due = due_by_time(lineage, facts)
    return bool(facts.current) and facts.next == generation and facts.hold is None and due is not None and due <= now


def outlook(lineage: Lineage, facts: Facts, generation: str, now: float) -> str:
    """Say when a generation that was just staged goes into service. `now`: seconds since 1970."""
    if generation == facts.current:
        return "it is in service already"
    if facts.queued == generation:
        return "it is next when the rollover that is going on is over"
    if facts.hold is not None and facts.next == generation:
        return f"it waits for a person: {facts.hold.reason}; {facts.hold.remedy}"
    if not facts.current:
        return "the next run looks whether the services present it already; else it waits until its record is in every cache"
    if is_ready(lineage, facts, generation, now):
        return "every cache knows its record already: it goes into service with the next run"
    due = due_by_time(lineage, facts)
    at = due if due is not None else now + lifespan.whole_wait(lifespan.longest_ttl(lineage, facts), lineage)
    earliest = f"it goes into service when its record has reached every cache, {_moment(at)} at the earliest"
    return "; ".join(filter(None, (earliest, waiting(lineage, facts, now))))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
