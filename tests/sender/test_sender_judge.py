"""The four outcomes of RFC 7672 §2.2, and what counts when servers, addresses and clients differ."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import AT, HOST, STOP, leaf, record, seen

from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery, Verdict, worst
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route
from tlsa_manager.snapshot import Answer, Outcome, OwnerView, Presentation, ServiceView, Snapshot
from tlsa_manager.tlsa import RRset, Tlsa

OWNER = STOP.owners[0]
MINE, OTHER = leaf().der(), leaf(key="other").der()
GOOD, STALE = record("3 1 1", MINE), record("3 1 1", OTHER)
PKIX_ONLY = record("1 1 1", MINE)
NOBODYS = Tlsa.parse("3 1 3 " + "ab" * 32)
PRESENTED = (seen(MINE),)
SECURE, INSECURE, BOGUS, INDETERMINATE = Security.SECURE, Security.INSECURE, Security.BOGUS, Security.INDETERMINATE


def answer(records: RRset | None, security: Security = SECURE, server: str = "ns1") -> Answer:
    """Describe what one name server says."""
    return Answer(server + ".example.org.", "192.0.2.53", records, 3600, security, reason="as the test says")


def verdicts(*answers: Answer, presentations: tuple[Presentation, ...] = PRESENTED, **words: object) -> tuple[Verdict, ...]:
    """Judge one stop."""
    view = OwnerView(OWNER, OWNER, "example.org.", AT, answers, **words)  # type: ignore[arg-type]  handed through
    services = {f"{HOST}:25": ServiceView(f"{HOST}:25", AT, presentations)}
    return judge(Route((STOP,)), Snapshot(AT, {OWNER: view}, services=services))


def outcome(*answers: Answer, presentations: tuple[Presentation, ...] = PRESENTED, **words: object) -> Delivery:
    """Return the worst outcome."""
    return worst(one.outcome for one in verdicts(*answers, presentations=presentations, **words))


def rrset(*records: Tlsa) -> RRset:
    """Put records together."""
    return frozenset(records)


def ended(how: Outcome, *, client: str = "any", refused: bool = False) -> tuple[Presentation, ...]:
    """Describe a probe that saw no certificate."""
    return (Presentation("192.0.2.1", client, how, reason=str(how), refused=refused),)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (answer(rrset(GOOD)), Delivery.AUTH),
        (answer(rrset(GOOD, STALE)), Delivery.AUTH),  # any one of them
        (answer(rrset(GOOD, NOBODYS, PKIX_ONLY)), Delivery.AUTH),
        (answer(rrset(STALE)), Delivery.DEFER),
        (answer(rrset(STALE, PKIX_ONLY)), Delivery.DEFER),  # what is unusable helps nobody
        (answer(rrset(PKIX_ONLY)), Delivery.ENCRYPT),
        (answer(rrset(NOBODYS)), Delivery.ENCRYPT),
        (answer(rrset(record("0 1 1", MINE), NOBODYS)), Delivery.ENCRYPT),
        (answer(rrset()), Delivery.OPPORTUNISTIC),
        (answer(rrset(GOOD), INSECURE), Delivery.OPPORTUNISTIC),
        (answer(rrset(STALE), INSECURE), Delivery.OPPORTUNISTIC),
        (answer(rrset(), INSECURE), Delivery.OPPORTUNISTIC),
        (answer(rrset(GOOD), BOGUS), Delivery.DEFER),
        (answer(rrset(), BOGUS), Delivery.DEFER),  # an absence that cannot be proven is no absence
        (answer(rrset(GOOD), INDETERMINATE), Delivery.DEFER),
        (answer(None, INDETERMINATE), Delivery.DEFER),  # SERVFAIL is not "no record"
    ],
)
def test_the_table_of_the_standard(told: Answer, expected: Delivery) -> None:
    """RFC 7672 §2.2: usable, all unusable, none, insecure, failed."""
    assert outcome(told) is expected


@pytest.mark.parametrize(
    ("records", "probes", "expected"),
    [
        (rrset(GOOD), ended(Outcome.NO_TLS), Delivery.DEFER),
        (rrset(GOOD), ended(Outcome.FAILED), Delivery.DEFER),
        (rrset(PKIX_ONLY), ended(Outcome.NO_TLS), Delivery.DEFER),  # unusable records promise TLS, too
        (rrset(), ended(Outcome.NO_TLS), Delivery.OPPORTUNISTIC),
        (rrset(GOOD), ended(Outcome.UNREACHABLE), Delivery.UNKNOWN),
        (rrset(GOOD), ended(Outcome.UNREACHABLE, refused=True), Delivery.DEFER),
        (rrset(GOOD), (), Delivery.UNKNOWN),
        (rrset(), (), Delivery.OPPORTUNISTIC),
    ],
)
def test_without_a_certificate(records: RRset, probes: tuple[Presentation, ...], expected: Delivery) -> None:
    """TLSA records promise TLS; a server that cannot be reached from here may be reached by others, unless it refuses."""
    assert outcome(answer(records), presentations=probes) is expected


def test_one_bogus_server_of_two_defers() -> None:
    """A resolver may ask either server: the worse answer counts, in either order."""
    pair = (answer(rrset(GOOD)), answer(rrset(GOOD), BOGUS, "ns2"))
    for answers in permutations(pair):
        (verdict,) = verdicts(*answers)
        assert verdict.outcome is Delivery.DEFER
        assert verdict.dnssec is BOGUS
    assert outcome(answer(rrset(GOOD)), answer(rrset(STALE), server="ns2")) is Delivery.DEFER
    assert outcome(answer(rrset(GOOD)), answer(rrset(), server="ns2")) is Delivery.OPPORTUNISTIC


def test_a_server_that_does_not_answer_is_passed_by() -> None:
    """Resolvers ask the next server: only where none answers the lookup fails."""
    silent = dataclasses.replace(answer(None, INDETERMINATE, "ns2"), cause=Cause.SILENT)
    assert outcome(answer(rrset(GOOD)), silent) is Delivery.AUTH
    assert outcome(silent) is Delivery.DEFER


def test_not_known_here_is_not_deferred_there() -> None:
    """Where nobody could say who serves the owner, the outcome is unknown; where it was never looked up, too."""
    assert outcome(problem="no resolver answers", cause=Cause.LOST) is Delivery.UNKNOWN
    assert judge(Route((STOP,)), Snapshot(AT))[0].outcome is Delivery.UNKNOWN
    hearsay = dataclasses.replace(answer(rrset(GOOD), INDETERMINATE), cause=Cause.RESOLVER)  # of one that does not validate
    assert outcome(hearsay) is Delivery.UNKNOWN
    assert outcome(problem="aliases go round", cause=Cause.LOOP) is Delivery.DEFER


def test_a_certificate_for_rsa_only_clients_counts() -> None:
    """Each kind of client is some sender: RSA that matches nothing defers, and the reason names whom it hits."""
    both = (seen(MINE), seen(OTHER, client="rsa"))
    (verdict,) = verdicts(answer(rrset(GOOD)), presentations=both)
    assert verdict.outcome is Delivery.DEFER
    assert "RSA-only clients" in verdict.why
    assert "modern" not in verdict.why
    assert outcome(answer(rrset(GOOD, STALE)), presentations=both) is Delivery.AUTH
    assert outcome(answer(rrset(GOOD)), presentations=(seen(MINE), *ended(Outcome.UNSHARED, client="rsa"))) is Delivery.AUTH
    assert outcome(answer(rrset(GOOD)), presentations=(seen(MINE), seen(OTHER, client="no-sni"))) is Delivery.AUTH


def test_each_address_has_its_own_verdict() -> None:
    """IPv4 right, IPv6 wrong: two verdicts, and the worse one counts."""
    found = verdicts(answer(rrset(GOOD)), presentations=(seen(MINE), seen(OTHER, address="2001:db8::1")))
    assert {one.address: one.outcome for one in found} == {"192.0.2.1": Delivery.AUTH, "2001:db8::1": Delivery.DEFER}
    assert worst(one.outcome for one in found) is Delivery.DEFER


def test_records_are_weighed_one_by_one() -> None:
    """Each record tells whether it is usable, whether it matches, and why not."""
    (verdict,) = verdicts(answer(rrset(GOOD, STALE, PKIX_ONLY, NOBODYS)))
    told = {one.record: (one.usable, one.matches) for one in verdict.records}
    assert told[GOOD] == (True, True)
    assert told[STALE] == (True, False)
    assert told[PKIX_ONLY][0] is False
    assert told[NOBODYS] == (False, False)
    why = {one.record: one.why for one in verdict.records}
    assert "unusable with SMTP" in why[PKIX_ONLY]
    assert why[NOBODYS] == "matching type 3 is not defined"


@pytest.mark.parametrize("garbage", ["3 0 0 00ff", "3 1 0 00ff", "2 0 0 3000", "3 1 0 " + MINE.hex()])
def test_data_that_is_no_certificate_and_no_key(garbage: str) -> None:
    """RFC 6698 §4.1: what is malformed is unusable: alone it forces TLS without authentication, beside others it is nothing."""
    broken = Tlsa.parse(garbage)
    (verdict,) = verdicts(answer(rrset(broken)))
    assert verdict.outcome is Delivery.ENCRYPT
    assert (verdict.records[0].usable, verdict.records[0].matches) == (False, False)
    assert "in DER" in verdict.records[0].why
    assert outcome(answer(rrset(broken, STALE))) is Delivery.DEFER
    assert outcome(answer(rrset(broken, GOOD))) is Delivery.AUTH


def test_whole_certificates_and_keys_are_usable() -> None:
    """Those of others, too: they match nothing."""
    for params in ("3 0 0", "3 1 0", "2 0 0", "2 1 0"):
        assert outcome(answer(rrset(record(params, OTHER)))) is Delivery.DEFER


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (answer(rrset(STALE)), Delivery.AUTH),
        (answer(rrset(PKIX_ONLY)), Delivery.ENCRYPT),
        (answer(rrset()), Delivery.OPPORTUNISTIC),
        (answer(rrset(GOOD), BOGUS), Delivery.DEFER),
    ],
)
def test_a_service_that_the_operator_vouches_for(told: Answer, expected: Delivery) -> None:
    """`probe = false`: his word is taken for what it presents, not for what DNS says; what was seen all the same counts."""
    stop = dataclasses.replace(STOP, service=dataclasses.replace(STOP.service, probe=False))
    views = {OWNER: OwnerView(OWNER, OWNER, "example.org.", AT, (told,))}
    (verdict,) = judge(Route((stop,)), Snapshot(AT, views))
    assert verdict.outcome is expected
    assert expected is not Delivery.AUTH or "the operator vouches" in verdict.why
    services = {f"{HOST}:25": ServiceView(f"{HOST}:25", AT, PRESENTED)}
    assert judge(Route((stop,)), Snapshot(AT, views, services=services))[0].outcome is outcome(told)


def test_the_worst_of_nothing_is_unknown() -> None:
    """Defer before unknown before opportunistic before encrypt before auth."""
    assert worst(()) is Delivery.UNKNOWN
    order = [Delivery.DEFER, Delivery.UNKNOWN, Delivery.OPPORTUNISTIC, Delivery.ENCRYPT, Delivery.AUTH]
    for place, one in enumerate(order):
        assert worst(order[place:]) is one


RECORDS = st.lists(
    st.sampled_from([GOOD, STALE, PKIX_ONLY, NOBODYS, record("3 1 2", MINE), record("3 1 2", OTHER), record("3 0 0", MINE)]),
    max_size=6,
)


@given(RECORDS, st.randoms(use_true_random=False))
def test_no_order_of_records_changes_the_verdict(records: list[Tlsa], chance: object) -> None:
    """A verdict that depends on the order of the answer is the fault of another program, not of this one."""
    shuffled = list(records)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  random.Random
    assert verdicts(answer(frozenset(records))) == verdicts(answer(frozenset(shuffled)))


@given(RECORDS)
def test_a_match_never_hurts_and_never_helps_the_unusable(records: list[Tlsa]) -> None:
    """With a full record of the leaf beside them, which no agility drops, any records give `auth`."""
    assert outcome(answer(frozenset({*records, record("3 1 0", MINE)}))) is Delivery.AUTH


@pytest.mark.parametrize("how", [Outcome.FAILED, Outcome.NO_TLS])
def test_a_usual_client_without_tls_counts_whatever_others_see(how: Outcome) -> None:
    """Where the usual client gets no TLS now and then, or at all, mail waits, even if an RSA-only client gets through."""
    others = (Presentation("192.0.2.1", "rsa", Outcome.PRESENTED, PRESENTED[0].chain, certificates=PRESENTED[0].certificates),)
    assert outcome(answer(rrset(GOOD)), presentations=(*ended(how), *others)) is Delivery.DEFER
    assert outcome(answer(rrset(GOOD)), presentations=(*PRESENTED, *ended(how))) is Delivery.DEFER
    assert outcome(answer(rrset(PKIX_ONLY)), presentations=(*ended(how), *others)) is Delivery.DEFER
