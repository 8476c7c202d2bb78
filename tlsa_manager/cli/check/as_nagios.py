"""`--format nagios`: one status line with performance data, then what is wrong (Monitoring Plugins Development Guidelines)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.cli.check.result import STATUS, Result, Tally, ends
from tlsa_manager.cli.flat import flat
from tlsa_manager.diagnose.report import EXIT_CRITICAL, EXIT_OK, EXIT_UNKNOWN, EXIT_WARNING
from tlsa_manager.finding import Severity
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper

MOST = 20  # targets told in full
LARGEST = 7000  # bytes of what follows the status line: monitoring systems keep eight kilobytes
LONGEST = 300  # characters of one line
DAY = 86400.0
_WORST_FIRST = (EXIT_CRITICAL, EXIT_UNKNOWN, EXIT_WARNING, EXIT_OK)


@dataclass(slots=True)
class Plugin:
    """Keeps the worst results, and counts the others."""

    paper: Paper
    wish: Wish
    _worst: list[Result] = field(default_factory=list)

    def tell(self, one: Result) -> None:
        """Keep it, if it is among the worst."""
        self._worst = sorted((*self._worst, one), key=lambda each: _WORST_FIRST.index(each.code))[:MOST]

    def end(self, tally: Tally) -> None:
        """Write everything: the status line comes first."""
        told = self._worst[0] if self._worst else None
        said = "nothing was checked" if told is None else _said(told)
        if tally.total > 1:
            said = f"{tally.total} targets: {tally.words}" + (f"; {said}" if told and told.code != EXIT_OK else "")
        self.paper.line(f"DANE {STATUS[tally.code]} - {clean(said)} | {perfdata(tally, clock.now())}", "")
        least = max(self.wish.least, Severity.NOTICE if self.wish.full else Severity.WARNING)
        bad = [one for one in self._worst if one.code != EXIT_OK or self.wish.full]
        self._rest([clean(text) for one in bad for text in _long(one, least)], tally.total - tally.counts[EXIT_OK] - len(bad))

    def _rest(self, lines: list[str], targets: int) -> None:
        """Write what fits, and how much does not."""
        room = LARGEST
        for number, line in enumerate(lines):
            room -= len(line.encode()) + 1
            if room < 0:
                self.paper.line(f"and {len(lines) - number} lines more", "")
                break
            self.paper.line(line, "")
        if targets > 0:
            self.paper.line(f"and {targets} targets more", "")

    def cut_off(self) -> None:
        """Nothing: a status line would claim that all was checked."""


make = Plugin


def clean(text: str) -> str:
    """Return text that cannot be taken for performance data or for another line."""
    line = flat(text).replace("|", "/")
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def perfdata(tally: Tally, now: float) -> str:
    """Return the performance data: counts, seconds, days until something ends."""
    values = {"targets": str(tally.total)}
    values |= {STATUS[code].lower(): str(count) for code, count in tally.counts.items()}
    values |= {"time": f"{tally.seconds:.3f}s"}
    values |= {f"{name}_days": f"{(moment - now) / DAY:.2f}" for name, moment in tally.ends.items()}
    return " ".join(f"{name}={value}" for name, value in values.items())


def _said(one: Result) -> str:
    """Say the most important thing about one target."""
    found = one.findings(Severity.WARNING)
    if found:
        return f"{one.value['target']}: {found[0]['code']} {found[0]['subject']}: {found[0]['message']}"
    why = one.value.get("why", "")
    left = [f"{name} ends in {(moment - clock.now()) / DAY:.0f} days" for name, moment in ends(one.facts).items()]
    return ", ".join([f"{one.value['target']}: {one.value['outcome']}" + (f" ({why})" if why else ""), *left])


def _long(one: Result, least: Severity) -> Iterator[str]:
    why = one.value.get("why", "")
    yield f"{STATUS[one.code]} {one.value['target']}: {one.value['outcome']}" + (f": {why}" if why else "")
    for each in one.findings(least):
        yield f"  {each['severity'].upper()} {each['code']} {each['subject']}: {each['message']}"
