"""The handshake apart from the certificate: kinds of keys, versions of TLS, cipher suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.finding import Severity
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding

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
_WEAK = ("NULL", "EXP", "RC4", "DES-CBC", "RC2", "MD5", "SEED", "IDEA")
_OLD = ("SSLv3", "TLSv1", "TLSv1.1")


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


def _former_kinds(case: Case) -> set[str]:
    """Return the kinds of keys that this machine had in service before the present one."""
    if case.household is None:
        return set()
    facts = case.household.facts
    earlier = [one for name, one in facts.generations.items() if name < facts.current and name != facts.next]
    return {one.chain.kind for one in earlier}


def _is_weak(suite: str) -> bool:
    return any(word in suite for word in _WEAK)
