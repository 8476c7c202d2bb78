"""`next-key NAME`: the key that the next renewal should use, as a record, as a request, or itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.flat import flat
from tlsa_manager.cli.lineages import name, one
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line, Voice
    from tlsa_manager.lineage import Key, Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.verbs.next_key import Handed
    from tlsa_manager.wiring import House

_FILE = click.Path(readable=False)
_HOST = re.compile(r"(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_STDOUT = "-"


@click.command(
    cls=Command, name="next-key", short_help="The key that the next renewal should use: record, request, the key itself."
)
@name
@click.option("--request", metavar="FILE", type=_FILE, help="Write a certificate request signed with it; - is stdout.")
@click.option("--name", "hosts", metavar="HOST", multiple=True, help="For the request, instead of the hosts of the lineage.")
@click.option("--key", metavar="FILE", type=_FILE, help="Write the key itself, 0600, where the client looks for it; - is stdout.")
@click.option("--replace", "reason", metavar="REASON", help="Never use the present next key; another takes its place.")
@click.pass_context
def command(  # noqa: PLR0917  click gives them by name
    context: click.Context, wanted: str, request: str | None, hosts: tuple[str, ...], key: str | None, reason: str | None
) -> None:
    """Tell which key a certificate should be for that is asked for now, and whether every cache knows its record already.

    With --request or --key it is given to the client: it is made if there is none, and from then on a next key is published
    ahead of every renewal. It stays the next one until a certificate for it is in service, whatever becomes of orders.

    While keys are reused (reuse-key) and none is due, it is the key in service.
    """
    from tlsa_manager.wiring import house

    voice = voice_of(context)
    _check(voice, request, hosts, key)
    asked_for = tuple(map(_host, hosts))
    config = voice.config()
    lineage = one(config, wanted)
    home = house(config)
    if reason is not None:
        _replace(voice, home, lineage.name, reason)
    if request is None and key is None:
        voice.answer(*_told(home, lineage))
        return
    handed = home.hand_out(lineage.name)
    written = _give(handed, lineage, request, asked_for, key)
    value, lines = _told(home, lineage)
    value |= {"written": written, "notes": list(handed.notes)}
    said = [*lines, *((f"  {note}", "") for note in handed.notes), *((f"  written: {flat(one)}", "") for one in written)]
    if _STDOUT not in (request, key):
        voice.answer(value, said)
    else:
        for line, _ in said:
            voice.note(line)
    if home.is_publishing:  # servers that do not answer take their time, and the client waits for us
        from tlsa_manager.cli.leaving import end_at_once

        end_at_once()


def _replace(voice: Voice, home: House, name: str, reason: str) -> None:
    """Replace the next key, and say what becomes of the former one."""
    from tlsa_manager.verbs.next_key import handed_out

    former = home.journal.facts(name).standby
    given = former is not None and former.id in handed_out(home.journal, name)
    home.replace_next_key(name, reason)
    if former is not None:
        worthless = "; what a client was given of it is worthless now, give it the new one" if given else ""
        voice.note(f"{name}: key {former.id} is never used, and its record goes with the next run{worthless}")


def _check(voice: Voice, request: str | None, hosts: tuple[str, ...], key: str | None) -> None:
    """Refuse what contradicts itself, or cannot be done, before a key is made and journalled as given."""
    for option, file in (("--request", request), ("--key", key)):
        if file is not None and Path(file).name in {"", ".."}:
            raise UsageError(f"{option} {file!r} is not the name of a file", "name the file in which the client looks for it")
    if _STDOUT in (request, key) and sys.stdout is None:
        raise UsageError("stdout is closed, so nothing can be written to it", "name a file, or leave stdout open")
    if hosts and request is None:
        raise UsageError("--name is for --request", "add --request FILE, or leave --name out")
    if request == key == _STDOUT:
        raise UsageError("only one of --request and --key can go to stdout", "write the other one to a file")
    if voice.json and _STDOUT in (request, key):
        raise UsageError("with --json stdout is taken by the answer", "write it to a file")
    if key == _STDOUT and sys.stdout.isatty():
        raise UsageError("a private key is not written to a terminal, where it could be read and kept", "name a file")


def _give(handed: Handed, lineage: Lineage, request: str | None, hosts: tuple[str, ...], key: str | None) -> list[str]:
    """Write what is asked for; return where to. Raises BadInput."""
    from tlsa_manager import keys
    from tlsa_manager.handover.giving import KEY_MODE, REQUEST_MODE, give

    contents = [(key, handed.pem, KEY_MODE)]
    if request is not None:
        contents.append((request, keys.request(handed.pem, hosts or lineage.hosts), REQUEST_MODE))
    for file, content, mode in contents:
        if file == _STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
        elif file is not None:
            give(Path(file), content, mode=mode)
    return [file for file, _, _ in contents if file not in (None, _STDOUT)]


def _told(home: House, lineage: Lineage) -> tuple[dict[str, Any], list[Line]]:
    """Say which key it is now."""
    from tlsa_manager.cli.key_text import key_value
    from tlsa_manager.clock import now
    from tlsa_manager.verbs.next_key import handed_out, key_at_renewal

    at, facts = now(), home.journal.facts(lineage.name)
    key = key_at_renewal(lineage, facts, at)
    if key is None:
        return {"lineage": lineage.name, "key": None}, list(_none_yet(lineage))
    given = key.id in handed_out(home.journal, lineage.name)
    value = key_value(lineage, facts, key, at) | {"in_service": key.id == facts.current, "handed_out": given}
    return {"lineage": lineage.name, "key": value}, list(_lines(lineage, facts, key, at, given=given))


def _none_yet(lineage: Lineage) -> Iterator[Line]:
    yield f"{lineage.name}: there is no next key yet", ""
    yield f"  to have one made and given to a client: tlsa-manager next-key {lineage.name} --request FILE, or --key FILE", "bold"
    yield "  to have one published ahead of every renewal: next-key = true in the configuration", ""


def _lines(lineage: Lineage, facts: Facts, key: Key, at: float, *, given: bool) -> Iterator[Line]:
    from tlsa_manager.cli.key_text import how_far
    from tlsa_manager.rollover.ahead import ahead
    from tlsa_manager.rollover.succession import keeps_next

    records = key.records(lineage.params)
    if key.id == facts.current:
        yield f"{lineage.name}: the next renewal keeps the key in service, of {key.id} ({key.kind})", "bold"
    else:
        yield f"{lineage.name}: the next renewal is for key {key.id} ({key.type or key.kind})", "bold"
        yield "  a client was given it" if given else "  no client was given it yet", ""
    yield from ((f"  {record}", "") for record in sorted(records))
    if not records:
        yield "  params has no record that could be made of a key alone (3 1 1, 3 1 2): it cannot be published ahead", "yellow"
    elif key.id != facts.current and not keeps_next(lineage, facts):
        yield (
            "  its record is published when its certificate is here, and waits for caches (next-key = true: ahead)",
            "yellow",
        )
    else:
        yield f"  {how_far(ahead(lineage, facts, records, at), at)}", ""


def _host(text: str) -> str:
    """Return a DNS name for a request. Raises BadInput."""
    plain = text.removesuffix(".").lower()
    if _HOST.fullmatch(plain) is None:
        raise BadInput(f"{text[:60]!r} is not a host name", "for example mx.example.org or *.example.org, in ASCII")
    return plain
