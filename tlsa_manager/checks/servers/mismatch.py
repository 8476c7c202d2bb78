"""A certificate that no TLSA record fits: one cause for each service, the most particular one that can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.house.causes import fits_on_disk, is_own_record_gone
from tlsa_manager.checks.meeting import is_explained, meetings
from tlsa_manager.checks.mending import add, fitting
from tlsa_manager.checks.moments import day
from tlsa_manager.checks.records.readings import former
from tlsa_manager.checks.servers import anchors
from tlsa_manager.checks.trial import lacking
from tlsa_manager.finding import Severity
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Security
from tlsa_manager.sender.agility import agile, usable
from tlsa_manager.sender.issuing import paper
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.tlsa import RRset

_KEPT = "Senders that use DANE find no match and keep the mail; after some days it goes back to whoever sent it."

STALE = Fault(
    code="F-STALE",
    title="no TLSA record fits the certificate that is presented",
    severity=Severity.CRITICAL,
    story=(
        "The server presents a key for which no record was published. Nearly always a certificate was renewed with a new key and "
        "nobody changed DNS, or DNS was changed and the server was not."
    ),
    consequence=_KEPT + " Senders without DANE deliver as before, so it is easily overlooked.",
    remedy=(
        "Publish the record of the certificate that is presented beside the others, at once; or put the former key and "
        "certificate back, if you still have them. Next time publish first and swap later: tlsa-manager does."
    ),
    reference="RFC 7671 §8.1, RFC 7672 §4",
)
MIXED = Fault(
    code="F-MIXED",
    title="one address presents several certificates in turn",
    severity=Severity.CRITICAL,
    story=(
        "Connection by connection the same address presents one certificate or another. Old processes live on after a swap "
        "(Postfix replaces them one by one), or several machines share the address and not all have the new certificate."
    ),
    consequence=(
        "While every one of them has a record nothing happens. As soon as one has none, senders that use DANE keep the mail "
        "whenever they meet that one."
    ),
    remedy="Reload or restart the server on every machine behind the address, and look again; publish what is still presented.",
    reference="RFC 7671 §8.1",
)
IPDIFF = Fault(
    code="F-IPDIFF",
    title="addresses of one host present different certificates",
    severity=Severity.CRITICAL,
    story=(
        "Some addresses of the host present a certificate that a record fits, and others do not. Often it is IPv4 and IPv6, or "
        "one of several machines that was forgotten at the last renewal."
    ),
    consequence=(
        "Senders that use DANE go on to the next address when one does not fit, and some keep the mail at once. Where IPv6 is "
        "the wrong one it is tried first."
    ),
    remedy="Put the same key and certificate on every machine behind the name, or publish a record for each of them.",
    reference="RFC 7671 §8.1, RFC 7672 §2.2",
)
PORTDIFF = Fault(
    code="F-PORTDIFF",
    title="one port is right and another is wrong",
    severity=Severity.ERROR,
    story=(
        "At one port of the host a record fits what is presented, and at another it does not: each port has TLSA records of its "
        "own, and often a program of its own with its own certificate file (Dovecot beside Postfix)."
    ),
    consequence=(
        "Whoever uses DANE with that port cannot connect. On port 25 that is other mail servers; on 465, 587 and 993 it is those "
        "mail programs that know DANE, which are few."
    ),
    remedy="Publish the record of what is presented there at that port's own name, or give that program the same certificate.",
    reference="RFC 6698 §3, RFC 7671 §8.1",
)
SNIDIFF = Fault(
    code="F-SNIDIFF",
    title="with SNI the server presents another certificate than without, and records cover only one",
    severity=Severity.ERROR,
    story=(
        "The server chooses its certificate by the name that the client asks for (SNI). The records were made for one of the two "
        "certificates, mostly the default one, because that is what a simple test shows."
    ),
    consequence=(
        "Senders that use DANE always send SNI, so what counts is the certificate for the MX host's name. If that one has no "
        "record they keep the mail; if the default one has none, only clients without SNI are hit, which should not use DANE."
    ),
    remedy="Publish a record for each of the two, or let both be the same certificate.",
    reference="RFC 7672 §8.1",
)
ALGDIFF = Fault(
    code="F-ALGDIFF",
    title="the records cover the RSA certificate or the ECDSA one, but not both",
    severity=Severity.CRITICAL,
    story=(
        "The server has two certificates, one with an RSA key and one with an ECDSA key, and presents what the client prefers. "
        "Records were published for one of them only; mostly ECDSA was forgotten."
    ),
    consequence=(
        "Senders that agree on the other kind keep the mail: the newer ones, where ECDSA is not covered. The rest deliver, so a "
        "test with one kind of client shows nothing wrong."
    ),
    remedy="Publish the record of the other certificate beside the one that is there, at once.",
    reference="RFC 7671 §8.1, RFC 7672 §4",
)
OTHER_BASE = "F-CNAME-BASE"  # told by the check of aliases
FAULTS = {one.code: one for one in (STALE, MIXED, IPDIFF, PORTDIFF, SNIDIFF, ALGDIFF)}


@check(*FAULTS.values(), *anchors.FAULTS.values())
def no_record_fits(case: Case) -> Iterator[Finding]:
    """Find what is presented without a record: one finding for each service and cause."""
    here = meetings(case)
    told = set()
    for meeting in here:
        code = cause(meeting, here, case)
        if code and code != OTHER_BASE and (meeting.verdict.service, code) not in told:
            told.add((meeting.verdict.service, code))
            yield _told(FAULTS[code], meeting, here, case) if code in FAULTS else anchors.tell(anchors.FAULTS[code], meeting)


@check(MIXED)
def mixed_and_covered(case: Case) -> Iterator[Finding]:
    """Find addresses that present several certificates of one kind, all of them with a record."""
    swapping = case.household is not None and case.household.phase is Phase.SWAPPING
    for meeting in meetings(case):
        several = _several(meeting)
        if several and not meeting.unmatched():
            yield MIXED.at(
                meeting.place,
                "connections to it are shown different certificates"
                + (", as always while a swap is going on" if swapping else ""),
                severity=Severity.WARNING,
                evidence=_presented(several),
            )


@check(SNIDIFF)
def default_not_covered(case: Case) -> Iterator[Finding]:
    """Find servers whose certificate for clients without SNI no record fits, while the one for the host's name is covered."""
    for meeting in meetings(case):
        bare = [one for one in meeting.unmatched("no-sni") if one.chain not in {seen.chain for seen in meeting.shown()}]
        if bare and meeting.shown() and not meeting.unmatched():
            yield SNIDIFF.at(
                meeting.place,
                "the certificate for clients without SNI fits no record; the one for the host's name does",
                severity=Severity.ERROR,
                remedy=_publish(meeting, bare[0]),
                evidence={"without SNI": _digest(bare[0]), "with SNI": _digest(meeting.shown()[0])},
            )


