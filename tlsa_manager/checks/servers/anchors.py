"""Certificate usage 2: anchors that are not sent, names, dates, and issuers that will not sign the next certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.mending import add, fitting, later, line, remove
from tlsa_manager.checks.moments import day
from tlsa_manager.checks.servers import letsencrypt
from tlsa_manager.checks.trial import lacking
from tlsa_manager.finding import Severity
from tlsa_manager.sender.issuing import paper
from tlsa_manager.sender.path import problem
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import Presentation

_KEPT = "Senders that use DANE find no valid path to the anchor and keep the mail."
SOON = 3 * 86400.0  # what an operator needs to be told before a weekend

TANOTSENT = Fault(
    code="F-TANOTSENT",
    title="the trust anchor is not among the certificates that are sent",
    severity=Severity.CRITICAL,
    story=(
        "The record pins a certificate authority (usage 2), but the server does not send that authority's certificate. Mostly "
        "the root is pinned, and servers leave the root out because web browsers have it already. Senders of mail have no such "
        "store."
    ),
    consequence=_KEPT,
    remedy=(
        "Append the pinned certificate to the chain file of the server, even if it is a root; or pin an issuer that is sent; or, "
        "which needs neither, publish a record of the server's own key (3 1 1)."
    ),
    reference="RFC 7671 §5.2.2, RFC 7672 §3.1.2",
)
CHAINSHORT = Fault(
    code="F-CHAINSHORT",
    title="the server sends its own certificate without the one that issued it",
    severity=Severity.WARNING,
    story="The server was given cert.pem where it needs fullchain.pem: the intermediate certificate is missing.",
    consequence=(
        "With records of usage 3 DANE does not mind. With usage 2 the anchor cannot be reached and mail is kept. MTA-STS senders "
        "and many mail programs refuse the certificate."
    ),
    remedy="Give the server the whole chain, leaf first (ACME clients call that file fullchain.pem), and reload it.",
    reference="RFC 7671 §5.2.2, RFC 8446 §4.4.2",
)
CAPIN = Fault(
    code="F-CAPIN",
    title="pinned issuers will not sign the next certificate, or sign none any more",
    severity=Severity.ERROR,
    story=(
        "The records pin intermediate certificates of Let's Encrypt. It chooses one of several for each certificate, keeps "
        "others in reserve, and replaces all of them after a while, so that nobody should pin them."
    ),
    consequence=(
        "As long as the present certificate comes from a pinned issuer mail is delivered. With the first renewal from another "
        "one senders that use DANE keep the mail."
    ),
    remedy=(
        "Publish a record of the server's own key (3 1 1), and keep the key or roll it with tlsa-manager; or pin every active "
        "and "
        f"reserve issuer (as of {letsencrypt.AS_OF}) and follow the list: https://letsencrypt.org/certificates/"
    ),
    reference="RFC 7671 §5.2, RFC 7672 §3.1.2",
)
CAPIN0 = Fault(
    code="F-CAPIN0",
    title="a public certificate authority is pinned by its whole certificate",
    severity=Severity.ERROR,
    story=(
        "The record is a digest of the authority's certificate (selector 0), not of its key. Public authorities have several "
        "certificates for one key, cross-signed by different roots, and change which of them is sent without warning."
    ),
    consequence=(
        "When the server sends another certificate for the same key, senders that use DANE find no match and keep the mail."
    ),
    remedy="Pin the key (2 1 1), or better publish a record of the server's own key (3 1 1).",
    reference="RFC 7671 §5.2.1",
)
TANAME = Fault(
    code="F-TANAME",
    title="the certificate does not name the host, and with usage 2 it has to",
    severity=Severity.CRITICAL,
    story=(
        "The trust anchor is right, but the certificate is for other names. With usage 2 names count: the MX host's name, or the "
        "mail domain, has to be among the certificate's DNS names. With usage 3 they would not."
    ),
    consequence=_KEPT,
    remedy="Have the certificate issued for the MX host's name as well; or publish a record of the server's own key (3 1 1).",
    reference="RFC 7672 §3.2.2, §3.2.3",
)
TAEXP = Fault(
    code="F-TAEXP",
    title="a certificate on the way to the trust anchor has expired",
    severity=Severity.CRITICAL,
    story="With usage 2 dates count. The server's certificate, or one between it and the anchor, has expired or is about to.",
    consequence=_KEPT + " Senders without DANE mostly deliver all the same.",
    remedy=(
        "Renew the certificate and reload the server; or publish a record of the server's own key (3 1 1), where dates do not "
        "count."
    ),
    reference="RFC 7671 §5.2, RFC 7672 §3.1.2",
)
TAPATH = Fault(
    code="F-TAPATH",
    title="no valid path leads to the trust anchor",
    severity=Severity.CRITICAL,
    story=(
        "The pinned authority is among the certificates that are sent, but it may not issue the one that is presented: it did "
        "not sign it, is no authority, or its constraints forbid it."
    ),
    consequence=_KEPT,
    remedy="Send the chain exactly as the authority gave it; or publish a record of the server's own key (3 1 1).",
    reference="RFC 7671 §5.2, RFC 5280 §6.1",
)
FAULTS = {one.code: one for one in (TANOTSENT, CHAINSHORT, CAPIN, TANAME, TAEXP, TAPATH)}


@check(CAPIN)
def issuers_left_out(case: Case) -> Iterator[Finding]:
    """Find pins of Let's Encrypt that leave out issuers which may sign the next certificate."""
    told = set()
    for meeting in meetings(case):
        pinned, spot = _pinned(meeting), meeting.spot
        left_out = letsencrypt.missing(pinned) if pinned else {}
        if spot is None or not left_out or meeting.verdict.owner in told or (meeting.shown() and cause(meeting)):
            continue
        told.add(meeting.verdict.owner)
        leaf = any(one.usage == 3 for one in meeting.usable)
        names = ", ".join(
            f"{letsencrypt.ISSUERS[one].name} ({letsencrypt.ISSUERS[one].state})" for one in pinned & letsencrypt.ISSUERS.keys()
        )
        lines = "; and: ".join(line(spot.target, spot.ttl, Tlsa(2, 1, 1, digest)) for digest in left_out.values())
        yield CAPIN.at(
            meeting.verdict.owner,
            f"{names} is pinned; {', '.join(left_out)} may sign the next certificate and is not",
            severity=Severity.WARNING if leaf else Severity.ERROR,
            remedy=f"publish: {lines}; or rely on a record of the server's own key (3 1 1)",
            evidence={f"may sign, as of {letsencrypt.AS_OF}": ", ".join(left_out)},
        )


