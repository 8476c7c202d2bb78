"""`--format json`: one object with all targets, written as the results come, so that a long list needs no memory."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING

from tlsa_manager.diagnose.report import SCHEMA
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.cli.check.form import Wish
    from tlsa_manager.cli.check.paper import Paper
    from tlsa_manager.cli.check.result import Result, Tally

_HEAD = f'{{\n  "schema": {SCHEMA},\n  "targets": ['
_FOOT = "  ]\n}"


@dataclass(slots=True)
class Object:
    """Writes `{"schema": 1, "targets": [...]}` piece by piece."""

    paper: Paper
    wish: Wish
    _begun: bool = False

    def tell(self, one: Result) -> None:
        """Write it, after a comma if it is not the first: so each is there as soon as it is known."""
        text = indent(json.dumps(one.shown(self.wish.least), indent=2), "    ")
        self.paper.line("   ," + text[4:] if self._begun else _HEAD + "\n" + text, "")
        self._begun = True

    def end(self, tally: Tally) -> None:  # noqa: ARG002  the object has no counts
        """Write the end."""
        if not self._begun:
            self.paper.line(_HEAD, "")
        self.paper.line(_FOOT, "")

    def cut_off(self) -> None:
        """End the object; where none was begun, leave it to the error."""
        if self._begun:
            self.paper.line(_FOOT, "")


make = Object
