"""What is said of keys, for JSON and for people: the next one, how far its record has spread, when the one in service is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.when import clock, iso
from tlsa_manager.rollover import succession
from tlsa_manager.rollover.ahead import ahead
from tlsa_manager.rollover.state import Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Key, Lineage
    from tlsa_manager.rollover.ahead import Ahead
    from tlsa_manager.rollover.facts import Facts

_NOT_EVERYWHERE = "not every server is known to have its record"


def key_value(lineage: Lineage, facts: Facts, key: Key, now: float) -> dict[str, Any]:
    """Return a key, its records, and how far they have spread."""
    records = key.records(lineage.params)
    found = ahead(lineage, facts, records, now)
    return {
        "id": key.id,
        "type": key.type,
        "kind": key.kind,
        "spki": key.spki_sha256,
        "records": sorted(map(str, records)),
        "spread": str(found.spread),
        "published": iso(found.published_at),
        "usable": iso(found.usable_at or None),
        "ready": _ready(found, now),
    }


def next_value(lineage: Lineage, facts: Facts, now: float) -> dict[str, Any] | None:
    """Return the next key, and whether it is to be published ahead; None where there is none."""
    key = facts.standby
    return None if key is None else key_value(lineage, facts, key, now) | {"ahead": succession.keeps_next(lineage, facts)}


def service_value(lineage: Lineage, facts: Facts) -> dict[str, Any]:
    """Return since when the key in service serves, when it is due to be replaced, and whether renewals keep it."""
    due = succession.key_due_at(lineage, facts)
    return {"since": iso(facts.key_since), "due": iso(due or None), "at_renewal": due == 0.0, "reused": lineage.keys.reuse}


def next_lines(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """Say which key is next, and how far its record has spread."""
    key = facts.standby
    if key is None:
        if succession.keeps_next(lineage, facts) and facts.current:
            yield "next key: there is none yet; the next run makes one, and publishes its record"
        return
    if any(one.spki == key.spki_sha256 for one in (facts.generation(facts.next), facts.generation(facts.queued)) if one):
        yield f"next key: {key.id}, for which the certificate is that is on its way"
        return
    if not succession.keeps_next(lineage, facts):
        yield f"next key: {named(key)}, not published ahead"
        return
    yield f"next key: {named(key)}; {how_far(ahead(lineage, facts, key.records(lineage.params), now), now)}"


def service_line(lineage: Lineage, facts: Facts, now: float) -> str:
    """Say when the key in service is replaced, where that is not simply at each renewal."""
    due = succession.key_due_at(lineage, facts)
    if not facts.current or not (lineage.keys.reuse or lineage.keys.lifetime or facts.key_due):
        return ""
    since = f"serves since {clock(facts.key_since, now)}, " if facts.key_since else ""
    if due is None:
        return f"key: {since}and stays over renewals until you say otherwise"
    return f"key: {since}and is replaced at the next renewal" + ("" if due <= now else f" from {clock(due, now)} on")


def how_far(found: Ahead, now: float) -> str:
    """Say how far records have spread, and whether a certificate for their key needs a wait."""
    if _ready(found, now):
        since = f" since {clock(found.usable_at, now)}" if found.usable_at else ""
        return f"every cache knows its record{since}: a certificate for it needs no wait"
    if found.spread is Spread.HIDDEN and found.published_at is None:
        return "its record is not published yet"
    published = f"its record was published {clock(found.published_at, now)}" if found.published_at is not None else ""
    if found.usable_at is None:
        return f"{published}, but not every server is known to have it" if published else _NOT_EVERYWHERE
    known = f"every cache will know it from {clock(found.usable_at, now)} on" if found.usable_at else _NOT_EVERYWHERE
    return "; ".join(filter(None, (published, known)))


def named(key: Key) -> str:
    """A key as people tell it from others."""
    return f"{key.id} ({key.type or key.kind}) 3 1 1 {key.spki_sha256[:16]}..."


def _ready(found: Ahead, now: float) -> bool:
    return found.spread is Spread.OMNIPRESENT and found.usable_at is not None and found.usable_at <= now