@check(CAPIN0)
def whole_certificate_pinned(case: Case) -> Iterator[Finding]:
    """Find public authorities that are pinned by selector 0."""
    told = set()
    for meeting in meetings(case):
        for record in sorted(meeting.usable):
            seen = next(
                (one for one in meeting.shown() if record.usage == 2 and record.selector == 0 and _is_public(record, one)), None
            )
            if seen is None or (meeting.verdict.owner, record) in told:
                continue
            told.add((meeting.verdict.owner, record))
            instead = next(one for one in seen.chain.certificates[1:] if one.matches(record)) if seen.chain else None
            spot = meeting.spot
            yield CAPIN0.at(
                meeting.verdict.owner,
                f"{record} pins one certificate of a public authority that has more than one for its key",
                remedy=_pin_the_key(spot, record, Tlsa(2, 1, 1, instead.spki_sha256)) if spot and instead else "",
                evidence={"published": str(record)},
            )


@check(TAEXP)
def anchor_path_expires_soon(case: Case) -> Iterator[Finding]:
    """Find chains that only records of usage 2 fit, and of which a certificate ends within days."""
    told = set()
    for meeting in meetings(case):
        if not meeting.usable or any(one.usage != 2 for one in meeting.usable) or meeting.unmatched():
            continue
        for seen in meeting.shown():
            ends = min((found.not_after for one in seen.certificates if (found := paper(one)) is not None), default=0.0)
            if case.now <= ends < case.now + SOON and meeting.verdict.service not in told:
                told.add(meeting.verdict.service)
                yield TAEXP.at(
                    meeting.place, f"a certificate on the way to the anchor expires at {day(ends)}", severity=Severity.ERROR,
                    consequence="Nothing is lost yet; from that moment on senders that use DANE keep the mail.",
                )  # fmt: skip


@check(CHAINSHORT)
def sent_alone(case: Case) -> Iterator[Finding]:
    """Find leaves that are sent without their issuer where no record minds."""
    told = set()
    for meeting in meetings(case):
        for seen in meeting.shown():
            if is_short(seen) and seen.pkix != "" and not meeting.unmatched() and meeting.verdict.service not in told:
                told.add(meeting.verdict.service)
                yield CHAINSHORT.at(
                    meeting.place, f"it sends one certificate, and not that of its issuer ({_issuer(seen)})",
                    evidence={"public trust": seen.pkix or "not examined"},
                )  # fmt: skip


