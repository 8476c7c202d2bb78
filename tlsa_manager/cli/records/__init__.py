"""`records`: what stands at each name and what should; `records export`: the same for those who keep DNS in git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import LazyGroup
from tlsa_manager.cli.voice import global_options

if TYPE_CHECKING:
    from tlsa_manager.cli.command import Command

_HERE = "tlsa_manager.cli.records."
_SHOW = ""  # the name of the command that has none: no word that anybody types


class _Context(click.Context):
    """A context that knows the command without a name by the name of its group."""

    @property
    def command_path(self) -> str:
        """What a person types to come here."""
        return super().command_path.rstrip()


class _Records(LazyGroup):
    """A group whose first command needs no name: `records mx.example.org` shows. After `--` every word is a lineage."""

    context_class = _Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `export` as a command only where a command stands: first, but for the global options."""
        return super().parse_args(ctx, args if _first_word(args) in self.table else [_SHOW, *args])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        if args[0] != _SHOW:
            return super().resolve_command(ctx, args)
        return _SHOW, _show(), args[1:]


def _show() -> Command:
    from tlsa_manager.cli.records.show import command as show

    show.context_class = _Context
    return show


def _first_word(args: list[str]) -> str:
    """Return the first word that is no global option; the first other option is no command either."""
    options = {name: option for option in global_options() if isinstance(option, click.Option) for name in option.opts}
    words = iter(args)
    for word in words:
        option = options.get(word) or options.get(word[:2] if not word.startswith("--") else word.partition("=")[0])
        if option is None:
            return word
        if not option.is_flag and not option.count and word in options:
            next(words, "")
    return ""


@click.group(
    cls=_Records,
    name="records",
    short_help="Wanted, published and foreign records, for people or for other tools.",
    table={"export": (_HERE + "export", "The records of each name, for those who keep DNS in git.")},
)
def command() -> None:
    """Print the records that are wanted, published and foreign, name by name; or export them for tools that keep DNS in git."""
