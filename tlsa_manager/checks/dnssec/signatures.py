"""Signatures and the link to the parent: what makes a zone bogus, now or soon (RFC 4035 §5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import by_zone, on_the_way, unexplained
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.doubts import Doubt
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import Answer

DAY = 86400.0
SOON = 3 * DAY  # what an operator needs to be told before a weekend
FLOOR, MARGIN = 7200.0, 600.0  # of the wait before a swap, where no lineage says otherwise (rollover defaults)
PART = 4  # signatures made anew all the time live for hours: the last quarter of a life is late for any of them

DEFERS = (
    "Senders that use DANE get no answer that they may believe. They keep the mail and try again, and return it after some days. "
    "So does everybody behind a validating resolver who looks the same names up."
)
AFTERWARDS = "Resolvers remember the failure for up to five minutes after it is mended (RFC 9520)."

BADDS = Fault(
    code="F-BADDS",
    title="the DS record at the parent fits no key of the zone",
    severity=Severity.CRITICAL,
    story=(
        "The parent zone says with a DS record which key the zone is signed with, and the zone has no such key. It happens when "
        "a key signing key is replaced before the parent knows the new one, when a domain moves to another DNS provider, or when "
        "signing is switched off and the DS record stays."
    ),
    consequence="The whole zone is bogus for everybody who validates. " + DEFERS,
    remedy=(
        "Publish the DS record of the key that is in use at the registrar (BIND: dnssec-dsfromkey -2 KEYFILE), or bring the old "
        "key back; if the zone shall not be signed any more, have the DS record removed. " + AFTERWARDS
    ),
    reference="RFC 4035 §5.2",
)
SIGEXP = Fault(
    code="F-SIGEXP",
    title="signatures have expired",
    severity=Severity.CRITICAL,
    story=(
        "A signature (RRSIG) is valid until a date, and has to be made anew before. The signer stands still, its keys cannot be "
        "read, or a zone that was signed by hand was forgotten."
    ),
    consequence=DEFERS,
    remedy="Sign the zone again (BIND: rndc sign ZONE; Knot: knotc zone-sign ZONE), and find out why it was not done in time.",
    reference="RFC 4035 §5.3.1, RFC 7671 §13",
)
SIGEXP1 = Fault(
    code="F-SIGEXP1",
    title="one name server hands out expired signatures",
    severity=Severity.CRITICAL,
    story=(
        "The zone is signed anew in time, but one of its servers does not get the new version: a transfer is blocked, a server "
        "was forgotten, or its copy was frozen."
    ),
    consequence=(
        "Which senders are hit changes by the hour: those whose resolver happens to ask this server cannot look up the TLSA "
        "records, and keep the mail until they happen to ask another one."
    ),
    remedy="Make the server fetch the zone (BIND: rndc retransfer ZONE), or take it out of the NS records of zone and parent.",
    reference="RFC 7671 §13",
)
SIGSOON = Fault(
    code="F-SIGSOON",
    title="signatures expire soon",
    severity=Severity.ERROR,
    story=(
        "A signature that the TLSA records depend on has not long to live and was not made anew yet. A signer that works renews "
        "it days before its end."
    ),
    consequence=(
        "Nothing is lost yet. When it has expired, senders that use DANE keep the mail. A rollover begun now might meet that "
        "moment while it waits."
    ),
    remedy=(
        "See whether the signer works (BIND: rndc signing -list ZONE; Knot: knotc zone-status ZONE). Begin no rollover before."
    ),
    reference="RFC 7671 §13, RFC 6781 §4.4.2",
)
SIGFUT = Fault(
    code="F-SIGFUT",
    title="signatures are not valid yet",
    severity=Severity.CRITICAL,
    story=(
        "A signature begins in the future. Either the clock of the machine that signs is fast, or the clock of this one is slow."
    ),
    consequence=DEFERS,
    remedy="Set the clock of the signer (chronyc tracking shows it), and sign the zone again (BIND: rndc sign ZONE).",
    reference="RFC 4035 §5.3.1",
)
SIGMISS = Fault(
    code="F-SIGMISS",
    title="records in a signed zone are not signed",
    severity=Severity.CRITICAL,
    story=(
        "The zone is signed, but these records have no signature. They were added to the signed file by hand, or by a provider's "
        "interface that does not sign."
    ),
    consequence=DEFERS,
    remedy=(
        "Sign the zone again (BIND: rndc sign ZONE; dnssec-signzone for a zone file), and add records before signing, not after."
    ),
    reference="RFC 4035 §2.2, §5.3",
)
SIGBAD = Fault(
    code="F-SIGBAD",
    title="signatures do not fit the records",
    severity=Severity.CRITICAL,
    story=(
        "The signature was made over other data: the records, or their TTL, were changed after signing, or something on the way "
        "changes them."
    ),
    consequence=DEFERS,
    remedy="Sign the zone again (BIND: rndc sign ZONE), and change the unsigned zone only.",
    reference="RFC 4035 §5.3.3",
)
ZSKGONE = Fault(
    code="F-ZSKGONE",
    title="signatures by a key that the zone no longer has",
    severity=Severity.CRITICAL,
    story=(
        "The key that made the signatures is not among the zone's DNSKEY records. It was removed before everything was signed "
        "with its successor, or the servers have different keys."
    ),
    consequence=DEFERS,
    remedy=(
        "Publish the old key again, or sign everything with the one that is there (BIND: rndc sign ZONE). An old key goes when "
        "no signature by it is left in any cache (RFC 6781 §4.1.1)."
    ),
    reference="RFC 4035 §5.3.1, RFC 6781 §4.1.1",
)
BOGUS = Fault(
    code="F-BOGUS",
    title="lookups fail, or their answers do not validate",
    severity=Severity.CRITICAL,
    story=(
        "A validating resolver refuses to answer, because what it got does not fit the chain of trust from the root to the name."
    ),
    consequence=DEFERS,
    remedy="Find the broken link: tlsa-manager check TARGET without --quick, or delv -t TLSA NAME.",
    reference="RFC 7672 §2.1.1",
)

CAUSES = {
    Cause.DS_MISMATCH: BADDS,
    Cause.NO_DNSKEY: BADDS,
    Cause.SIGNATURE_FUTURE: SIGFUT,
    Cause.SIGNATURE_MISSING: SIGMISS,
    Cause.SIGNATURE_BAD: SIGBAD,
    Cause.SIGNATURE_STRANGE: SIGBAD,
    Cause.KEY_GONE: ZSKGONE,
}


@check(BADDS, SIGFUT, SIGMISS, SIGBAD, ZSKGONE)
def bogus_answers(case: Case) -> Iterator[Finding]:
    """Say why answers are bogus, one finding for each zone and fault."""
    for zone, found in by_zone(case, *CAUSES):
        for fault in dict.fromkeys(CAUSES[one.cause] for one in found):
            mine = tuple(one for one in found if CAUSES[one.cause] is fault)
            more = _skew(case, mine) if fault is SIGFUT else {}
            yield fault.at(subject(zone, mine), tell(mine), remedy=mend(fault, zone), evidence=evidence(mine) | more)


@check(SIGEXP, SIGEXP1)
def expired(case: Case) -> Iterator[Finding]:
    """Find expired signatures, on all servers or on some."""
    for zone, found in by_zone(case, Cause.SIGNATURE_EXPIRED):
        some = tuple(one for one in found if one.elsewhere)
        fault, told = (SIGEXP1, some) if some else (SIGEXP, found)
        yield fault.at(subject(zone, told), tell(told), remedy=mend(fault, zone), evidence=evidence(told))


@check(SIGSOON)
def expires_soon(case: Case) -> Iterator[Finding]:
    """Find signatures that may expire while a rollover waits, or before anybody looks again."""
    for view in on_the_way(case):
        late = [one for one in view.answers if _is_late(one, max(one.ttl, view.alias_ttl), case.now)]
        if late:
            first = min(late, key=lambda one: one.signed_until or 0)
            until = first.signed_until or case.now
            yield SIGSOON.at(
                view.owner,
                f"a signature that {view.owner} depends on expires at {date(until)}, in {hours(until - case.now)}",
                remedy=mend(SIGSOON, view.zone),
                evidence={"servers": ", ".join(one.place for one in late), "expires": date(until)},
            )


@check(BOGUS)
def other_failures(case: Case) -> Iterator[Finding]:
    """Tell of failures that no other check explains, such as the word of a resolver."""
    for zone, found in unexplained(case):
        yield BOGUS.at(subject(zone, found), tell(found), evidence=evidence(found))


def mend(fault: Fault, zone: str, found: tuple[Doubt, ...] = ()) -> str:
    """Return the remedy of a fault with what is known put in: the zone, a server, the name that was asked for."""
    server = next((one.place.split()[0] for one in found if one.place), "")
    name = found[0].name if found else ""
    known = {"SERVER": server, "ZONE": zone.rstrip("."), "NAME": name}
    return re.sub(r"(?<!-)\b(SERVER|ZONE|NAME)\b", lambda word: known[word[0]] or word[0], fault.remedy)


def subject(zone: str, found: tuple[Doubt, ...]) -> str:
    """Return what a finding is about: the one name, or the zone."""
    names = {one.name for one in found}
    return names.pop() if len(names) == 1 else zone or found[0].name


def tell(found: tuple[Doubt, ...]) -> str:
    """Say what is wrong: the reason, and where."""
    places = tuple(dict.fromkeys(one.place for one in found if one.place))
    reason = next((one.reason for one in found if one.rdtype == "TLSA" and one.reason), found[0].reason)
    where = f", at {', '.join(places)}" if places and any(one.elsewhere for one in found) else ""
    return (reason or f"{found[0].rdtype} of {found[0].name} cannot be validated") + where


def evidence(found: tuple[Doubt, ...]) -> dict[str, str]:
    """Return what was measured."""
    measured = {
        "asked": ", ".join(dict.fromkeys(f"{one.name} {one.rdtype}" for one in found)),
        "zone": found[0].zone,
        "servers": ", ".join(dict.fromkeys(one.place for one in found if one.place)),
    }
    return {name: value for name, value in measured.items() if value}


def date(moment: float) -> str:
    """Write a date for people, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def hours(seconds: float) -> str:
    """Write a time that is left, for people."""
    return f"{seconds / 3600:.1f} hours" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"


def _is_late(answer: Answer, ttl: int, now: float) -> bool:
    if answer.security is not Security.SECURE or answer.signed_until is None:
        return False
    life = answer.signed_life or 10 * DAY
    return answer.signed_until - now < max(min(SOON, life / PART), min(max(2.0 * ttl, FLOOR) + MARGIN, life / 2))


def _skew(case: Case, found: tuple[Doubt, ...]) -> dict[str, str]:
    """Tell by how much a signature begins in the future."""
    dates = [one.signed_from for one in found if one.signed_from is not None and one.signed_from > case.now]
    return {"ahead of our clock": f"{round(max(dates) - case.now)} s"} if dates else {}
