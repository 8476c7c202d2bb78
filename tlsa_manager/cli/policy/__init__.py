"""`policy`: a Postfix `smtp_tls_policy_maps` table from what `check` finds out.

choice     what the result for one domain allows to demand of it
table      the table: read, never made weaker, written
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.check.looking import config_if_any, look_options, settings, workers
from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.errors import EXIT_FAILED, EXIT_OK, BadInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.cli.check.result import Result
    from tlsa_manager.cli.policy.choice import Choice
    from tlsa_manager.cli.policy.table import Entry

_LIST = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
_OLD = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Command, name="policy", short_help="Postfix TLS policy table of what mail domains can be held to.")
@click.argument("words", metavar="[DOMAIN]...", nargs=-1)
@click.option("--list", "file", metavar="FILE", type=_LIST, help="Mail domains, one a line; - is standard input.")
@click.option("--output", metavar="FILE", type=_NEW, help="The table, written by rename; standard output if not given.")
@click.option("--previous", metavar="FILE", type=_OLD, help="What stood there before; the table itself if not given.")
@click.option("--weaken", is_flag=True, help="Let a line be weaker than before where a domain allows no more.")
@click.option("--pkix", is_flag=True, help="Hold domains to public certificates they have now, without an MTA-STS policy.")
@click.option("--resume", metavar="FILE", type=_NEW, help="Keep results there, as check does, and skip what it has already.")
@look_options
@click.pass_context
def command(context: click.Context, /, words: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Write a table for smtp_tls_policy_maps: dane-only where every server of a domain is authenticated by DANE; secure, with
    the names to be found in certificates, where its MTA-STS policy demands it; encrypt where all its servers take TLS. Other
    domains are left out, with the reason as comment, and Postfix does with them as it does without a table.

    No line becomes weaker than it was, unless --weaken says that it may. Where nothing can be found out, the former line stays.
    Exit code 1 where nothing could be found out about any domain.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.cli.check.former import resumed
    from tlsa_manager.cli.check.going import results
    from tlsa_manager.cli.check.progress import progress
    from tlsa_manager.cli.check.targets import Work, count, opened
    from tlsa_manager.target import Target

    voice = voice_of(context)
    voice.listen()
    if not words and file is None:
        raise UsageError("no mail domain is named", "tlsa-manager policy example.org, or --list FILE")
    _former(options)  # a wrong file is told before the work, and read again after it: somebody may have changed it
    named = tuple(Target.parse(word) for word in words)
    total, how = count(named, file), settings(options, config_if_any(voice))
    with (
        opened(file) as lines,
        resumed(options["resume"]) as former,
        progress(voice, total, wanted=file is not None) as advance,
        closing(results(Work(named, lines, former), how, config=None, workers=workers(options, total))) as run,
    ):
        choices = [_chosen(one, options, advance) for one in run]
    return _write(voice, choices, options)


def _chosen(one: Result, options: dict[str, Any], advance: Callable[[], None]) -> Choice:
    from tlsa_manager.cli.policy.choice import choice

    advance()
    return choice(one, pkix=options["pkix"])


def _write(voice: Voice, choices: list[Choice], options: dict[str, Any]) -> int:
    """Write the table, and say what became of the domains."""
    from tlsa_manager.cli.policy.table import merged, page
    from tlsa_manager.cli.renaming import renamed

    output: Path | None = options["output"]
    table = page(merged(_former(options), choices, weaken=options["weaken"]))
    if output:
        with renamed(output) as stream:
            stream.write(table)
    voice.answer({"domains": [_value(one) for one in choices], "table": table}, "" if output else table.rstrip("\n"))
    voice.note(_words(choices))
    return EXIT_OK if any(one.known for one in choices) or not choices else EXIT_FAILED


def _former(options: dict[str, Any]) -> dict[str, Entry]:
    """Read what stood there before. Raises BadInput where that is no table: nothing else is written over."""
    from tlsa_manager.cli.policy.table import is_table, read

    output: Path | None = options["output"]
    found = output if output and output.is_file() else None
    tables = {one: read(one.read_text(encoding="utf-8", errors="surrogateescape")) for one in (found, options["previous"]) if one}
    for place, entries in tables.items():
        if not is_table(entries):
            msg = f"{place} is no TLS policy table of Postfix, so nothing was done: no line names a level such as dane or encrypt"
            raise BadInput(msg, "name the table, or a file that is not there yet")
    return tables.get(options["previous"] or found, {})


def _value(one: Choice) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "level": one.level,
        "attributes": list(one.attributes),
        "known": one.known,
        "reason": one.reason,
    }


def _words(choices: list[Choice]) -> str:
    counts = Counter((one.level or "left out") if one.known else "left as before" for one in choices)
    return f"{len(choices)} {'domain' if len(choices) == 1 else 'domains'}: " + ", ".join(
        f"{count} {level}" for level, count in sorted(counts.items())
    )
