"""`status`: where each lineage stands. Reads the journal only: it asks nothing of the network and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import EXIT_FAILED, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.plan import Plan

    Known = tuple[Lineage, Facts, Plan | None]


@click.command(cls=Command, name="status", short_help="Where each lineage stands, what it waits for, when the next step is due.")
@names
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...]) -> int:
    """Tell for each lineage its phase, what exactly it waits for (which server lacks what, until when caches may hold what)
    and when the next step is due. Exit code 1 if one needs a person.

    It tells what the latest run has seen; tlsa-manager run looks again.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.standing import needs_a_person, standing
    from tlsa_manager.clock import now
    from tlsa_manager.wiring import memory

    voice = voice_of(context)
    config = voice.config()
    journal, at = memory(config), now()
    known = [(one, journal.facts(one.name), journal.plan(one.name)) for one in chosen(config, wanted)]
    voice.answer({"lineages": [standing(*one, at) for one in known]}, _lines(known, at))
    return EXIT_FAILED if any(needs_a_person(facts, plan) for _, facts, plan in known) else EXIT_OK


def _lines(known: list[Known], at: float) -> Iterator[Line]:
    from tlsa_manager.cli.standing import lines

    for lineage, facts, plan in known:
        yield from lines(lineage, facts, plan, at)
    if not known:
        yield "no lineage is configured", ""
