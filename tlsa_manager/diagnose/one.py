"""From one target to its report: look, see what senders do, find what is wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.checks import CRASH, examine
from tlsa_manager.checks.case import Case
from tlsa_manager.diagnose.facts import Facts, facts
from tlsa_manager.diagnose.home import home_of
from tlsa_manager.diagnose.look import Look
from tlsa_manager.diagnose.report import Report
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import judge

if TYPE_CHECKING:
    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.home import Home
    from tlsa_manager.diagnose.look import Dns, Tls
    from tlsa_manager.diagnose.settings import Settings
    from tlsa_manager.household import Household
    from tlsa_manager.snapshot import Snapshot
    from tlsa_manager.target import Target


async def diagnose_one(target: Target, dns: Dns, tls: Tls, settings: Settings, config: Config | None = None) -> Report:
    """Diagnose one target. Remote faults are findings; a fault of our own is one, too, and nothing is raised for it."""
    began = clock.monotonic()
    try:
        case = await _case(target, dns, tls, settings, home_of(target, config))
        found, outcome, verdicts, why = examine(case), case.outcome, case.verdicts, case.why
        met, ways = facts(case), _ways(case.snapshot)
    except Exception as error:
        logging.getLogger("tlsa_manager").info("%s could not be diagnosed", target, exc_info=error)
        message = f"the target could not be diagnosed ({type(error).__name__}: {str(error)[:120]})"
        found, outcome, verdicts, why = (CRASH.at(str(target), message),), Delivery.UNKNOWN, (), message
        met, ways = Facts(), {}
    return Report(target, outcome, verdicts, found, clock.now(), clock.monotonic() - began, why, met, ways)


async def _case(target: Target, dns: Dns, tls: Tls, settings: Settings, home: Home | None) -> Case:
    look = Look(target, dns, tls, settings, home.services if home else ())
    snapshot, household = await look.gather(), None
    if home is not None:  # it asks programs, files and a backend, which may hang: other targets go on meanwhile
        snapshot, household = await asyncio.to_thread(_at_home, home, snapshot)
    route = look.route
    return Case(target, snapshot, route, judge(route, snapshot), snapshot.at, household)


def _ways(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Where owner names that are aliases lead (RFC 7671 §7)."""
    heard = (one for one in snapshot.owners.values() if one.answers and one.target != one.owner)
    return {one.owner: (*one.via, one.target) for one in heard}


def _at_home(home: Home, snapshot: Snapshot) -> tuple[Snapshot, Household]:
    return home.beside(snapshot), home.household
