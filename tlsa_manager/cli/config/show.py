"""`config show`: the values that hold."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import voice_of


@click.command(cls=Command, name="show", short_help="Print the values that hold, secrets masked.")
@click.pass_context
def command(context: click.Context) -> None:
    """Print the whole configuration as TOML, with every default filled in and every secret masked."""
    from tlsa_manager.config.effective import effective
    from tlsa_manager.config.toml import document

    voice = voice_of(context)
    config = voice.config()
    shown = effective(config)
    head = "".join(f"# {file}\n" for file in config.files)
    voice.answer({"files": [str(file) for file in config.files], "config": shown}, (head + "\n" + document(shown)).rstrip())
