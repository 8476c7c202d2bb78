"""A certificate comes into the house: it is looked at, kept, journalled; one that came before is told what became of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import BadInput, Stale, StateError, Unsafe
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.renewal import found_origin
from tlsa_manager.verbs.doubts import Doubts, doubts, kind_lost
from tlsa_manager.verbs.taken import Taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.journal import Journal
    from tlsa_manager.keys import Pair
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.store import Store

SETTLED = 60.0  # seconds; a hook that lives has journalled by then what it put into the store
_STOLEN = "the key of this certificate was declared compromised: it never goes into service again, and was not kept"
_GIVEN_UP = "the key of this certificate was the next key and was given up: it never goes into service, and was not kept"


def keep(
    lineage: Lineage, pair: Pair, origin: str, journal: Journal, store: Store, *, insist: bool = False, accept: bool = False
) -> Taken:
    """Keep a certificate and journal it; one that was given up is taken up again where somebody insists, or nothing else is here.

    `insist`: the operator says so, nothing is doubted; but another kind of key has to be accepted by name (`accept`). Raises
    BadInput for a key that somebody else has or that was given up, Unsafe for another kind that nobody accepted, StateError:
    then nothing was kept.
    """
    facts = journal.facts(lineage.name)
    if pair.chain.leaf.spki_sha256 in stolen_keys(journal):
        raise BadInput(_STOLEN, f"have one issued for another key: tlsa-manager next-key {lineage.name} tells which")
    if pair.chain.leaf.spki_sha256 in facts.discarded:
        raise BadInput(_GIVEN_UP, f"have one issued for another key: tlsa-manager next-key {lineage.name} tells which")
    if insist and not accept:
        refuse_kind(lineage, facts, pair.chain.kind)
    found = Doubts() if insist else doubts(lineage, facts, pair, clock.now())
    generation = store.put(lineage.name, pair, origin)
    if generation.id in facts.generations:
        if event := _another_time(facts, generation, journal, found, insist=insist):
            journal.append(lineage.name, event, clock.now())
            return Taken(generation, "", "", known=False)
        fate = "" if _is_placed(facts, generation) else _fate(lineage.name, generation, journal, store)
        return Taken(generation, found.hold, found.remedy(lineage.name), known=True, fate=fate)
    staged = ev.Staged(generation, found.hold, found.remedy(lineage.name), found.accept)
    journal.append(lineage.name, staged, clock.now())
    return Taken(generation, found.hold, found.remedy(lineage.name), known=False)


def take_up(lineage: Lineage, journal: Journal, store: Store, told: Callable[[str], None]) -> None:
    """Take up a certificate that a hook put into the store and died before it could journal it.

    Only the newest, and only if it is newer than all we know of: what came before it is superseded already.
    """
    facts = journal.facts(lineage.name)
    known = max((one.id for one in facts.generations.values() if one.ours), default="")
    try:
        found = store.newest(lineage.name, after=known, before=clock.now() - SETTLED)
    except StateError as error:  # a store that cannot be read bars nothing that needs nothing of it
        told(f"{error.message}; {error.hint}")
        return
    if found is None or found[0].spki in stolen_keys(journal) | facts.discarded:
        return
    generation, pair = found
    doubt = doubts(lineage, facts, pair, clock.now())
    with suppress(Stale):  # somebody else knows of it by now
        origin = found_origin(lineage, facts, generation, by_itself=pair.signed_by_itself)
        staged = ev.Staged(replace(generation, origin=origin), doubt.hold, doubt.remedy(lineage.name), doubt.accept)
        journal.append(lineage.name, staged, clock.now(), after=journal.folded(lineage.name))
        told(f"generation {generation.id} was found in the store: whoever brought it died before saying so")


def stolen_keys(journal: Journal) -> frozenset[str]:
    """SHA-256 of the public halves of all keys that were declared compromised, whatever their lineage is called by now."""
    return frozenset(key for _, event in journal.of_kind(ev.Compromised) for key in event.keys)


def refuse_kind(lineage: Lineage, facts: Facts, kind: str) -> None:
    """Raise Unsafe where a key of this kind would shut senders out, and nobody has said that it may."""
    if lost := kind_lost(lineage, facts, kind):
        raise Unsafe(f"nothing was begun: {lost}", f"if only {kind} is intended, say it: the same words with --accept-key-type")


def _another_time(
    facts: Facts, generation: Generation, journal: Journal, found: Doubts, *, insist: bool
) -> ev.Released | ev.Promoted | None:
    """What happens to a generation that came before and comes once more. Raises Unsafe in the middle of a rollover."""
    if _is_placed(facts, generation):
        return ev.Released() if insist and facts.hold and facts.hold.generation == generation.id else None
    busy = bool(facts.deploying or facts.way_back or facts.previous)
    if insist and busy:
        message = f"{facts.lineage} is in the middle of a rollover that has not been finished"
        raise Unsafe(message, f"wait until it is over: tlsa-manager status {facts.lineage}; then say this once more")
    alone = not (busy or facts.current or facts.next or facts.queued)
    wanted = insist or (alone and not found.reasons and not _aborted_at(journal, facts.lineage, generation.id))
    return ev.Promoted(generation.id) if wanted else None


def _is_placed(facts: Facts, generation: Generation) -> bool:
    """Whether it is in service, was a moment ago, or is on its way there."""
    return generation.id in (facts.current, facts.next, facts.queued, facts.previous)


def _fate(lineage: str, generation: Generation, journal: Journal, store: Store) -> str:
    """What became of a generation that is not to go into service, and how it does all the same."""
    aborted, files = _aborted_at(journal, lineage, generation.id), store.path(lineage, generation.id)
    words = f"tlsa-manager rollover start {lineage} --certificate {files}/fullchain.pem --key {files}/privkey.pem"
    return (
        f"was given up at {_moment(aborted)}" if aborted else "others have taken its place"
    ) + f"; to use it after all: {words}"


def _aborted_at(journal: Journal, name: str, generation: str) -> float:
    """When a person gave it up, 0 if nobody did."""
    moments = (at for at, event in journal.of_kind(ev.Aborted, name) if event.generation == generation)
    return max(moments, default=0.0)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
