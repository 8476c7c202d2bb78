"""`rollover back NAME`: after the swap."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of


@click.command(cls=Command, name="back", short_help="Go back to the former certificate.")
@name
@click.pass_context
def command(context: click.Context, wanted: str) -> int:
    """Go back to the former certificate: at once while both records are published, else as a rollover of its own."""
    from tlsa_manager.cli.rollover.acting import go_on
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    lineage, home = one(config, wanted), house(config)
    return go_on(voice, home, lineage.name, f"{lineage.name}: {home.back(lineage.name)}")
