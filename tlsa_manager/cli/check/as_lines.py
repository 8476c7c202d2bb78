"""`--format jsonl`: one line of JSON a target, as the results come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tlsa_manager.diagnose.report import SCHEMA
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper
    from tlsa_manager.cli.check.result import Result, Tally


@dataclass(frozen=True, slots=True)
class Lines:
    """Writes each result as a line of its own."""

    paper: Paper
    wish: Wish

    def tell(self, one: Result) -> None:
        """Write it."""
        self.paper.line(line(one.shown(self.wish.least)), "")

    def end(self, tally: Tally) -> None:
        """Nothing is left to be written."""

    def cut_off(self) -> None:
        """Every line can be read alone."""


make = Lines


def line(value: Mapping[str, object]) -> str:
    """Return the line of one target; ASCII only, so that nothing in it can end it or steer a terminal."""
    return json.dumps({"schema": SCHEMA, **value})
