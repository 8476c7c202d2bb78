"""`records export`: the TLSA records of each name as a text for octoDNS, DNSControl, Terraform, a zone file, nsupdate."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import EXIT_NOT_YET, EXIT_OK, BadInput
from tlsa_manager.export import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config
    from tlsa_manager.verbs.exported import Exported
    from tlsa_manager.wiring import House


@click.command(cls=Command, name="export", short_help="The records of each name, for those who keep DNS in git.")
@names
@click.option("--format", "form", type=click.Choice(FORMATS), default="zone", help="For which tool.")
@click.option("--zone", metavar="ZONE", help="Only the names in this zone.")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write this file, if all is known; else keep it.")
@click.option("--no-look", is_flag=True, help="Do not look at DNS now: go by what the latest run has seen.")
@click.pass_context
def command(  # noqa: PLR0917  click gives them by name
    context: click.Context,
    wanted: tuple[str, ...],
    form: str,
    zone: str | None,
    output: str | None,
    no_look: bool,  # noqa: FBT001  click gives flags so
) -> int:
    """Print the whole TLSA RRset of each name as it may stand there now, at any moment of a rollover: the records of this tool
    that a run has asked to be published, foreign ones, and old ones until a run has asked for their removal. Names that several
    lineages share have the records of all.

    Where it is not known what stands at a name nothing is printed, and the exit code is 75: a text that lacks it would remove
    its records. See docs/backends/git.md.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.export import render
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    lineages = tuple(one.name for one in chosen(config, wanted))
    found = _found(house(config), config, lineages, _absolute(zone), look=not no_look)
    unknown = [one for one in found if one.problem]
    _remark(voice, found)
    if zone is not None and not found:
        raise BadInput(
            f"no name that is exported lies in zone {zone[:80]}; an empty text would have all records there removed",
            "see which zones there are: tlsa-manager records export --json",
        )
    text = "" if unknown else render(form, [one.set for one in found])
    value = {"format": form, "names": [_value(one) for one in found], "text": text}
    if output and not unknown:
        text = _written(Path(output), text)
    if voice.json:
        voice.answer(value, "")
    elif not unknown:
        voice.answer(value, text.rstrip("\n"))
    return EXIT_NOT_YET if unknown else EXIT_OK


def _found(home: House, config: Config, lineages: Sequence[str], zone: str, *, look: bool) -> tuple[Exported, ...]:
    """Look at all that have records at the names, and return what is exported. Raises Busy while somebody works on one."""
    from tlsa_manager.verbs.exported import exported, sharers

    def shares() -> list[Any]:
        return [(one, home.journal.facts(name)) for name, one in config.lineages.items()]

    looked: set[str] = set()
    while look and (late := [name for name in sharers(shares(), lineages) if name not in looked]):
        for name in late:  # an alias that leads elsewhere now may bring others in
            home.look(name)
            looked.add(name)
    return exported(shares(), lineages, zone)


def _remark(voice: Voice, found: Sequence[Exported]) -> None:
    """Say on stderr what is not exported, and why."""
    for one in found:
        if one.problem:
            voice.complain(
                f"it is not known which records stand at {one.set.name}, so nothing is exported: {one.problem}",
                f"see: tlsa-manager check {one.lineages[0]}; then try again. What the text lacked would be removed",
            )
        elif one.pending:
            records = ", ".join(map(str, sorted(one.pending)))
            voice.note(
                f"not exported yet, since no run has asked for it: {one.set.name} TLSA {records} (tlsa-manager run decides)"
            )


def _absolute(zone: str | None) -> str:
    """Return the name of a zone as names of DNS are kept here. Raises BadInput."""
    if zone is None:
        return ""
    from tlsa_manager.service import host_name

    return "." if zone == "." else host_name(zone) + "."


def _written(file: Path, text: str) -> str:
    """Put the text in the place of the file's, in one step; owner and mode stay. Returns what was done. Raises BadInput."""
    from tlsa_manager.disk import Owner, in_words, open_directory, read_file, replace_file

    content = text.encode()
    try:
        with open_directory(file.parent, follow=True) as directory:
            owner = Owner(mode=0o644)
            with suppress(FileNotFoundError):
                stands = os.stat(file.name, dir_fd=directory, follow_symlinks=False)
                if not stat.S_ISREG(stands.st_mode):
                    raise BadInput(f"{file} is no file of its own", "name one that is, or print without --output")
                owner = Owner(stands.st_uid, stands.st_gid, stat.S_IMODE(stands.st_mode))
                if stands.st_size == len(content) and read_file(file.name, directory, len(content)) == content:
                    return f"{file} is as it should be"
            replace_file(file.name, content, directory, owner)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {in_words(error)}", "name another with --output") from None
    return f"{file} is written"


def _value(one: Exported) -> dict[str, Any]:
    found = one.set
    return {
        "name": found.name,
        "zone": found.zone or None,
        "ttl": found.ttl,
        "owners": list(found.owners),
        "lineages": list(one.lineages),
        "records": None if one.problem else sorted(map(str, found.records)),
        "own": sorted(map(str, found.own)),
        "removed": sorted(map(str, found.gone)),
        "pending": sorted(map(str, one.pending)),
        "problem": one.problem,
    }
