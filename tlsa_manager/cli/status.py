"""`status`: where each lineage stands. Reads the journal only: it asks nothing of the network and changes nothing."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import EXIT_FAILED, EXIT_OK


@click.command(cls=Command, name="status", short_help="Where each lineage stands, what it waits for, when the next step is due.")
@names
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...]) -> int:
    """Tell for each lineage its phase, what exactly it waits for (which server lacks what, until when caches may hold what)
    and when the next step is due. Exit code 1 if one needs a person.

    It tells what the latest run has seen; tlsa-manager run looks again.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.standing import lines, needs_a_person, value
    from tlsa_manager.clock import now
    from tlsa_manager.verbs.abandoned import abandoned
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    home, at = house(config), now()
    found = [home.standing(one.name) for one in chosen(config, wanted)]
    left = [str(one) for one in abandoned(config, home.journal)]
    text = [*(line for one in found for line in lines(one, at)), *((f"note: {one}", "yellow") for one in left)]
    voice.answer({"lineages": [value(one) for one in found], "abandoned": left}, text or "no lineage is configured")
    return EXIT_FAILED if any(needs_a_person(one) for one in found) else EXIT_OK
