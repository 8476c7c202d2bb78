"""`records` without more: what is wanted, what is published, what is somebody else's."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.aliases import places, way_line, ways
from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import BadInput, UsageError
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.tlsa import RRset
    from tlsa_manager.wiring import House

FORMATS = ("table", "zone", "nsupdate", "json")


@dataclass(frozen=True, slots=True)
class Target:
    """One name in DNS, and the records there as the latest look saw them. `published` None: nobody knows.

    `leaving`: what a person was asked to remove, since nothing needs it any more. `spread`: what caches have of each record:
    hidden, rumoured, omnipresent, unretentive. `ahead`: what is wanted for the next key, which no certificate in service has.
    `owners`: the TLSA owner names of services that lead here; `ways`: those that are aliases, each with the names on its way.
    """

    lineage: str
    name: str
    ttl: int
    wanted: RRset
    published: RRset | None
    ours: RRset
    leaving: RRset = frozenset()
    spread: Mapping[Tlsa, str] = field(default_factory=dict)
    ahead: RRset = frozenset()
    owners: tuple[str, ...] = ()
    ways: Mapping[str, list[str]] = field(default_factory=dict)

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
@click.option("--adopt", is_flag=True, help="Take wanted records that stand there already as this tool's, to be removed one day.")
@click.option("--adopt-foreign", "foreign", metavar="RECORD", multiple=True, help='The same for a foreign one: "3 1 1 HEX".')
@click.option("--forget", metavar="OWNER", help="Our records at this name, configured no more, are gone: I removed them.")
@click.pass_context
def command(  # noqa: PLR0917  click gives them by name
    context: click.Context,
    wanted: tuple[str, ...],
    form: str,
    look: bool,  # noqa: FBT001  click gives flags so
    adopt: bool,  # noqa: FBT001
    foreign: tuple[str, ...],
    forget: str | None,
) -> None:
    """Print the records that are wanted, published and foreign, name by name. What this tool has not published itself it
    never removes, unless you say with --adopt or --adopt-foreign that it may, when nothing needs it.

    --format zone prints what should stand there, --format nsupdate what would have to be added. For those who keep DNS in
    git: tlsa-manager records export. A lineage that is called export comes after --.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    voice.json = voice.json or form == "json"
    config = voice.config()
    home, lineages = house(config), chosen(config, wanted)
    for lineage in lineages:
        if look or adopt or foreign:
            home.look(lineage.name)
        if adopt:
            _adopt(voice, home, lineage)
    if forget:
        _forget(voice, home, lineages, forget)
    if foreign:
        _adopt_foreign(voice, home, lineages, foreign)
    targets = [target for lineage in lineages for target in _targets(lineage, home.journal.facts(lineage.name))]
    _answer(voice, targets, form)


def _targets(lineage: Lineage, facts: Facts) -> list[Target]:
    from tlsa_manager.clock import now
    from tlsa_manager.rollover.law import wanted
    from tlsa_manager.rollover.state import spread
    from tlsa_manager.rollover.succession import prepublished

    needed, ahead = wanted(lineage, facts), prepublished(lineage, facts)
    found: list[Target] = []
    for name, owners in places(lineage, facts).items():
        views = [one for one in owners.values() if one is not None]
        known = views[-1] if views else None
        seen = any(one.complete or one.served for one in views)
        served = frozenset[Tlsa]().union(*(one.records for view in views for one in view.served)) if seen else None
        ttl = max((one.ttl for view in views for one in view.served if one.records), default=lineage.policy.ttl)
        asked = facts.removing.get(name)
        leaving = asked.records if asked and asked.asked else frozenset()
        mine = facts.ours.get(name, frozenset())
        states = (
            {one: str(spread(one, known, lineage.policy, now())) for one in needed | mine | (served or frozenset())}
            if known
            else {}
        )
        found.append(Target(lineage.name, name, ttl, needed, served, mine, leaving, states, ahead, tuple(owners), ways(owners)))
    return found


