"""What became of the records that a lineage published: gone, half gone, or not gone out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.house.causes import is_own_record_gone, missing, served
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.mending import line
from tlsa_manager.checks.moments import length
from tlsa_manager.finding import Severity
from tlsa_manager.rollover import law

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.household import Household
    from tlsa_manager.tlsa import RRset

PARTIAL = Fault(
    code="F-PARTIAL",
    title="a change of records went through in part only",
    severity=Severity.CRITICAL,
    story=(
        "The DNS backend took a change, and now a part of it is missing, or other records went away with it. Interfaces of "
        "providers that replace a whole set, or write one record after the other, do that when something breaks off."
    ),
    consequence="While the record of what is presented is missing, senders that use DANE keep the mail.",
    remedy="Publish the missing records at once: tlsa-manager run does, and tlsa-manager records NAME shows them.",
    reference="RFC 7671 §8",
)
RETRACT = Fault(
    code="F-RETRACT",
    title="the record of the key in service was removed",
    severity=Severity.CRITICAL,
    story=(
        "A record that tlsa-manager published, and that the key in service needs, is in DNS no more. Somebody or something "
        "removed it."
    ),
    consequence="Senders that use DANE keep the mail as soon as their caches have forgotten the old set.",
    remedy="Publish it again at once: tlsa-manager run does. Then find out what removed it (another program, a restored zone).",
    reference="RFC 7671 §8, RFC 7672 §4",
)
RESIGN = Fault(
    code="F-RESIGN",
    title="the primary has the new records, and no name server hands them out",
    severity=Severity.ERROR,
    story=(
        "The update went through at the primary, but what the world asks still has the old records: the signer behind a hidden "
        "primary stands still, secondaries are not notified, or transfers fail."
    ),
    consequence="Mail is delivered as before. The rollover waits, as it has to: the new key is not swapped in.",
    remedy="See why the zone does not go out: serial numbers (dig +nssearch ZONE), the signer's log, notify and transfers.",
    reference="RFC 7671 §8.1, RFC 1996",
)


@check(RETRACT, PARTIAL)
def records_gone(case: Case) -> Iterator[Finding]:
    """Find records of ours that are gone although something needs them: one cause for each owner."""
    home = case.household
    for owner in home.lineage.owners if home else ():
        gone, view = missing(case, owner), case.snapshot.owners.get(owner)
        if not gone or view is None or home is None:
            continue
        target = view.target or owner
        deferred = any(one.deferred and is_own_record_gone(one, case) for one in meetings(case) if one.verdict.owner == owner)
        current = _current_records(home)
        begun = bool(home.facts.next) and bool(served(view) & law.wanted(home.lineage, home.facts))
        fault = PARTIAL if begun or not gone & current else RETRACT
        lines = "; and: ".join(line(target, home.lineage.policy.ttl, one) for one in sorted(gone))
        yield fault.at(
            owner,
            f"no name server has {len(gone)} of the records that were published"
            + (", and something presented needs one of them" if deferred else ""),
            severity=Severity.CRITICAL if deferred else Severity.ERROR,
            remedy=f"publish: {lines} (tlsa-manager run {home.lineage.name} does), and find out what removed it",
            evidence={
                "missing": ", ".join(map(str, sorted(gone))),
                "served": ", ".join(map(str, sorted(served(view)))) or "none",
            },
        )


@check(RESIGN)
def stuck_behind_the_primary(case: Case) -> Iterator[Finding]:
    """Find records that the backend has had for a while, and that no authoritative server answers."""
    home = case.household
    for owner in home.lineage.owners if home else ():
        view = case.snapshot.owners.get(owner)
        held = case.snapshot.held.get((view.target or owner) if view else owner)
        sent = home.facts.sent.get((view.target or owner) if view else owner) if home else None
        if home is None or view is None or not view.complete or held is None or held.records is None or sent is None:
            continue
        late = (held.records & sent.records) - served(view)
        if late and case.now > sent.at + home.lineage.policy.margin:
            serials = sorted({str(one.serial) for one in view.answers if one.serial is not None})
            yield RESIGN.at(
                owner,
                f"{len(late)} records stand at the primary for {length(case.now - sent.at)}, and no name server answers them",
                evidence={"at the primary": ", ".join(map(str, sorted(late))), "serials": ", ".join(serials)},
            )


def _current_records(home: Household) -> RRset:
    current = home.facts.generation(home.facts.current)
    return current.records(home.lineage.params) if current else frozenset()