def cause(meeting: Meeting) -> str:
    """Return the code of the fault by which records of usage 2 do not fit what is presented, empty if there is none."""
    records = [one for one in meeting.usable if one.usage == 2]
    wrong = [one for one in meeting.unmatched() if one.certificates]
    if not records or not wrong or any(meeting.fits(one) for one in meeting.shown()):
        return ""
    seen = wrong[0]
    places = [
        place
        for place, one in enumerate(seen.chain.certificates if seen.chain else ())
        if place and any(map(one.matches, records))
    ]
    if places:
        return _fault_of_path(seen, places[0], meeting)
    if letsencrypt.only_retired(_pinned(meeting)) and all(one.selector == 1 for one in records):
        return CAPIN.code
    if is_short(seen):
        return CHAINSHORT.code
    if _is_complete(seen):
        return ""  # the root is sent, and it is another one: the records are of another authority
    known = [letsencrypt.ISSUERS[one] for one in _pinned(meeting) if one in letsencrypt.ISSUERS]
    return CAPIN.code if known and all(one.state != "root" for one in known) else TANOTSENT.code


def tell(fault: Fault, meeting: Meeting) -> Finding:
    """Make the finding of the fault by which records of usage 2 do not fit."""
    seen = meeting.unmatched()[0]
    spot = meeting.spot
    own = add(spot, fitting(spot, lacking(spot))) if spot else ""
    lines = f"{own}; then, at leisure: " if own else ""
    published = [str(one) for one in sorted(meeting.usable) if one.usage == 2]
    return fault.at(
        meeting.place,
        _message(fault, meeting, seen),
        severity=meeting.severity,
        remedy=lines + fault.remedy[0].lower() + fault.remedy[1:],
        evidence={
            "published": ", ".join(published),
            "sent": ", ".join(_sent(seen)),
            "names tried": ", ".join(meeting.stop.names),
        },
    )


def is_short(seen: Presentation) -> bool:
    """Whether a certificate that somebody else issued is sent alone."""
    return len(seen.certificates) == 1 and not _issued_itself(seen.certificates[0])


def _is_complete(seen: Presentation) -> bool:
    """Whether the chain goes up to a root."""
    return bool(seen.certificates) and _issued_itself(seen.certificates[-1])


def _issued_itself(certificate: bytes) -> bool:
    found = paper(certificate)
    return found is not None and found.certificate.issuer == found.certificate.subject


def _fault_of_path(seen: Presentation, place: int, meeting: Meeting) -> str:
    """Say which of names, dates and the rest is wrong with the path to an anchor that is sent."""
    leaf = paper(seen.certificates[0])
    names = leaf.names if leaf else ()
    if not problem(seen.certificates, place, names, meeting.now):
        return TANAME.code
    papers = [found for one in seen.certificates if (found := paper(one)) is not None]
    within = max((one.not_before for one in papers), default=meeting.now) + 1
    if not problem(seen.certificates, place, names, within):
        return TAEXP.code
    return TAPATH.code


def _pin_the_key(spot: Spot, record: Tlsa, instead: Tlsa) -> str:
    """Say how to pin an authority's key in the place of its certificate."""
    first, last = add(spot, (instead,)), remove(spot, record, new=(instead,)) or later(spot, (record,))
    return f"{first} beside it; wait; then {last}" if first and last else first or last


def _pinned(meeting: Meeting) -> frozenset[str]:
    return frozenset(one.data for one in meeting.usable if (one.usage, one.selector, one.matching) == (2, 1, 1))


def _is_public(record: Tlsa, seen: Presentation) -> bool:
    """Whether a record pins a certificate of an authority that the public trusts."""
    pinned = [one for one in (seen.chain.certificates[1:] if seen.chain else ()) if one.matches(record)]
    return any(one.spki_sha256 in letsencrypt.ISSUERS or seen.pkix == "" for one in pinned)


def _message(fault: Fault, meeting: Meeting, seen: Presentation) -> str:
    why = next((one.why for one in meeting.verdict.records if one.record.usage == 2 and one.usable), "")
    if fault is CAPIN:
        names = [letsencrypt.ISSUERS[one].name for one in _pinned(meeting) if one in letsencrypt.ISSUERS]
        return f"{', '.join(sorted(names))} of Let's Encrypt is pinned, and did not issue what is sent (issuer: {_issuer(seen)})"
    if fault is CHAINSHORT:
        return f"one certificate is sent, not that of its issuer ({_issuer(seen)}), so no pinned anchor can be reached"
    if fault is TANOTSENT:
        return f"no pinned anchor is among the {len(seen.certificates)} certificates that are sent"
    return f"the record {why}" if why else fault.title


def _sent(seen: Presentation) -> Iterator[str]:
    for one in seen.certificates:
        found = paper(one)
        yield found.label if found else "a certificate that cannot be read"


def _issuer(seen: Presentation) -> str:
    found = paper(seen.certificates[0])
    text = found.certificate.issuer.rfc4514_string() if found else "cannot be read"
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]
