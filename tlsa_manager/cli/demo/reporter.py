"""The demo for a file or a pipe: a line whenever something has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.demo.story import Part, Story

_MAILS_EVERY = 5.0  # seconds


class Reporter:
    """Says what is new since the last look."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._said: set[tuple[str, str]] = set()
        self._mails_at = 0.0

    def look(self, story: Story) -> None:
        """Say what is new."""
        part = story.part
        if not part.began:
            return
        if self._news(part, ""):
            self._mails_at = 0.0
            self._voice.say(f"\nA renewal {part.title}")
        for step in part.steps:
            if step.done is not None and self._news(part, step.title):
                self._tell(step.done, f"{step.title}: {step.text}")
        if part.waits[0] and self._news(part, part.waits[0]):
            self._tell(part.seconds, f"  waits: {part.waits[0]}")
        if part.seconds > self._mails_at + _MAILS_EVERY:
            self._mails_at = part.seconds
            self._tell(part.seconds, f"  mails tried {part.tally.attempts}, refused {part.tally.failures}")

    def _news(self, part: Part, text: str) -> bool:
        new = (part.title, text) not in self._said
        self._said.add((part.title, text))
        return new

    def _tell(self, seconds: float, text: str) -> None:
        self._voice.say(f"{seconds:5.1f} s  {text}")
