"""What every command is made of: the global options before or after its name, and a module that is imported when needed."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.voice import global_options

if TYPE_CHECKING:
    from collections.abc import Mapping


class Command(click.Command):
    """A command that takes the global options too."""

    def __init__(self, *words: Any, **keywords: Any) -> None:
        """Add the global options behind the command's own."""
        super().__init__(*words, **keywords)
        self.params.extend(global_options())


class LazyGroup(click.Group):
    """A group that knows the names of its commands, and imports the module of the one that is called.

    `table`: name -> (module, one line of help). The module's `command` is the command.
    """

    command_class = Command

    def __init__(self, *words: Any, table: Mapping[str, tuple[str, str]], **keywords: Any) -> None:
        """Keep the table."""
        super().__init__(*words, **keywords)
        self.params.extend(global_options())
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the command."""
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(self.table[cmd_name][0]).command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which was meant."""
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            near = get_close_matches(name, self.table, n=1)
            remedy = f"did you mean {near[0]}?" if near else "there is: " + ", ".join(self.table)
            ctx.fail(f"no such command: {name[:60]!r}; {remedy}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])
