"""What `issue` and `renew` have in common: tell what goes on, then where each lineage stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.clock import now
from tlsa_manager.errors import EXIT_FAILED, EXIT_NOT_YET, EXIT_OK
from tlsa_manager.rollover import renewal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tlsa_manager.cli.voice import Line, Voice
    from tlsa_manager.config import Config
    from tlsa_manager.errors import TlsaManagerError
    from tlsa_manager.wiring import House, Standing

REHEARSED = "the rehearsal went well: the authority's staging directory made a certificate, which was thrown away"


def order(
    voice: Voice,
    config: Config,
    names: list[str],
    act: Callable[[House], Mapping[str, TlsaManagerError]],
    *,
    rehearsal: bool = False,
) -> int:
    """Do it, telling each thing that is done as it is done; then tell where the lineages stand. Returns the exit code."""
    from tlsa_manager.cli.run import tell_errors
    from tlsa_manager.wiring import house

    done: list[dict[str, str]] = []

    def told(lineage: str, text: str) -> None:
        done.append({"lineage": lineage, "text": text})
        if not voice.json and not voice.quiet:
            voice.say(f"{lineage}: {text}")

    home = house(config, watch=told)
    before = {name: _newest(home, name) for name in names}
    errors = act(home)
    made = {name: _newest(home, name) for name in names if _newest(home, name) != before[name]}
    standings = [home.standing(name) for name in names]
    said: Iterator[Line] = (line for one in standings for line in _lines(one, made, errors, rehearsal=rehearsal))
    voice.answer(_value(standings, done, made, errors), [] if voice.quiet else said)
    tell_errors(voice, errors, shown=not (voice.json or voice.quiet or rehearsal))
    return _code(standings, errors)


def _newest(home: House, name: str) -> str:
    latest = renewal.newest(home.journal.facts(name))
    return latest.id if latest else ""


def _value(
    standings: list[Standing], done: list[dict[str, str]], made: Mapping[str, str], errors: Mapping[str, TlsaManagerError]
) -> dict[str, Any]:
    from tlsa_manager.cli.standing import value

    return {
        "done": done,
        "made": dict(made),
        "errors": {name: {"error": error.message, "hint": error.hint} for name, error in errors.items()},
        "lineages": [value(one) for one in standings],
    }


def _lines(
    standing: Standing, made: Mapping[str, str], errors: Mapping[str, TlsaManagerError], *, rehearsal: bool
) -> Iterator[Line]:
    from tlsa_manager.cli.order_text import not_of_issuer
    from tlsa_manager.cli.standing import lines
    from tlsa_manager.rollover.succession import SELF_SIGNED

    name = standing.lineage.name
    if rehearsal:
        if name not in errors and standing.lineage.issuer != SELF_SIGNED:  # there the house has said that nothing is rehearsed
            yield f"{name}: {REHEARSED}", "bold"
        return
    if name not in made and name not in errors:
        why = not_of_issuer(standing.lineage, standing.facts, standing.at)
        more = f": {why}, and stays until it is due; to order one now: tlsa-manager issue {name}" if why else ""
        yield f"{name}: nothing had to be ordered{more}", "bold"
    yield from lines(standing, now())


def _code(standings: list[Standing], errors: Mapping[str, TlsaManagerError]) -> int:
    """The exit code of what went wrong, 1 before all others; 1 as well where a person has to look."""
    codes = {error.exit_code for error in errors.values()}
    if EXIT_FAILED in codes or (not codes and any(one.facts.hold for one in standings)):
        return EXIT_FAILED
    return max(codes - {EXIT_NOT_YET}, default=EXIT_NOT_YET) if codes else EXIT_OK
