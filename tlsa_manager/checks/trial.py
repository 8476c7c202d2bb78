"""What senders would do with another set of records at an owner: asked before anybody is told to take one out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.sender.agility import agile, usable
from tlsa_manager.sender.delivery import Delivery, worst
from tlsa_manager.sender.weigh import weigh

if TYPE_CHECKING:
    from tlsa_manager.chain import Chain
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.tlsa import RRset


def outcome(spot: Spot, records: RRset) -> Delivery:
    """Return what senders would do, were these the signed records of the owner, with all that is presented there."""
    if not records:
        return Delivery.OPPORTUNISTIC
    counting = usable(records, smtp=spot.smtp)
    if not counting:
        return Delivery.ENCRYPT
    if not spot.met:
        return Delivery.UNKNOWN
    return Delivery.AUTH if all(fits(spot, agile(counting), *met, beside=records) for met in spot.met) else Delivery.DEFER


def harms(spot: Spot, before: RRset, after: RRset) -> bool:
    """Whether some sender would fare worse with the second set than with the first; without any record all would."""
    now, then = outcome(spot, before), outcome(spot, after)
    return bool(before and not after) or worst((now, then)) is not now


def lacking(spot: Spot) -> tuple[Chain, ...]:
    """Return the chains presented that no record matches, or none of the strongest digests: what is to be published for."""
    records = agile(spot.usable())
    return tuple(dict.fromkeys(met[1].chain for met in spot.met if met[1].chain and not fits(spot, records, *met)))


def split_by_agility(spot: Spot) -> tuple[tuple[Stop, Presentation], ...]:
    """Return what is presented to senders that a record matches, but none of the strongest digests (RFC 7671 §9)."""
    records = spot.usable()
    return tuple(met for met in spot.met if fits(spot, records, *met) and not fits(spot, agile(records), *met))


def fits(spot: Spot, records: RRset, stop: Stop, seen: Presentation, *, beside: RRset | None = None) -> bool:
    """Whether one of these records matches what was presented. `beside`: the whole set they stand in, if not what is there."""
    matches = weigh(spot.binding if beside is None else beside, seen, stop, spot.now)
    return any(matches[one].matches for one in records)