def cause(meeting: Meeting, here: tuple[Meeting, ...], case: Case) -> str:
    """Return the code of the one cause why something presented here fits no record; empty if there is none, or it is not ours.

    Empty, too, where another check tells the cause: a record that was made wrongly, a record of our own that is gone, a file
    that was not taken up. Better records at the other base domain are told by the check of aliases.
    """
    wrong = meeting.unmatched()
    if not wrong:
        return ""
    right = [one for one in meeting.shown() if one not in wrong]
    if right:
        return MIXED.code if _kinds(right) & _kinds(wrong) else ALGDIFF.code
    beside = [one for one in here if one.verdict.service == meeting.verdict.service and one is not meeting]
    if any(len(one.unmatched()) < len(one.shown()) for one in beside):
        return IPDIFF.code
    return _cause_of_all(meeting, here, case)


def _cause_of_all(meeting: Meeting, here: tuple[Meeting, ...], case: Case) -> str:
    """Return the cause where nothing that is presented to senders fits any record of the owner."""
    if is_explained(meeting, case) or is_own_record_gone(meeting, case) or fits_on_disk(meeting, case):
        return ""
    if any(meeting.fits(one) for one in meeting.shown("no-sni")):
        return SNIDIFF.code
    if _other_base_fits(meeting, here, case):
        return OTHER_BASE
    anchor = anchors.cause(meeting)
    if anchor:
        return anchor
    host = [one for one in here if one.stop.host == meeting.stop.host and one.verdict.service != meeting.verdict.service]
    if any(one.shown() and one.usable and not one.unmatched() for one in host):
        return PORTDIFF.code
    return STALE.code


def base_fits(case: Case, owner: str, here: Iterable[Meeting]) -> bool:
    """Whether the records at a base domain would do for all that is presented there, and for senders with agility."""
    records = bound_by(case, owner)
    shown = [(one, seen) for one in here for seen in one.shown()]
    return bool(shown) and all(one.fits(seen, agile(usable(records, smtp=one.stop.service.opportunistic))) for one, seen in shown)


def bound_by(case: Case, owner: str) -> RRset:
    """Return the records that senders are bound by at an owner; without any signed answer all, as if they were."""
    answers = case.snapshot.owners[owner].answers if owner in case.snapshot.owners else ()
    signed = [one for one in answers if one.records and one.security is Security.SECURE]
    return frozenset(record for one in signed or answers for record in one.records or ())


def _other_base_fits(meeting: Meeting, here: tuple[Meeting, ...], case: Case) -> bool:
    """Whether the records at the other base domain fit (F-CNAME-BASE): then they stand at the wrong one of two names."""
    mine = [one for one in here if one.verdict.service == meeting.verdict.service]
    others = [one for one in meeting.stop.owners if one != meeting.verdict.owner]
    signed = [one for one in others if is_signed(case, one)] if meeting.promised else others
    return any(base_fits(case, owner, mine) for owner in signed)


