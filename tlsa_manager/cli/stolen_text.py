"""A stolen key in words: where it stands after the emergency, as long as that is of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.cli.when import clock, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.stolen.aftermath import Aftermath, Stolen


def stolen_value(after: Aftermath) -> list[dict[str, Any]]:
    """Return each stolen key that still matters, moments as ISO 8601."""
    return [
        {
            "key": one.key,
            "declared": iso(one.declared),
            "out_of_service": iso(one.ended),
            "published_at": list(one.places),
            "foreign": [f"{target} {record}" for target, record in one.foreign],
            "cached_until": iso(one.cached_until),
            "besides": list(one.besides),
        }
        for one in after.stolen
    ]


def stolen_lines(name: str, after: Aftermath, now: float) -> Iterator[str]:
    """Say it to people. `name`: of the lineage."""
    if after.everywhere is not None and after.deferred_until is not None:
        conforming, stretched = after.deferred_until
        yield (
            f"every name server has the new record since {clock(after.everywhere, now)}: senders that hold the old ones defer"
            f" their mail until {clock(max(conforming, after.everywhere), now)}, behind resolvers that raise small TTLs until"
            f" {clock(stretched, now)}, and until their next try"
        )
    for one in after.stolen:
        yield f"the stolen key {one.key[:16]}... {_service(one, now)}; {_record(one, now)}"
        for target, record in one.foreign:
            yield f'  it is not this tool\'s to remove at {target}: tlsa-manager records {name} --adopt-foreign "{record}"'
        yield from (f"  do not forget: {text}" for text in one.besides)


def _service(one: Stolen, now: float) -> str:
    if one.ended is None:
        return f"is still in service (declared {clock(one.declared, now)})"
    return f"is out of service since {clock(one.ended, now)}"


def _record(one: Stolen, now: float) -> str:
    if one.places:
        return f"its record still stands at {', '.join(one.places)}"
    if one.cached_until is None:
        return "its record was not seen in the latest look"
    if one.cached_until <= now:
        return "its record is gone, and no cache has it any more"
    return f"its record is gone from every name server; caches may have it until {clock(one.cached_until, now)}"
