"""`hook certbot`: the deploy hook. certbot gives RENEWED_LINEAGE and RENEWED_DOMAINS."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import UsageError


@click.command(cls=Command, name="certbot", short_help="Take over what certbot has renewed, from its deploy hook.")
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.pass_context
def command(context: click.Context, asked: str) -> None:
    """Take over what certbot has renewed: the directory in RENEWED_LINEAGE.

    The lineage is the one that has the name of that directory, else the one whose hosts the certificate names. A
    certificate that belongs to none is for something else, and is left alone: exit code 0.
    """
    directory = os.environ.get("RENEWED_LINEAGE", "")
    if not directory:
        raise UsageError(
            "RENEWED_LINEAGE is not set: this is a deploy hook of certbot",
            "try it with: RENEWED_LINEAGE=/etc/letsencrypt/live/NAME tlsa-manager hook certbot",
        )
    live = Path(directory)
    take_over(voice_of(context), live / "fullchain.pem", live / "privkey.pem", origin="certbot", asked=asked, directory=live.name)
