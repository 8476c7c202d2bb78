"""The result for one target, as a value and in the shape that scripts read."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from tlsa_manager.diagnose.facts import Facts
from tlsa_manager.finding import Severity
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.delivery import Verdict
    from tlsa_manager.target import Target

SCHEMA = 1
EXIT_OK, EXIT_WARNING, EXIT_CRITICAL, EXIT_UNKNOWN = 0, 1, 2, 3  # the convention of monitoring plug-ins


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about one target. `findings`: worst first; `at`: seconds since 1970; `took`: seconds.

    `ways`: the owner names that are aliases, each with the names on its way, the last of which has the records.
    """

    target: Target
    outcome: Delivery
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    at: float
    took: float = 0.0
    why: str = ""
    facts: Facts = field(default_factory=Facts)
    ways: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """The worst of the findings."""
        return max((one.severity for one in self.findings), default=Severity.NOTICE)

    @property
    def exit_code(self) -> int:
        """2: DANE senders defer their mail, or will; 1: warnings or errors; 3: nobody can tell from here; 0: all is well."""
        if self.severity is Severity.CRITICAL or self.outcome is Delivery.DEFER:
            return EXIT_CRITICAL
        if self.outcome is Delivery.UNKNOWN:
            return EXIT_UNKNOWN
        return EXIT_WARNING if self.severity > Severity.NOTICE else EXIT_OK

    def value(self) -> dict[str, Any]:
        """Return the report as scripts read it; the shape is fixed by SCHEMA."""
        return {
            "target": self.target.name,
            "kind": str(self.target.kind),
            "outcome": str(self.outcome),
            "why": self.why,
            "services": [
                {
                    "service": one.service,
                    "address": one.address,
                    "owner": one.owner,
                    "alias": list(self.ways.get(one.owner, ())),
                    "outcome": str(one.outcome),
                    "dnssec": str(one.dnssec),
                    "why": one.why,
                    "records": [
                        {"record": str(each.record), "usable": each.usable, "matches": each.matches, "why": each.why}
                        for each in one.records
                    ],
                }
                for one in self.verdicts
            ],
            "findings": [
                {
                    "code": one.code,
                    "severity": str(one.severity),
                    "subject": one.subject,
                    "message": one.message,
                    "consequence": one.consequence,
                    "remedy": one.remedy,
                    "reference": one.reference,
                    "evidence": dict(one.evidence),
                }
                for one in self.findings
            ],
            "facts": self.facts.value(),
        }


def exit_code(reports: list[int]) -> int:
    """Return the exit code of several reports, given theirs: critical before unknown before warning."""
    order = (EXIT_OK, EXIT_WARNING, EXIT_UNKNOWN, EXIT_CRITICAL)
    return max(reports, key=order.index, default=EXIT_OK)
