"""Certificate usages and other numbers that senders cannot use (F-U0 ... F-UNDEF)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.mending import clear, replace
from tlsa_manager.checks.spot import spots
from tlsa_manager.checks.telling import computed, evidence, listed
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Tlsa


_PKIX_CONSEQUENCE = (
    "Mail senders cannot use the record. They force TLS but do not know who answers (outcome encrypt): an attacker on the way can"
    " read the mail with any certificate."
)

U0 = Fault(
    code="F-U0",
    title="usage 0 with SMTP",
    severity=Severity.ERROR,
    story=(
        "Usage 0 (PKIX-TA) asks the sender to check the certificate authority as a web browser does. There is no list"
        " of authorities that mail servers agree on, so with SMTP the usage counts as unusable."
    ),
    consequence=_PKIX_CONSEQUENCE,
    remedy="Publish a 3 1 1 record, computed with: tlsa-manager digest CERTIFICATE; then remove the one with usage 0.",
    reference="RFC 7672 §3.1.3",
)

U1 = Fault(
    code="F-U1",
    title="usage 1 with SMTP",
    severity=Severity.ERROR,
    story=(
        "Usage 1 (PKIX-EE) asks the sender to check the certificate as a web browser does, besides the record. There "
        "is no list of authorities that mail servers agree on, so with SMTP the usage counts as unusable."
    ),
    consequence=_PKIX_CONSEQUENCE,
    remedy="Publish the same digest with usage 3, then remove the record with usage 1.",
    reference="RFC 7672 §3.1.3",
)

U1HIDE = Fault(
    code="F-U1HIDE",
    title="records with usage 0 or 1 beside usable ones",
    severity=Severity.WARNING,
    story="Beside records that senders use there are records with usage 0 or 1, which nobody uses with SMTP.",
    consequence=(
        "Nothing for mail: senders ignore them. They make the answer longer, and people believe that the authority is checked."
    ),
    remedy="Remove the records with usage 0 and 1.",
    reference="RFC 7672 §3.1.3",
)

UNDEF = Fault(
    code="F-UNDEF",
    title="usage, selector or matching type that is not defined",
    severity=Severity.ERROR,
    story=(
        "The record has a usage above 3, a selector above 1 or a matching type above 2. 255 is for private use, and "
        "no sender knows what you mean by it."
    ),
    consequence="DANE senders ignore the record. If it is the only one they force TLS but do not know who answers.",
    remedy="Publish a 3 1 1 record, computed with: tlsa-manager digest CERTIFICATE; then remove this one.",
    reference="RFC 6698 §4.1, RFC 7218 §2",
)


@check(U0, U1)
def pkix_usages(case: Case) -> Iterator[Finding]:
    """Usages 0 and 1 where there is nothing else that a sender of mail could use."""
    for spot in spots(case):
        if spot.smtp and not spot.usable():
            for usage, fault in ((0, U0), (1, U1)):
                records = _sound(spot, usage)
                if records:
                    message = f"all that could be used is {listed(records)}: certificate usage {usage} does not count with SMTP"
                    yield fault.at(
                        spot.owner, message, remedy=replace(spot, *records), evidence=evidence(spot, records[0]) | computed(spot)
                    )


@check(U1HIDE)
def pkix_clutter(case: Case) -> Iterator[Finding]:
    """Usages 0 and 1 beside records that senders use."""
    for spot in spots(case):
        records = [*_sound(spot, 0), *_sound(spot, 1)]
        if spot.smtp and records and spot.usable():
            yield U1HIDE.at(
                spot.owner,
                f"{listed(records)} is ignored with SMTP",
                remedy=clear(spot, *records),
                evidence=evidence(spot, records[0]),
            )


@check(UNDEF)
def undefined(case: Case) -> Iterator[Finding]:
    """Numbers that nobody has defined."""
    for spot in spots(case):
        records = [one for one in sorted(spot.records) if one.usage > 3 or one.selector > 1 or one.matching > 2]
        if records:
            message = f"{listed(records)} is unusable: {records[0].flaw}"
            severity = Severity.WARNING if any(map(spot.selects, spot.usable())) else Severity.ERROR
            remedy = replace(spot, *records)
            yield UNDEF.at(
                spot.owner, message, severity=severity, remedy=remedy, evidence=evidence(spot, records[0]) | computed(spot)
            )


def _sound(spot: Spot, usage: int) -> list[Tlsa]:
    return [one for one in sorted(spot.records) if one.usage == usage and not one.flaw]
