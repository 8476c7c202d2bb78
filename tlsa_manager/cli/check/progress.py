"""A bar on stderr while a list is worked through; where nobody looks on there is none."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.cli.voice import Voice


@contextmanager
def progress(voice: Voice, total: int | None, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """Show how far a run is: done, total, rate, time left. Yields what is to be called for each target that is done."""
    if not wanted or voice.quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: object) -> Text:
            speed = getattr(task, "speed", None)
            return Text(f"{speed:.1f}/s" if speed else "")

    with Progress(
        BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
