"""What can be wrong, declared once: from here come the findings, `check --explain` and the reference page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.finding import Finding, Severity
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tlsa_manager.checks.case import Case

    Check = Callable[[Case], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can be wrong. All texts are whole sentences for operators, in plain words.

    `code`: stable for ever; `title`: the fault in a few words, lower case, no full stop; `severity`: the usual one, a finding
    may have another; `story`: how it comes about; `consequence`: what a DANE sender does because of it, and MTA-STS senders and
    mail programs where they differ; `remedy`: what to do, with the command; `reference`: sections of the standards.
    """

    code: str
    title: str
    severity: Severity
    story: str
    consequence: str
    remedy: str
    reference: str

    def at(
        self,
        subject: str,
        message: str,
        *,
        severity: Severity | None = None,
        consequence: str = "",
        remedy: str = "",
        evidence: Mapping[str, str] | None = None,
    ) -> Finding:
        """Make a finding about `subject`; what is not given is taken from the fault. The message has the facts, no full stop."""
        return Finding(
            self.code,
            self.severity if severity is None else severity,
            subject,
            message,
            consequence or self.consequence,
            remedy or self.remedy,
            self.reference,
            tuple((evidence or {}).items()),
        )


CHECKS: list[Check] = []
FAULTS: dict[str, Fault] = {}
HOMES: dict[str, str] = {}  # code -> the module whose check finds it


def check(*faults: Fault) -> Callable[[Check], Check]:
    """Register a check and the faults that it may find. One check is one small function over a Case."""
    for fault in faults:
        if FAULTS.setdefault(fault.code, fault) is not fault:
            raise ValueError(f"two faults have the code {fault.code}")

    def keep(function: Check) -> Check:
        CHECKS.append(function)
        for fault in faults:
            HOMES.setdefault(fault.code, function.__module__)
        return function

    return keep
