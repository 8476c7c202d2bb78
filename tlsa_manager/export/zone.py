"""Lines of a zone file (RFC 1035 §5.1, RFC 6698 §2.2), with absolute names: for `$INCLUDE`, or to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.export import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.export import RecordSet


def render(sets: tuple[RecordSet, ...]) -> str:
    """Return the lines. Names are in presentation form already, and so mean here what they mean there."""
    return "".join(f"{line}\n" for line in (f"; {HEAD}", *(line for one in sets for line in _lines(one))))


def _lines(one: RecordSet) -> Iterator[str]:
    yield from (f"; {alias} is an alias for it" for alias in one.aliases)
    yield from (f"{one.name} {one.ttl} IN TLSA {record}" for record in sorted(one.records))
