"""How a command speaks: as JSON, plainly, or not at all; and where its configuration is."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tlsa_manager.config import Config

SCHEMA = 1
Line = tuple[str, str]  # what is said, and how it looks on a terminal: a style of rich, or nothing
DEFAULT_CONFIG = "/etc/tlsa-manager/config.toml"


def config_from_environment() -> Path:
    """Return where the configuration is when nobody says it."""
    return Path(os.environ.get("TLSA_MANAGER_CONFIG") or DEFAULT_CONFIG)


@dataclass(slots=True)
class Voice:
    """What the global options say. One for each run of the program."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    config_file: Path = field(default_factory=config_from_environment)

    def config(self) -> Config:
        """Load the configuration. Raises ConfigError."""
        from tlsa_manager.config import load

        return load(self.config_file)

    def answer(self, value: Mapping[str, Any], text: str | Iterable[Line]) -> None:
        """Give the answer of a command: the value on --json, else the text."""
        if self.json:
            import json

            print(json.dumps({"schema": SCHEMA, **value}, indent=2, default=str))
            return
        lines: Iterable[Line] = [(text, "")] if isinstance(text, str) else text
        for line, style in lines:
            if line:
                self.say(line, style)

    def say(self, text: str, style: str = "") -> None:
        """Print a line of an answer for people, at once; coloured where a terminal wants it."""
        if style and colours():
            from rich.console import Console

            Console(highlight=False, soft_wrap=True).print(printable(text), style=style, markup=False)
        else:
            print(printable(text), flush=True)

    def event(self, value: Mapping[str, Any], text: str, style: str = "") -> None:
        """Tell one of a stream of things: a line of JSON on --json, else the text."""
        if self.json:
            import json

            print(json.dumps({"schema": SCHEMA, **value}, default=str), flush=True)
        elif not self.quiet:
            self.say(_indented(text), style)

    def complain(self, message: str, hint: str = "") -> None:
        """Say what went wrong and what to do, on stderr, in the form of every error. Only the hint may have several lines."""
        for kind, text in (("error", printable(message, "")), ("hint", printable(_indented(hint)))):
            if text:
                print(f"tlsa-manager: {kind}: {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Say something that is no answer, on stderr; --quiet silences it."""
        if not self.quiet:
            print(printable(f"tlsa-manager: {text}", ""), file=sys.stderr)

    def listen(self) -> None:
        """Let the program's log be heard on stderr where -v asks for it."""
        if not self.verbose:
            return
        import logging

        level = logging.DEBUG if self.verbose > 1 else logging.INFO
        logging.basicConfig(level=level, stream=sys.stderr, format="tlsa-manager: %(levelname)s: %(name)s: %(message)s")


def printable(text: str, kept: str = "\n\t") -> str:
    """Return text that cannot steer a terminal: names in it may come from files, DNS or a command line.

    `kept`: what stays though it is not printable; nothing where all is to be one line.
    """
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _indented(text: str) -> str:
    """Move all lines but the first to the right: a line break in a name must not begin what looks like a line of its own."""
    return re.sub(r"\n(?=[^\n])", "\n    ", text)


def colours() -> bool:
    """Whether stdout is a terminal that wants colours (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in aligned columns, each as wide as its widest cell."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Make the callback that carries an option into the Voice, whether it stands before or after the command."""

    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value not in (None, False, 0):
            setattr(voice_of(context), name, Path(value) if name == "config_file" else value)

    return callback


def voice_of(context: click.Context) -> Voice:
    """Return the Voice of this run."""
    root = context.find_root()
    if root.obj is None:
        root.obj = Voice()
    return cast("Voice", root.obj)


def global_options() -> list[click.Parameter]:
    """Return the options that every command takes."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            expose_value=False,
            callback=_keep("config_file"),
            type=click.Path(),
            help=f"Configuration; TLSA_MANAGER_CONFIG, else {DEFAULT_CONFIG}.",
        ),
        click.Option(["--json"], is_flag=True, expose_value=False, callback=_keep("json"), help="Answer with one JSON object."),
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_keep("quiet"), help="No notes."),
        click.Option(["-v", "--verbose"], count=True, expose_value=False, callback=_keep("verbose"), help="Log; twice for more."),
    ]
