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

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.wiring import House, Standing


@click.command(cls=Command, name="run", short_help="Do what is due, for every lineage; what the timer calls.")
@names
@click.option("--watch", is_flag=True, help="Keep going, and tell what is done.")
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], watch: bool) -> int:  # noqa: FBT001  click gives flags so
    """Do what is due: look, decide, act, until nothing is. A lineage that is named is looked at even if nothing is due, and
    what failed there is tried again at once.

    Exit code 0 if all is in order, waiting included; 1 if a step that was due failed, or a lineage is held until you have
    spoken; 75 if another run is at it. Whatever it ends with 1 for is said.
    """  # noqa: D205  click makes paragraphs of it
    voice = voice_of(context)
    if watch:
        from tlsa_manager.cli.watching import keep_going

        keep_going(voice, wanted)
    return one_pass(voice, wanted)


def one_pass(voice: Voice, wanted: tuple[str, ...]) -> int:
    """Run once over what is due, and tell about it."""
    from tlsa_manager.clock import now
    from tlsa_manager.verbs.abandoned import abandoned
    from tlsa_manager.wiring import house

    done: list[dict[str, str]] = []

    def told(lineage: str, text: str) -> None:
        if (one := {"lineage": lineage, "text": text}) in done:
            return  # what is tried again within one run is no news
        done.append(one)
        if not voice.json and not voice.quiet:
            voice.say(f"{lineage}: {text}")

    config = voice.config()
    home = house(config, watch=told)
    meant = [one.name for one in chosen(config, wanted)]
    due = meant if wanted else [name for name in meant if home.due(name, now())]
    if wanted:
        home.retry(due)
    errors = home.run(due, anyway=True) if due else {}
    everything = voice.json or wanted or sys.stdout.isatty()
    news = {one["lineage"] for one in done} | errors.keys()
    wrong = {name for name in meant if _needs_a_word(home, name, looked=name in due)}
    shown = meant if everything else [name for name in meant if name in news | wrong]  # the timer's log keeps to news
    left = [str(one) for one in abandoned(config, home.journal)] if everything and not wanted else []
    _tell(voice, [home.standing(name) for name in shown], done, errors, left)
    return EXIT_FAILED if wrong else outcome((), errors)


def _needs_a_word(home: House, name: str, *, looked: bool) -> bool:
    """Whether a lineage is held, or one that was just looked at has a step that failed; of an idle one the plan tells quickly."""
    plan = home.journal.plan(name)
    if not looked and (plan is None or not plan.remedy):
        return False
    facts = home.journal.facts(name)
    return facts.hold is not None or (looked and bool(facts.failures))


def outcome(known: Iterable[Facts], errors: Mapping[str, TlsaManagerError]) -> int:
    """Return 1 if a step failed, 75 if all that is wrong is that somebody else is at it."""
    if any(one.failures for one in known) or any(not isinstance(one, Busy) for one in errors.values()):
        return EXIT_FAILED
    return EXIT_NOT_YET if errors else EXIT_OK


def tell_errors(voice: Voice, errors: Mapping[str, TlsaManagerError], *, shown: bool = False) -> None:
    """Say what went wrong, with the remedy, whatever --quiet asks for. `shown`: where it stands has told all of the remedy."""
    for name, error in errors.items():
        voice.complain(f"{name}: {error.message}", error.hint.partition("\n")[0] if shown else error.hint)


def _tell(
    voice: Voice, standings: list[Standing], done: list[dict[str, str]], errors: Mapping[str, TlsaManagerError], left: list[str]
) -> None:
    from tlsa_manager.cli.standing import summary, value

    told: dict[str, Any] = {
        "done": done,
        "errors": {name: {"error": error.message, "hint": error.hint} for name, error in errors.items()},
        "lineages": [value(one) for one in standings],
        "abandoned": left,
    }
    notes: list[Line] = [(f"note: {one}", "yellow") for one in left]
    voice.answer(told, [] if voice.quiet else [*(summary(one) for one in standings), *notes])
    tell_errors(voice, errors)
