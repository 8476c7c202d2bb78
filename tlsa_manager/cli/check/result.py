"""The result for one target as scripts read it. Every format is made from this, so that none can say more than another."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from tlsa_manager.diagnose.report import EXIT_CRITICAL, EXIT_OK, EXIT_UNKNOWN, EXIT_WARNING, Report, exit_code
from tlsa_manager.finding import Finding, Severity
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.target import Kind, Target
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = {EXIT_OK: "OK", EXIT_WARNING: "WARNING", EXIT_CRITICAL: "CRITICAL", EXIT_UNKNOWN: "UNKNOWN"}
UNREADABLE = "unreadable"  # the kind of a line in a list that names no target


class RecordValue(TypedDict):
    """One record, as weighed at one address."""

    record: str
    usable: bool
    matches: bool
    why: NotRequired[str]


class ServiceValue(TypedDict):
    """What senders do at one address of one service. `alias`: where the owner leads, step by step; empty where it is none."""

    service: str
    address: str
    outcome: str
    dnssec: str
    records: list[RecordValue]
    owner: NotRequired[str]
    alias: NotRequired[list[str]]
    why: NotRequired[str]


class FindingValue(TypedDict):
    """One finding."""

    code: str
    severity: str
    subject: str
    message: str
    consequence: str
    remedy: str
    reference: str
    evidence: NotRequired[dict[str, str]]


class StsValue(TypedDict):
    """The MTA-STS policy of a mail domain: mode and patterns, and why there is none."""

    mode: str
    mx: list[str]
    problem: str


class FactsValue(TypedDict, total=False):
    """What was seen besides. Each may be missing; None: nobody knows.

    `hosts`: best preference first; `tls`: whether every address that could be reached takes TLS; `pkix`: empty where public
    authorities vouch for every host at every address, else why not; `certificate_until`, `signature_until`: the earliest end of
    a certificate that is presented, of a signature, in seconds since 1970.
    """

    hosts: list[str]
    tls: bool | None
    pkix: str | None
    sts: StsValue | None
    certificate_until: float | None
    signature_until: float | None


class TargetValue(TypedDict):
    """One target."""

    target: str
    kind: str
    outcome: str
    services: list[ServiceValue]
    findings: list[FindingValue]
    why: NotRequired[str]
    facts: NotRequired[FactsValue]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about one target. `code`: 0 ok, 1 warning, 2 critical, 3 unknown."""

    value: TargetValue
    code: int

    @property
    def key(self) -> tuple[str, str]:
        """What tells one target from another."""
        return self.value["kind"], self.value["target"]

    @property
    def facts(self) -> FactsValue:
        """What was seen besides."""
        return self.value.get("facts", FactsValue())

    def findings(self, least: Severity = Severity.NOTICE) -> list[FindingValue]:
        """Return the findings from a level on, worst first."""
        found = [one for one in self.value["findings"] if _severity(one) >= least]
        return sorted(found, key=_severity, reverse=True)

    def shown(self, least: Severity) -> TargetValue:
        """Return the value with the findings from a level on."""
        return {**self.value, "findings": self.findings(least)}


def of_report(report: Report) -> Result:
    """Return the result that a report is."""
    return Result(cast("TargetValue", report.value()), report.exit_code)


def of_line(line: bytes) -> Result:
    """Read a line of JSON that a former run has written. Raises ValueError for any other."""
    import msgspec

    try:
        value = msgspec.json.decode(line, type=TargetValue)
        findings = tuple(
            Finding(one["code"], _severity(one), one["subject"], "", "", "", one["reference"]) for one in value["findings"]
        )
        report = Report(Target(Kind(value["kind"]), value["target"]), Delivery(value["outcome"]), (), findings, 0.0)
    except (msgspec.MsgspecError, KeyError) as error:
        raise ValueError(str(error)) from None
    return Result(value, report.exit_code)


def of_mistake(text: str, why: str) -> Result:
    """Return the result for a line that names no target: nothing is known."""
    value = TargetValue(target=text, kind=UNREADABLE, outcome=str(Delivery.UNKNOWN), why=why, services=[], findings=[])
    return Result(value, EXIT_UNKNOWN)


@dataclass(slots=True)
class Tally:
    """The results of a run, counted. `ends`: the earliest of certificates and of signatures."""

    counts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(STATUS, 0))
    ends: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, one: Result) -> None:
        """Count one."""
        self.counts[one.code] += 1
        for name, moment in ends(one.facts).items():
            self.ends[name] = min(moment, self.ends.get(name, moment))

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts.values())

    @property
    def code(self) -> int:
        """The exit code of the run: critical before unknown before warning. Unknown where nothing was checked."""
        return EXIT_UNKNOWN if not self.total else exit_code([code for code, count in self.counts.items() if count])

    @property
    def words(self) -> str:
        """The counts in words, without those that are zero, worst first."""
        order = (EXIT_CRITICAL, EXIT_UNKNOWN, EXIT_WARNING, EXIT_OK)
        return ", ".join(f"{self.counts[code]} {STATUS[code].lower()}" for code in order if self.counts[code])


def ends(facts: FactsValue) -> Mapping[str, float]:
    """Return when what is known to end does: the certificate, the signatures."""
    found = {"certificate": facts.get("certificate_until"), "signature": facts.get("signature_until")}
    return {name: moment for name, moment in found.items() if moment is not None}


def _severity(one: FindingValue) -> Severity:
    return Severity[one["severity"].upper()]
