"""`completion SHELL`: a script that completes commands, options and lineage names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import TlsaManagerError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command, name="completion", short_help="Script that completes commands in your shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script. For bash: tlsa-manager completion bash > /etc/bash_completion.d/tlsa-manager"""  # noqa: D400
    from click.shell_completion import get_completion_class

    from tlsa_manager.cli.ending import COMPLETE, PROGRAM

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(
            f"completion for {shell} needs a newer version of click", "install the click that pyproject.toml asks for"
        )
    script = kind(context.find_root().command, {}, PROGRAM, COMPLETE).source()
    voice_of(context).answer({"shell": shell, "script": script}, script.rstrip("\n"))


def lineage_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete the name of a configured lineage; silent where there is no configuration to take it from."""
    from click.shell_completion import CompletionItem

    try:
        names = voice_of(context).config().lineages
    except TlsaManagerError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def finding_codes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete the code of a finding, in any case."""
    from click.shell_completion import CompletionItem

    from tlsa_manager.checks import faults

    return [CompletionItem(code, help=one.title) for code, one in faults().items() if code.startswith(incomplete.upper())]
