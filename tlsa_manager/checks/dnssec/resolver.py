"""The resolver that this machine uses: whether its word can be relied upon, and whether it sees what the world sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.dnssec.signatures import evidence, mend, subject, tell
from tlsa_manager.checks.doubts import by_zone, on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.snapshot import OwnerView, Witness

ADLIE = Fault(
    code="F-ADLIE",
    title="the resolver claims to have validated what it has not",
    severity=Severity.ERROR,
    story=(
        "The resolver sets the AD bit on answers that nobody can have validated. It is a forwarder that adds or copies the bit, "
        "or one that was told to trust whatever it gets."
    ),
    consequence=(
        "A mail server on this machine that believes the bit takes forged TLSA records and forged MX records for true. This "
        "diagnosis does not rest on it: the chain of trust was followed from the root."
    ),
    remedy=(
        "Run a validating resolver on this machine (Unbound, BIND, Knot Resolver), and name it in /etc/resolv.conf and "
        "--resolver."
    ),
    reference="RFC 6698 §4.1, A.3, RFC 4035 §4.9.3",
)
NOVALID = Fault(
    code="F-NOVALID",
    title="the resolver does not validate",
    severity=Severity.ERROR,
    story="The resolver hands out answers without checking signatures, so its word says nothing about DNSSEC.",
    consequence=(
        "A mail server on this machine that uses the resolver cannot use DANE for the mail that it sends. With --quick, which "
        "goes by the resolver's word, nothing about DNSSEC can be told; without it the chain of trust was followed from the "
        "root."
    ),
    remedy=(
        "Run a validating resolver on this machine (Unbound, BIND, Knot Resolver), and name it in /etc/resolv.conf and "
        "--resolver."
    ),
    reference="RFC 6698 §4.1, RFC 7672 §2.1.1",
)
BOGUSCACHE = Fault(
    code="F-BOGUSCACHE",
    title="the resolver still refuses what is well again",
    severity=Severity.NOTICE,
    story=(
        "All name servers give answers that validate, and the resolver says SERVFAIL. It remembers a failure from before the "
        "zone was mended, for five minutes at most."
    ),
    consequence="Senders whose resolvers remember it, too, keep the mail for these minutes, and then deliver it.",
    remedy="Wait five minutes and look again, or make the resolver forget: unbound-control flush_zone ZONE, rndc flushtree ZONE.",
    reference="RFC 4035 §4.7, RFC 9520 §3.2",
)
SPLIT = Fault(
    code="F-SPLIT",
    title="inside, other TLSA records are seen than outside",
    severity=Severity.ERROR,
    story=(
        "The resolver that this machine uses answers from another copy of the zone than the public name servers: a second view, "
        "or a zone kept inside. TLSA records were changed in one of the two only."
    ),
    consequence=(
        "Senders see what the public servers say. Looking from inside alone would show a state that no sender ever meets."
    ),
    remedy="Make the same change in both views, the public one first; check with: dig @SERVER NAME TLSA",
    reference="RFC 6698 A.4",
)


@check(ADLIE, NOVALID)
def worthless_word(case: Case) -> Iterator[Finding]:
    """Find a resolver whose word is worth nothing."""
    heard = [view.witness for view in on_the_way(case) if view.witness is not None]
    lying = {one.resolver for one in heard if one.lies}
    silent = {one.resolver for one in heard if one.validates is False and not one.serves} - lying
    for name in sorted(lying):
        yield ADLIE.at(name, f"{name} sets AD where nobody can have validated", evidence={"resolver": name})
    for name in sorted(silent):
        yield NOVALID.at(name, f"{name} does not validate", evidence={"resolver": name})
    for name, found in by_zone(case, Cause.RESOLVER) if not lying | silent else ():
        yield NOVALID.at(subject(name, found), tell(found), evidence=evidence(found))


@check(BOGUSCACHE)
def remembers_failure(case: Case) -> Iterator[Finding]:
    """Find a resolver that refuses what the servers prove."""
    for view in on_the_way(case):
        word = view.witness
        if word is not None and word.security is Security.BOGUS and _is_well(view):
            yield BOGUSCACHE.at(
                view.owner,
                f"{word.reason}; but every server of {view.zone} gives an answer that validates",
                remedy=mend(BOGUSCACHE, view.zone),
                evidence={"resolver": word.resolver, "servers": ", ".join(one.place for one in view.answers)},
            )


@check(SPLIT)
def sees_another_world(case: Case) -> Iterator[Finding]:
    """Find a resolver that has records which no public server has, nor may have had beside what they have now."""
    for view in on_the_way(case):
        word = view.witness
        public = [one.records for one in view.answers if one.records is not None]
        if word is None or word.records is None or not public or not view.complete:
            continue
        foreign = all(not _may_be_cached(word, one) for one in public)
        if foreign or (word.serves and word.records not in public):
            yield SPLIT.at(
                view.owner,
                f"{word.resolver} has other TLSA records at {view.owner} than the public name servers",
                severity=Severity.ERROR if word.serves else Severity.WARNING,
                remedy=SPLIT.remedy.replace("SERVER", view.answers[0].server.rstrip(".")).replace("NAME", view.owner),
                evidence={
                    word.resolver: ", ".join(map(str, sorted(word.records))) or "none",
                    "public": ", ".join(map(str, sorted(public[0]))) or "none",
                },
            )


def _is_well(view: OwnerView) -> bool:
    return view.complete and all(one.security is Security.SECURE for one in view.answers)


def _may_be_cached(word: Witness, now: frozenset[object]) -> bool:
    """Whether the resolver may have what the servers had a moment ago: before an addition, a removal, or the first record."""
    held = word.records or frozenset()
    return not held or not now or held <= now or held >= now
