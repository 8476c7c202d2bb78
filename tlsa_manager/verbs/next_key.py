"""The next key at home: made once, kept before it is journalled, and journalled before anybody is given it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import Stale, StateError, Unsafe
from tlsa_manager.lineage import Key
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import succession
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.journal import Journal
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.store import Store


@dataclass(frozen=True, slots=True)
class Handed:
    """What a client was given: the id of the key (or of the generation that has it), the key, PEM, and what else was done."""

    id: str
    pem: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


def next_key(lineage: Lineage, journal: Journal, store: Store) -> Key:
    """Return the next key; where there is none yet it is made, kept and journalled. Raises StateError.

    Of several that ask at once each makes one, only the first is journalled, and all are given that. What the others and a
    crash leave behind is a key in the store that nobody has ever seen.
    """
    facts, made = journal.facts(lineage.name), None
    while facts.standby is None:
        from tlsa_manager.keys import generate

        made = made or store.put_key(lineage.name, generate(succession.key_type(lineage, facts)))
        with suppress(Stale):  # something was journalled meanwhile: perhaps the key of another
            journal.append(lineage.name, ev.Prepared(made), clock.now(), after=journal.folded(lineage.name))
        facts = journal.facts(lineage.name)
    return facts.standby


def replaced(lineage: Lineage, journal: Journal, store: Store, reason: str) -> Key:
    """Never use the next key: another takes its place, and its record goes. Raises Unsafe while a certificate is for it."""
    facts = journal.facts(lineage.name)
    waiting = [facts.generation(one) for one in (facts.next, facts.queued)]
    if facts.standby and any(one.spki == facts.standby.spki_sha256 for one in waiting if one):
        hint = f"give that up first: tlsa-manager rollover abort {lineage.name}"
        raise Unsafe(f"a certificate for the next key of {lineage.name} is on its way into service", hint)
    if facts.standby:
        journal.append(lineage.name, ev.Discarded(facts.standby.id, reason), clock.now())
    return next_key(lineage, journal, store)


def next_kind(lineage: Lineage, facts: Facts) -> str:
    """Return the kind of the next key, also of one that is still to be made."""
    return facts.standby.kind if facts.standby else KEY_TYPES[succession.key_type(lineage, facts)]


def key_for_renewal(lineage: Lineage, journal: Journal, store: Store) -> tuple[str, bytes]:
    """Return the key that a certificate asked for now is for: its id (or its generation's) and itself, PEM. Raises StateError.

    While keys are reused and none is due it is the key in service; if that is not here, because the certificate was only seen
    on the wire, and else always, it is the next key.
    """
    facts = journal.facts(lineage.name)
    current = facts.generation(facts.current)
    if current is not None and not succession.renews_key(lineage, facts, clock.now()):
        kept = store.key_of(lineage.name, current.spki)
        if kept is not None:
            return current.id, kept
        if current.ours:
            message = f"the key in service of {lineage.name} is not in the store any more, and its renewals are to keep it"
            raise StateError(message, "restore the store from a backup; or set reuse-key = false: then the next key is taken")
    key = next_key(lineage, journal, store)
    return key.id, store.key(lineage.name, key.id)


def key_at_renewal(lineage: Lineage, facts: Facts, now: float) -> Key | None:
    """Say which key a certificate asked for now would be for, as far as there is one already. `now`: seconds since 1970."""
    current = facts.generation(facts.current)
    if current is None or not current.ours or succession.renews_key(lineage, facts, now):
        return facts.standby
    leaf = current.chain.leaf
    return Key(current.id, leaf.spki_sha256, leaf.spki_sha512, current.chain.kind)


def handed_out(journal: Journal, lineage: str) -> frozenset[str]:
    """Return which keys clients were given, by id."""
    return frozenset(one.event.key for one in journal.entries(lineage) if isinstance(one.event, ev.HandedOut))
