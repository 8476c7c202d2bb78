"""The formats of the answer: one table, one small file a format, one Protocol."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from tlsa_manager.finding import Severity
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.cli.check.paper import Paper
    from tlsa_manager.cli.check.result import Result, Tally

FORMS = {
    "text": "as_text",
    "json": "as_json",
    "jsonl": "as_lines",
    "nagios": "as_nagios",
    "prometheus": "as_prometheus",
}
BY_RENAME = ("prometheus",)  # a collector may read the file at any time


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told. `least`: findings from this level on; `full`: everything that is known; `brief`: a line a target."""

    least: Severity = Severity.NOTICE
    full: bool = False
    brief: bool = False


class Form(Protocol):
    """Tells results on paper."""

    def tell(self, one: Result) -> None:
        """Take a result; they come in any order."""

    def end(self, tally: Tally) -> None:
        """Finish: that was all."""

    def cut_off(self) -> None:
        """Finish in the middle, so that what is there can be read."""


def form(name: str, paper: Paper, wish: Wish) -> Form:
    """Make the form of a name in FORMS."""
    module = import_module(f"tlsa_manager.cli.check.{FORMS[name]}")
    return cast("Form", module.make(paper, wish))
