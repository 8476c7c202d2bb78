"""How far DANE reaches: all hosts, some, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import bare
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.names.aliases import dangling
from tlsa_manager.checks.names.placement import at_a_wrong_name, at_other_ports, at_the_domain, wildcards, without_mx
from tlsa_manager.checks.places import has_records, views
from tlsa_manager.finding import Severity
from tlsa_manager.security import Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.service import Service
from tlsa_manager.target import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.route import Stop

MXCOVER = Fault(
    code="F-MXCOVER",
    title="an MX host without TLSA records beside others that have some",
    severity=Severity.WARNING,
    story="Only a part of the domain's MX hosts has TLSA records: a backup host, or one of another provider, was left out.",
    consequence=(
        "Whoever can disturb the way to the protected hosts makes senders go to the unprotected one, where they deliver to "
        "anybody. The domain is as safe as its weakest MX host."
    ),
    remedy="Publish TLSA records for that host, too, or take it out of the MX records.",
    reference="RFC 7672 §2.2.1",
)
NOTLSA = Fault(
    code="F-NOTLSA",
    title="there are no TLSA records",
    severity=Severity.WARNING,
    story="The host, or the whole domain, does not use DANE.",
    consequence=(
        "Mail is delivered. But senders cannot know that they have the right server before them, nor that it offers TLS at all: "
        "an attacker on the way can read the mail, or take it."
    ),
    remedy="Publish TLSA records for each host: tlsa-manager digest CERTIFICATE --service HOST:PORT prints them.",
    reference="RFC 7672 §2.2",
)


@check(MXCOVER)
def not_all_covered(case: Case) -> Iterator[Finding]:
    """Find hosts without records beside hosts that have some."""
    covered = [stop for stop in case.route.stops if any(has_records(view) for view in views(stop, case.snapshot))]
    for stop in bare(case) if covered and case.target.kind in {Kind.DOMAIN, Kind.SRV} else ():
        names = ", ".join(dict.fromkeys(one.host for one in covered))
        yield MXCOVER.at(
            stop.service.owner,
            f"{stop.host} (preference {stop.preference}) has no TLSA records, while {names} has some",
            remedy=f"Publish TLSA records at {stop.service.owner} ({_digest(stop)}), or take {stop.host} out of the MX records.",
            evidence={"host": stop.host, "preference": str(stop.preference), "with records": names},
        )


@check(NOTLSA)
def no_dane(case: Case) -> Iterator[Finding]:
    """Say that nothing is protected, where no check knows more about it."""
    without = bare(case)
    partly = len(without) < len(case.route.stops) and case.target.kind is not Kind.LINEAGE
    if not without or partly or any(_explained(case)):
        return
    unsigned = all(_is_unsigned(case, stop) for stop in without)
    owners = tuple(dict.fromkeys(stop.service.owner for stop in without))
    first = "there is no TLSA record at " + ", ".join(owners[:4]) + (f" and {len(owners) - 4} more" if len(owners) > 4 else "")
    more = ", and the zone is not signed, which has to come first" if unsigned else ""
    step = f"Publish what this prints: {_digest(without[0])}"
    yield NOTLSA.at(
        case.target.name if case.target.kind is not Kind.SERVICE else owners[0],
        first + more,
        remedy=f"Have the zone signed and linked with a DS record (DNSSEC). Then: {step}" if unsigned else step,
        evidence={"asked": ", ".join(f"{owner} TLSA" for owner in owners)},
    )


def _explained(case: Case) -> Iterator[Finding]:
    """Yield what checks find that know more: where the records are instead."""
    for test in (at_the_domain, at_a_wrong_name, at_other_ports, without_mx, wildcards, dangling):
        yield from test(case)


def _is_unsigned(case: Case, stop: Stop) -> bool:
    return stop.outcome is Delivery.OPPORTUNISTIC or any(
        one.security is Security.INSECURE for view in views(stop, case.snapshot) for one in view.answers
    )


def _digest(stop: Stop) -> str:
    return f"tlsa-manager digest CERTIFICATE --service {Service(stop.service.host, stop.service.port, stop.service.protocol)}"
