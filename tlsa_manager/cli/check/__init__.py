"""`check [TARGET...]`: what senders with DANE see, what they do, what is wrong, and how to mend it.

looking     how to look: options, settings        monitor       whatever goes wrong is UNKNOWN, not CRITICAL
targets     what to look at: words, lists         result        a result as scripts read it; counts
former      results of a run that was cut off     form, as_...  one small file a format
going       the run                               paper         where the answer goes
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlsa_manager.cli.check.form import BY_RENAME, FORMS, Wish, form
from tlsa_manager.cli.check.looking import look_options, settings, workers
from tlsa_manager.cli.check.monitor import MonitoringCommand
from tlsa_manager.cli.completion import finding_codes, lineage_names
from tlsa_manager.cli.voice import Voice, voice_of
from tlsa_manager.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tlsa_manager.cli.check.form import Form
    from tlsa_manager.cli.check.result import Result, Tally

_LIST = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
_NEW = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=MonitoringCommand, name="check", short_help="What senders with DANE see, what is wrong, how to mend it.")
@click.argument("words", metavar="[TARGET]...", nargs=-1, shell_complete=lineage_names)
@click.option("--list", "file", metavar="FILE", type=_LIST, help="Targets, one a line; - is standard input.")
@click.option("--format", "form", type=click.Choice(list(FORMS)), help="Of the answer; text if not given.")
@click.option("--output", metavar="FILE", type=_NEW, help="Write the answer there; prometheus by rename.")
@click.option("--resume", metavar="FILE", type=_NEW, help="Keep results there, and skip the targets it has already.")
@click.option(
    "--explain", metavar="CODE", help="Tell the story of a finding; list tells all codes.", shell_complete=finding_codes
)
@click.option(
    "--severity", "least", type=click.Choice([str(one) for one in Severity]), default="notice", help="Tell findings from this on."
)
@look_options
@click.pass_context
def command(context: click.Context, /, words: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Diagnose a mail domain (over its MX records), a service HOST:PORT[/PROTOCOL], a service behind SRV records
    (_imaps._tcp.example.org) or a configured lineage; without any TARGET all configured lineages.

    Exit code, as monitoring wants it: 0 ok, 1 warning, 2 critical: mail of senders with DANE is deferred, 3 unknown, which is
    also what every mistake in the command line or the configuration ends with.
    """  # noqa: D205  click makes paragraphs of it
    voice = voice_of(context)
    if options["explain"] is not None:
        from tlsa_manager.cli.check.explain import explain

        explain(voice, options["explain"])
        return 0
    _settle_form(voice, options)
    return _check(voice, words, file, options)


def _settle_form(voice: Voice, options: dict[str, Any]) -> None:
    """Choose the format: the one that is named, else --json is short for one."""
    chosen = options["form"] or ("json" if voice.json else "text")
    options["form"] = chosen
    voice.json = chosen.startswith("json")  # for errors, too


def _check(voice: Voice, words: tuple[str, ...], file: str | None, options: dict[str, Any]) -> int:
    from tlsa_manager.cli.check.former import resumed
    from tlsa_manager.cli.check.going import results
    from tlsa_manager.cli.check.paper import paper
    from tlsa_manager.cli.check.progress import progress
    from tlsa_manager.cli.check.targets import Work, choose, count, opened
    from tlsa_manager.target import Kind

    voice.listen()
    named, config = choose(voice, words, listed=file is not None)
    how = settings(options, config)
    wish = Wish(Severity[options["least"].upper()], full=bool(voice.verbose), brief=file is not None)
    total = count(named, file)
    at_home = config if any(one.kind is Kind.LINEAGE for one in named) else None
    with (
        opened(file) as lines,
        resumed(options["resume"]) as former,
        paper(voice, options["output"], by_rename=options["form"] in BY_RENAME) as sheet,
        progress(voice, total, wanted=file is not None) as advance,
    ):
        run = results(Work(named, lines, former), how, config=at_home, workers=workers(options, total))
        with closing(run):
            return _tell(voice, run, form(options["form"], sheet, wish), advance, resume=options["resume"] is not None).code


def _tell(voice: Voice, run: Generator[Result], answer: Form, advance: Callable[[], None], *, resume: bool) -> Tally:
    """Tell each result as it comes. Whatever interrupts, what is there is told, and can be read."""
    from tlsa_manager.cli.check.result import Tally
    from tlsa_manager.cli.check.undisturbed import undisturbed
    from tlsa_manager.clock import monotonic

    tally, began = Tally(), monotonic()
    try:
        for one in run:
            voice.json = False  # the answer has begun: an error must not be a second one
            with undisturbed():
                tally.add(one)
                answer.tell(one)
            advance()
    except BaseException as error:
        answer.cut_off()
        if isinstance(error, KeyboardInterrupt):
            more = "the same command goes on from there" if resume else "with --resume FILE a run can be continued"
            voice.note(f"interrupted after {tally.total} targets; {more}")
        raise
    tally.seconds = monotonic() - began
    answer.end(tally)
    return tally
