"""What there is to tell of a demo while it plays: two parts, their steps, and who has which record at this moment."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.demo.sender import Tally
from tlsa_manager.rollover import events as ev
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.demo.world import World
    from tlsa_manager.journal import Entry
    from tlsa_manager.tlsa import RRset, Tlsa


@dataclass(slots=True)
class Step:
    """One step of a part. `done`: when, in seconds since the part began; None: not yet."""

    title: str
    text: str
    done: float | None = None


@dataclass(slots=True)
class Part:
    """One way to renew. `began`, `ended`: seconds since 1970, 0 = not yet.

    `waits`: what for, and until when (seconds since 1970; None: it is not only a matter of time).
    """

    title: str
    steps: tuple[Step, ...]
    tally: Tally = field(default_factory=Tally)
    began: float = 0.0
    ended: float = 0.0
    waits: tuple[str, float | None] = ("", None)

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return (self.ended or clock.now()) - self.began if self.began else 0.0

    @property
    def at(self) -> int:
        """The number of the step that is under way; the number of steps when all are done."""
        return next((number for number, step in enumerate(self.steps) if step.done is None), len(self.steps))


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has the records, or the key, of which letters; and what happens to that next."""

    who: str
    letters: str
    note: str = ""


@dataclass(slots=True)
class Story:
    """The whole. `part`: which of the parts is playing. `letters`: names of the keys, by digest."""

    with_tool: Part
    naive: Part
    part: Part
    letters: dict[str, str] = field(default_factory=dict)
    world: World | None = None
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether it showed what it has to show."""
        return self.with_tool.tally.failures == 0 and self.naive.tally.failures > 0

    def holdings(self) -> list[Holding]:
        """Look who has what at this moment."""
        if self.world is None:
            return []
        second, arrives = self.world.at_secondary()
        cached = self.world.in_cache()
        return [
            Holding("ns1, the primary", self._named(self.world.at_primary())),
            Holding("ns2, a secondary", self._named(second), f"copies ns1 in {arrives:.1f} s" if arrives is not None else ""),
            Holding(
                "the sender's DNS cache", self._named(cached[0]) if cached else "",
                f"kept for {cached[1]:.1f} s more" if cached else "empty",
            ),
            Holding("the mail server", self.letters.get(self.world.mail.digest, "?"), "presents this key"),
        ]  # fmt: skip

    def _named(self, records: Iterable[Tlsa]) -> str:
        return "".join(sorted(self.letters.get(one.data, "?") for one in records))


def new_story() -> Story:
    """Return the story before it begins."""
    with_tool = Part(
        "with tlsa-manager",
        (
            Step("publish", "certbot's hook brings certificate B; its record joins A's"),
            Step("spread", "every name server answers with both records, signed"),
            Step("wait", "no cache anywhere can still hold the set without B"),
            Step("swap", "the mail server gets certificate B; proven on the wire"),
            Step("soak", "both records stay a while: the way back to A is open"),
            Step("retire", "A's record is withdrawn; the rollover is over"),
        ),
    )
    naive = Part(
        "naively",
        (
            Step("swap", "the hook gives the mail server certificate C at once"),
            Step("replace", "then it replaces B's record by C's in DNS"),
            Step("hope", "caches and ns2 still say B: senders refuse until all say C"),
        ),
    )
    return Story(with_tool, naive, with_tool)


def follow(part: Part, entries: Iterable[Entry], new: RRset) -> None:
    """Take from the journal which steps of the rollover are done. `new`: the records of the certificate that comes."""
    done: dict[str, float] = {}
    for entry in entries:
        title = _step(entry.event, new)
        if title and entry.at >= part.began - 1:
            done.setdefault(title, max(0.0, entry.at - part.began))
    for step in part.steps:
        step.done = done.get(step.title)


def _step(event: ev.Event, new: RRset) -> str:
    """Return which step is done with an event."""
    match event:
        case ev.Published(add=add) if new <= set(add):
            return "publish"
        case ev.Seen(sets=sets, complete=True) if all(new <= set(one.records) for one in sets):
            return "spread"
        case ev.Deploying():
            return "wait"
        case ev.Confirmed():
            return "swap"
        case ev.Retiring():
            return "soak"
        case ev.Finished():
            return "retire"
        case _:
            return ""
