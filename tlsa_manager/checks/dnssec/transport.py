"""Name servers that do not take what DANE needs: questions for TLSA, long answers, TCP, EDNS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.dnssec.signatures import DEFERS, evidence, mend, subject
from tlsa_manager.checks.doubts import by_zone, drops, of_view, on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.doubts import Doubt
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import OwnerView

DATAGRAM = 1232  # octets that come through everywhere in one piece (RFC 9715 §3.2)

TYPEDROP = Fault(
    code="F-TYPEDROP",
    title="a name server does not answer questions for TLSA",
    severity=Severity.CRITICAL,
    story=(
        "The server answers other questions, but is silent or refuses when asked for the record type TLSA (52). A firewall or "
        "load balancer in front of it does not know the type, or the software is very old."
    ),
    consequence=(
        "A question that is not answered may be an attack, so senders that use DANE keep the mail. They ask for TLSA wherever "
        "the host's addresses are signed, so this strikes hosts that never had a TLSA record as well."
    ),
    remedy=(
        "Let all record types through (test: dig @SERVER NAME TYPE52), update the server, or move the zone to another provider."
    ),
    reference="RFC 7672 §2.1.2, §2.2.2, RFC 3597",
)
TCP = Fault(
    code="F-TCP",
    title="a long answer cannot be had, because the name server does not answer over TCP",
    severity=Severity.ERROR,
    story="The answer does not fit into a datagram, the server says so, and then refuses the connection: TCP port 53 is blocked.",
    consequence=(
        "Resolvers that take datagrams of the usual size cannot get the TLSA records, and senders behind them keep the mail. "
        "Others, which take larger ones, deliver: it looks like chance."
    ),
    remedy="Open TCP port 53 of the name server (test: dig +tcp @SERVER NAME TLSA), and publish fewer or shorter records.",
    reference="RFC 7766 §5, RFC 7671 §10.1",
)
FRAG = Fault(
    code="F-FRAG",
    title="the answer is larger than a datagram that comes through everywhere",
    severity=Severity.WARNING,
    story="Many TLSA records, long data (matching type 0) or long RSA signatures make the answer larger than 1232 octets.",
    consequence=(
        "Resolvers have to ask again over TCP, which is slower; where a large datagram is sent in pieces and the pieces are "
        "dropped, the lookup fails and the mail is kept."
    ),
    remedy=(
        "Publish 3 1 1 records only and remove those that are not needed; sign with ECDSA P-256 (algorithm 13) instead of RSA."
    ),
    reference="RFC 7671 §10.1.1, RFC 9715",
)
EDNS = Fault(
    code="F-EDNS",
    title="a name server does not take EDNS",
    severity=Severity.CRITICAL,
    story=(
        "Signatures come only to those who ask for them with EDNS. The server, or a proxy in front of it, answers such questions "
        "with an error, or leaves EDNS and the signatures out."
    ),
    consequence="In a signed zone an answer without signatures is bogus. " + DEFERS,
    remedy="Update or replace the server, or the proxy in front of it (test: dig +dnssec @SERVER NAME SOA).",
    reference="RFC 6891 §7, RFC 4035 §3.1",
)


@check(TYPEDROP)
def drops_tlsa(case: Case) -> Iterator[Finding]:
    """Find servers that answer for other types only."""
    for view in on_the_way(case):
        found = tuple(one for one in of_view(view) if drops(one))
        if found:
            harmless = any(one.elsewhere for one in found) or not _signed_around(case, view)
            where = ", ".join(one.place for one in found)
            yield TYPEDROP.at(
                view.owner,
                f"{where} answers other questions, but when asked for TLSA of {view.owner} {found[0].reason}",
                severity=Severity.ERROR if harmless else Severity.CRITICAL,
                remedy=mend(TYPEDROP, view.zone, found),
                evidence=evidence(found),
            )


@check(TCP)
def no_tcp(case: Case) -> Iterator[Finding]:
    """Find answers that are cut off and cannot be had whole."""
    for zone, found in by_zone(case, Cause.CUT_OFF):
        severity = Severity.ERROR if any(one.elsewhere for one in found) else Severity.CRITICAL
        about, remedy = subject(zone, found), mend(TCP, zone, found)
        yield TCP.at(about, _said(found), severity=severity, remedy=remedy, evidence=evidence(found))


@check(FRAG)
def large(case: Case) -> Iterator[Finding]:
    """Find answers that are too large for a datagram."""
    for view in on_the_way(case):
        size = max((one.size for one in view.answers if one.cause is not Cause.MANY), default=0)
        if size > DATAGRAM:
            records = max(len(one.records or ()) for one in view.answers)
            yield FRAG.at(
                view.owner,
                f"the answer for {view.owner} has {size} octets, with {records} TLSA records",
                evidence={"octets": str(size), "wanted": f"{DATAGRAM} at most", "records": str(records)},
            )


@check(EDNS)
def no_edns(case: Case) -> Iterator[Finding]:
    """Find servers that do not take EDNS, or drop it."""
    for zone, found in by_zone(case, Cause.EDNS):
        worst = any(one.security is Security.BOGUS or not one.elsewhere for one in found)
        severity = Severity.CRITICAL if worst else Severity.ERROR
        about, remedy = subject(zone, found), mend(EDNS, zone, found)
        yield EDNS.at(about, _said(found), severity=severity, remedy=remedy, evidence=evidence(found))


def _said(found: tuple[Doubt, ...]) -> str:
    """Say which servers do what; a lookup that tried all of them names one in its reason."""
    told = [f"{one.place} {one.reason}" if one.security is not Security.BOGUS else f"{one.place}: {one.reason}" for one in found]
    return next((words for one, words in zip(found, told, strict=True) if one.place), found[0].reason)


def _signed_around(case: Case, view: OwnerView) -> bool:
    """Whether senders come to ask for TLSA at all: not where the host's addresses are known to be unsigned."""
    stops = (stop for stop in case.route.stops if view.owner in (*stop.owners, stop.service.owner))
    return any(stop.outcome is not Delivery.OPPORTUNISTIC for stop in stops)
