"""`hook files`: for every client that can run a command."""

from __future__ import annotations

from pathlib import Path

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import UsageError

_FILE = click.Path(readable=False)  # a file that may not be read is told as such, with what to do, and is no wrong usage


@click.command(cls=Command, name="files", short_help="Take over a certificate and key that any client has written.")
@click.option(
    "--lineage", "asked", metavar="NAME", required=True, help="The lineage it belongs to.", shell_complete=lineage_names
)
@click.option("--certificate", metavar="FULLCHAIN", required=True, type=_FILE, help="Chain, leaf first, PEM.")
@click.option("--key", metavar="KEY", type=_FILE, help="Private key, PEM; without it the key is one of ours.")
@click.pass_context
def command(context: click.Context, asked: str, certificate: str, key: str | None) -> None:
    """Take over a certificate and key that any client has written. Where it was given a request of ours, --key is not needed."""
    if not asked:
        raise UsageError("--lineage is empty: a variable of the script that calls the hook is not set", "name the lineage")
    if key == "":  # Path("") would be the directory that the client happens to be in
        raise UsageError(
            "--key is empty: a variable of the script that calls the hook is not set", "leave it out, or name the file"
        )
    take_over(voice_of(context), Path(certificate), Path(key) if key else None, origin="files", asked=asked, named=True)