def is_signed(case: Case, owner: str) -> bool:
    """Whether some server has signed records at an owner."""
    view = case.snapshot.owners.get(owner)
    return view is not None and any(one.records and one.security is Security.SECURE for one in view.answers)


def _several(meeting: Meeting) -> list[Presentation]:
    """Return presentations at one address, all with the same SNI and the same kind of key, that are of different certificates."""
    for kind in sorted(_kinds(meeting.shown())):
        seen = [one for one in meeting.shown() if one.chain and one.chain.kind == kind]
        if len({one.chain.fingerprint for one in seen if one.chain}) > 1:
            return seen
    return []


def _kinds(seen: Iterable[Presentation]) -> set[str]:
    return {one.chain.kind for one in seen if one.chain}


def _told(fault: Fault, meeting: Meeting, here: tuple[Meeting, ...], case: Case) -> Finding:
    wrong = meeting.unmatched()
    severity = meeting.severity
    if fault is PORTDIFF and not meeting.stop.service.opportunistic:
        severity = Severity.ERROR
    evidence = {"published": ", ".join(map(str, sorted(meeting.usable))), **_presented(wrong)}
    subject = meeting.verdict.owner if fault is STALE else meeting.place
    return fault.at(
        subject,
        _message(fault, meeting, here, case),
        severity=severity,
        consequence=""
        if meeting.promised
        else "The records are not signed, so no sender goes by them; once they are, mail is kept.",
        remedy=_remedy(fault, meeting),
        evidence=evidence,
    )


def _message(fault: Fault, meeting: Meeting, here: tuple[Meeting, ...], case: Case) -> str:
    service, wrong = meeting.verdict.service, meeting.unmatched()
    if fault is STALE:
        many = len(meeting.usable)
        whom = f"none of the {many} usable records fits" if many > 1 else "the only usable record does not fit"
        return f"{service} presents a key that {whom}{_history(meeting, case)}"
    if fault is IPDIFF:
        bad = [one.verdict.address for one in here if one.verdict.service == service and one.unmatched()]
        good = [one.verdict.address for one in here if one.verdict.service == service and one.shown() and not one.unmatched()]
        return f"{', '.join(bad)} presents a certificate that no record fits; {', '.join(good)} is right"
    if fault is ALGDIFF:
        kinds = ", ".join(dict.fromkeys(one.chain.kind for one in wrong if one.chain))
        return f"no record fits the {kinds} certificate; the other kind of key is covered"
    if fault is SNIDIFF:
        return "the certificate for the host's name (SNI) fits no record; the one for clients without SNI does"
    if fault is PORTDIFF:
        return (
            f"{service} presents a certificate that no record at {meeting.verdict.owner} fits; another port of the host is right"
        )
    return "some connections are shown a certificate that no record fits"


def _history(meeting: Meeting, case: Case) -> str:
    """Say what is known of how it came: since when the certificate is valid, when its file was written, whose the records are."""
    words = []
    seen = next((one for one in meeting.unmatched() if one.certificates), None)
    found = paper(seen.certificates[0]) if seen else None
    if found is not None:
        words.append(f"the certificate is valid since {day(found.not_before)}")
    home = case.household
    contents = home.contents.values() if home else ()
    words += [f"{one.path} was written at {day(one.modified)}" for one in contents if one.modified]
    if known := sorted({name for record in meeting.usable if (name := former(record, case))}):
        words.append(f"the records are of the former generation {', '.join(known)}")
    return "".join(f"; {one}" for one in words)


def _remedy(fault: Fault, meeting: Meeting) -> str:
    spot = meeting.spot
    lines = add(spot, fitting(spot, lacking(spot))) if spot else ""
    then = {
        "F-MIXED": "reload or restart the server everywhere behind the address; until then ",
        "F-IPDIFF": "put the same certificate on every address; until then ",
    }.get(fault.code, "")
    return f"{then}{lines}, beside what is there; remove the others only when nothing presents their keys any more"


def _publish(meeting: Meeting, seen: Presentation) -> str:
    """Say which records would fit, with all labels for leaves that are in use there."""
    return add(meeting.spot, fitting(meeting.spot, [seen.chain])) if meeting.spot and seen.chain else ""


def _digest(seen: Presentation) -> str:
    return str(seen.chain.leaf.record(DANE_EE_SPKI_SHA256)) if seen.chain else ""


def _presented(seen: Iterable[Presentation]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in seen:
        if one.chain is not None:
            found.setdefault(str(one.chain.leaf.record(DANE_EE_SPKI_SHA256)), f"{one.address}, {one.client}, {one.chain.kind}")
    return {
        f"presented {number}" if len(found) > 1 else "presented": f"{record} ({who})"
        for number, (record, who) in enumerate(found.items(), 1)
    }
