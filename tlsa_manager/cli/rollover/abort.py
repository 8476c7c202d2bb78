"""`rollover abort NAME`: before the swap."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of


@click.command(cls=Command, name="abort", short_help="Give up the certificate that is on its way.")
@name
@click.pass_context
def command(context: click.Context, wanted: str) -> int:
    """Give up the certificate that is on its way, before it is in service. Its record is withdrawn; its files are kept."""
    from tlsa_manager.cli.rollover.acting import go_on
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    lineage, home = one(config, wanted), house(config)
    home.abort(lineage.name)
    return go_on(voice, home, lineage.name, f"{lineage.name}: the rollover is given up")
