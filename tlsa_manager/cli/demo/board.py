"""The demo on a terminal: the steps, who has which record, and the sender's mails, drawn anew ten times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tlsa_manager.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from tlsa_manager.demo.story import Part, Step, Story

_COLOURS = {"A": "cyan", "B": "green", "C": "magenta"}
_STRIP = 60  # mails: six seconds
_SPINNER = "◐◓◑◒"


class Board:
    """Draws the part that plays; the one that is over stays above."""

    def __init__(self, story: Story) -> None:
        self._story, self._part = story, story.part
        self._console = Console(highlight=False)
        self._live = self._new()

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._console.print()
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture, and the terminal as it was."""
        self._live.stop()

    def look(self, story: Story) -> None:
        """Turn to the part that plays now."""
        if story.part is not self._part:
            self._live.stop()  # it draws once more: a part that is over is drawn without what is only of the moment
            self._console.print()
            self._part, self._live = story.part, self._new()
            self._live.start(refresh=True)

    def _new(self) -> Live:
        return Live(console=self._console, get_renderable=self._draw, refresh_per_second=10)

    def _draw(self) -> RenderableType:
        part = self._part
        rows = [*_steps(part), Text()]
        if part is self._story.part and self._story.world is not None:
            rows += [_holdings(self._story), Text()]
        return Group(*rows, _strip(part), _counts(part))


def _steps(part: Part) -> Iterator[RenderableType]:
    title = Text.assemble((f"A renewal {part.title}", "bold"))
    if part.began:
        title.append(f"   {part.seconds:.1f} s", "dim")
    yield title
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(width=8)
    table.add_column(ratio=1)
    table.add_column(justify="right", min_width=8)
    for number, step in enumerate(part.steps):
        table.add_row(*_step(part, step, under_way=number == part.at and bool(part.began)))
    yield table


def _step(part: Part, step: Step, *, under_way: bool) -> tuple[RenderableType, ...]:
    if step.done is not None:
        return Text("✔", "green"), Text(step.title), Text(step.text, "dim"), Text(f"{step.done:.1f} s", "dim")
    if not under_way:
        return Text("·", "dim"), Text(step.title, "dim"), Text(step.text, "dim"), Text()
    why, until = part.waits
    text = Text(step.text, "bold")
    if why:
        text.append(f"\n{_short(why)}", "not bold yellow")
    left = max(0.0, until - now()) if until is not None else None
    sign = _SPINNER[int(part.seconds * 4) % len(_SPINNER)]
    return Text(sign, "yellow"), Text(step.title, "bold yellow"), text, Text(f"in {left:.1f} s" if left else "", "yellow")


def _short(why: str) -> str:
    """Leave the digits of digests out: a line has to do."""
    words = [word if len(word) < 60 else word[:8] + "…" for word in why.split()]
    return " ".join(words)


def _holdings(story: Story) -> RenderableType:
    used = sorted({letter for letter in story.letters.values() if letter < "C" or story.part is story.naive})
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=24)
    for _ in used:
        table.add_column(width=3)
    table.add_column()
    heads = [Text(f" {letter}", f"bold {_COLOURS[letter]}") for letter in used]
    table.add_row(Text("  who has what now", "bold"), *heads, Text("A, B...: keys and their records", "dim"))
    for one in story.holdings():
        marks = [Text(" ●", _COLOURS[letter]) if letter in one.letters else Text(" ○", "dim") for letter in used]
        table.add_row(Text(f"  {one.who}"), *marks, Text(one.note, "dim"))
    return table


def _strip(part: Part) -> Text:
    """One mark a mail, the latest on the right."""
    strip = Text("  ")
    for delivered in part.tally.history[-_STRIP:]:
        strip.append("▪" if delivered else "✗", "green" if delivered else "bold red")
    return strip


def _counts(part: Part) -> Text:
    tally = part.tally
    counts = Text.assemble("  a DANE sender tried ", (str(tally.attempts), "bold"), " mails, ")
    counts.append(f"{tally.failures} refused", "bold red" if tally.failures else "bold green")
    if tally.failures:
        counts.append(f": {tally.reason}", "red")
    return counts
