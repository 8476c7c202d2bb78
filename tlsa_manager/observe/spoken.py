"""What several connections heard in plain text at one address, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.snapshot import Conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlsa_manager.observe.starttls import Heard


def conversation(address: str, said: Sequence[Heard]) -> Conversation | None:
    """Put together what a server said, connection by connection; None where it said nothing."""
    if not any(one.banner or one.offered is not None for one in said):
        return None
    plain = next((one for one in said if one.plain), None)
    return Conversation(
        address,
        next((one.banner for one in said if one.banner), ""),
        offers=tuple(one.offered for one in said if one.offered is not None),
        crossed_out=any(one.crossed_out for one in said),
        starttls_code=next((one.starttls_code for one in said if one.starttls_code), 0),
        plain=plain.plain if plain else 0,
        plain_said=plain.plain_said if plain else "",
    )
