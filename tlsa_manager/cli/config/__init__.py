"""`config`: what should be, checked, shown, described, begun."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import LazyGroup

_HERE = "tlsa_manager.cli.config."


@click.group(
    cls=LazyGroup,
    name="config",
    short_help="Check, show, describe or begin the configuration.",
    table={
        "check": (_HERE + "check", "Tell every mistake, in the file and on the host."),
        "show": (_HERE + "show", "Print the values that hold, secrets masked."),
        "schema": (_HERE + "schema", "Print the JSON Schema of the file, for editors."),
        "init": (_HERE + "init", "Write a first file from what is found on this host."),
    },
)
def command() -> None:
    """Check, show, describe or begin the configuration."""
