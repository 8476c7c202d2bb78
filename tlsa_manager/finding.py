"""A finding: one diagnosed fact, with what it does to mail and how to mend it."""

from __future__ import annotations

from enum import IntEnum

from tlsa_manager.value import dataclass


class Severity(IntEnum):
    """How bad it is, for a DANE sender."""

    NOTICE = 0  # good to know
    WARNING = 1  # weakens the protection, or is fragile
    ERROR = 2  # breaks at the next routine event, or protection that was meant to be there is not
    CRITICAL = 3  # mail of DANE senders is being deferred now, or will be at a known moment

    def __str__(self) -> str:
        """Return the word."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a target.

    `code`: stable, such as `F-STALE`; `subject`: what it is about: an owner name, a server, an address, a service, a file;
    `consequence`: what senders, and others where it differs, do because of it; `remedy`: the exact record or command;
    `reference`: the section that says so; `evidence`: what was measured, as (name, value) in the order to be told, such as
    ("published", "3 1 1 ab..."), ("computed", "3 1 1 cd...").
    """

    code: str
    severity: Severity
    subject: str
    message: str
    consequence: str
    remedy: str
    reference: str
    evidence: tuple[tuple[str, str], ...] = ()
