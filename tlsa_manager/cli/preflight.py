"""`preflight`: would putting this chain into service now break any sender? For deploy scripts and CI."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.completion import lineage_names
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, UsageError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config
    from tlsa_manager.preflight.clearance import Candidate, Clearance

_FILE = click.Path(readable=False)  # a file that may not be read is told as such, with what to do, and is no wrong usage


@dataclass(frozen=True, slots=True)
class Words:
    """The options, as they were given."""

    certificate: str
    key: str | None
    lineage: str | None
    services: tuple[str, ...]
    records: str | None
    names: tuple[str, ...]
    protocol: str
    ca_file: str | None
    at: float | None
    since: float | None
    resolvers: tuple[str, ...]
    anchor: str | None


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A moment as people and programs write it: ISO 8601 (UTC where it does not say), or seconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a wrong one is wrong usage."""
        found = _seconds(str(value))
        if found is None:
            self.fail(f"{str(value)[:60]!r} is not a moment: write it as 2026-03-01T12:00:00Z", param, ctx)
        if not 0 <= found < _END:  # neither is what is no number
            self.fail(f"{str(value)[:60]!r} is no moment between 1970 and 9999", param, ctx)
        return found


_END = 253370764800.0  # the beginning of the year 9999, the last one that calendars here can count


def _seconds(text: str) -> float | None:
    """Read seconds since 1970, or a date; None where it is neither."""
    from datetime import UTC, datetime

    with suppress(ValueError):
        return float(text)
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


