"""The certificate and the handshake apart from the records: dates, order, kinds of keys, versions of TLS, MTA-STS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.moments import day, length
from tlsa_manager.finding import Severity
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import timing
from tlsa_manager.sender.issuing import issued
from tlsa_manager.snapshot import Outcome
from tlsa_manager.target import Kind

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
    title="the certificate expires before a new key could be rolled in, or nearly so",
    severity=Severity.WARNING,
    story=(
        "A new key may be used only when its record is known everywhere: that takes two TTLs of the records, and some hours more "
        "where the TTL is short. What is left of the certificate is less than that, or less than twice that."
    ),
    consequence=(
        "Nothing is lost yet, and with usage 3 DANE does not mind dates; MTA-STS senders and mail programs do. Whoever renews in "
        "haste with a new key makes senders that use DANE keep the mail."
    ),
    remedy=(
        "Renew with the same key (certbot: --reuse-key), or lower the TTL of the TLSA records now and begin the rollover at once."
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
KEYTYPE = Fault(
    code="F-KEYTYPE",
    title="clients that know one kind of key only cannot connect",
    severity=Severity.ERROR,
    story=(
        "The server has a certificate with a key of one kind, RSA or ECDSA. ACME clients have changed their default from RSA to "
        "ECDSA, and some changed existing certificates with it."
    ),
    consequence=(
        "Older senders that take RSA only have no TLS with an ECDSA server: those with DANE keep the mail, the others send in "
        "plain text. Senders that know ECDSA only hardly exist."
    ),
    remedy=(
        "Add a certificate with an RSA key beside it (a second lineage; Postfix takes both in smtpd_tls_chain_files), with its "
        "record."
    ),
    reference="RFC 7672 §8.2, RFC 8446 §9.1",
)
TLSVER = Fault(
    code="F-TLSVER",
    title="only old versions of TLS or weak cipher suites",
    severity=Severity.ERROR,
    story="The best that the server agrees to is TLS 1.1 or older, or a cipher suite that protects little. Its software is old.",
    consequence=(
        "Senders that use DANE treat TLS as mandatory, and the present ones then refuse such versions and suites: they keep the "
        "mail. Senders without DANE fall back to plain text."
    ),
    remedy="Update the server's software, and allow TLS 1.2 and 1.3 (Postfix: smtpd_tls_protocols = >=TLSv1.2).",
    reference="RFC 8996 §2, RFC 9325 §3.1",
)
WEAKTLS = Fault(
    code="F-WEAKTLS",
    title="old versions of TLS or weak cipher suites are accepted, too",
    severity=Severity.NOTICE,
    story=(
        "Beside what is good today the server still agrees to TLS 1.0 or 1.1, or to cipher suites that protect little, when "
        "asked for."
    ),
    consequence=(
        "Nothing for present senders: both sides agree on the best they have in common. On port 25 weak encryption is better "
        "than the plain text that would take its place (RFC 7435); where people log in it is not."
    ),
    remedy="On ports for users allow TLS 1.2 and later only (Postfix: smtpd_tls_mandatory_protocols = >=TLSv1.2).",
    reference="RFC 8996 §2, RFC 7435 §3",
)
STS = Fault(
    code="F-STS",
    title="MTA-STS says something else than the servers do",
    severity=Severity.ERROR,
    story=(
        "The domain has an MTA-STS policy beside DANE, and the two do not agree: the policy does not name a mail host, or a "
        "host's certificate is not one that public authorities vouch for, or the policy cannot be fetched."
    ),
    consequence=(
        "Senders that use DANE deliver. Senders that use MTA-STS instead (Google, for one) keep mail for such a host while the "
        "policy says enforce; with testing they only report it."
    ),
    remedy=(
        "Correct the mx lines of https://mta-sts.DOMAIN/.well-known/mta-sts.txt, and change the id in the TXT record of "
        "_mta-sts.DOMAIN."
    ),
    reference="RFC 8461 §4.1, §4.2",
)
_WEAK = ("NULL", "EXP", "RC4", "DES-CBC", "RC2", "MD5", "SEED", "IDEA")
_OLD = ("SSLv3", "TLSv1", "TLSv1.1")


@check(EEEXP)
def expired(case: Case) -> Iterator[Finding]:
    """Find expired certificates that records of usage 3 fit, or that no sender has to mind."""
    for meeting, seen in _leaves(case):
        if seen.chain is None or seen.chain.not_after > case.now or _is_bound_to_dates(meeting, seen):
            continue
        policy = _policy_of(case, meeting)
        severity = _mind_dates(meeting, policy)
        mode = f", and the MTA-STS policy of {policy.domain} says {policy.mode}" if policy and policy.mode else ""
        yield EEEXP.at(meeting.place, f"the certificate expired at {day(seen.chain.not_after)}{mode}", severity=severity)


@check(EXPSOON)
def expires_before_a_rollover(case: Case) -> Iterator[Finding]:
    """Find certificates that have less life left than a rollover takes, or less than twice that (standards: RFC 7671 §8.1)."""
    policy = case.household.lineage.policy if case.household else Policy()
    if case.household and (case.household.facts.deploying or case.household.facts.previous):
        return  # the next one is in service already, or nearly
    for meeting, seen in _leaves(case):
        left = seen.chain.not_after - case.now if seen.chain else 0.0
        if left <= 0 or not meeting.verdict.records or meeting.spot is None:
            continue
        verdict, spare = timing.fit(left, policy.poll_interval, meeting.spot.ttl, policy)
        if verdict is timing.Verdict.FITS:
            continue
        cannot = verdict is timing.Verdict.ERROR
        needed = length(left - spare)
        yield EXPSOON.at(
            meeting.place,
            f"the certificate expires in {length(left)}, and a rollover takes {needed}"
            + (": it cannot be finished in time" if cannot else ": little time is to spare"),
            severity=Severity.ERROR if cannot else Severity.WARNING,
            evidence={"expires": day(case.now + left), "TTL of the records": f"{meeting.spot.ttl} s"},
        )


@check(ORDER)
def muddled_chain(case: Case) -> Iterator[Finding]:
    """Find chains whose certificates are all there, but not each behind the one that it issued."""
    for meeting, seen in _leaves(case):
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


@check(KEYTYPE)
def one_kind_of_key(case: Case) -> Iterator[Finding]:
    """Find servers that have no certificate for clients which know RSA only, or ECDSA only."""
    was = _former_kinds(case)
    for meeting in meetings(case):
        for client, kind in (("rsa", "RSA"), ("ecdsa", "ECDSA")):
            met = meeting.by(client)
            if not meeting.shown("any") or not met or any(one.outcome is not Outcome.UNSHARED for one in met):
                continue
            switched = kind in was
            yield KEYTYPE.at(
                meeting.place,
                f"clients that take {kind} certificates only find none"
                + (", and until the last renewal they did" if switched else ""),
                severity=Severity.ERROR if switched else Severity.NOTICE,
                evidence={"server says": met[0].reason},
            )


@check(KEYTYPE)
def next_kind_of_key(case: Case) -> Iterator[Finding]:
    """Find a certificate that is on its way into service and has a key of another kind than the present one."""
    facts = case.household.facts if case.household else None
    current, following = (facts.generation(facts.current), facts.generation(facts.next)) if facts else (None, None)
    if current and following and current.chain.kind != following.chain.kind:
        kinds = f"{current.chain.kind} to {following.chain.kind}"
        yield KEYTYPE.at(
            case.target.name,
            f"generation {following.id}, which is to go into service, changes the kind of key from {kinds}",
            remedy=f"if that is not meant: tlsa-manager rollover abort {case.target.name}, and renew with the former kind",
        )


@check(TLSVER)
def best_is_bad(case: Case) -> Iterator[Finding]:
    """Find servers whose best is not good enough for senders that insist on TLS."""
    for meeting in meetings(case):
        best = [one for one in meeting.shown("any") if one.version]
        bad = [one for one in best if one.version in _OLD or _is_weak(one.suite)]
        if bad and bad == best:
            yield TLSVER.at(
                meeting.place, f"the best it agrees to is {bad[0].version} with {bad[0].suite}",
                evidence={"version": bad[0].version, "cipher suite": bad[0].suite},
            )  # fmt: skip


@check(WEAKTLS)
def bad_is_accepted(case: Case) -> Iterator[Finding]:
    """Find servers that agree to bad versions or suites beside good ones."""
    for meeting in meetings(case):
        best = [one.version for one in meeting.shown("any")]
        bad = [one for one in meeting.by("tls1.0", "tls1.1", "weak", "anonymous") if one.outcome is Outcome.PRESENTED]
        if not bad or any(one in _OLD for one in best):
            continue
        agreed = ", ".join(
            dict.fromkeys(f"{one.version or one.client} with {one.suite}" if one.suite else one.client for one in bad)
        )
        harmful = any(_is_weak(one.suite) for one in bad) and not meeting.stop.service.opportunistic
        yield WEAKTLS.at(
            meeting.place, f"it also agrees to {agreed}", severity=Severity.WARNING if harmful else Severity.NOTICE
        )  # fmt: skip


@check(STS)
def mta_sts(case: Case) -> Iterator[Finding]:
    """Find MTA-STS policies that mail hosts or their certificates do not live up to."""
    if case.target.kind is not Kind.DOMAIN:
        return
    for policy in case.snapshot.policies.values():
        if policy.problem and policy.announced:
            yield STS.at(
                policy.domain, f"_mta-sts.{policy.domain} announces a policy: {policy.problem}", severity=Severity.WARNING
            )
        elif policy.mode in {"enforce", "testing"}:
            yield from _held_against(policy, case)


def _held_against(policy: StsPolicy, case: Case) -> Iterator[Finding]:
    severity = Severity.ERROR if policy.mode == "enforce" else Severity.WARNING
    evidence = {"mode": policy.mode, "mx": ", ".join(policy.mx)}
    for host in dict.fromkeys(stop.host for stop in case.route.stops):
        if not any(_covers(pattern, host) for pattern in policy.mx):
            file = f"https://mta-sts.{policy.domain}/.well-known/mta-sts.txt"
            remedy = f"add to {file} the line mx: {host}; then change the id in the TXT record of _mta-sts.{policy.domain}"
            yield STS.at(
                host, f"the policy of {policy.domain} does not name {host}", severity=severity, remedy=remedy, evidence=evidence
            )
    for meeting, seen in _leaves(case):
        if seen.pkix:
            remedy = (
                "present a certificate of a public authority for the host's name; or set the policy to mode: none until you do"
            )
            message = f"MTA-STS senders refuse the certificate: {seen.pkix}"
            yield STS.at(meeting.place, message, severity=severity, remedy=remedy, evidence=evidence)


def _covers(pattern: str, host: str) -> bool:
    """Whether an mx pattern names a host: `*.` stands for exactly one label (RFC 8461 §4.1)."""
    wanted, own = pattern.rstrip(".").lower(), host.rstrip(".").lower()
    return own == wanted or (wanted.startswith("*.") and own.partition(".")[2] == wanted[2:])


def _leaves(case: Case) -> Iterator[tuple[Meeting, Presentation]]:
    """Yield what senders are presented, each certificate once for each service and address."""
    for meeting in meetings(case):
        seen: dict[str, Presentation] = {}
        for one in meeting.shown():
            if one.chain is not None:
                seen.setdefault(one.chain.fingerprint, one)
        yield from ((meeting, one) for one in seen.values())


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
    here = [one for one in case.snapshot.policies.values() if any(_covers(each, meeting.stop.host) for each in one.mx)]
    return next((one for one in here if one.mode == "enforce"), here[0] if here else None)


def _former_kinds(case: Case) -> set[str]:
    """Return the kinds of keys that this machine had in service before the present one."""
    if case.household is None:
        return set()
    facts = case.household.facts
    earlier = [one for name, one in facts.generations.items() if name < facts.current and name != facts.next]
    return {one.chain.kind for one in earlier}


def _is_weak(suite: str) -> bool:
    return any(word in suite for word in _WEAK)
