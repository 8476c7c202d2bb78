"""What providers have in common that keep single records, each with a TTL of its own: the RRset as it is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.publish.hosted import Kind, Record, Standing, value_of
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Single:
    """One record of a zone. `name`: absolute; `content`: as the provider spells it; `ttl`: seconds; `raw`: for its file alone."""

    name: str
    type: str
    content: str
    ttl: int
    raw: Any


def standing_of(records: Iterable[Single], name: str, kind: Kind) -> Standing:
    """Return the RRset at a name, and where it leads if it is an alias. Records of other names may be among them.

    Its TTL is the longest, because a cache may hold the set for as long (RFC 2181 §5.2). Raises BadInput.
    """
    here = [one for one in records if one.name.lower() == name]
    found = [one for one in here if one.type == kind]
    alias = next((one.content for one in here if one.type == "CNAME"), "")
    held = tuple(Record(value_of(kind, one.content), one.raw) for one in found)
    return Standing(held, max((one.ttl for one in found), default=0), alias)


def absolute(label: str, zone: str) -> str:
    """Return the name that a provider writes relative to its zone; `@` and nothing mean the zone itself."""
    return zone if label in {"", "@"} else f"{label}.{zone}"
