"""Remedies in the form of the zone file: which line to add, which to take out, and when.

Whatever says `remove:` comes from here, and was tried as a sender before: nobody is told to take out a record that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.trial import harms, outcome
from tlsa_manager.sender.agility import usable
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.chain import Chain
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Params, Tlsa


_TOLD = 24  # records named one by one; a remedy is read by a person


def line(owner: str, ttl: int, record: Tlsa) -> str:
    """Return a record as it stands in a zone file: `_25._tcp.mx.example.org. 3600 IN TLSA 3 1 1 ab12...`."""
    return f"{owner} {ttl} IN TLSA {record}"


def right(spot: Spot, params: Params = DANE_EE_SPKI_SHA256, *, without: Iterable[Tlsa] = ()) -> tuple[Tlsa, ...]:
    """Return the records that what is presented needs, each once: with this label, and with every digest used beside it.

    Where SHA-512 is published senders go by that alone (RFC 7671 §9). `without`: records that will be gone by then.
    """
    there = {one.params for one in usable(spot.binding - frozenset(without), smtp=spot.smtp)}
    beside = {one for one in there if (one.usage, one.selector) == (params.usage, params.selector) and one.matching}
    return records_of(spot.chains, [params, *sorted(beside - {params})])


def fitting(spot: Spot, chains: Iterable[Chain]) -> tuple[Tlsa, ...]:
    """Return the records of some chains with every label for leaves that is in use here; without any `right` ones."""
    labels = sorted({one.params for one in spot.usable() if one.usage == 3 and one.matching})
    return records_of(chains, labels or [DANE_EE_SPKI_SHA256])


def records_of(chains: Iterable[Chain], labels: Iterable[Params]) -> tuple[Tlsa, ...]:
    """Return the records of leaves, with each label."""
    wanted = tuple(labels)
    return tuple(dict.fromkeys(chain.leaf.record(params) for chain in chains for params in wanted))


def add(spot: Spot, records: Iterable[Tlsa]) -> str:
    """Say which of these lines to publish; empty where all are there."""
    lines = [line(spot.target, spot.ttl, one) for one in records if one not in spot.binding]
    return ("publish: " + "; and: ".join(lines)) if lines else ""


def remove(spot: Spot, *records: Tlsa, new: Iterable[Tlsa] = ()) -> str:
    """Say which lines to take out; empty where a sender would fare worse for it. `new`: what is published before."""
    told, before = records[:_TOLD], spot.binding | frozenset(new)
    if not told or any(harms(spot, before, before - frozenset(gone)) for gone in (records, told)):
        return ""
    more = f"; and {len(records) - _TOLD} records more" if len(records) > _TOLD else ""
    return "remove: " + "; and: ".join(line(spot.target, spot.ttl, one) for one in told) + more


def replace(spot: Spot, *wrong: Tlsa) -> str:
    """Say how to put the right records in the place of wrong ones, without a moment at which no record is right.

    Where a right record stands there already only the wrong ones are to go.
    """
    if not spot.chains:
        lines = "; and: ".join(line(spot.target, spot.ttl, one) for one in wrong[:_TOLD])
        return f"compute the right record with: tlsa-manager digest CERTIFICATE; publish it, then remove: {lines}"
    if outcome(spot, spot.binding - frozenset(wrong)) is Delivery.AUTH:
        return remove(spot, *wrong)
    return _then(add(spot, right(spot)), " beside it; when every name server answers it, ", remove(spot, *wrong, new=right(spot)))


def later(spot: Spot, records: Iterable[Tlsa]) -> str:
    """Say how to replace records that work: they go when no cache holds a set without the right ones any more."""
    gone = tuple(records)
    new = right(spot, without=gone)
    first = add(spot, new) if spot.chains else "publish 3 1 1 records of the same keys"
    gone = tuple(one for one in gone if one not in new)
    return _then(first, f"; wait {2 * spot.ttl} seconds (two TTLs); then ", remove(spot, *gone, new=new))


def clear(spot: Spot, *records: Tlsa) -> str:
    """Say which lines to take out, and what has to be published before if they are needed until now."""
    return remove(spot, *records) or later(spot, records)


def _then(first: str, link: str, second: str) -> str:
    return f"{first}{link}{second}" if first and second else first or second
