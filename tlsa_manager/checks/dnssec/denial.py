"""Proofs that something is not there: where they fail, mail is deferred over names that do not even exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.dnssec.signatures import AFTERWARDS, evidence, mend, subject, tell
from tlsa_manager.checks.doubts import by_zone, on_the_way, owner_in_use
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.places import NO_PORT, base_of, has_records
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.tlsa import owner_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.surroundings import Lookup

UNPROVEN = (Cause.DENIAL_MISSING, Cause.DENIAL_UNPROVEN, Cause.EMPTY)

NSECBROKEN = Fault(
    code="F-NSECBROKEN",
    title="the absence of records cannot be proven",
    severity=Severity.CRITICAL,
    story=(
        "In a signed zone the absence of a record has to be proven with NSEC or NSEC3 records. Here they are missing, or cover "
        "the wrong range, or the SOA record beside them was changed after signing. Much used names work, and nobody notices."
    ),
    consequence=(
        "Senders that use DANE ask every mail host of a signed zone for TLSA records. Where there are none and that is not "
        "proven, they have to take the answer for an attack: they keep the mail, even though the host never had a TLSA record."
    ),
    remedy="Sign the zone again (BIND: rndc sign ZONE; PowerDNS: pdnsutil rectify-zone ZONE), and update the server. "
    + AFTERWARDS,
    reference="RFC 4035 §3.1.3, §5.4, RFC 7672 §2.1.2",
)
ENT = Fault(
    code="F-ENT",
    title="a name server denies the name above the TLSA records (NXDOMAIN for an empty non-terminal)",
    severity=Severity.CRITICAL,
    story=(
        "A name below which something exists does exist, even if it has no records of its own. The server says of _tcp.HOST that "
        "there is no such name, although there are TLSA records below it: it is faulty, or its zone data were written by hand."
    ),
    consequence=(
        "Resolvers that send no more of a name than they must, or that remember what does not exist, never come to the TLSA "
        "records (RFC 9156, RFC 8020). For senders behind them DANE is off, or the lookup fails and the mail is kept."
    ),
    remedy="Update the name server software, or rebuild the zone (PowerDNS: pdnsutil rectify-zone ZONE).",
    reference="RFC 4592 §2.2.2, RFC 8020",
)


@check(NSECBROKEN)
def unproven(case: Case) -> Iterator[Finding]:
    """Find absences without proof: on the way, where they defer mail, and beside the records."""
    told = False
    for zone, found in by_zone(case, *UNPROVEN):
        told = True
        severity = (
            Severity.CRITICAL if any(not one.elsewhere or one.security is Security.BOGUS for one in found) else Severity.ERROR
        )
        yield NSECBROKEN.at(
            subject(zone, found), tell(found), severity=severity, remedy=mend(NSECBROKEN, zone), evidence=evidence(found)
        )
    if not told:
        yield from _beside(case)


def _beside(case: Case) -> Iterator[Finding]:
    for host in _hosts_with_records(case):
        for name in (owner_name(host, NO_PORT), f"*.{host}."):
            found = case.lookup(name, "TLSA")
            if found is not None and _is_unproven(found):
                yield NSECBROKEN.at(
                    found.zone or name,
                    f"{found.reason.partition('; ')[0]}: that {name} has no TLSA record is not proven",
                    severity=Severity.ERROR,
                    consequence="This target has its records. But mail to hosts of the zone without TLSA records is deferred.",
                    remedy=mend(NSECBROKEN, found.zone),
                    evidence={"asked": f"{name} TLSA", "zone": found.zone},
                )
                return


@check(ENT)
def denied_above(case: Case) -> Iterator[Finding]:
    """Find names that are denied although there is something below them."""
    for host in _hosts_with_records(case):
        name = f"_tcp.{host}."
        found = case.lookup(name, "A")
        if found is not None and found.exists is False:
            yield ENT.at(
                name,
                f"the name servers deny {name}, although there are TLSA records below it",
                remedy=mend(ENT, found.zone),
                evidence={"asked": f"{name} A", "answered": "NXDOMAIN", "records": f"below {name}", "zone": found.zone},
            )


def _hosts_with_records(case: Case) -> tuple[str, ...]:
    """Return the base domains that have records of their own, or that are no aliases at least."""
    in_use = {owner_in_use(case, stop) for stop in case.route.stops}
    return tuple(base_of(view.owner) for view in on_the_way(case) if has_records(view) and view.owner in in_use)


def _is_unproven(found: Lookup) -> bool:
    return found.cause in UNPROVEN and found.security is not Security.INSECURE
