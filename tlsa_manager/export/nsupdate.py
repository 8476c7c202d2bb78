"""A script for nsupdate(1). It adds what is ours and removes what was asked for, record by record: what others published stays.

Name by name a message of its own. An alias at the name makes the server refuse it, which would otherwise ignore the records
without a word (RFC 2136 §3.4.2.2). Applied twice it changes nothing the second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.export import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.export import RecordSet


def render(sets: tuple[RecordSet, ...]) -> str:
    """Return the script."""
    return "".join(f"{line}\n" for line in (f"; {HEAD}", *(line for one in sets for line in _message(one))))


def _message(one: RecordSet) -> Iterator[str]:
    """What was seen of others is not added: whoever removes it meanwhile means it."""
    if not one.own and not one.gone:
        return
    yield from (f"; {alias} is an alias for {one.name}" for alias in one.aliases)
    if one.zone:
        yield f"zone {one.zone}"
    yield f"prereq nxrrset {one.name} CNAME"
    yield from (f"update add {one.name} {one.ttl} TLSA {record}" for record in sorted(one.own))
    yield from (f"update delete {one.name} TLSA {record}" for record in sorted(one.gone))
    yield "send"
