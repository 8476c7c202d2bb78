"""`history`: the journal, oldest first."""

from __future__ import annotations

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.lineages import chosen, names
from tlsa_manager.cli.voice import voice_of


@click.command(cls=Command, name="history", short_help="What happened, from the journal.")
@names
@click.option("-n", "--last", type=click.IntRange(min=1), metavar="COUNT", help="Only the latest COUNT events.")
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], last: int | None) -> None:
    """Tell what happened to lineages, oldest first: everything that was taken over, published, seen, deployed, proven."""
    import msgspec

    from tlsa_manager.cli.flat import flat
    from tlsa_manager.cli.sentences import sentence
    from tlsa_manager.cli.when import iso, stamp
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    config = voice.config()
    meant = {one.name for one in chosen(config, wanted)} if wanted else None
    entries = [entry for entry in house(config).journal.entries() if meant is None or entry.lineage in meant]
    entries = entries[-last:] if last else entries
    value = [
        {
            "seq": entry.seq,
            "at": iso(entry.at),
            "lineage": entry.lineage,
            "event": type(entry.event).__name__,
            "text": sentence(entry.event),
            "details": msgspec.to_builtins(entry.event),
        }
        for entry in entries
    ]
    several = len({entry.lineage for entry in entries}) > 1
    lines = [
        (
            f"{stamp(entry.at)}  {entry.lineage + ': ' if several else ''}{flat(sentence(entry.event))}",
            _style(type(entry.event).__name__),
        )
        for entry in entries
    ]
    voice.answer({"events": value}, lines or "nothing has happened yet")


def _style(kind: str) -> str:
    if kind in {"Failed", "RollingBack"}:
        return "red"
    if kind in {"Confirmed", "Finished", "Adopted", "Restored"}:
        return "green"
    return "dim" if kind == "Seen" else ""
