"""Which records an agile sender goes by (RFC 7671 §9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from papers import AT, HOST, STOP, leaf, record, seen

from tlsa_manager.rollover.law import usable
from tlsa_manager.security import Security
from tlsa_manager.sender.agility import agile
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route
from tlsa_manager.snapshot import Answer, OwnerView, ServiceView, Snapshot
from tlsa_manager.tlsa import Tlsa

RECORDS = st.builds(
    lambda usage, selector, matching, data: Tlsa(usage, selector, matching, data * {0: 5, 1: 32, 2: 64}[matching]),
    st.integers(0, 3), st.integers(0, 1), st.integers(0, 2), st.sampled_from(["aa", "bb", "cc"]),
)  # fmt: skip
OWNER = STOP.owners[0]


@given(st.lists(RECORDS, max_size=12))
def test_it_is_a_subset_that_does_not_depend_on_the_order(records: list[Tlsa]) -> None:
    """Nothing is added, matching type 0 always stays, every (usage, selector) keeps something, and twice is once."""
    chosen = agile(frozenset(records))
    assert chosen == agile(frozenset(reversed(records)))
    assert chosen <= frozenset(records)
    assert {one for one in records if one.matching == 0} <= chosen
    assert {(one.usage, one.selector) for one in chosen} == {(one.usage, one.selector) for one in records}
    assert agile(chosen) == chosen


@given(st.lists(RECORDS, max_size=12))
def test_only_the_strongest_digest_counts(records: list[Tlsa]) -> None:
    """Of the digests of one (usage, selector) SHA-256 goes as soon as there is one SHA-512."""
    for one in agile(frozenset(records)):
        if one.matching == 1:
            assert not any((two.usage, two.selector, two.matching) == (one.usage, one.selector, 2) for two in records)


def test_the_example_of_the_standard() -> None:
    """RFC 7671 §9: keys A and B with SHA-256, only B with SHA-512; a server with key A is refused by agile senders alone."""
    a, b = leaf().der(), leaf(key="B").der()
    both = frozenset({record("3 1 1", a), record("3 1 1", b), record("3 1 2", b)})
    assert agile(both) == {record("3 1 2", b)}
    assert _outcome(both, b) == (Delivery.AUTH, False)
    assert _outcome(both, a) == (Delivery.DEFER, True)
    assert _outcome(both | {record("3 1 2", a)}, a) == (Delivery.AUTH, False)


def test_a_digest_of_the_wrong_length_is_dropped_before() -> None:
    """§9 begins with the usable records: a malformed SHA-512 does not push the SHA-256 aside."""
    good, short = record("3 1 1", leaf().der()), Tlsa(3, 1, 2, "ab" * 63)
    assert agile(usable(frozenset({good, short}), smtp=True)) == {good}
    assert _outcome(frozenset({good, short}), leaf().der()) == (Delivery.AUTH, False)


def test_other_groups_are_left_alone() -> None:
    """The strongest digest of `2 1` says nothing about `3 1` or `2 0`."""
    records = frozenset(
        Tlsa.parse(text) for text in ("3 1 1 " + "aa" * 32, "2 1 2 " + "aa" * 64, "2 0 1 " + "aa" * 32, "3 1 0 aa")
    )
    assert agile(records) == records


def _outcome(records: frozenset[Tlsa], certificate: bytes) -> tuple[Delivery, bool]:
    answer = Answer("ns.example.org.", "192.0.2.53", records, 3600, Security.SECURE)
    snapshot = Snapshot(
        AT,
        {OWNER: OwnerView(OWNER, OWNER, "example.org.", AT, (answer,))},
        services={str(STOP.service): ServiceView(f"{HOST}:25", AT, (seen(certificate),))},
    )
    (verdict,) = judge(Route((STOP,)), snapshot)
    return verdict.outcome, verdict.agility
