"""`--format json`: one object with all targets, written as the results come, so that a long list needs no memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from tlsa_manager.diagnose.report import SCHEMA

if TYPE_CHECKING:
    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper
    from tlsa_manager.cli.check.result import Result, Tally


@dataclass(slots=True)
class Object:
    """Writes `{"schema": 1, "targets": [...]}` piece by piece."""

    paper: Paper
    wish: Wish
    _pending: str = ""
    _begun: bool = False

    def tell(self, one: Result) -> None:
        """Write the one before: only now is it known that a comma follows it."""
        self._begin()
        if self._pending:
            self.paper.line(self._pending + ",", "")
        self._pending = indent(json.dumps(one.shown(self.wish.least), indent=2), "    ")

    def end(self, tally: Tally) -> None:  # noqa: ARG002  the object has no counts
        """Write the end."""
        self._begin()
        self._close()

    def cut_off(self) -> None:
        """End the object; where none was begun, leave it to the error."""
        if self._pending:
            self._close()

    def _begin(self) -> None:
        if not self._begun:
            self.paper.line(f'{{\n  "schema": {SCHEMA},\n  "targets": [', "")
            self._begun = True

    def _close(self) -> None:
        if self._pending:
            self.paper.line(self._pending, "")
        self.paper.line("  ]\n}", "")


make = Object
