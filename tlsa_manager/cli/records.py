"""`records`: what is wanted, what is published, what is somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import BadInput, UsageError
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.tlsa import RRset
    from tlsa_manager.wiring import House

FORMATS = ("table", "zone", "nsupdate", "json")


@dataclass(frozen=True, slots=True)
class Target:
    """One name in DNS, and the records there as the latest look saw them. `published` None: nobody knows."""

    lineage: str
    name: str
    ttl: int
    wanted: RRset
    published: RRset | None
    ours: RRset

    @property
    def foreign(self) -> RRset:
        """What is published and not this tool's to remove, nor wanted by it."""
        return (self.published or frozenset()) - self.ours - self.wanted

    @property
    def missing(self) -> RRset:
        """What is wanted and not published."""
        return self.wanted - (self.published or frozenset())

    @property
    def surplus(self) -> RRset:
        """What is ours, published, and wanted no more."""
        return (self.published or frozenset()) & self.ours - self.wanted


@click.command(cls=Command, name="records", short_help="Wanted, published and foreign records, for people or for other tools.")
@names
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", help="zone: as in a zone file; nsupdate: a script."
)
@click.option("--look", is_flag=True, help="Look at DNS now; else what the latest run has seen.")
@click.option(
    "--adopt", metavar="RECORD", multiple=True, help='"3 1 1 HEX": a foreign record that may be removed one day; or all.'
)
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], form: str, look: bool, adopt: tuple[str, ...]) -> None:  # noqa: FBT001
    """Print the records that are wanted, published and foreign, name by name. Foreign ones are never removed, unless you
    say with --adopt that they may be when nothing needs them.

    --format zone prints what should stand there, --format nsupdate what would have to be changed.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    voice.json = voice.json or form == "json"
    config = voice.config()
    home, lineages = house(config), chosen(config, wanted)
    for lineage in lineages if look else ():
        home.look(lineage.name)
    if adopt:
        if len(lineages) != 1:
            raise UsageError("--adopt is for one lineage", "name it")
        _adopt(home, lineages[0], adopt)
    targets = [target for lineage in lineages for target in _targets(lineage, home.journal.facts(lineage.name))]
    _answer(voice, targets, form)


def _targets(lineage: Lineage, facts: Facts) -> list[Target]:
    from tlsa_manager.rollover.law import wanted

    needed = wanted(lineage, facts)
    found: dict[str, Target] = {}
    for owner in lineage.owners:
        known = facts.owners.get(owner)
        name = known.target if known else owner
        seen = known is not None and (known.complete or known.served)
        served = frozenset[Tlsa]().union(*(one.records for one in known.served)) if known and seen else None
        ttl = max((one.ttl for one in known.served if one.records), default=lineage.policy.ttl) if known else lineage.policy.ttl
        found[name] = Target(lineage.name, name, ttl, needed, served, facts.ours.get(name, frozenset()))
    return list(found.values())


def _adopt(home: House, lineage: Lineage, words: tuple[str, ...]) -> None:
    """Take records as ours. Raises BadInput where none of them stands in DNS."""
    home.look(lineage.name)
    targets = _targets(lineage, home.journal.facts(lineage.name))
    foreign = frozenset[Tlsa]().union(*(target.foreign for target in targets))
    records = foreign if words == ("all",) else frozenset(Tlsa.parse(word) for word in words)
    if not home.adopt(lineage.name, records):
        raise BadInput(
            f"no such foreign record stands at the names of {lineage.name}, so nothing was adopted",
            f"see: tlsa-manager records --look {lineage.name}",
        )


def _answer(voice: Voice, targets: list[Target], form: str) -> None:
    lines = {"zone": _zone, "nsupdate": _nsupdate}.get(form, _table)
    voice.answer({"targets": [_value(one) for one in targets]}, "\n".join(lines(targets)))


def _value(one: Target) -> dict[str, Any]:
    sets = {
        "wanted": one.wanted,
        "published": one.published,
        "foreign": one.foreign,
        "missing": one.missing,
        "surplus": one.surplus,
    }
    shown = {name: None if records is None else sorted(map(str, records)) for name, records in sets.items()}
    return {"lineage": one.lineage, "name": one.name, "ttl": one.ttl, **shown}


def _table(targets: list[Target]) -> Iterator[str]:
    for target in targets:
        seen = "nobody could tell what is there" if target.published is None else f"TTL {target.ttl}"
        yield f"{target.name} ({target.lineage}; {seen})"
        for record in sorted(target.wanted | (target.published or frozenset())):
            yield f"  {record}  {_words(target, record)}"


def _words(target: Target, record: Tlsa) -> str:
    if record in target.foreign:
        return "foreign: stays as it is"
    if record in target.missing:
        return "wanted, not published" if target.published is not None else "wanted"
    return "surplus: will be removed" if record in target.surplus else "wanted, published"


def _zone(targets: list[Target]) -> Iterator[str]:
    """What should stand there, foreign records included: they are part of the set (RFC 1035 §5.1)."""
    for target in targets:
        yield from (f"{target.name} {target.ttl} IN TLSA {record}" for record in sorted(target.wanted | target.foreign))


def _nsupdate(targets: list[Target]) -> Iterator[str]:
    """What would have to be changed, as nsupdate(1) reads it; what is surplus stays: when it may go, only `run` knows."""
    for target in targets:
        yield from (f"update add {target.name} {target.ttl} TLSA {record}" for record in sorted(target.missing))
    yield "send"
