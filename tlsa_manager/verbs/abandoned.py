"""Lineages that the journal knows and the configuration names no more: what they own in DNS belongs to nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.journal import Journal
    from tlsa_manager.tlsa import RRset


@dataclass(frozen=True, slots=True)
class Abandoned:
    """One of them: our records that nobody else has taken over, by owner name, and the names of TXT records of open orders."""

    name: str
    records: tuple[tuple[str, RRset], ...]
    proofs: tuple[str, ...]

    def __str__(self) -> str:
        """What it owns, and what to do."""
        owned = [f"{', '.join(map(str, sorted(records)))} at {target}" for target, records in self.records]
        owned += [f"a TXT record at {target}" for target in self.proofs]
        other = 'have another lineage take them over: tlsa-manager records LINEAGE --adopt-foreign "RECORD"'
        return (
            f"the configuration names {self.name} no more, and nobody removes what it has in DNS: {'; '.join(owned)}."
            f" Put its section back with leaving = true until tlsa-manager status says that it is gone;"
            f" or {other if self.records else 'remove it'}"
        )


def abandoned(config: Config, journal: Journal) -> Iterator[Abandoned]:
    """Yield those that own something which no configured lineage has as its own."""
    known = {one for one in journal.lineages() if one not in config.lineages}
    if not known:
        return
    kept = [journal.facts(one).ours for one in config.lineages]
    for name in sorted(known):
        facts = journal.facts(name)
        left = {target: ours.difference(*(one.get(target, ()) for one in kept)) for target, ours in facts.ours.items()}
        records = tuple((target, one) for target, one in sorted(left.items()) if one)
        proofs = tuple(sorted({one.target for one in facts.tokens}))
        if records or proofs:
            yield Abandoned(name, records, proofs)


def abandoned_of(config: Config) -> list[Abandoned]:
    """Return the same from the configuration alone; none where there is no journal yet. Raises StateError."""
    path = Path(config.state.removeprefix("sqlite:///"))
    if not path.exists():
        return []
    from tlsa_manager.journal import Journal

    return list(abandoned(config, Journal(path)))
