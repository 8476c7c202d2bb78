"""What the journal and the store remember of a lineage, and what is wrong with them. Nothing is written, nothing is raised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import TlsaManagerError
from tlsa_manager.household import Household
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts
from tlsa_manager.rollover.note import clock_step
from tlsa_manager.rollover.state import phase

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.wiring import House

RECENT = 86400.0  # seconds; a step of the clock from before has been waited out
_NEVER_RUN = (
    "there is no journal yet: tlsa-manager has never run for this lineage",
    "tlsa-manager run; then tlsa-manager records --adopt takes over what is published",
)


def remembered(house: House, lineage: Lineage) -> Household:
    """Return what is remembered. Where the journal cannot be read, the facts are empty and the trouble says why."""
    now = clock.now()
    if not Path(house.config.state.removeprefix("sqlite:///")).exists():  # to open it would make it
        return Household(lineage, Facts(lineage.name), phase(lineage, Facts(lineage.name), now), trouble=(_NEVER_RUN,))
    try:
        facts = house.journal.facts(lineage.name)
        lately = [one for one in house.journal.entries(lineage.name) if one.at > now - RECENT]
        plan, holder = house.journal.plan(lineage.name), house.holder(lineage.name)
    except TlsaManagerError as error:
        trouble = (error.message, error.hint)
        return Household(lineage, Facts(lineage.name), phase(lineage, Facts(lineage.name), now), trouble=(trouble,))
    moment = clock.moment()
    kept, trouble_of_store = _stored(house, lineage)
    needed = {facts.current, facts.next, facts.queued, facts.previous} - {""}
    ours = {one for one in needed if facts.generations[one].ours} | ({facts.standby.id} if facts.standby else set())
    return Household(
        lineage, facts, phase(lineage, facts, now), trouble=trouble_of_store,
        missing=() if trouble_of_store else tuple(sorted(ours - kept)),
        holder=holder,
        clock_step=clock_step(plan.looked if plan else None, (moment.wall, moment.boot, moment.uptime)),
        steps=tuple((one.at, one.event.seconds) for one in lately if isinstance(one.event, ev.ClockStepped)),
    )  # fmt: skip


def _stored(house: House, lineage: Lineage) -> tuple[set[str], tuple[tuple[str, str], ...]]:
    """Return which generations and keys the store has whole, and what is wrong with the store."""
    try:
        generations, lone = house.store.generations(lineage.name), house.store.lone_keys(lineage.name)
        return {*(one.id for one in generations), *(one.id for one in lone)}, ()
    except TlsaManagerError as error:
        return set(), ((error.message, error.hint),)
