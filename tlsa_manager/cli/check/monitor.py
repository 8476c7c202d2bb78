"""A command for monitoring: whatever keeps it from diagnosing is UNKNOWN (3), never CRITICAL (2) or WARNING (1)."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.flat import flat
from tlsa_manager.errors import TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_UNKNOWN = 3  # the convention of monitoring plug-ins
NAGIOS = "nagios"
_PASSING = (click.Abort, click.exceptions.Exit, BrokenPipeError)  # they say themselves how the program ends


class Undiagnosed(TlsaManagerError):
    """Nothing can be said about the targets."""

    exit_code = EXIT_UNKNOWN


class MonitoringCommand(Command):
    """A command whose exit codes are those of monitoring plug-ins, mistakes in its words and in the configuration included.

    A monitoring system reads 2 as "mail is being deferred": a misspelt option must not say that.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Understand the words. Raises Undiagnosed."""
        words = tuple(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "tlsa-manager check"
            wrong = Undiagnosed(error.format_message().rstrip("."), f"try: {path} --help")
            _tell_monitor(wrong, aloud=_asks_for_nagios(words))
            raise wrong from None

    def invoke(self, ctx: click.Context) -> Any:
        """Do it. Raises only what ends with 3, and what is no fault."""
        try:
            return super().invoke(ctx)
        except _PASSING:
            raise
        except Exception as error:
            wrong = _unknown(error)
            _tell_monitor(wrong, aloud=ctx.params.get("form") == NAGIOS)
            raise wrong from error


def _unknown(error: Exception) -> TlsaManagerError:
    """Return the error as one that ends with 3."""
    if isinstance(error, TlsaManagerError):
        error.exit_code = EXIT_UNKNOWN
        return error
    if isinstance(error, click.ClickException):
        return Undiagnosed(error.format_message().rstrip("."), "try: tlsa-manager check --help")
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Undiagnosed(f"{where}{error.strerror}", "look at the file, its owner and its mode; is the disk full?")
    logging.getLogger("tlsa_manager").info("something unexpected happened", exc_info=error)
    return Undiagnosed(
        f"something unexpected happened ({type(error).__name__}: {str(error)[:200]})",
        "this is a mistake in the program; nothing follows for mail. Run it again with -v and report what it prints",
    )


def _tell_monitor(error: TlsaManagerError, *, aloud: bool) -> None:
    """Give a monitoring system the line on stdout that it shows to people."""
    if aloud:
        print(f"DANE UNKNOWN - {flat(error.message).replace('|', '/')}", flush=True)


def _asks_for_nagios(words: Sequence[str]) -> bool:
    """Whether words that cannot be understood ask for this format all the same."""
    return f"--format={NAGIOS}" in words or ("--format", NAGIOS) in pairwise(words)
