"""`rollover`: what a person can say about one."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import LazyGroup

_HERE = "tlsa_manager.cli.rollover."


@click.group(
    cls=LazyGroup,
    name="rollover",
    short_help="Begin, give up, take back, hurry, or foresee a rollover.",
    table={
        "start": (_HERE + "start", "Begin with a given certificate, or go on with what is held."),
        "abort": (_HERE + "abort", "Give up the certificate that is on its way."),
        "back": (_HERE + "back", "Go back to the former certificate."),
        "emergency": (_HERE + "emergency", "Replace a key that somebody else has."),
        "plan": (_HERE + "plan", "Tell the timeline it would follow; changes nothing."),
    },
)
def command() -> None:
    """Begin, give up, take back, hurry, or foresee a rollover."""
