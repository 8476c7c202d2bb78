"""Which key comes after the one in service, and when. The next key is ours: no failed order can burn it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.policy import DEFAULT_KEY_TYPE, KEY_TYPES

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.tlsa import RRset

SELF_SIGNED = "self-signed"  # the issuer that is no authority
MAKESHIFT = "new key"  # the origin of a certificate that was signed by its own key because it could not wait for an authority


def keeps_next(lineage: Lineage, facts: Facts) -> bool:
    """Whether a next key stands ready beside the current one: as configured, else where keys are taken from us."""
    if lineage.leaving:
        return False
    wish = lineage.keys.next_key
    return wish if wish is not None else bool(lineage.issuer) or facts.handed_out


def prepublished(lineage: Lineage, facts: Facts) -> RRset:
    """The records of the next key that shall stand beside those of the current one.

    A record that is on its way out waits until it is gone: servers may still show it from before, and then lose it.
    """
    if facts.standby is None or not facts.current or not keeps_next(lineage, facts):
        return frozenset()
    leaving = frozenset[object]().union(*facts.leaving.values())
    return facts.standby.records(lineage.params) - leaving


def key_due_at(lineage: Lineage, facts: Facts) -> float | None:
    """When the key in service is due to be replaced, seconds since 1970; 0 = at the next renewal, None = when told to."""
    if facts.key_due or facts.generation(facts.current) is None:
        return 0.0
    if lineage.keys.lifetime:
        return (facts.key_since or 0.0) + lineage.keys.lifetime
    return None if lineage.keys.reuse else 0.0


def renews_key(lineage: Lineage, facts: Facts, now: float) -> bool:
    """Whether a certificate that is asked for now is for another key than the one in service."""
    if is_makeshift(lineage, facts):
        return False
    due = key_due_at(lineage, facts)
    return due is not None and due <= now


def is_makeshift(lineage: Lineage, facts: Facts) -> bool:
    """Whether the certificate in service only holds the place, with its key, of one that an authority is still to make."""
    current = facts.generation(facts.current)
    return bool(lineage.issuer) and lineage.issuer != SELF_SIGNED and current is not None and current.origin == MAKESHIFT


def key_type(lineage: Lineage, facts: Facts) -> str:
    """The type of the next key that is made: as configured, else as the one in service (a change of kind is a decision)."""
    current = facts.generation(facts.current)
    if known := lineage.keys.type or (current.type if current else ""):
        return known
    kind = current.chain.kind if current else ""
    if kind == KEY_TYPES[DEFAULT_KEY_TYPE]:
        return DEFAULT_KEY_TYPE
    return next((name for name, one in KEY_TYPES.items() if one == kind), DEFAULT_KEY_TYPE)


def is_of_former_type(lineage: Lineage, facts: Facts) -> bool:
    """Whether the next key is not of the type that is configured now, and nobody has been asked for a certificate for it."""
    key, wish = facts.standby, lineage.keys.type
    if key is None or not wish or not key.type or key.type == wish:
        return False
    coming = (facts.generation(facts.next), facts.generation(facts.queued))
    ordered = facts.order is not None and facts.order.key == key.id
    return not ordered and all(one is None or one.spki != key.spki_sha256 for one in coming)