def _adopt(voice: Voice, home: House, lineage: Lineage) -> None:
    """Take over the records of our own certificates that somebody else has published."""
    targets = _targets(lineage, home.journal.facts(lineage.name))
    records = frozenset[Tlsa]().union(*((target.wanted & (target.published or frozenset())) - target.ours for target in targets))
    adopted = home.adopt(lineage.name, records) if records else {}
    _tell_adopted(voice, lineage, adopted)
    if not adopted:
        foreign = sorted({str(one) for target in targets for one in target.foreign})
        words = "; what is foreign is of none of its certificates, and is handed over one by one: " if foreign else ""
        ways = " or ".join(f'tlsa-manager records {lineage.name} --adopt-foreign "{one}"' for one in foreign)
        voice.note(f"{lineage.name}: there is nothing to adopt{words}{ways}")


def _adopt_foreign(voice: Voice, home: House, lineages: tuple[Lineage, ...], words: tuple[str, ...]) -> None:
    """Take over what the operator names. Raises BadInput where none of it stands in DNS."""
    if len(lineages) != 1:
        raise UsageError("--adopt-foreign is for one lineage", "name it")
    name = lineages[0].name
    adopted = home.adopt(name, frozenset(Tlsa.parse(word) for word in words))
    if not adopted:
        raise BadInput(
            f"no such record stands at the names of {name}, or it is this tool's already, so nothing was adopted",
            f"see: tlsa-manager records --look {name}",
        )
    _tell_adopted(voice, lineages[0], adopted)


def _forget(voice: Voice, home: House, lineages: tuple[Lineage, ...], target: str) -> None:
    """Believe that records are gone. Raises UsageError, BadInput."""
    if len(lineages) != 1:
        raise UsageError("--forget is for one lineage", "name it")
    gone = home.forget(lineages[0].name, target)
    voice.note(f"{lineages[0].name}: {len(gone)} record(s) at {target} are taken for gone")


def _tell_adopted(voice: Voice, lineage: Lineage, adopted: Mapping[str, RRset]) -> None:
    for target, records in adopted.items():
        for record in sorted(records):
            voice.note(f"{lineage.name}: {record} at {target} is this tool's now")


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
        "ahead": one.ahead,
    }
    shown = {name: None if records is None else sorted(map(str, records)) for name, records in sets.items()}
    spread = {str(record): state for record, state in sorted(one.spread.items())}
    names = {"owners": list(one.owners), "aliases": dict(one.ways)}
    return {"lineage": one.lineage, "name": one.name, **names, "ttl": one.ttl, **shown, "spread": spread}


def _table(targets: list[Target]) -> Iterator[str]:
    for target in targets:
        seen = "nobody could tell what is there" if target.published is None else f"TTL {target.ttl}"
        yield f"{target.name} ({target.lineage}; {seen})"
        yield from (f"  {way_line(owner, way)}" for owner, way in target.ways.items())
        for record in sorted(target.wanted | (target.published or frozenset())):
            yield f"  {record}  {_words(target, record)}" + (" (the next key)" if record in target.ahead else "")


def _words(target: Target, record: Tlsa) -> str:
    if record in target.foreign:
        return "foreign: stays as it is"
    if record in target.missing:
        return "wanted, not published" if target.published is not None else "wanted"
    if record in target.surplus:
        return "surplus: will be removed"
    return "wanted, published" if record in target.ours else "wanted, published by somebody else; --adopt takes it over"


def _zone(targets: list[Target]) -> Iterator[str]:
    """What should stand there, foreign records included: they are part of the set (RFC 1035 §5.1)."""
    for target in targets:
        yield from (f"{target.name} {target.ttl} IN TLSA {record}" for record in sorted(target.wanted | target.foreign))


def _nsupdate(targets: list[Target]) -> Iterator[str]:
    """What has to be changed, as nsupdate(1) reads it. What is surplus stays until `run` has proven that it may go."""
    for target in targets:
        yield from (f"update add {target.name} {target.ttl} TLSA {record}" for record in sorted(target.missing))
        gone = (target.published or frozenset()) & target.leaving - target.wanted
        yield from (f"update delete {target.name} TLSA {record}" for record in sorted(gone))
    yield "send"
