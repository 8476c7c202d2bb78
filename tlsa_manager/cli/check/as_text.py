"""`--format text`: for people. Target by target, the worst finding first; what is well is short."""

from __future__ import annotations

from dataclasses import field
from itertools import groupby
from typing import TYPE_CHECKING

from tlsa_manager.cli.check.finding_text import finding_lines, notice_line
from tlsa_manager.cli.check.result import STATUS, FindingValue, Result, ServiceValue, Tally
from tlsa_manager.cli.check.wrapped import wrapped
from tlsa_manager.cli.flat import flat
from tlsa_manager.diagnose.report import EXIT_CRITICAL, EXIT_OK, EXIT_UNKNOWN, EXIT_WARNING
from tlsa_manager.finding import Severity
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper
    from tlsa_manager.cli.voice import Line

STYLES = {EXIT_OK: "green", EXIT_WARNING: "yellow", EXIT_CRITICAL: "bold red", EXIT_UNKNOWN: "magenta"}
MEANINGS = {
    Delivery.AUTH: "senders with DANE deliver, and know whom to",
    Delivery.ENCRYPT: "senders with DANE insist on TLS, but do not know whom they talk to",
    Delivery.OPPORTUNISTIC: "DANE does not apply: mail goes as if there were none",
    Delivery.UNKNOWN: "it cannot be told from here what senders with DANE do",
    Delivery.DEFER: "senders with DANE do not deliver",
}
_WORST_FIRST = (EXIT_CRITICAL, EXIT_UNKNOWN, EXIT_WARNING, EXIT_OK)


@dataclass(slots=True)
class Pages:
    """Tells a list line by line as results come, and a few targets in full, the worst first."""

    paper: Paper
    wish: Wish
    _kept: list[Result] = field(default_factory=list)

    def tell(self, one: Result) -> None:
        """Tell it, or keep it until all are there."""
        if self.wish.brief:
            self._say(brief(one, self.wish, self.paper.width))
        else:
            self._kept.append(one)

    def end(self, tally: Tally) -> None:
        """Tell what was kept, and how many of each kind there were."""
        self.cut_off()
        if tally.total != 1:
            self.paper.line(f"{tally.total} targets: {tally.words}" if tally.total else "there was nothing to check", "bold")

    def cut_off(self) -> None:
        """Tell what is there."""
        for number, one in enumerate(sorted(self._kept, key=lambda each: _WORST_FIRST.index(each.code))):
            if number:
                self.paper.line("", "")
            self._say(full(one, self.wish, self.paper.width))
        self._kept.clear()

    def _say(self, lines: Iterator[Line]) -> None:
        for text, style in lines:
            self.paper.line(text, style)


make = Pages


def brief(one: Result, wish: Wish, width: int | None) -> Iterator[Line]:
    """Tell one of many: a line, and with -v its findings."""
    codes = " ".join(dict.fromkeys(each["code"] for each in one.findings(max(wish.least, Severity.WARNING))))
    why = flat(one.value.get("why", "")) if one.code != EXIT_OK else ""
    rest = "; ".join(filter(None, (codes, why)))
    status = STATUS[one.code].lower()
    yield f"{status:<8}  {flat(one.value['target'])}  {one.value['outcome']}" + (f"  {rest}" if rest else ""), STYLES[one.code]
    if wish.full:
        yield from _findings(one, wish, width)


def full(one: Result, wish: Wish, width: int | None) -> Iterator[Line]:
    """Tell everything about one target."""
    outcome = Delivery(one.value["outcome"])
    yield f"{flat(one.value['target'])}: {outcome}: {MEANINGS[outcome]}", STYLES[one.code]
    why = one.value.get("why", "")
    if why and outcome is not Delivery.AUTH and all(at.get("why") != why for at in one.value["services"]):
        yield from ((text, "") for text in wrapped(flat(why), width, indent=2))
    for service, group in groupby(one.value["services"], key=lambda at: at["service"]):
        yield f"  {flat(service)}", ""
        places = list(group)
        for way in dict.fromkeys((at.get("owner", ""), *at["alias"]) for at in places if at.get("alias")):
            yield from ((text, "") for text in wrapped(flat(f"alias: {' -> '.join(way)}"), width, indent=4))
        for at in places:
            yield from _place(at, wish, width)
    yield from _findings(one, wish, width)


def _place(at: ServiceValue, wish: Wish, width: int | None) -> Iterator[Line]:
    """Tell what senders do at one address, and which record it hangs on."""
    matching = [each["record"] for each in at["records"] if each["usable"] and each["matches"]]
    told = f"{flat(at['address']) or '(no address)'}  {flat(at['outcome'])}, DNSSEC {flat(at['dnssec'])}"
    if matching:
        told += f"; {short(matching[0])} matches" + (f", and {len(matching) - 1} more" if len(matching) > 1 else "")
    elif why := at.get("why", ""):
        told += f"; {flat(why)}"
    yield from ((text, "") for text in wrapped(told, width, indent=4))
    if wish.full:
        for each in at["records"]:
            use = "" if each["usable"] else "unusable: "
            yield f"      {flat(each['record'])}  {use}{flat(each.get('why', ''))}", "dim"


def _findings(one: Result, wish: Wish, width: int | None) -> Iterator[Line]:
    """Tell the findings, notices in a line each unless everything is wanted."""
    for each in one.findings(wish.least):
        yield from _finding(each, width, whole=wish.full or each["severity"] != str(Severity.NOTICE))


def _finding(each: FindingValue, width: int | None, *, whole: bool) -> Iterator[Line]:
    if not whole:
        yield from notice_line(each, width)
        return
    yield "", ""
    yield from finding_lines(each, width)


def short(record: str) -> str:
    """Return a record with the beginning of its data only: `3 1 1 a1b2c3d4e5f60718...`."""
    head, _, data = flat(record).rpartition(" ")
    return f"{head} {data[:16]}..." if len(data) > 16 else f"{head} {data}"
