"""What a person says of a rollover that goes on: go on with it, give it up, go back. Each word is journalled, the next run obeys.

What is read and what is written belong together: a word is written only while nothing else has happened since it was judged;
otherwise it is judged anew.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from tlsa_manager import clock
from tlsa_manager.errors import Stale, Unsafe
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import gates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.journal import Journal
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts

Judged = TypeVar("Judged")


def judged(journal: Journal, name: str, judge: Callable[[Facts], tuple[ev.Event, Judged]]) -> Judged:
    """Write the event that is right for the facts as they are, and return what is said with it. Raises what `judge` raises."""
    while True:  # nobody writes all the time
        event, said = judge(journal.facts(name))
        with suppress(Stale):
            journal.append(name, event, clock.now(), after=journal.folded(name))
            return said


def release(journal: Journal, name: str, *, accept_key_type: bool = False) -> None:
    """Go on with what is held. Raises Unsafe when nothing is, or when another kind of key has to be accepted and is not."""

    def judge(facts: Facts) -> tuple[ev.Event, None]:
        if facts.hold is None and not facts.failures:
            hint = "give one: --certificate FILE --key FILE"
            raise Unsafe(f"nothing of {name} is held, and no new certificate is waiting", hint)
        if facts.hold is not None and facts.hold.accept and not accept_key_type:
            hint = f"if only {facts.hold.accept} is intended: tlsa-manager rollover start {name} --accept-key-type"
            raise Unsafe(f"{name} is held: {facts.hold.reason}", hint)
        return ev.Released(), None

    judged(journal, name, judge)


def abort(journal: Journal, name: str) -> None:
    """Give the next generation up; its records are withdrawn by the next run. Raises Unsafe when it is too late for that."""

    def judge(facts: Facts) -> tuple[ev.Event, None]:
        if facts.deploying or facts.previous or facts.way_back:
            hint = f"go back instead: tlsa-manager rollover back {name}"
            raise Unsafe(f"the new certificate of {name} is already in service", hint)
        if not facts.next:
            raise Unsafe(f"{name} has no rollover that could be given up", f"see: tlsa-manager status {name}")
        return ev.Aborted(facts.next), None

    judged(journal, name, judge)


def back(journal: Journal, lineage: Lineage) -> str:
    """Go back to the former certificate: at once while both are in DNS, else as a new rollover. Returns a sentence."""

    def judge(facts: Facts) -> tuple[ev.Event, str]:
        if facts.is_compromised(facts.generation(facts.previous)):
            raise _stolen(lineage.name)
        return _at_once(lineage, facts) if facts.previous and not facts.retiring else _anew(journal, lineage.name, facts)

    return judged(journal, lineage.name, judge)


def _at_once(lineage: Lineage, facts: Facts) -> tuple[ev.Event, str]:
    blockers = gates.back(lineage, facts, clock.now())
    if blockers:
        hint = f"wait until it has run out: tlsa-manager status {lineage.name}"
        raise Unsafe(f"senders would refuse the former certificate now: {blockers[0].reason}", hint)
    event = ev.RollingBack(facts.previous, "the operator asked for it")
    return event, "the former certificate is put back at once: both records are still published"


def _anew(journal: Journal, name: str, facts: Facts) -> tuple[ev.Event, str]:
    if facts.deploying or facts.way_back or facts.next or facts.previous:
        raise Unsafe(f"{name} is in the middle of a rollover that has not been finished", f"see: tlsa-manager status {name}")
    former = [event.generation for _, event in journal.of_kind(ev.Finished, name)]
    if not former:
        raise Unsafe(f"{name} has no former certificate to go back to", f"see: tlsa-manager history {name}")
    if facts.is_compromised(facts.generation(former[-1])):
        raise _stolen(name)
    said = "the former certificate's record is gone from DNS, so it is rolled over to like a new one: publish, wait, swap"
    return ev.Promoted(former[-1]), said


def _stolen(name: str) -> Unsafe:
    """Say why there is no way back to a key that somebody else has."""
    message = f"the former key of {name} was declared compromised: whoever has it could read and forge mail"
    return Unsafe(message, f"it never goes into service again; for another key: tlsa-manager rollover start {name} --new-key")
