"""Name servers that are away, or that disagree."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tlsa_manager.checks import trial
from tlsa_manager.checks.dnssec.signatures import evidence, mend, subject, tell
from tlsa_manager.checks.doubts import Doubt, by_zone, doubts, is_down, on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.spot import spots
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import Answer

SECSYNC = Fault(
    code="F-SECSYNC",
    title="the name servers do not have the same records",
    severity=Severity.ERROR,
    story=(
        "A change has reached some servers of the zone and not the others: a transfer is blocked or late, a notification was "
        "lost, a server was forgotten, or a hidden primary signs and passes on nothing."
    ),
    consequence=(
        "What a sender sees depends on the server that its resolver asks. During a rollover this is the dangerous state: nobody "
        "may go on until all are equal. Where a set does not match the certificate in use, a part of the mail is deferred."
    ),
    remedy=(
        "Compare the serials (dig +nssearch ZONE), let the server fetch the zone (BIND: rndc retransfer ZONE), and read its log."
    ),
    reference="RFC 6698 A.4, RFC 1996",
)
NSDOWN = Fault(
    code="F-NSDOWN",
    title="a name server does not answer for the zone",
    severity=Severity.WARNING,
    story="The server is down, cannot be reached, does not serve the zone, or could not load it.",
    consequence=(
        "As long as another one answers, resolvers go there, and mail is delivered, more slowly at times. No rollover can go on: "
        "what the server would answer is not known, so a swap waits until it is back. If none answers, mail is deferred."
    ),
    remedy=(
        "Start or mend the server, or take it out of the NS records of zone and parent (test: dig +norecurse @SERVER ZONE SOA)."
    ),
    reference="RFC 1034 §4.2.2, RFC 8767 §4",
)
NSSET = Fault(
    code="F-NSSET",
    title="the parent names other name servers than the zone itself",
    severity=Severity.WARNING,
    story="Name servers were changed at one side only, in the zone or at the registrar.",
    consequence=(
        "Some resolvers ask servers that others never ask. One that was left out of the transfers hands out old TLSA records and "
        "expired signatures, and the mail of those senders is deferred. All servers of both sides were asked here."
    ),
    remedy="Make the NS records at the registrar and in the zone the same (compare: dig +norecurse @PARENT-SERVER ZONE NS).",
    reference="RFC 1034 §4.2.2, RFC 7477 §1",
)
LOST = Fault(
    code="F-LOST",
    title="it could not be found out from here who serves a name",
    severity=Severity.WARNING,
    story=(
        "The way down from the root could not be followed: the resolver does not answer, or the servers of a zone above do not, "
        "or the trust anchor that answers are validated with is out of date."
    ),
    consequence="Nothing is known about the target, neither that it is well nor that it is not.",
    remedy=(
        "See whether this machine can resolve names at all (dig . NS), whether the resolver is the right one (--resolver), and "
        "the trust anchor, too (--trust-anchor; Debian keeps it in the package dns-root-data), and try again."
    ),
    reference="RFC 7672 §2.1.1",
)


@check(SECSYNC)
def out_of_step(case: Case) -> Iterator[Finding]:
    """Find servers with different TLSA sets, and servers with different versions of the zone."""
    splitting = {spot.owner for spot in spots(case) if _splits(spot)}
    for view in on_the_way(case):
        heard = [one for one in view.answers if one.records is not None]
        if len({one.records for one in heard}) > 1:
            severity = Severity.CRITICAL if view.owner in splitting else Severity.ERROR
            message = f"the servers of {view.zone} do not have the same TLSA records at {view.owner}: {_table(heard)}"
            yield SECSYNC.at(
                view.owner,
                message,
                severity=severity,
                remedy=mend(SECSYNC, view.zone),
                evidence={one.place: _row(one) for one in heard},
            )
    for zone, serials in _serials(case).items():
        if len(set(serials.values())) > 1:
            yield SECSYNC.at(
                zone,
                f"the servers of {zone} have different versions of it: {', '.join(f'{k} {v}' for k, v in serials.items())}",
                severity=Severity.NOTICE,
                consequence="For some seconds after each change this is so everywhere. If it stays, changes do not get through.",
                remedy=mend(SECSYNC, zone),
                evidence={place: str(serial) for place, serial in serials.items()},
            )


@check(NSDOWN)
def does_not_answer(case: Case) -> Iterator[Finding]:
    """Find servers that are away, zone by zone; where none answers, mail is deferred."""
    zones: dict[str, list[Doubt]] = {}
    for one in doubts(case):
        if is_down(one):
            zones.setdefault(one.zone, []).append(one)
    for zone, down in zones.items():
        found = tuple(down)
        places = ", ".join(f"{place} {why}" for place, why in {one.place: one.reason for one in found if one.place}.items())
        severity = Severity.WARNING if all(one.elsewhere for one in found) else Severity.CRITICAL
        message = places or tell(found)
        yield NSDOWN.at(
            zone or subject(zone, found), message, severity=severity, remedy=mend(NSDOWN, zone, found), evidence=evidence(found)
        )


@check(NSSET)
def other_servers(case: Case) -> Iterator[Finding]:
    """Find signed zones whose name servers parent and child do not agree about."""
    names = dict.fromkeys(chain((view.zone for view in on_the_way(case)), _zones_of_lookups(case)))
    for zone in (case.snapshot.zones[name] for name in names if name in case.snapshot.zones):
        above, below = set(zone.parent_hosts), set(zone.child_hosts)
        if zone.signed and above and below and above != below:
            only_above, only_below = ", ".join(sorted(above - below)), ", ".join(sorted(below - above))
            told = [f"only the parent names {only_above}"] * bool(only_above) + [f"only the zone names {only_below}"] * bool(
                only_below
            )
            yield NSSET.at(
                zone.name,
                f"parent and zone do not name the same servers for {zone.name}: {'; '.join(told)}",
                remedy=mend(NSSET, zone.name),
                evidence={"parent": ", ".join(sorted(above)), "zone": ", ".join(sorted(below))},
            )


@check(LOST)
def nobody_knows(case: Case) -> Iterator[Finding]:
    """Tell that the way could not be followed."""
    for zone, found in by_zone(case, Cause.LOST, Cause.ANCHOR):
        yield LOST.at(subject(zone, found), tell(found), evidence=evidence(found))


def _splits(spot: Spot) -> bool:
    """Whether mail is held back at some servers' word and would not be, had all servers all of these records.

    Where it would be held back with all of them together, another check tells why.
    """
    signed = {one.records for one in spot.view.answers if one.records and one.security is Security.SECURE}
    alone = any(trial.outcome(spot, records) is Delivery.DEFER for records in signed)
    return spot.deferred and alone and trial.outcome(spot, spot.binding) is not Delivery.DEFER


def _serials(case: Case) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for view in on_the_way(case):
        found.setdefault(view.zone, {}).update({one.place: one.serial for one in view.answers if one.serial is not None})
    return found


def _zones_of_lookups(case: Case) -> Iterator[str]:
    names = [(case.target.name, "MX"), *((stop.service.host, kind) for stop in case.route.stops for kind in ("A", "AAAA"))]
    return (found.zone for name in names if (found := case.lookup(*name)) is not None)


def _table(heard: list[Answer]) -> str:
    return "; ".join(f"{one.place} {_row(one)}" for one in heard)


def _row(one: Answer) -> str:
    records = ", ".join(_short(str(record)) for record in sorted(one.records or ())) or "none"
    return f"{records} (serial {one.serial})"


def _short(record: str) -> str:
    return record if len(record) <= 24 else record[:24] + "..."
