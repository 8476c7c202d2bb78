"""What remains to be said when the demo is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.voice import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.cli.voice import Line
    from tlsa_manager.demo.story import Part, Story


def lines(story: Story) -> Iterator[Line]:
    """Say the figures of both parts side by side, and what they mean."""
    parts = (story.with_tool, story.naive)
    rows = [
        ("mails tried", *(str(part.tally.attempts) for part in parts)),
        ("refused", *(str(part.tally.failures) for part in parts)),
        ("mail stood still", *(_outage(part) for part in parts)),
    ]
    head, *body = table(("", "with tlsa-manager", "naively"), rows).splitlines()
    yield " ", ""
    yield head, "bold"
    yield body[0], ""
    yield body[1], "bold"
    yield body[2], ""
    yield " ", ""
    yield from _meaning(story)


def _meaning(story: Story) -> Iterator[Line]:
    ours = story.with_tool.tally
    if ours.failures:
        yield f"{ours.failures} mails were refused with tlsa-manager, which must not happen: {ours.reason}", "bold red"
        return
    if not story.naive.tally.failures:
        yield "The careless renewal did no harm this time: the sender asked DNS in a lucky moment. Try again.", "yellow"
        return
    yield "Not one mail was refused with tlsa-manager.", "green"
    yield "Naively, the sender refused the server while DNS still had the old record:", "red"
    yield "seconds here, with a TTL of 2 s; an hour and more, at every renewal, with 1 h.", ""
    yield " ", ""
    yield f"That took {story.seconds:.0f} s, and all of it went through the code that does it in earnest.", ""
    yield "To begin: tlsa-manager config init", "bold"


def _outage(part: Part) -> str:
    return f"{part.tally.outage:.1f} s" if part.tally.failures else "never"
