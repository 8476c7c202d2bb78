"""What a conforming sender does (RFC 7672 §2.2), as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlsa_manager.security import Security
    from tlsa_manager.tlsa import Tlsa


class Delivery(StrEnum):
    """What becomes of a mail, for a sender that uses DANE."""

    AUTH = "auth"  # delivered, the server is authenticated
    ENCRYPT = "encrypt"  # delivered, TLS is forced, the server is not authenticated
    OPPORTUNISTIC = "opportunistic"  # delivered as without DANE
    UNKNOWN = "unknown"  # it could not be found out from here
    DEFER = "defer"  # not delivered this way


RANKS = (Delivery.AUTH, Delivery.ENCRYPT, Delivery.OPPORTUNISTIC, Delivery.UNKNOWN, Delivery.DEFER)  # the worst last


def worst(outcomes: Iterable[Delivery]) -> Delivery:
    """Return the worst of several: the weakest server counts. UNKNOWN if there is none."""
    return max(outcomes, key=RANKS.index, default=Delivery.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Weighed:
    """One record, as a sender weighs it against what one address presents.

    `usable`: whether a sender acts on it at all; `why`: why it is unusable, or why it does not match, or how it matches
    ("matches the leaf's public key"); `matches`: whether it matches a chain that was presented there to a sender.
    """

    record: Tlsa
    usable: bool
    matches: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sender does at one address of one service. `owner`: the TLSA name it goes by, before aliases of that name.

    `host`: the name it connects to (the MX host); `why`: one sentence; `agility`: whether the outcome is worse for a sender
    with digest algorithm agility (RFC 7671 §9) than for one that matches any record; `reached`: False where nobody listens, or
    the host has no address: then senders go on to the next.
    """

    service: str
    host: str
    address: str
    owner: str
    outcome: Delivery
    dnssec: Security
    records: tuple[Weighed, ...] = ()
    why: str = ""
    agility: bool = False
    reached: bool = True