@click.command(cls=Command, name="preflight", short_help="Would putting this certificate into service now break any sender?")
@click.option("--certificate", metavar="CHAIN", required=True, type=_FILE, help="The new chain, leaf first, PEM.")
@click.option("--key", metavar="KEY", type=_FILE, help="Its private key: whether they belong together is asked too.")
@click.option("--lineage", metavar="NAME", help="The configured lineage it is for.", shell_complete=lineage_names)
@click.option("--service", "services", metavar="HOST:PORT[/PROTOCOL]", multiple=True, help="A service it is for.")
@click.option(
    "--records", metavar="FILE", type=click.Path(allow_dash=True), help="Ask nobody: TLSA records from this file; - is stdin."
)
@click.option("--name", "names", metavar="HOST", multiple=True, help="What senders call the server; each counts.")
@click.option("--protocol", metavar="WORD", default="", help="Of --records: smtp, https, imaps ...; else by the port, else smtp.")
@click.option("--ca-file", metavar="FILE", type=_FILE, help="Public authorities, for usages 0 and 1; else the system's.")
@click.option("--at", metavar="TIME", type=Moment(), help="Of --records: judge dates for this moment instead of now.")
@click.option("--since", metavar="TIME", type=Moment(), help="Of --service: you vouch that the records have stood since then.")
@click.option("--resolver", "resolvers", metavar="ADDRESS", multiple=True, help="Validating resolver, else the configured one.")
@click.option("--trust-anchor", "anchor", metavar="FILE", type=_FILE, help="DNSKEY or DS of the root, else the configured one.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Tell whether putting this chain into service now could break any sender. Exit code 0: it is safe. 1: it is not, or
    nobody can tell. 75: it will be, at the time that is named. 78: the configuration is wrong. Nothing is changed.

    With --lineage or --service it asks every authoritative name server, validates, and looks at the services; for a
    lineage it also knows what caches may still hold. With --records it asks nobody.
    """  # noqa: D205  click makes paragraphs of it
    voice, words = voice_of(context), Words(**options)
    _check(words)
    candidate = _candidate(words)
    clearance = _offline(words, candidate) if words.records is not None else _live(voice, words, candidate)
    from tlsa_manager.cli.preflight_text import lines, value
    from tlsa_manager.clock import now

    voice.answer(value(clearance, candidate, now()), lines(clearance, now()))
    return clearance.exit_code


def _check(words: Words) -> None:
    """Raise UsageError where options contradict each other."""
    ways = [words.lineage is not None, bool(words.services), words.records is not None]
    if ways.count(True) != 1:
        raise UsageError(
            "say what the certificate is for, in one way", "give --lineage NAME, or --service HOST:PORT, or --records FILE"
        )
    for wrong, option, way in (
        (words.at is not None and words.records is None, "--at", "--records"),
        (bool(words.protocol) and words.records is None, "--protocol", "--records"),
        (words.since is not None and not words.services, "--since", "--service"),
    ):
        if wrong:
            raise UsageError(f"{option} means nothing without {way}", f"leave {option} out")
    from tlsa_manager.clock import now

    if words.since is not None and words.since > now():
        raise UsageError("--since is in the future", "name the moment since when the records have stood as they are")
    _check_places(words)


def _check_places(words: Words) -> None:
    """Raise UsageError where a service, a name or a protocol is written wrongly: that is no verdict about a certificate."""
    from tlsa_manager.service import Service

    try:
        for text in words.services:
            Service.parse(text)
        _hosts(words.names)
        if words.protocol:
            Service.parse(f"localhost:25/{words.protocol}")
    except BadInput as mistake:
        raise UsageError(mistake.message, mistake.hint) from None


def _candidate(words: Words) -> Candidate:
    """Read the chain, and the key if there is one. Raises BadInput: such a chain must not go into service."""
    from tlsa_manager.certificates import certificates_in, read_chain
    from tlsa_manager.handover import content
    from tlsa_manager.preflight.clearance import Candidate

    data = content(Path(words.certificate), "certificate")
    chain, details = read_chain(data)
    if words.key is not None:
        from tlsa_manager.keys import load_pair

        load_pair(data, content(Path(words.key), "private key"))
    return Candidate(chain, certificates_in(data), details.names, details.not_before, details.not_after)


def _offline(words: Words, candidate: Candidate) -> Clearance:
    from tlsa_manager.clock import now
    from tlsa_manager.preflight.judgement import BARE, Wish, asks_the_public, for_records, stops_for
    from tlsa_manager.preflight.look import Trust
    from tlsa_manager.preflight.record_file import place_of, read_records

    file = words.records or "-"
    sets = read_records(_text(file), "standard input" if file == "-" else file)
    at = now() if words.at is None else words.at
    wish = Wish(_hosts(words.names), words.protocol)
    found = [(stop, one) for owner, one in sets.items() for stop in stops_for(owner or BARE, place_of(owner), wish)]
    public = [stop.names for stop, one in found if asks_the_public((one,), stop.service)]
    return for_records(candidate, found, at, Trust(wish.names, words.ca_file, at).doubts(public, candidate))


def _text(file: str) -> str:
    from tlsa_manager.handover import content

    data = sys.stdin.buffer.read(1 << 20) if file == "-" else content(Path(file), "file of records")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadInput(
            f"the file of records {file} is not text", "name a zone file, or a file with lines like: 3 1 1 ab12..."
        ) from None


def _live(voice: Voice, words: Words, candidate: Candidate) -> Clearance:
    from tlsa_manager.preflight.look import Ground, Trust, of_lineage, of_services

    trust = Trust(_hosts(words.names), words.ca_file)
    if words.lineage is not None:
        from tlsa_manager.cli.lineages import one

        config = voice.config()
        return of_lineage(config, one(config, words.lineage).name, candidate, trust)
    from tlsa_manager.policy import Policy
    from tlsa_manager.service import Service

    known = _config(voice)
    resolver = words.resolvers or (known.resolver if known else ("127.0.0.1",))
    anchor = words.anchor or (known.trust_anchor if known else None)
    port, policy = (known.authority_port, known.policy) if known else (53, Policy())
    ground = Ground(resolver, anchor, port, policy, trust, words.since)
    return of_services(tuple(dict.fromkeys(Service.parse(text) for text in words.services)), candidate, ground)


def _config(voice: Voice) -> Config | None:
    """Load the configuration if there is one: it knows the resolver, the trust anchor and the timing."""
    return voice.config() if voice.config_file.exists() else None


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    from tlsa_manager.service import host_name

    return tuple(dict.fromkeys(host_name(one) for one in names))
