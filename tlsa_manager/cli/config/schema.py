"""`config schema`: JSON Schema of the file."""

from __future__ import annotations

import json

import click

from tlsa_manager.cli.command import Command


@click.command(cls=Command, name="schema", short_help="Print the JSON Schema of the file, for editors.")
def command() -> None:
    """Print the JSON Schema of the configuration file, with or without --json: an editor that knows TOML can use it."""
    from tlsa_manager.config.schema import schema

    print(json.dumps(schema(), indent=2))
