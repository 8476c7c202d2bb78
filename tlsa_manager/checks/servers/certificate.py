"""The certificate apart from the records: its dates, and the order in which it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import leaves
from tlsa_manager.checks.moments import day, length
from tlsa_manager.checks.records.leaf import leaf
from tlsa_manager.checks.servers.sts import covers
from tlsa_manager.finding import Severity
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import lifespan, succession, timing
from tlsa_manager.sender.issuing import issued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import Presentation
    from tlsa_manager.surroundings import StsPolicy

EEEXP = Fault(
    code="F-EEEXP",
    title="the certificate has expired, which DANE does not mind",
    severity=Severity.WARNING,
    story=(
        "The certificate was not renewed, or the renewed one was not taken up. The records are of usage 3, where dates do not "
        "count."
    ),
    consequence=(
        "Senders that use DANE deliver. MTA-STS senders do not while a policy says enforce; mail programs warn their users or "
        "refuse to connect; monitoring complains."
    ),
    remedy="Renew the certificate with the same key, so that the records stay right; or roll the key with tlsa-manager.",
    reference="RFC 7671 §5.1, RFC 7672 §3.1.1",
)
EXPSOON = Fault(
    code="F-EXPSOON",
    title="the certificate expires before a new key could be rolled in, now or at the next renewal, or nearly so",
    severity=Severity.WARNING,
    story=(
        "A new key may be used only when its record is known everywhere: that takes two TTLs of the records, and some hours more "
        "where the TTL is short. What is left of the certificate is less than that, or less than twice that; or will be at the "
        "next renewal, which comes when a third of the life is left, of ten days or less when half of it is."
    ),
    consequence=(
        "Nothing is lost yet, and with usage 3 DANE does not mind dates; MTA-STS senders and mail programs do. Whoever renews in "
        "haste with a new key makes senders that use DANE keep the mail."
    ),
    remedy=(
        "Renew with the same key (certbot: --reuse-key; reuse-key = true), or publish the next key ahead (next-key = true): "
        "then nothing has to be waited for. Or lower the TTL of the TLSA records now, and begin the rollover when caches have "
        "forgotten the old one."
    ),
    reference="RFC 7671 §8.1",
)
ORDER = Fault(
    code="F-ORDER",
    title="key and certificates stand in the wrong order",
    severity=Severity.CRITICAL,
    story=(
        "A file for a mail server holds the private key first, then the server's own certificate, then each issuer in turn. "
        "Files that were put together by hand often have them otherwise, and servers refuse the whole file then, or send a chain "
        "that is muddled."
    ),
    consequence=(
        "A server that refuses its file goes without TLS, and senders that use DANE keep the mail. A muddled chain is put right "
        "by most clients, but not by all (RFC 8446 tells servers to sort it)."
    ),
    remedy="Put them in order: cat privkey.pem cert.pem chain.pem > FILE (umask 077), then reload the server.",
    reference="RFC 8446 §4.4.2",
)


@check(EEEXP)
def expired(case: Case) -> Iterator[Finding]:
    """Find expired certificates that records of usage 3 fit, or that no sender has to mind."""
    for meeting, seen in leaves(case):
        if seen.chain is None or seen.chain.not_after > case.now or _is_bound_to_dates(meeting, seen):
            continue
        policy = _policy_of(case, meeting)
        severity = _mind_dates(meeting, policy)
        mode = f", and the MTA-STS policy of {policy.domain} says {policy.mode}" if policy and policy.mode else ""
        yield EEEXP.at(meeting.place, f"the certificate expired at {day(seen.chain.not_after)}{mode}", severity=severity)


@check(EXPSOON)
def expires_before_a_rollover(case: Case) -> Iterator[Finding]:
    """Find certificates that have less life left than a rollover takes, or less than twice that (standards: RFC 7671 §8.1).

    And those that will have at the next renewal, told early: then there is time to do something about it.
    """
    policy = case.household.lineage.policy if case.household else Policy()
    if case.household and (case.household.facts.deploying or case.household.facts.previous):
        return  # the next one is in service already, or nearly
    for meeting, seen in leaves(case):
        left = seen.chain.not_after - case.now if seen.chain else 0.0
        if left <= 0 or not meeting.verdict.records or meeting.spot is None or _needs_no_waiting(case, meeting):
            continue
        needed = policy.poll_interval + timing.cache_wait(meeting.spot.ttl, policy) + policy.margin
        slack = _at_the_renewal(seen, left)
        verdict, early = timing.verdict(needed, left), timing.verdict(needed, slack)
        evidence = {"expires": day(case.now + left), "TTL of the records": f"{meeting.spot.ttl} s"}
        if early is not timing.Verdict.FITS and verdict is not timing.Verdict.ERROR and slack < left:
            cannot = early is timing.Verdict.ERROR
            text = f"it is usually renewed {length(slack)} before it expires, and a rollover takes {length(needed)}"
            text += ": that will not fit" if cannot else ": that will hardly fit"
            severity = Severity.WARNING if cannot or verdict is not timing.Verdict.FITS else Severity.NOTICE
            yield EXPSOON.at(meeting.place, text, severity=severity, evidence=evidence)
        elif verdict is not timing.Verdict.FITS:
            cannot = verdict is timing.Verdict.ERROR
            text = f"the certificate expires in {length(left)}, and a rollover takes {length(needed)}"
            text += ": it cannot be finished in time" if cannot else ": little time is to spare"
            yield EXPSOON.at(meeting.place, text, severity=Severity.ERROR if cannot else Severity.WARNING, evidence=evidence)


@check(ORDER)
def muddled_chain(case: Case) -> Iterator[Finding]:
    """Find chains whose certificates are all there, but not each behind the one that it issued."""
    for meeting, seen in leaves(case):
        certificates = seen.certificates
        wrong = [place for place in range(1, len(certificates)) if not issued(certificates[place - 1], certificates[place])]
        strays = [
            place
            for place in wrong
            if any(issued(one, certificates[place]) for one in certificates if one != certificates[place])
        ]
        if wrong and strays:
            yield ORDER.at(
                meeting.place,
                f"certificate {strays[0] + 1} of the chain did not issue certificate {strays[0]}, but another one that is sent",
                severity=Severity.WARNING,
            )


def _at_the_renewal(seen: Presentation, left: float) -> float:
    """What will be left of a certificate when it is usually renewed; no more than is left now. Seconds."""
    own = leaf(seen.certificates[0]) if seen.certificates else None
    return left if own is None else min(left, lifespan.usual_slack(own.lifetime))


def _needs_no_waiting(case: Case, meeting: Meeting) -> bool:
    """Whether renewals of a lineage keep the key, or are for a next key that is published already."""
    home = case.household
    if home is None or home.facts.generation(home.facts.current) is None:
        return False
    if not succession.renews_key(home.lineage, home.facts, case.now):
        return True
    known = succession.prepublished(home.lineage, home.facts)
    return bool(known) and known <= {one.record for one in meeting.verdict.records}


def _is_bound_to_dates(meeting: Meeting, seen: Presentation) -> bool:
    """Whether senders that use DANE mind the date: records of usage 2 are all there is (F-TAEXP tells it)."""
    return meeting.promised and bool(meeting.usable) and all(one.usage != 3 for one in meeting.usable) and bool(seen.chain)


def _mind_dates(meeting: Meeting, policy: StsPolicy | None) -> Severity:
    """How bad an expired certificate is, by who else looks at it: on port 25 without MTA-STS nobody does."""
    if policy is not None and policy.mode == "enforce":
        return Severity.ERROR
    if not meeting.promised or not meeting.stop.service.opportunistic or (policy is not None and policy.mode):
        return Severity.WARNING
    return Severity.NOTICE


def _policy_of(case: Case, meeting: Meeting) -> StsPolicy | None:
    here = [one for one in case.snapshot.policies.values() if any(covers(each, meeting.stop.host) for each in one.mx)]
    return next((one for one in here if one.mode == "enforce"), here[0] if here else None)
