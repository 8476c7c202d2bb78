"""How records are told: short in messages, whole in the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.mending import right

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Tlsa


def brief(record: Tlsa) -> str:
    """Return a record as short as it can be told from its neighbours."""
    return f"{record.params} {record.data[:12]}{'...' if len(record.data) > 12 else ''}"


def listed(records: Iterable[Tlsa]) -> str:
    """Return up to four records, short."""
    named = [brief(one) for one in records]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")


def evidence(spot: Spot, record: Tlsa) -> dict[str, str]:
    """Return what was measured: who answers the record, who presents what."""
    servers = [one.place for one in spot.view.answers if one.records and record in one.records]
    addresses = dict.fromkeys(one.address for one in spot.seen)
    return {
        "owner": spot.target,
        "servers": ", ".join(servers[:4]) + (f" and {len(servers) - 4} more" if len(servers) > 4 else ""),
        **({"presented at": ", ".join(addresses)} if addresses else {}),
        "published": str(record) if len(record.data) <= 1024 else f"{str(record)[:1024]}...",
    }


def computed(spot: Spot) -> dict[str, str]:
    """Return the records that would be right, as far as anything is presented."""
    return {"computed": ", ".join(map(str, right(spot)))} if spot.chains else {}
