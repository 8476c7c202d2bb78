"""MTA-STS beside DANE: whether policy, hosts and certificates agree (RFC 8461)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import leaves
from tlsa_manager.finding import Severity
from tlsa_manager.target import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.surroundings import StsPolicy

STS = Fault(
    code="F-STS",
    title="MTA-STS says something else than the servers do",
    severity=Severity.ERROR,
    story=(
        "The domain has an MTA-STS policy beside DANE, and the two do not agree: the policy does not name a mail host, or a "
        "host's certificate is not one that public authorities vouch for, or the policy cannot be fetched."
    ),
    consequence=(
        "Senders that use DANE deliver. Senders that use MTA-STS instead (Google, for one) keep mail for such a host while the "
        "policy says enforce; with testing they only report it."
    ),
    remedy=(
        "Correct the mx lines of https://mta-sts.DOMAIN/.well-known/mta-sts.txt, and change the id in the TXT record of "
        "_mta-sts.DOMAIN."
    ),
    reference="RFC 8461 §4.1, §4.2",
)


@check(STS)
def mta_sts(case: Case) -> Iterator[Finding]:
    """Find MTA-STS policies that mail hosts or their certificates do not live up to."""
    if case.target.kind is not Kind.DOMAIN:
        return
    for policy in case.snapshot.policies.values():
        if policy.problem and policy.announced:
            yield STS.at(
                policy.domain, f"_mta-sts.{policy.domain} announces a policy: {policy.problem}", severity=Severity.WARNING
            )
        elif policy.mode in {"enforce", "testing"}:
            yield from _held_against(policy, case)


def covers(pattern: str, host: str) -> bool:
    """Whether an mx pattern names a host: `*.` stands for exactly one label (RFC 8461 §4.1)."""
    wanted, own = pattern.rstrip(".").lower(), host.rstrip(".").lower()
    return own == wanted or (wanted.startswith("*.") and own.partition(".")[2] == wanted[2:])


def _held_against(policy: StsPolicy, case: Case) -> Iterator[Finding]:
    severity = Severity.ERROR if policy.mode == "enforce" else Severity.WARNING
    evidence = {"mode": policy.mode, "mx": ", ".join(policy.mx)}
    for host in dict.fromkeys(stop.host for stop in case.route.stops):
        if not any(covers(pattern, host) for pattern in policy.mx):
            file = f"https://mta-sts.{policy.domain}/.well-known/mta-sts.txt"
            remedy = f"add to {file} the line mx: {host}; then change the id in the TXT record of _mta-sts.{policy.domain}"
            yield STS.at(
                host, f"the policy of {policy.domain} does not name {host}", severity=severity, remedy=remedy, evidence=evidence
            )
    for meeting, seen in leaves(case):
        if seen.pkix:
            remedy = (
                "present a certificate of a public authority for the host's name; or set the policy to mode: none until you do"
            )
            message = f"MTA-STS senders refuse the certificate: {seen.pkix}"
            yield STS.at(meeting.place, message, severity=severity, remedy=remedy, evidence=evidence)
