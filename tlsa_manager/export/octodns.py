"""A zone of octoDNS' YamlProvider (https://github.com/octodns/octodns, docs/records.md): one file a zone, names without it.

Every text is written as JSON would, which YAML 1.2 reads the same: no name can mean `true`, or a number.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.export import HEAD, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.export import RecordSet
    from tlsa_manager.tlsa import Tlsa


def render(sets: tuple[RecordSet, ...]) -> str:
    """Return the file of the one zone in which all the names lie. Raises BadInput where they are several."""
    zones = sorted({plain(one, "octoDNS").zone for one in sets})
    if len(zones) > 1:
        ways = ", ".join(f"--zone {zone}" for zone in zones)
        raise BadInput("octoDNS has a file for each zone, and these names lie in several", f"export one at a time: {ways}")
    shown = [(one.label, one) for one in sets if one.records]
    lines = (line for label, one in sorted(shown, key=lambda pair: _natural(pair[0])) for line in _record(label, one))
    return "".join(f"{line}\n" for line in ("---", f"# {HEAD}", *(lines if shown else ("{}",))))


def _natural(label: str) -> list[str | int]:
    """The order that octoDNS demands of a file (natsort's): numbers inside a name by their value."""
    return [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", label)]


def _record(label: str, one: RecordSet) -> Iterator[str]:
    yield from (f"# {alias} is an alias for {one.name}" for alias in one.aliases)
    yield f"{json.dumps(label)}:"
    yield f"  ttl: {one.ttl}"
    yield "  type: TLSA"
    yield "  values:"
    for record in sorted(one.records):
        yield from _value(record)


def _value(record: Tlsa) -> Iterator[str]:
    yield f"  - certificate_association_data: {json.dumps(record.data)}"
    yield f"    certificate_usage: {record.usage}"
    yield f"    matching_type: {record.matching}"
    yield f"    selector: {record.selector}"
