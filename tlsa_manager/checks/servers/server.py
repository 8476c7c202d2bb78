"""Whether TLS begins at all: STARTTLS missing, selective, stripped, failing; addresses where nobody is; mail in plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.finding import Severity
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.finding import Finding

NOTLS = Fault(
    code="F-NOTLS",
    title="STARTTLS is not offered",
    severity=Severity.CRITICAL,
    story=(
        "The server talks, but does not offer to begin TLS: it was never switched on, or the server switched it off by itself "
        "because it could not load its key or certificate (Postfix does)."
    ),
    consequence=(
        "Signed TLSA records promise TLS, so senders that use DANE do not deliver to this server at all: they try the next one, "
        "and keep the mail when none is left. MTA-STS senders do the same while a policy says enforce. All others send in plain "
        "text."
    ),
    remedy=(
        "Look for TLS in the mail log; switch it on (Postfix: smtpd_tls_security_level = may, smtpd_tls_chain_files = FILE); if "
        "there shall be no TLS, withdraw the TLSA records first."
    ),
    reference="RFC 7672 §2.2, RFC 3207 §4",
)
NOTLSSEL = Fault(
    code="F-NOTLSSEL",
    title="STARTTLS is offered to some clients, or some of the time",
    severity=Severity.CRITICAL,
    story=(
        "Some connections are offered STARTTLS and others are not. A greylisting or reputation filter keeps it from clients that "
        "it does not know, or one of several machines behind the address lacks it."
    ),
    consequence=(
        "To a sender that uses DANE the server has no TLS when it is met that way, so the mail is kept; and to the senders that "
        "come for the first time this happens always. Whether a given mail arrives is chance."
    ),
    remedy=(
        "Offer STARTTLS to every client at once (Postfix: no smtpd_discard_ehlo_keyword_address_maps with starttls; see "
        "postscreen)."
    ),
    reference="RFC 7672 §9.2",
)
STRIP = Fault(
    code="F-STRIP",
    title="something on the path hides STARTTLS",
    severity=Severity.ERROR,
    story=(
        "In the place of STARTTLS stand letters like XXXXXXXA. A firewall between here and the server inspects mail and "
        "overwrites what it cannot read; the server itself does offer it."
    ),
    consequence=(
        "Senders that use DANE and come the same way do not deliver: to them it looks like an attack, which it may be. Others "
        "send in plain text through a machine that reads along."
    ),
    remedy=(
        "Ask the server itself: openssl s_client -starttls smtp -connect 127.0.0.1:25 there. If it works, switch off SMTP "
        "inspection in the firewall (Cisco: no inspect esmtp, or allow-tls)."
    ),
    reference="RFC 7672 §1.3.1, RFC 3207 §6",
)
F454 = Fault(
    code="F-454",
    title="TLS is offered, and then fails",
    severity=Severity.CRITICAL,
    story=(
        "The server offers TLS, but answers STARTTLS with an error (mostly 454) or breaks the handshake off. Usually it cannot "
        "read its private key, or key and certificate do not fit, or its TLS settings contradict each other."
    ),
    consequence=(
        "Senders that use DANE do not deliver to this server. MTA-STS senders do not either while a policy says enforce; most "
        "others fall back to plain text, and some give up."
    ),
    remedy=(
        "Look for TLS in the server's log: it names the file. Then see that its user may read the key, and that both belong "
        "together: tlsa-manager digest CERTIFICATE, and of the key: the values must be equal."
    ),
    reference="RFC 3207 §4, RFC 7672 §2.2",
)
SNIREQ = Fault(
    code="F-SNIREQ",
    title="the server demands SNI",
    severity=Severity.WARNING,
    story=(
        "A handshake without the name of the server (SNI) is broken off. The server has a certificate for names that it is told "
        "only."
    ),
    consequence=(
        "Senders that use DANE send SNI and are not hit. Older senders that do not are left without TLS, and so deliver in plain "
        "text."
    ),
    remedy=(
        "Give the server a default certificate: the one of the MX host's name (Postfix: smtpd_tls_chain_files beside the SNI "
        "map)."
    ),
    reference="RFC 7672 §8.1",
)
UNREACH = Fault(
    code="F-UNREACH",
    title="an address cannot be reached",
    severity=Severity.WARNING,
    story=(
        "Nobody answers at an address that DNS names: the server is down, a firewall is in between, or the address is an old one."
    ),
    consequence=(
        "Senders try the other addresses and servers first, which costs them time; where there is no other, they keep the mail. "
        "What this address would present is not known, so nothing is proven about it."
    ),
    remedy="Start the server or open the port; if the address is an old one, take it out of DNS.",
    reference="RFC 5321 §5.1",
)
PLAIN = Fault(
    code="F-PLAIN",
    title="mail is accepted without TLS",
    severity=Severity.NOTICE,
    story=(
        "A recipient was accepted in plain text. On port 25 that is right for a public server: it has to take mail from those "
        "who have no TLS. On a submission port it is not."
    ),
    consequence="Nothing for senders that use DANE: they never send in plain text where signed TLSA records are. Others may.",
    remedy=(
        "On port 25 nothing has to be done. On submission ports demand TLS (Postfix: smtpd_tls_security_level = encrypt there)."
    ),
    reference="RFC 3207 §4, RFC 8314 §3.3",
)

ACCEPTED = (250, 251)  # 251: it is forwarded (RFC 5321 §3.4)
VOUCHED = Fault(
    code="F-VOUCHED",
    title="a service that is not looked at",
    severity=Severity.NOTICE,
    story="The configuration says probe = false for the service: its operator vouches for what it presents.",
    consequence=(
        "Nothing follows for mail. But nobody has seen whether the service presents what its records say; a rollover takes it on "
        "trust."
    ),
    remedy="Look at it from where it can be reached: tlsa-manager check HOST:PORT; or give the address to probe with connect.",
    reference="RFC 7671 §8.1",
)


@check(NOTLS, NOTLSSEL, STRIP, F454)
def beginning(case: Case) -> Iterator[Finding]:
    """Find servers with which TLS does not begin; one cause for each."""
    for meeting in meetings(case):
        if _of_a_bad_file(case):
            return  # F-KEYMISMATCH or F-ORDER tells it, and why
        fault = _cause(meeting)
        if fault is not None:
            yield _told(fault, meeting)


@check(SNIREQ)
def sni_demanded(case: Case) -> Iterator[Finding]:
    """Find servers that shake hands with SNI only."""
    for meeting in meetings(case):
        without = [one for one in meeting.by("no-sni") if one.outcome in {Outcome.FAILED, Outcome.UNSHARED}]
        if without and meeting.shown("any"):
            yield SNIREQ.at(
                meeting.place, "it shakes hands with SNI, and breaks off without", evidence={"without SNI": without[0].reason}
            )


@check(UNREACH)
def unreachable(case: Case) -> Iterator[Finding]:
    """Find addresses that nobody answers at, and services whose addresses are not known."""
    here = meetings(case)
    no_way = _no_ipv6(here)
    for meeting in here:
        seen = meeting.presentations
        if seen and all(one.outcome is Outcome.UNREACHABLE for one in seen):
            mild = Severity.NOTICE if no_way and ":" in meeting.verdict.address else None
            why = "; no IPv6 address at all could be reached, so this machine may have no IPv6" if mild is not None else ""
            nowhere = meeting.deferred and case.outcome is Delivery.DEFER and not any(one.reached for one in case.verdicts)
            yield UNREACH.at(meeting.place, f"{seen[0].reason}{why}", severity=Severity.CRITICAL if nowhere else mild)
        silent = [one.reason for one in meeting.by("any") if one.outcome is Outcome.FAILED]
        if silent and not meeting.shown() and _cause(meeting) is None:
            yield UNREACH.at(
                meeting.place,
                f"it answers, and does not talk to us: {silent[0]}",
                severity=Severity.CRITICAL if meeting.deferred else None,
            )
        yield from _refused_at_times(meeting)
        problem = _problem(case, meeting)
        if problem and not seen and meeting.stop.outcome is None:
            yield UNREACH.at(meeting.verdict.service, f"it could not be looked at: {problem}")


@check(VOUCHED)
def vouched_for(case: Case) -> Iterator[Finding]:
    """Tell of services that are taken on trust."""
    for service in dict.fromkeys(one.service for one in case.route.stops if not one.service.probe):
        remedy = VOUCHED.remedy.replace("HOST:PORT", str(service))
        yield VOUCHED.at(str(service), f"{service} was not probed, as its operator wants it", remedy=remedy)


@check(PLAIN)
def plain_text(case: Case) -> Iterator[Finding]:
    """Find servers that take mail without TLS."""
    for meeting in meetings(case):
        taken = next((one for one in meeting.conversations if one.plain in ACCEPTED), None)
        if taken is None:
            continue
        private = meeting.stop.service.protocol == "submission"
        message = f"RCPT TO was answered with {taken.plain} in plain text (nothing was sent)"
        consequence = "Passwords and mail of your users may go over the network in plain text." if private else ""
        severity = Severity.WARNING if private else Severity.NOTICE
        said = {"reply": taken.plain_said}
        yield PLAIN.at(meeting.place, message, severity=severity, consequence=consequence, evidence=said)


def _refused_at_times(meeting: Meeting) -> Iterator[Finding]:
    """Tell of addresses where some connections are refused and others are not: mail waits whenever it meets the former."""
    refused = [one.reason for one in meeting.by("any") if one.outcome is Outcome.UNREACHABLE and one.refused]
    if refused and len(refused) < len(meeting.by("any")) and _cause(meeting) is None:
        severity = Severity.CRITICAL if meeting.deferred else None
        yield UNREACH.at(meeting.place, f"some connections are refused: {refused[0]}", severity=severity)


def _cause(meeting: Meeting) -> Fault | None:
    """Return the one fault that keeps TLS from beginning, None where it begins."""
    offers = [offer for one in meeting.conversations for offer in one.offers]
    tried = meeting.by("any")
    begun = [one for one in tried if one.outcome is Outcome.PRESENTED]
    refused = [one for one in tried if one.outcome is Outcome.NO_TLS]
    broken = [one for one in tried if one.outcome in {Outcome.FAILED, Outcome.UNSHARED}]
    if any(one.crossed_out for one in meeting.conversations) or any("crossed it out" in one.reason for one in refused):
        return STRIP
    if (begun and refused) or (True in offers and False in offers):
        return NOTLSSEL
    if begun:
        return F454 if broken else None
    if any(one.starttls_code for one in meeting.conversations) or (broken and _speaks(meeting, offers)):
        return F454
    return NOTLS if refused or (offers and not any(offers) and not broken) else None


def _speaks(meeting: Meeting, offers: list[bool]) -> bool:
    """Whether the server came as far as TLS, rather than greeting with an error."""
    return True in offers or meeting.stop.service.protocol not in {"smtp", "submission", "lmtp"} or not meeting.conversations


def _told(fault: Fault, meeting: Meeting) -> Finding:
    conversation = next(iter(meeting.conversations), None)
    offers = [offer for one in meeting.conversations for offer in one.offers]
    reason = next((one.reason for one in meeting.by("any") if one.reason), "")
    evidence = {"server says": reason, "greeting": conversation.banner if conversation else ""}
    if fault is NOTLSSEL and offers:
        evidence["offered"] = f"{offers.count(True)} times of {len(offers)}"
    shown = {name: value for name, value in evidence.items() if value}
    if fault is STRIP:
        return STRIP.at(meeting.place, "letters stand where STARTTLS should be", evidence=shown)
    severity = Severity.CRITICAL if meeting.promised else Severity.WARNING if fault is NOTLS else Severity.ERROR
    consequence = (
        "" if meeting.promised else "There is no signed TLSA record, so mail is delivered in plain text by nearly everybody."
    )
    message = {
        "F-NOTLS": "the server does not offer to begin TLS",
        "F-NOTLSSEL": "the server begins TLS with some connections, and with others it does not",
        "F-454": f"TLS does not come about: {reason}" if reason else "the server offers STARTTLS and then refuses it",
    }[fault.code]
    return fault.at(meeting.place, message, severity=severity, consequence=consequence, evidence=shown)


def _of_a_bad_file(case: Case) -> bool:
    home = case.household
    return home is not None and any(one.strangers or one.disorder for one in home.contents.values())


def _no_ipv6(here: tuple[Meeting, ...]) -> bool:
    six = [one for one in here if ":" in one.verdict.address]
    return bool(six) and all(
        not each.refused and each.outcome is Outcome.UNREACHABLE for one in six for each in one.presentations
    )


def _problem(case: Case, meeting: Meeting) -> str:
    view = case.snapshot.services.get(meeting.verdict.service)
    return view.problem if view else ""
