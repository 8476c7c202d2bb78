"""Zones that are not signed: where they take the value from TLSA records that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.places import has_records, views
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.target import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.surroundings import Lookup

PLAIN = (Cause.NO_DS, Cause.RESOLVER, Cause.NONE)

MXUNSIGNED = Fault(
    code="F-MXUNSIGNED",
    title="TLSA records in a zone that is not signed",
    severity=Severity.ERROR,
    story="There are TLSA records, but the zone they are in is not signed with DNSSEC, or a zone above it is not.",
    consequence=(
        "All senders ignore them: mail is delivered as if there were none, and the protection that was meant is not there."
    ),
    remedy="Have the zone signed, and its DS record put into the parent zone. Check the records first: the DS switches them on.",
    reference="RFC 6698 §4.1, RFC 7672 §2.2",
)
DOMUNSIGNED = Fault(
    code="F-DOMUNSIGNED",
    title="the mail domain is not signed, although its MX host is",
    severity=Severity.WARNING,
    story="The host has TLSA records in a signed zone, but the MX records that lead to it can be forged.",
    consequence=(
        "Some senders go by the host's TLSA records all the same, which keeps away who only listens. Who can forge DNS answers "
        "names another host, and gets the mail."
    ),
    remedy="Have the mail domain signed, and its DS record put into the parent zone.",
    reference="RFC 7672 §2.2.1",
)
AINSEC = Fault(
    code="F-AINSEC",
    title="the host's addresses are not signed, so its TLSA records are not asked for",
    severity=Severity.ERROR,
    story="The zone around the host is signed, but the host itself is in a zone of its own, or behind a proof, that is not.",
    consequence="Senders look up the addresses first. Where those are not signed they do not ask for TLSA, and DANE is off.",
    remedy="Link the host's own zone with a DS record, or put the host's addresses into the signed zone.",
    reference="RFC 7672 §2.2.2",
)


@check(MXUNSIGNED)
def records_unsigned(case: Case) -> Iterator[Finding]:
    """Find TLSA records that count for nothing, where no other check says why."""
    for stop in case.route.stops:
        if _cut_off(case, stop) is not None:
            continue
        for view in views(stop, case.snapshot):
            open_ones = [one for one in view.answers if one.records and one.security is Security.INSECURE]
            zone = next((one.broken_zone for one in open_ones if one.broken_zone), view.zone)
            if open_ones and all(one.cause in PLAIN for one in open_ones) and not _is_signed(case, zone):
                yield MXUNSIGNED.at(
                    view.owner,
                    f"{view.owner} has TLSA records, but {zone} is not signed",
                    evidence={"zone": zone, "records": "; ".join(map(str, sorted(open_ones[0].records or ())))},
                )


@check(DOMUNSIGNED)
def domain_unsigned(case: Case) -> Iterator[Finding]:
    """Find mail domains, and SRV owners, that are not signed while their hosts are."""
    kind = "SRV" if case.target.kind is Kind.SRV else "MX"
    found = case.lookup(case.target.name, kind)
    if found is None or found.security is not Security.INSECURE or found.cause not in PLAIN:
        return
    zone = found.broken_zone or found.zone
    covered = [stop.host for stop in case.route.stops if stop.outcome is None and _secured(case, stop)]
    if covered and not _is_signed(case, zone):
        yield DOMUNSIGNED.at(
            case.target.name,
            f"{zone or case.target.name} is not signed, nor its {kind} records, while {', '.join(covered)} has TLSA records",
            evidence={"zone": zone, "hosts with TLSA records": ", ".join(covered)},
        )


@check(AINSEC)
def addresses_unsigned(case: Case) -> Iterator[Finding]:
    """Find hosts whose addresses are not signed, while what is around them is."""
    for stop in case.route.stops:
        found = _cut_off(case, stop)
        if found is not None:
            there = any(has_records(view) for view in views(stop, case.snapshot))
            reason = found.reason or f"{found.broken_zone or found.zone} is not signed"
            yield AINSEC.at(
                stop.service.host,
                f"the {found.rdtype} records of {stop.service.host} are not signed, so senders do not ask for TLSA: {reason}",
                severity=Severity.ERROR if there else Severity.WARNING,
                evidence={"asked": f"{found.name} {found.rdtype}", "zone": found.broken_zone or found.zone},
            )


def _cut_off(case: Case, stop: Stop) -> Lookup | None:
    """Return the address lookup that is insecure although the names around it are secure, if there is one."""
    if stop.outcome is not Delivery.OPPORTUNISTIC:
        return None
    for kind in ("A", "AAAA"):
        found = case.lookup(stop.service.host, kind)
        if found is None or found.security is not Security.INSECURE or found.aliases:
            continue
        own_cut = (
            found.broken_zone == stop.service.host + "." and found.cause in PLAIN and not _is_signed(case, found.broken_zone)
        )
        if (own_cut and _above_is_signed(case, stop)) or _secured(case, stop):
            return found
    return None


def _above_is_signed(case: Case, stop: Stop) -> bool:
    """Whether a name around the host was found to be signed: another host, or the mail domain itself."""
    above = "." + stop.service.host.partition(".")[2] + "."
    return any(one.security is Security.SECURE and ("." + one.zone).endswith(above) for one in case.snapshot.lookups.values())


def _secured(case: Case, stop: Stop) -> bool:
    """Whether there are TLSA records for the stop that are signed all the way."""
    seen = (one for view in views(stop, case.snapshot) for one in view.answers)
    return any(one.records and one.security is Security.SECURE for one in seen)


def _is_signed(case: Case, zone: str) -> bool:
    """Whether the zone hands out keys all the same; then another check tells of the missing link."""
    seen = case.snapshot.zones.get(zone)
    return seen is not None and seen.signed
