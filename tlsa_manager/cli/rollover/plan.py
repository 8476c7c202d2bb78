"""`rollover plan NAME`: the timeline it would follow."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.aliases import alias_lines, alias_values
from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.forecast import Forecast, Turn
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts


@click.command(cls=Command, name="plan", short_help="Tell the timeline it would follow; changes nothing.")
@name
@click.pass_context
def command(context: click.Context, wanted: str) -> None:
    """Tell the timeline that the lineage will follow if nothing goes wrong: of the rollover that is going on, else of one that
    began now with the certificate that a renewal would bring. Before it, whether the waiting fits into what is left of the
    certificate in service, and will at the next renewal. It asks nothing of the network and changes nothing; every wait may
    become longer.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.clock import now
    from tlsa_manager.forecast import foresee
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    lineage, journal, at = one(config, wanted), house(config).journal, now()
    known = {each: journal.facts(each) for each in config.lineages}
    forecast = foresee(config.lineages, known, lineage.name, at)
    room = _room(lineage, known[lineage.name], at)
    key = _key(lineage, known[lineage.name], at) if forecast.supposed else ""
    value = {
        "lineage": lineage.name,
        "supposed": forecast.supposed,
        "supposed_key": key,
        "stop": forecast.stop,
        "remedy": forecast.remedy,
        "targets": alias_values(lineage, known[lineage.name]),
        **room,
        "turns": [_value(turn) for turn in forecast.turns],
    }
    aliases = list(alias_lines(lineage, known[lineage.name]))
    voice.answer(
        value, [_headline(lineage.name, forecast, key), *_lines(forecast, at, [*room["advice"], *_otherwise(key)], aliases)]
    )


def _key(lineage: Lineage, facts: Facts, at: float) -> str:
    """Which key the certificate is supposed to be for that nobody has yet: that of the forecast, in words."""
    from tlsa_manager.rollover import succession

    if facts.current and not succession.renews_key(lineage, facts, at):
        return "the key in service"
    return "the next key" if facts.standby else ""


def _otherwise(key: str) -> Iterator[str]:
    """What a client without the hooks that take our key will see instead."""
    if key:
        yield f"that is for a certificate for {key}: one for a key that the client made itself waits until every cache knows it"


def _room(lineage: Lineage, facts: Facts, at: float) -> dict[str, Any]:
    """Whether the waiting fits into the certificate's life, now and at the next renewal: before anything is begun."""
    from tlsa_manager.rollover import advice, lifespan

    found = {"now": lifespan.now_left(lineage, facts, at), "next_renewal": lifespan.next_time(lineage, facts, at)}
    said = (advice.room(lineage, facts, at), advice.too_short(lineage, facts, at))
    return {"room": {when: one and asdict(one) for when, one in found.items()}, "advice": [text for text in said if text]}


def _value(turn: Turn) -> dict[str, Any]:
    from tlsa_manager.cli.when import iso

    return {
        "at": iso(turn.at),
        "event": type(turn.event).__name__ if turn.event else "Wait",
        "text": _text(turn),
        "due": iso(turn.due),
    }


def _text(turn: Turn) -> str:
    from tlsa_manager.cli.sentences import sentence

    return sentence(turn.event) if turn.event else f"waits: {turn.why}"


def _headline(lineage: str, forecast: Forecast, key: str) -> Line:
    if not forecast.supposed:
        return f"{lineage}: if nothing goes wrong:", "bold"
    return f"{lineage}: if a new certificate{f' for {key}' if key else ''} came now, and nothing went wrong:", "bold"


def _lines(forecast: Forecast, at: float, advice: list[str], aliases: list[str]) -> Iterator[Line]:
    from tlsa_manager.cli.when import span, stamp

    yield from ((f"  {text}", "yellow") for text in advice)
    yield from ((f"  {text}", "") for text in aliases)
    for turn in forecast.turns:
        yield f"  {stamp(turn.at)}  +{span(turn.at - at):<12} {_text(turn)}", "" if turn.event else "dim"
    if forecast.stop:
        yield f"  then it waits for a person: {forecast.stop}; to do: {forecast.remedy}", "red"
