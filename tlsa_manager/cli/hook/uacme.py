"""`hook uacme`: uacme has no hook for a new certificate, so a wrapper calls this with the words that uacme was given."""

from __future__ import annotations

from pathlib import Path

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.hook.taking import take_over
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, UsageError

_DIRECTORY = "/etc/ssl/uacme"


@click.command(cls=Command, name="uacme", short_help="Take over what uacme has issued, from the wrapper around it.")
@click.option("--lineage", "asked", metavar="NAME", default="", help="The lineage it belongs to.", shell_complete=lineage_names)
@click.option(
    "--confdir",
    metavar="DIRECTORY",
    default=_DIRECTORY,
    show_default=True,
    help="uacme's directory, where the word is a name.",
    type=click.Path(readable=False),
)
@click.argument("issued", metavar="CSRFILE|IDENTIFIER")
@click.pass_context
def command(context: click.Context, asked: str, confdir: str, issued: str) -> None:
    """Take over what uacme has issued, named as `uacme issue` was told to: a file with a request, or the first name.

    For a request the certificate lies beside it and the key is ours; for a name both lie in uacme's directory. Where nothing
    is new nothing is done, so it may be called whenever uacme has run.
    """
    if not issued or not confdir:
        raise UsageError("a word is empty: a variable of the script that calls the hook is not set", "name what uacme issued")
    if Path(issued).is_file():
        base = _base(issued)
        take_over(voice_of(context), Path(f"{base}-cert.pem"), None, origin="uacme", asked=asked, directory=Path(base).name)
        return
    name = issued.removeprefix("*.")
    if "/" in name or name in {".", ".."}:
        raise BadInput(f"{issued[:80]!r} is neither a file nor a name", "give what `uacme issue` was given")
    place = Path(confdir)
    own = place / "private" / name / "key.pem"
    take_over(voice_of(context), place / name / "cert.pem", own, origin="uacme", asked=asked, directory=name)


def _base(request: str) -> str:
    """What uacme makes the name of the certificate from: all before the last dot of the path, wherever that is."""
    return request.rpartition(".")[0] if "." in request else request
