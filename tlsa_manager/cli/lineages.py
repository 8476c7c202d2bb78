"""The NAME of commands that are about lineages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage


def names(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take lineages as NAME..., none of them meaning all."""
    argument = click.argument("wanted", metavar="[NAME]...", nargs=-1, shell_complete=lineage_names)
    return argument(function)


def name(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take one lineage as NAME."""
    return click.argument("wanted", metavar="NAME", shell_complete=lineage_names)(function)


def chosen(config: Config, wanted: tuple[str, ...]) -> tuple[Lineage, ...]:
    """Return the lineages that are meant, all if none is named. Raises UsageError for a name that is not configured."""
    return tuple(one(config, each) for each in dict.fromkeys(wanted)) or tuple(config.lineages.values())


def one(config: Config, wanted: str) -> Lineage:
    """Return the lineage of a name. Raises UsageError."""
    if wanted not in config.lineages:
        from tlsa_manager.option import suggestion

        message = f"there is no lineage {wanted[:80]!r} in {config.path}{suggestion(wanted, config.lineages)}"
        raise UsageError(message, "tlsa-manager config show tells what is configured")
    return config.lineages[wanted]
