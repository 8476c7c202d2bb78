"""Whether a TLSA record matches what a server presents (RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.1-3.2). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.tlsa import Tlsa


@dataclass(frozen=True, slots=True)
class Match:
    """The result. `why`: how it matches, or why not, as a clause."""

    matches: bool
    why: str


def match(record: Tlsa, seen: Presentation, stop: Stop) -> Match:
    """Match one record against one presentation."""
    raise NotImplementedError
