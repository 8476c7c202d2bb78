"""Aliases (CNAME, DNAME) on the way to a host or to its TLSA records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.dnssec.signatures import DEFERS, evidence, subject, tell
from tlsa_manager.checks.doubts import by_zone, on_the_way, owner_in_use
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.names.exchange import without_host
from tlsa_manager.checks.servers.mismatch import OTHER_BASE, base_fits, bound_by, cause, is_signed
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.route import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup
    from tlsa_manager.tlsa import RRset

BASE = Fault(
    code="F-CNAME-BASE",
    title="TLSA records at an alias and at the name behind it differ",
    severity=Severity.ERROR,
    story=(
        "The MX host is an alias. Senders look for TLSA records at the name behind it first, and at the alias only where there "
        "are none. Here both have records, and they are not the same."
    ),
    consequence=(
        "Most senders go by the records of the name behind the alias, and never see the others. Whoever changes the latter and "
        "not the former has changed nothing. A few senders may do it the other way round."
    ),
    remedy=(
        "Keep one set, the one that matches: remove the other, or make its name an alias (_25._tcp.ALIAS CNAME _25._tcp.HOST)."
    ),
    reference="RFC 7671 §7, RFC 7672 §2.2.2",
)
INSEC = Fault(
    code="F-CNAME-INSEC",
    title="the MX host is an alias that leads into an unsigned zone",
    severity=Severity.WARNING,
    story="The alias is signed, and the name behind it is not. TLSA records there count for nothing.",
    consequence=(
        "Senders look for TLSA records at the alias itself. If it has some they count; if not, the mail goes without protection, "
        "whatever stands at the name behind the alias."
    ),
    remedy=(
        "Publish the TLSA records at the alias's own name, have the other zone signed, or name a signed host in the MX record."
    ),
    reference="RFC 7672 §2.1.3, §2.2.2",
)
DANGLE = Fault(
    code="F-CNAME-DANGLE",
    title="an alias leads nowhere, or in a circle",
    severity=Severity.ERROR,
    story="The name behind an alias was removed or never made, or two aliases point at each other.",
    consequence=(
        "If the absence is proven there is no TLSA record for senders, and DANE is off. A circle is a failed lookup: senders "
        "that use DANE keep the mail."
    ),
    remedy="Make the name that the alias leads to, or replace the alias by TLSA records.",
    reference="RFC 1034 §3.6.2, RFC 7672 §2.1.3",
)
AND_TLSA = Fault(
    code="F-CNAME-AND-TLSA",
    title="records were added to a name that is an alias, and are not there",
    severity=Severity.ERROR,
    story=(
        "An alias can have no other records beside it. A server that is told to add a TLSA record there answers NOERROR and "
        "ignores it; so do some providers."
    ),
    consequence="Senders see what stands at the name behind the alias. A rollover that trusts the NOERROR would swap too early.",
    remedy="Add the records at the name that the alias leads to, or remove the alias first.",
    reference="RFC 2136 §3.4.2.2, RFC 1034 §3.6.2",
)


@check(BASE)
def two_bases(case: Case) -> Iterator[Finding]:
    """Find hosts whose alias and expanded name have different records."""
    here = meetings(case)
    for stop in case.route.stops:
        filled = {name: records for name in stop.owners if (records := bound_by(case, name))}
        if len(set(filled.values())) < 2:
            continue
        mine = [one for one in here if one.verdict.service == str(stop.service)]
        held = any(one.deferred and cause(one, here, case) == OTHER_BASE for one in mine)
        keep = _right_base(case, list(filled), mine)
        first, *others = filled
        wrong = first if keep == others[0] else others[0]
        used = next((one.verdict.owner for one in mine if one.verdict.owner in filled), first)
        other = others[0] if used == first else first
        yield BASE.at(
            wrong,
            f"{stop.host} is an alias: senders go by the TLSA records at {used}, and {other} has others"
            + (f"; those at {keep} match what is presented, those at {wrong} do not" if held else ""),
            severity=Severity.CRITICAL if held else None,
            remedy=f"Keep the records at {keep}; remove those at {wrong}, or replace them by: {wrong} IN CNAME {keep}"
            if keep
            else f"Publish the right records at {first} (tlsa-manager digest CERTIFICATE); only then remove those at {wrong}",
            evidence={name: "; ".join(map(str, sorted(records))) for name, records in filled.items()},
        )


@check(INSEC)
def into_the_open(case: Case) -> Iterator[Finding]:
    """Find signed aliases that lead to unsigned names."""
    for stop in case.route.stops:
        found = next((one for one in _addresses(case, stop) if one.aliases and one.security is Security.INSECURE), None)
        if found is not None and found.aliases[0].security is Security.SECURE:
            target = found.target or found.aliases[-1].target
            yield INSEC.at(
                stop.host,
                f"{stop.host} is an alias for {target}, which is not signed: only TLSA records at {stop.service.owner} count",
                remedy=INSEC.remedy.replace("the alias's own name", stop.service.owner),
                evidence={"alias": stop.host, "leads to": target, "TLSA looked for at": stop.service.owner},
            )


@check(DANGLE)
def dangling(case: Case) -> Iterator[Finding]:
    """Find aliases that lead nowhere, and circles."""
    for zone, found in by_zone(case, Cause.LOOP):
        reason = tell(found)
        yield DANGLE.at(subject(zone, found), reason, severity=Severity.CRITICAL, consequence=DEFERS, evidence=evidence(found))
    for view in on_the_way(case):
        if view.target != view.owner and view.answers and all(one.records == frozenset() for one in view.answers):
            gone = all(one.exists is False for one in view.answers)
            what = "does not exist" if gone else "has no TLSA record"
            yield DANGLE.at(
                view.owner,
                f"{view.owner} is an alias for {view.target}, which {what}",
                remedy=f"Publish TLSA records at {view.target}, or replace the alias at {view.owner} by records.",
                evidence={"alias": view.owner, "leads to": view.target, "found there": what},
            )
    for stop in case.route.stops:
        yield from _host_without_end(case, stop)


@check(AND_TLSA)
def beside_an_alias(case: Case) -> Iterator[Finding]:
    """Find records that we sent, which are not there, at names that are aliases."""
    home = case.household
    for stop in case.route.stops if home is not None else ():
        view = case.snapshot.owners.get(owner_in_use(case, stop))
        if view is None or view.target == view.owner or home is None or not view.answers:
            continue
        sent = home.facts.sent.get(view.owner)
        missing = sent.records - _records(view) if sent is not None and not sent.asked else frozenset()
        if missing:
            yield AND_TLSA.at(
                view.owner,
                f"TLSA records were sent to {view.owner} and are not there: it is an alias for {view.target}",
                remedy="; ".join(f"publish: {view.target} IN TLSA {one}" for one in sorted(missing)),
                evidence={"sent": "; ".join(map(str, sorted(missing))), "alias for": view.target},
            )


def _right_base(case: Case, names: list[str], here: list[Meeting]) -> str:
    """Return the name whose records all that is presented matches, also for senders with agility; signed ones where any are.

    Of two the one that senders come to first; empty where there is none.
    """
    signed = [name for name in names if is_signed(case, name)]
    return next((name for name in signed or names if base_fits(case, name, here)), "")


def _host_without_end(case: Case, stop: Stop) -> Iterator[Finding]:
    found = [one for one in _addresses(case, stop) if one.aliases]
    if found and all(one.records == () and one.security not in FAILED for one in _addresses(case, stop)):
        target = found[0].target or found[0].aliases[-1].target
        yield DANGLE.at(
            stop.host,
            f"{stop.host} is an alias for {target}, which has no address",
            severity=without_host(case),
            consequence="No sender can deliver to this host, with DANE or without.",
            remedy=f"Make {target} with its address, or name another host instead of {stop.host}.",
            evidence={"alias": stop.host, "leads to": target},
        )


def _addresses(case: Case, stop: Stop) -> list[Lookup]:
    found = (case.lookup(stop.service.host, kind) for kind in ("A", "AAAA"))
    return [one for one in found if one is not None]


def _records(view: OwnerView) -> RRset:
    return frozenset(record for one in view.answers for record in one.records or ())
