"""Remedies in the form of the zone file: which line to add, which to take out, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Params, Tlsa


_TOLD = 24  # records named one by one; a remedy is read by a person


def line(owner: str, ttl: int, record: Tlsa) -> str:
    """Return a record as it stands in a zone file: `_25._tcp.mx.example.org. 3600 IN TLSA 3 1 1 ab12...`."""
    return f"{owner} {ttl} IN TLSA {record}"


def right(spot: Spot, params: Params = DANE_EE_SPKI_SHA256) -> tuple[Tlsa, ...]:
    """Return the records that what is presented needs, each once."""
    return tuple(dict.fromkeys(chain.leaf.record(params) for chain in spot.chains))


def add(spot: Spot, records: Iterable[Tlsa] = ()) -> str:
    """Say which lines to publish: these records, or without any those that what is presented needs."""
    lines = [line(spot.target, spot.ttl, one) for one in records or right(spot) if one not in spot.records]
    return ("publish: " + "; and: ".join(lines)) if lines else ""


def remove(spot: Spot, *records: Tlsa) -> str:
    """Say which lines to take out."""
    more = f"; and {len(records) - _TOLD} records more" if len(records) > _TOLD else ""
    return "remove: " + "; and: ".join(line(spot.target, spot.ttl, one) for one in records[:_TOLD]) + more


def replace(spot: Spot, *wrong: Tlsa) -> str:
    """Say how to put the right records in the place of wrong ones, without a moment at which no record is right.

    Where a right record stands there already only the wrong ones are to go.
    """
    first = add(spot)
    if first:
        return f"{first} beside it; when every name server answers it, {remove(spot, *wrong)}"
    if spot.chains:
        return remove(spot, *wrong)
    return f"compute the right record with: tlsa-manager digest CERTIFICATE; publish it, then {remove(spot, *wrong)}"


def later(spot: Spot, records: Iterable[Tlsa]) -> str:
    """Say how to replace records that work: they go when no cache holds a set without the right ones any more."""
    first = add(spot) if spot.chains else "publish 3 1 1 records of the same keys"
    wait = f"; wait {2 * spot.ttl} seconds (two TTLs); then " if first else ""
    return f"{first}{wait}{remove(spot, *records)}"
