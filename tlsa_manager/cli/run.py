"""`run`: do what is due. The timer calls it; anybody may, at any time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import EXIT_FAILED, EXIT_NOT_YET, EXIT_OK, Busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.wiring import House, Standing


@click.command(cls=Command, name="run", short_help="Do what is due, for every lineage; what the timer calls.")
@names
@click.option("--watch", is_flag=True, help="Keep going, and tell what is done.")
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], watch: bool) -> int:  # noqa: FBT001  click gives flags so
    """Do what is due: look, decide, act, until nothing is. A lineage that is named is looked at even if nothing is due.

    Exit code 0 if all is in order, waiting included; 1 if a step failed or a lineage is held; 75 if another run is at it.
    """
    voice = voice_of(context)
    if watch:
        from tlsa_manager.cli.watching import keep_going

        keep_going(voice, wanted)
    return one_pass(voice, wanted)


def one_pass(voice: Voice, wanted: tuple[str, ...]) -> int:
    """Run once over what is due, and tell about it."""
    from tlsa_manager.clock import now
    from tlsa_manager.wiring import house

    done: list[dict[str, str]] = []

    def told(lineage: str, text: str) -> None:
        done.append({"lineage": lineage, "text": text})
        if not voice.json and not voice.quiet:
            voice.say(f"{lineage}: {text}")

    config = voice.config()
    home = house(config, watch=told)
    meant = [one.name for one in chosen(config, wanted)]
    due = meant if wanted else [name for name in meant if home.due(name, now())]
    errors = home.run(due, anyway=True) if due else {}
    everything = voice.json or wanted or sys.stdout.isatty()
    news = {one["lineage"] for one in done} | errors.keys()
    shown = meant if everything else [name for name in meant if name in news]  # the timer's log keeps to news
    _tell(voice, [home.standing(name) for name in shown], done, errors)
    return exit_code(home, due, errors)


def exit_code(home: House, names: list[str], errors: Mapping[str, TlsaManagerError]) -> int:
    """Return 1 if anything failed or is held, 75 if all that is wrong is that somebody else is at it."""
    known = [home.standing(name).facts for name in names]
    return EXIT_FAILED if any(one.hold for one in known) else outcome(known, errors)


def outcome(known: Iterable[Facts], errors: Mapping[str, TlsaManagerError]) -> int:
    """Return 1 if a step failed, 75 if all that is wrong is that somebody else is at it."""
    if any(one.failures for one in known) or any(not isinstance(one, Busy) for one in errors.values()):
        return EXIT_FAILED
    return EXIT_NOT_YET if errors else EXIT_OK


def tell_errors(voice: Voice, errors: Mapping[str, TlsaManagerError]) -> None:
    """Say what went wrong, with the remedy, whatever --quiet asks for."""
    for name, error in errors.items():
        voice.complain(f"{name}: {error.message}", error.hint)


def _tell(voice: Voice, standings: list[Standing], done: list[dict[str, str]], errors: Mapping[str, TlsaManagerError]) -> None:
    from tlsa_manager.cli.standing import summary, value

    told: dict[str, Any] = {
        "done": done,
        "errors": {name: {"error": error.message, "hint": error.hint} for name, error in errors.items()},
        "lineages": [value(one) for one in standings],
    }
    voice.answer(told, [] if voice.quiet else [summary(one) for one in standings])
    tell_errors(voice, errors)
