"""A finding for people: what it is, the evidence, what it does to mail, what to do, and where that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.check.wrapped import labelled, wrapped
from tlsa_manager.cli.flat import flat
from tlsa_manager.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.check.result import FindingValue
    from tlsa_manager.cli.voice import Line

STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.NOTICE: "cyan",
}
_INDENT = 4


def finding_lines(one: FindingValue, width: int | None) -> Iterator[Line]:
    """Tell a finding in full."""
    severity = Severity[one["severity"].upper()]
    yield f"  {severity.name} {flat(one['code'])}  {flat(one['subject'])}", STYLES[severity]
    yield from ((text, "bold") for text in wrapped(flat(one["message"]), width, indent=_INDENT))
    evidence = one.get("evidence", {})
    column = max((len(flat(name)) for name in evidence), default=0) + 1
    for name, value in evidence.items():
        yield f"      {flat(name) + ':':<{column}} {flat(value)}", "dim"
    see = "; ".join(filter(None, (one["reference"], f"tlsa-manager check --explain {one['code']}")))
    for label, text in (("mail", one["consequence"]), ("to do", one["remedy"]), ("see", see)):
        yield from ((line, "") for line in labelled(label, text, width, indent=_INDENT))


def notice_line(one: FindingValue, width: int | None) -> Iterator[Line]:
    """Tell a finding that needs nobody in a line."""
    severity = Severity[one["severity"].upper()]
    told = f"{severity} {flat(one['code'])}  {flat(one['subject'])}: {flat(one['message'])}"
    yield from ((text, STYLES[severity]) for text in wrapped(told, width, indent=2))
