"""Owner names that are aliases: where they lead, and that the records are written there (RFC 7671 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts, OwnerFacts


def places(lineage: Lineage, facts: Facts) -> dict[str, dict[str, OwnerFacts | None]]:
    """The names where the records of a lineage are, each with the owners that lead there and what is known of them."""
    table: dict[str, dict[str, OwnerFacts | None]] = {}
    for owner in lineage.owners:
        known = facts.owners.get(owner)
        table.setdefault(known.target if known else owner, {})[owner] = known
    return table


def ways(owners: Mapping[str, OwnerFacts | None]) -> dict[str, list[str]]:
    """Owner by owner, where the aliases lead, step by step; those that are no aliases are left out."""
    return {owner: [*known.via, known.target] for owner, known in owners.items() if known and known.target != owner}


def alias_lines(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """Say where each alias leads, as far as it is known."""
    for owners in places(lineage, facts).values():
        yield from (way_line(owner, way) for owner, way in ways(owners).items())


def way_line(owner: str, way: list[str]) -> str:
    """Say where one alias leads."""
    return f"{' -> '.join((owner, *way))}: an alias; its records are written at {way[-1]}"


def led_there(facts: Facts, step: str) -> str:
    """Why a step that failed was tried at a name that the configuration does not have; empty where that is not so."""
    led = (owner for owner, known in facts.owners.items() if known.target != owner and step.endswith(f" {known.target}"))
    owner = next(led, "")
    return f"; that name is in question since {owner} is an alias that leads there (docs/backends/aliases.md)" if owner else ""


def alias_values(lineage: Lineage, facts: Facts) -> list[dict[str, Any]]:
    """The names where the records are, each with its owners, for --json."""
    return [
        {"name": target, "owners": list(owners), "aliases": ways(owners), "zone": _zone(owners)}
        for target, owners in places(lineage, facts).items()
    ]


def _zone(owners: Mapping[str, OwnerFacts | None]) -> str | None:
    return next((one.zone for one in owners.values() if one and one.zone), None)
