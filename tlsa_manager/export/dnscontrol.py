"""D_EXTEND of DNSControl (https://docs.dnscontrol.org/language-reference/domain-modifiers/tlsa): for `require("./tlsa.js")`."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from tlsa_manager.export import HEAD, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.export import RecordSet


def render(sets: tuple[RecordSet, ...]) -> str:
    """Return the statements, one a zone. Texts are JSON's, which are texts of JavaScript."""
    safe = [plain(one, "DNSControl") for one in sets if one.records]
    zones = groupby(safe, key=lambda one: one.zone)
    return "".join(f"{line}\n" for line in (f"// {HEAD}", *(line for zone, group in zones for line in _domain(zone, group))))


def _domain(zone: str, sets: Iterator[RecordSet]) -> Iterator[str]:
    records = [line for one in sets for line in _records(one)]
    yield f"D_EXTEND({json.dumps(zone.rstrip('.'))},"
    last = max(number for number, line in enumerate(records) if not line.lstrip().startswith("//"))
    yield from (line.removesuffix(",") if number == last else line for number, line in enumerate(records))
    yield ");"


def _records(one: RecordSet) -> Iterator[str]:
    yield from (f"  // {alias} is an alias for {one.name}" for alias in one.aliases)
    for record in sorted(one.records):
        label, data = json.dumps(one.label or "@"), json.dumps(record.data)
        yield f"  TLSA({label}, {record.usage}, {record.selector}, {record.matching}, {data}, TTL({one.ttl})),"
