"""Checks of DNSSEC and name servers on cases made by hand: each cause has its one code, and each code its severity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from checks.made import HOST, NOW, codes, finding
from checks.places import BOGUS, DAY, GOOD, INDETERMINATE, INSECURE, OWNER, SECURE, ZONE, answer, case, lookup, unknown
from tlsa_manager.checks import examine
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.snapshot import Witness
from tlsa_manager.surroundings import ZoneView
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.security import Security
    from tlsa_manager.tlsa import RRset

STALE = frozenset({Tlsa.parse("3 1 1 " + "ab" * 32)})
RESOLVER = "127.0.0.1"

# What is told of each cause, where all servers are like that: code, severity, outcome.
FAILING = {
    Cause.SILENT: ("F-NSDOWN", INDETERMINATE),
    Cause.GONE: ("F-NSDOWN", INDETERMINATE),
    Cause.GARBAGE: ("F-NSDOWN", INDETERMINATE),
    Cause.RCODE: ("F-NSDOWN", INDETERMINATE),
    Cause.LAME: ("F-NSDOWN", INDETERMINATE),
    Cause.CUT_OFF: ("F-TCP", INDETERMINATE),
    Cause.MANY: ("F-MANY", INDETERMINATE),
    Cause.EDNS: ("F-EDNS", BOGUS),
    Cause.EMPTY: ("F-NSECBROKEN", INDETERMINATE),
    Cause.DS_MISMATCH: ("F-BADDS", BOGUS),
    Cause.NO_DNSKEY: ("F-BADDS", BOGUS),
    Cause.SIGNATURE_MISSING: ("F-SIGMISS", BOGUS),
    Cause.SIGNATURE_EXPIRED: ("F-SIGEXP", BOGUS),
    Cause.SIGNATURE_FUTURE: ("F-SIGFUT", BOGUS),
    Cause.SIGNATURE_BAD: ("F-SIGBAD", BOGUS),
    Cause.SIGNATURE_STRANGE: ("F-SIGBAD", BOGUS),
    Cause.KEY_GONE: ("F-ZSKGONE", BOGUS),
    Cause.DENIAL_MISSING: ("F-NSECBROKEN", BOGUS),
    Cause.DENIAL_UNPROVEN: ("F-NSECBROKEN", INDETERMINATE),
    Cause.NONE: ("F-BOGUS", BOGUS),
}
UNSIGNED = {
    Cause.NO_DS: "F-MXUNSIGNED",
    Cause.RESOLVER: "F-MXUNSIGNED",
    Cause.OLD_ALGORITHM: "F-ALGOLD",
    Cause.OPT_OUT: "F-OPTOUT",
    Cause.NSEC3_PARAMETERS: "F-N3ITER",
}
ELSEWHERE = {Cause.LOOP, Cause.LOST, Cause.ANCHOR}  # not of one answer, but of the whole round


def test_every_cause_is_thought_of() -> None:
    """A cause that somebody adds has to get its code."""
    assert set(FAILING) | set(UNSIGNED) | ELSEWHERE == set(Cause)


@pytest.mark.parametrize("cause", FAILING)
def test_a_cause_of_failure_is_one_critical_finding(cause: Cause) -> None:
    """At the TLSA owner, at the addresses, and at both, all servers alike: the one code, and nothing else that is critical."""
    code, security = FAILING[cause]
    records = GOOD if security is BOGUS else None
    bad = answer(records, security, cause=cause, reason="so it is", serial=None)
    broken = lookup(HOST + ".", "A", security=security, cause=cause, reason="so it is", zone=ZONE)
    broken = broken if security is BOGUS else replace(broken, records=None)
    for made in (case(bad), case(bad, lookups=(broken, replace(broken, rdtype="AAAA")))):
        critical = {one.code for one in examine(made) if one.severity is Severity.CRITICAL}
        assert critical == {code}
        assert made.outcome is Delivery.DEFER


@pytest.mark.parametrize("cause", [Cause.SILENT, Cause.RCODE, Cause.GONE, Cause.GARBAGE])
def test_a_lookup_that_fails_where_servers_answer_others(cause: Cause) -> None:
    """Nobody is down, so that is not told; but the failure is, unless another in the zone explains it."""
    broken = lookup(HOST + ".", "A", security=INDETERMINATE, cause=cause, reason="so it is")
    made = case(answer(), lookups=(replace(broken, records=None),))
    assert made.outcome is Delivery.DEFER
    assert {one.code for one in examine(made) if one.severity is Severity.CRITICAL} == {"F-BOGUS"}
    unproven = answer(frozenset(), INDETERMINATE, cause=Cause.DENIAL_UNPROVEN, reason="proves nothing", broken_zone=ZONE)
    made = case(unproven, lookups=(replace(broken, records=None),))
    assert {one.code for one in examine(made) if one.severity is Severity.CRITICAL} == {"F-NSECBROKEN"}


@pytest.mark.parametrize("cause", UNSIGNED)
@pytest.mark.parametrize("records", [GOOD, STALE])
def test_what_counts_as_unsigned_defers_nothing(cause: Cause, records: RRset) -> None:
    """At most an error, even if the records match nothing."""
    made = case(answer(records, INSECURE, cause=cause, reason="so it is", broken_zone=ZONE))
    assert made.outcome is Delivery.OPPORTUNISTIC
    found = codes(made)
    assert UNSIGNED[cause] in found
    assert "critical" not in found.values()


def test_the_round_as_a_whole() -> None:
    """A circle of aliases defers mail; a way that is lost says nothing."""
    circle = case(seen_as={"problem": "round and round", "cause": Cause.LOOP})
    assert codes(circle)["F-CNAME-DANGLE"] == "critical"
    assert circle.outcome is Delivery.DEFER
    lost = case(seen_as={"problem": "no resolver answers", "cause": Cause.LOST})
    assert codes(lost)["F-LOST"] == "warning"
    assert lost.outcome is Delivery.UNKNOWN
    ours = case(answer(GOOD, BOGUS, cause=Cause.ANCHOR, reason="no key of . fits the trust anchor", broken_zone="."))
    assert (codes(ours)["F-LOST"], ours.outcome) == ("warning", Delivery.UNKNOWN)
    assert "critical" not in codes(ours).values()


@pytest.mark.parametrize(
    ("cause", "code", "severity"),
    [
        (Cause.SILENT, "F-NSDOWN", "warning"),
        (Cause.LAME, "F-NSDOWN", "warning"),
        (Cause.CUT_OFF, "F-TCP", "error"),
        (Cause.EDNS, "F-EDNS", "error"),
        (Cause.DENIAL_UNPROVEN, "F-NSECBROKEN", "error"),
    ],
)
def test_one_server_of_two(cause: Cause, code: str, severity: str) -> None:
    """Resolvers go to the other one: mail goes, and the fault is told less loudly."""
    made = case(answer(), unknown(cause, n=2, serial=None))
    assert codes(made)[code] == severity
    assert made.outcome is Delivery.AUTH
    assert "ns2.example.org (198.51.100.2)" in dict(finding(made, code).evidence)["servers"]


def test_one_server_of_two_is_bogus() -> None:
    """A resolver may ask that one: intermittent, and critical."""
    made = case(answer(), answer(GOOD, BOGUS, n=2, cause=Cause.SIGNATURE_EXPIRED, reason="has expired"))
    found = codes(made)
    assert found["F-SIGEXP1"] == "critical"
    assert "F-SIGEXP" not in found
    assert made.outcome is Delivery.DEFER


def test_a_type_that_is_dropped() -> None:
    """The server answers for SOA, not for TLSA: critical where it is the only one, an error where another one answers."""
    for cause in (Cause.SILENT, Cause.RCODE, Cause.GARBAGE, Cause.GONE):
        found = codes(case(unknown(cause)))
        assert found["F-TYPEDROP"] == "critical"
        assert "F-NSDOWN" not in found
        assert codes(case(answer(), unknown(cause, n=2)))["F-TYPEDROP"] == "error"


@pytest.mark.parametrize(
    ("left", "life", "ttl", "late"),
    [
        (11 * DAY, 14 * DAY, 3600, False),
        (3.1 * DAY, 14 * DAY, 3600, False),
        (2.9 * DAY, 14 * DAY, 3600, True),
        (2.9 * DAY, 30 * DAY, 3600, True),
        (1.0 * DAY, 2 * DAY, 3600, False),  # made anew every hour, for two days
        (0.4 * DAY, 2 * DAY, 3600, True),
        (3600, 14 * DAY, 3600, True),
        (6 * DAY, 30 * DAY, 4 * 86400, True),  # does not outlive two TTLs
        (6 * DAY, 30 * DAY, 86400, False),
    ],
)
def test_what_expires_soon(left: float, life: float, ttl: int, late: bool) -> None:  # noqa: FBT001  a column of the table
    """Three days, or the wait of a rollover, and for signatures that never live long the last quarter of their life."""
    found = codes(case(answer(ttl=ttl, signed_until=NOW + left, signed_life=life)))
    assert ("F-SIGSOON" in found) is late


@pytest.mark.parametrize(
    ("second", "severity", "outcome"),
    [
        (GOOD, None, Delivery.AUTH),
        (GOOD | STALE, "error", Delivery.AUTH),
        (STALE, "critical", Delivery.DEFER),
        (frozenset(), "error", Delivery.OPPORTUNISTIC),
    ],
)
def test_servers_with_different_records(second: RRset, severity: str | None, outcome: Delivery) -> None:
    """As bad as what the worse set does to mail."""
    made = case(answer(), answer(second, n=2))
    assert codes(made).get("F-SECSYNC") == severity
    assert made.outcome is outcome


def test_serials_alone_are_good_to_know() -> None:
    """A transfer takes its time."""
    assert codes(case(answer(), answer(n=2, serial=8)))["F-SECSYNC"] == "notice"


@pytest.mark.parametrize(
    ("word", "code", "severity"),
    [
        (Witness(RESOLVER, validates=True, security=SECURE, records=GOOD), "F-SPLIT", None),
        (
            Witness(RESOLVER, validates=True, security=SECURE, records=GOOD | STALE),
            "F-SPLIT",
            None,
        ),  # a removal that it has not seen
        (Witness(RESOLVER, validates=True, security=SECURE, records=frozenset()), "F-SPLIT", None),  # nor an addition
        (Witness(RESOLVER, validates=True, security=SECURE, records=STALE), "F-SPLIT", "warning"),
        (Witness(RESOLVER, validates=False, records=STALE, serves=True), "F-SPLIT", "error"),
        (Witness(RESOLVER, validates=False, records=STALE, serves=True), "F-NOVALID", None),
        (Witness(RESOLVER, validates=False, records=GOOD | STALE, serves=True), "F-SPLIT", "error"),  # no cache stands between
        (Witness(RESOLVER, validates=False, records=GOOD, serves=True), "F-SPLIT", None),
        (Witness(RESOLVER, validates=False, records=GOOD), "F-NOVALID", "error"),
        (Witness(RESOLVER, validates=None), "F-NOVALID", None),
        (Witness(RESOLVER, validates=False, records=GOOD, lies=True), "F-ADLIE", "error"),
        (Witness(RESOLVER, validates=False, records=GOOD, lies=True), "F-NOVALID", None),
        (Witness(RESOLVER, validates=True, security=BOGUS, reason="SERVFAIL"), "F-BOGUSCACHE", "notice"),
        (Witness(RESOLVER, validates=True, security=INDETERMINATE, reason="silent"), "F-BOGUSCACHE", None),
    ],
)
def test_the_resolver(word: Witness, code: str, severity: str | None) -> None:
    """What the resolver says changes nothing of the outcome, and is told for itself."""
    made = case(answer(), witness=word)
    assert codes(made).get(code) == severity
    assert made.outcome is Delivery.AUTH


@pytest.mark.parametrize("serves", [False, True])
def test_a_word_that_is_worth_nothing(serves: bool) -> None:  # noqa: FBT001  both ways
    """Where all rests on a resolver that does not validate, or that serves the zone itself, nobody can tell."""
    word = Witness(RESOLVER, validates=False, records=GOOD, serves=serves)
    heard = answer(GOOD, INDETERMINATE, cause=Cause.RESOLVER, reason="so it is", server="", serial=None)
    made = case(heard, witness=word, seen_as={"zone": ""})
    assert made.outcome is Delivery.UNKNOWN
    found = codes(made)
    assert found["F-NOVALID"] == "error"
    assert "critical" not in found.values()


@pytest.mark.parametrize(
    ("zone", "code", "severity"),
    [
        (ZoneView(ZONE, SECURE, signed=True, algorithms=(13,), ds=((1, 13, 2),)), "F-ALGNEW", None),
        (ZoneView(ZONE, SECURE, signed=True, algorithms=(16,), ds=((1, 16, 2),)), "F-ALGNEW", "warning"),
        (ZoneView(ZONE, SECURE, signed=True, algorithms=(13, 16), ds=((1, 13, 2), (2, 16, 2))), "F-ALGNEW", None),
        (ZoneView(ZONE, SECURE, iterations=0), "F-N3ITER", None),
        (ZoneView(ZONE, SECURE, iterations=1), "F-N3ITER", "warning"),
        (ZoneView(ZONE, SECURE, iterations=101), "F-N3ITER", "error"),
        (ZoneView(ZONE, SECURE, signed=True, negative_ttl=10800), "F-NEGLONG", None),
        (ZoneView(ZONE, SECURE, signed=True, negative_ttl=10801), "F-NEGLONG", "notice"),
        (ZoneView(ZONE, SECURE, signed=True, parent_hosts=("a.", "b."), child_hosts=("b.", "a.")), "F-NSSET", None),
        (ZoneView(ZONE, SECURE, signed=True, parent_hosts=("a.",), child_hosts=("b.", "a.")), "F-NSSET", "warning"),
        (ZoneView(ZONE, SECURE, signed=True, parent_hosts=("a.",)), "F-NSSET", None),
    ],
)
def test_zones(zone: ZoneView, code: str, severity: str | None) -> None:
    """How a zone is set up."""
    assert codes(case(answer(), zones=(zone,))).get(code) == severity


@pytest.mark.parametrize(
    ("ds", "code"),
    [(((1, 13, 1),), "F-ALGOLD"), (((1, 5, 2),), "F-ALGOLD"), (((1, 23, 2),), "F-ALGNEW"), (((1, 5, 1), (2, 23, 2)), "F-ALGNEW")],
)
def test_algorithms_that_do_not_count(ds: tuple[tuple[int, int, int], ...], code: str) -> None:
    """Too old, or too new."""
    open_one = answer(GOOD, INSECURE, cause=Cause.OLD_ALGORITHM, reason="none counts", broken_zone=ZONE)
    found = codes(case(open_one, zones=(ZoneView(ZONE, INSECURE, signed=True, algorithms=(1,), ds=ds),)))
    assert {one for one in found if one.startswith("F-ALG")} == {code}


@pytest.mark.parametrize(("security", "critical"), [(BOGUS, "error"), (INSECURE, None), (SECURE, None)])
def test_absence_beside_the_records(security: Security, critical: str | None) -> None:
    """Records that are there are not harmed by proofs that are missing beside them; others are, so it is told."""
    cause = Cause.NONE if security is SECURE else Cause.DENIAL_MISSING
    name = f"_99999._tcp.{HOST}."
    beside = lookup(name, "TLSA", security=security, cause=cause, reason="no proof; it does not exist", exists=False)
    made = case(answer(), lookups=(beside,))
    assert codes(made).get("F-NSECBROKEN") == critical
    assert made.outcome is Delivery.AUTH


def test_how_far_the_clocks_are_apart() -> None:
    """The evidence has the seconds."""
    future = answer(GOOD, BOGUS, cause=Cause.SIGNATURE_FUTURE, reason="is not yet valid", signed_from=NOW + 120)
    assert dict(finding(case(future), "F-SIGFUT").evidence)["ahead of our clock"] == "120 s"


def test_remedies_name_the_zone() -> None:
    """No command is left with a word to be filled in where the word is known."""
    expired = answer(GOOD, BOGUS, cause=Cause.SIGNATURE_EXPIRED, reason="has expired", broken_zone=ZONE)
    assert "rndc sign example.org" in finding(case(expired), "F-SIGEXP").remedy
    missing = answer(GOOD, BOGUS, cause=Cause.SIGNATURE_MISSING, reason="has no signature", broken_zone=ZONE)
    assert finding(case(missing), "F-SIGMISS").subject == OWNER
