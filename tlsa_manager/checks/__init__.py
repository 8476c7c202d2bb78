"""What is wrong, for people. One check is one small pure function over a Case (a target, one look at it, what senders do).

    fault.py       what can be wrong, declared once: code, severity, story, consequence, remedy, reference
    case.py        what a check sees; spot, meeting, places, doubts: the same, as one owner, one service at one address, the
                   names of a host, and whatever on the way is not known and secure
    questions.py   what the checks want to have asked
    records/ names/ dnssec/ servers/ house/    the checks, by what they look at
    mending, trial, telling, moments           how a remedy is made and tried, and how records and times are told

Findings never hide each other, and a check that crashes is a finding, too.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import CHECKS, FAULTS, HOMES, Fault, check
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.checks.case import Case

CHAPTERS: dict[str, tuple[str, ...]] = {  # in the order of the reference page
    "records": ("content", "usages", "matchings", "selections", "amounts", "server_keys"),
    "names": ("placement", "aliases", "coverage", "unsigned", "exchange", "ttls"),
    "dnssec": ("delegation", "signatures", "denial", "transport", "nameservers", "resolver"),
    "servers": ("server", "mismatch", "anchors", "certificate", "handshakes", "sts"),
    "house": ("files", "records", "upkeep"),
}
MODULES = tuple(f"{__name__}.{chapter}.{name}" for chapter, names in CHAPTERS.items() for name in names)

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
    """Return everything that can be found, by code, in the order of the reference page: whoever was imported first."""
    _load()
    return {code: FAULTS[code] for code in sorted(FAULTS, key=lambda code: _place(HOMES[code]))}


def chapter(code: str) -> str:
    """Return the chapter of the reference page that a code belongs to; empty for this program itself."""
    return HOMES[code].removeprefix(f"{__name__}.").rpartition(".")[0] if HOMES[code] in MODULES else ""


def examine(case: Case) -> tuple[Finding, ...]:
    """Run all checks over a case; worst first. Nothing is raised."""
    _load()
    found: list[Finding] = []
    for one in CHECKS:
        try:
            found += one(case)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told, and stops no other check
            found.append(
                CRASH.at(str(case.target), f"the check {one.__name__} crashed ({type(error).__name__}: {str(error)[:120]})")
            )
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (-one.severity, _place(HOMES[one.code]))))


@cache
def _load() -> None:
    """Import all checks, which declare themselves."""
    for name in MODULES:
        import_module(name)


def _place(module: str) -> int:
    """Return where a module stands on the reference page; what belongs to no chapter comes last."""
    return MODULES.index(module) if module in MODULES else len(MODULES)
