"""`rollover emergency NAME`: somebody else has the key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import Unsafe, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line, Voice
    from tlsa_manager.emergencies import Prognosis
    from tlsa_manager.rollover.emergency import Prospect

QUEUE = "it waits in the senders' queues, for days if need be, and is not lost"


@click.command(cls=Command, name="emergency", short_help="Replace a key that somebody else has.")
@name
@click.option("--wait", is_flag=True, help="Let no mail wait: swap when no cache can lack the new key; the thief has the time.")
@click.option("--discard-next", is_flag=True, help="The next key may be stolen too: never use it, make another.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.pass_context
def command(context: click.Context, wanted: str, *, wait: bool, discard_next: bool, yes: bool) -> int:
    """Replace a key that somebody else has, now. What it will do and what that costs is said first, and confirmed by typing the
    lineage's name.

    With a next key that every cache knows nothing is lost. Without one, senders that hold the old records defer their mail until
    they forget them; with --wait none does, and the thief can use the key for so much longer.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.rollover.acting import go_on
    from tlsa_manager.emergencies import act, foresee
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    lineage, home = one(config, wanted), house(config)
    prognosis = foresee(home, lineage.name, wait=wait, discard_next=discard_next)
    if not yes:
        for line, style in _lines(prognosis):
            _before(voice, line, style)
        _confirm(lineage.name)
        shown, prognosis = prognosis, foresee(home, lineage.name, wait=wait, discard_next=discard_next)  # thinking took time
        _still_so(shown, prognosis)
    said = act(home, prognosis)
    for line, style in _lines(prognosis) if yes and not voice.json else ():
        voice.say(line, style)
    return go_on(voice, home, lineage.name, f"{lineage.name}: {said}", emergency=_value(prognosis))


def _before(voice: Voice, line: str, style: str) -> None:
    """Say what is to be confirmed: where it is read, apart from the answer on --json."""
    if voice.json:
        print(line, file=sys.stderr)
    else:
        voice.say(line, style)


def _confirm(lineage: str) -> None:
    """Have the operator type the name. Raises UsageError without a terminal, and where something else is typed."""
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: there is no terminal to confirm it at", "in a script say it beforehand: --yes")
    typed: str = click.prompt("type the lineage's name to confirm", default="", show_default=False, err=True)
    if typed.strip() != lineage:
        raise UsageError(f"nothing was done: {typed.strip()[:80]!r} is not {lineage!r}", "type the name as it stands here")


def _still_so(shown: Prognosis, now: Prognosis) -> None:
    """What was confirmed is what is done. Raises Unsafe where it would be something else by now."""
    same = (shown.chosen.way, shown.keys, shown.taken_over) == (now.chosen.way, now.keys, now.taken_over)
    if not same:
        message = "while you were reading something changed, and what was said is not true any more: nothing was done"
        raise Unsafe(message, f"read it once more: tlsa-manager rollover emergency {now.lineage.name}")


def _lines(prognosis: Prognosis) -> Iterator[Line]:
    lineage, chosen = prognosis.lineage, prognosis.chosen
    yield f"{lineage.name}: its key is compromised; in its place comes {prognosis.replacement}", "bold"
    for key, what in prognosis.stolen:
        yield f"  never used again: 3 1 1 {key} ({what})", ""
    for target, records in prognosis.taken_over:
        taken = ", ".join(map(str, sorted(records)))
        yield f"  taken over, to be removed like our own: {taken} at {target}, which somebody else has published", ""
    yield f"  what is done: {_plan(prognosis, chosen)}", ""
    for text in prognosis.in_the_way:
        yield f"  but: {text}", "bold red"
    yield f"  what it costs: {_cost(prognosis, chosen)}", "yellow"
    for text in prognosis.losses:
        yield f"  and: {text}", "yellow"
    for other in prognosis.ways:
        if other is not chosen and (chosen.deferred_until is not None or chosen.way == "wait"):
            yield f"  instead, {_how(other)}: {_cost(prognosis, other)}", "dim"
    for text in prognosis.besides:
        yield f"  besides: {text}", ""


def _how(prospect: Prospect) -> str:
    return {"wait": "with --wait", "at once": "without --wait"}.get(prospect.way, "without a wait")


def _plan(prognosis: Prognosis, prospect: Prospect) -> str:
    from tlsa_manager.cli.when import clock

    swap = clock(prospect.swap_at, prognosis.at)
    then = "then the stolen key's record goes"
    if prospect.way == "standby":
        return f"the swap {'as soon as the following is over' if prognosis.in_the_way else 'now'}; {then}"
    if prospect.way == "wait":
        return f"the new record is published; the swap when no cache can lack it, {swap} {_provided(prognosis)}; {then}"
    return f"the new record is published; the swap as soon as every name server has it, {swap} {_provided(prognosis)}; {then}"


def _provided(prognosis: Prognosis) -> str:
    """On what the moments depend."""
    from tlsa_manager.cli.when import span

    longest = span(max(prognosis.lag or 0.0, prognosis.lineage.policy.poll_interval))
    known = "no publication was measured yet" if prognosis.lag is None else f"the latest ones took {span(prognosis.lag)} at most"
    return f"if that takes no longer than {longest} ({known})"


def _cost(prognosis: Prognosis, prospect: Prospect) -> str:
    from tlsa_manager.cli.when import clock

    if prospect.way == "standby":
        return "nothing: every cache knows the next key; no mail is deferred"
    if prospect.way == "wait":
        return f"no mail is deferred; whoever has the key can use it until the swap, {clock(prospect.swap_at, prognosis.at)}"
    if prospect.deferred_until is None:
        return "nothing: no sender can hold records without the new key; no mail is deferred"
    conforming, stretched = (clock(moment, prognosis.at) for moment in prospect.deferred_until)
    return (
        "senders that hold the old records defer their mail until they forget them, one TTL after the last name server has the"
        f" new one: until {conforming}, behind resolvers that raise small TTLs until {stretched}, {_provided(prognosis)}; and"
        f" until their next try. {QUEUE[0].upper()}{QUEUE[1:]}. status says the moments again when every name server has it"
    )


def _value(prognosis: Prognosis) -> dict[str, Any]:
    return {
        "compromised": list(prognosis.keys),
        "replacement": prognosis.replacement,
        "way": str(prognosis.chosen.way),
        "ways": [_prospect(each) for each in prognosis.ways],
        "taken_over": {target: [str(one) for one in sorted(records)] for target, records in prognosis.taken_over},
        "in_the_way": list(prognosis.in_the_way),
        "losses": list(prognosis.losses),
        "lag": prognosis.lag,
        "besides": list(prognosis.besides),
    }


def _prospect(prospect: Prospect) -> dict[str, Any]:
    from tlsa_manager.cli.when import iso

    conforming, stretched = prospect.deferred_until or (None, None)
    return {
        "way": str(prospect.way),
        "swap_at": iso(prospect.swap_at),
        "deferred_until": iso(conforming),
        "deferred_until_where_ttls_are_raised": iso(stretched),
    }
