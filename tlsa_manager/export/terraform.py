"""Locals for Terraform and OpenTofu in their JSON syntax (https://developer.hashicorp.com/terraform/language/syntax/json).

No resource of any provider: those are a few lines around `for_each = local.tlsa_records` (docs/backends/git.md).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tlsa_manager.export import HEAD, plain
from tlsa_manager.tlsa import DIGEST_BYTES

if TYPE_CHECKING:
    from tlsa_manager.export import RecordSet
    from tlsa_manager.tlsa import Tlsa


def render(sets: tuple[RecordSet, ...]) -> str:
    """Return the content of a file `*.tf.json`. Raises BadInput where a zone is not known."""
    safe = (plain(one, "Terraform") for one in sets if one.records)
    values = {one.name: _value(one) for one in safe}
    return json.dumps({"//": HEAD, "locals": {"tlsa_records": values}}, indent=2) + "\n"


def _value(one: RecordSet) -> dict[str, Any]:
    """Return everything a provider may want: the whole set as texts, and record by record in parts."""
    return {
        "name": one.label or "@",
        "zone": one.zone.rstrip("."),
        "fqdn": one.name,
        "ttl": one.ttl,
        "rrset": [str(record) for record in sorted(one.records)],
        "records": {
            _key(record): {
                "usage": record.usage,
                "selector": record.selector,
                "matching_type": record.matching,
                "certificate": record.data,
            }
            for record in sorted(one.records)
        },
        "owners": sorted(one.owners),
    }


def _key(record: Tlsa) -> str:
    """A short name for a record: whole certificates and keys begin alike, so that of them a digest is taken."""
    data = record.data if record.matching in DIGEST_BYTES else hashlib.sha256(bytes.fromhex(record.data)).hexdigest()
    return f"{record.params} {data[:32]}"
