"""What is wrong, for people. One check is one small pure function over a Case (a target, one look at it, what senders do).

    fault.py    what can be wrong, declared once: code, severity, story, consequence, remedy, reference
    case.py     what a check sees
    the others  the checks, by what they look at

Findings never hide each other, and a check that crashes is a finding, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import CHECKS, FAULTS, Fault, check
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.checks.case import Case

MODULES: tuple[str, ...] = (  # in the order of the reference page
    *("content", "usages", "matchings", "selections", "amounts", "server_keys"),
    *("placement", "aliases", "coverage", "unsigned", "exchange", "ttls"),
    *("delegation", "signatures", "denial", "transport", "nameservers", "resolver"),
    *("server", "mismatch", "anchors", "certificate", "handshakes", "sts", "house_files", "house_records", "house"),
)

CRASH = Fault(
    code="F-CRASH",
    title="a check of this program crashed",
    severity=Severity.WARNING,
    story="A check met something that its authors did not foresee. The other checks have run all the same.",
    consequence="Nothing follows for mail; but what this check looks for may be there, and was not found.",
    remedy="Report it where you got tlsa-manager from, with what tlsa-manager check -v prints.",
    reference="",
)


@check(CRASH)
def crash(case: Case) -> tuple[Finding, ...]:  # noqa: ARG001  it is found by `examine`
    """Declare the fault that `examine` itself finds."""
    return ()


def faults() -> Mapping[str, Fault]:
    """Return everything that can be found, by code, in the order of the reference page."""
    for name in MODULES:
        import_module(f"{__name__}.{name}")
    return FAULTS


def examine(case: Case) -> tuple[Finding, ...]:
    """Run all checks over a case; worst first. Nothing is raised."""
    faults()
    found: list[Finding] = []
    for one in CHECKS:
        try:
            found += one(case)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told, and stops no other check
            found.append(
                CRASH.at(str(case.target), f"the check {one.__name__} crashed ({type(error).__name__}: {str(error)[:120]})")
            )
    return tuple(sorted(dict.fromkeys(found), key=lambda one: -one.severity))
