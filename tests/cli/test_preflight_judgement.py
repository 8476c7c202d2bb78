"""The judgement behind `preflight`: it agrees with the rollover's gate and its veto, and sees what digests do not show."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import ANCHOR, NEW, OLD, SMTP, WAIT, answered, ask, candidate, ee, seen
from sender.papers import AT, HOST, ISSUER, Paper, leaf, record

from tlsa_manager.certificates import chain_of
from tlsa_manager.lineage import Generation
from tlsa_manager.preflight import hindsight
from tlsa_manager.preflight.clearance import Word
from tlsa_manager.preflight.judgement import for_scene
from tlsa_manager.preflight.look import Trust
from tlsa_manager.rollover import gates, law
from tlsa_manager.rollover.facts import CachedSet
from tlsa_manager.rollover.safety import veto
from tlsa_manager.rollover.steps import Deploy
from tlsa_manager.security import Security
from tlsa_manager.snapshot import Snapshot
from tlsa_manager.tlsa import RRset, Tlsa


def test_the_moment_is_that_of_the_law() -> None:
    """max(k TTL, F) + M from the first look, or from the moment the operator vouches for; over, it is safe."""
    both = (answered(ee(OLD, NEW)),)
    first = ask(seen(both, OLD), candidate(*NEW))
    assert (first.word, first.not_before) == (Word.LATER, AT + WAIT)
    vouched = ask(seen(both, OLD, since=AT - 600), candidate(*NEW))
    assert vouched.not_before == AT - 600 + WAIT
    assert ask(seen(both, OLD, since=AT - WAIT), candidate(*NEW)).word is Word.SAFE
    long = (answered(ee(OLD, NEW), ttl=86400),)
    assert ask(seen(long, OLD), candidate(*NEW)).not_before == AT + 2 * 86400 + 600


def test_the_same_key_needs_no_wait() -> None:
    """Every set from before that matched what is presented matches the renewed certificate, too."""
    renewed = (leaf(days=(-1, 300)).der(), ISSUER.der())
    assert ask(seen((answered(ee(OLD)),), OLD), candidate(*renewed)).word is Word.SAFE
    assert ask(seen((answered(frozenset({record("3 0 1", OLD[0])})),), OLD), candidate(*renewed)).word is Word.UNSAFE


def test_nobody_is_there() -> None:
    """What is presented is not known: then what may have stood before has to be waited for."""
    alone = (answered(ee(NEW)),)
    assert ask(seen(alone), candidate(*NEW)).not_before == AT + WAIT  # whatever stood there before fitted what is presented
    assert ask(seen(alone, since=AT - WAIT), candidate(*NEW)).word is Word.SAFE
    assert ask(seen((answered(ee(OLD, NEW)),)), candidate(*NEW)).word is Word.LATER
    assert ask(seen((answered(ee(OLD)),)), candidate(*NEW)).word is Word.UNSAFE


def test_a_set_that_would_be_refused_is_never_cleared() -> None:
    """Where senders are refused already, the gate lets a way out pass; a deploy script is told that it is none."""
    stale = ee((leaf(key="third").der(),))
    scene = seen((answered(stale),), OLD)
    assert not gates.swap(scene, Generation("preflight", chain_of(NEW)))
    found = ask(scene, candidate(*NEW))
    assert found.word is Word.UNSAFE
    assert "no usable TLSA record matches" in found.reasons[0].message


def test_usage_2_is_judged_by_the_path() -> None:
    """The issuer's digest is there, but the certificate has expired, or is for another host: refused, now and from caches."""
    expired = (leaf(key="new", days=(-100, -1)).der(), ISSUER.der())
    strange = (leaf("www.example.org", key="new").der(), ISSUER.der())
    for chain in (expired, strange):
        assert ask(seen((answered(frozenset({ANCHOR})),), OLD), candidate(*chain)).word is Word.UNSAFE
        with_own = frozenset({ANCHOR, record("3 1 1", chain[0])})
        found = ask(seen((answered(with_own),), OLD), candidate(*chain))
        assert (found.word, found.not_before) == (Word.LATER, AT + WAIT)  # caches may hold the anchor alone
        assert any("from before" in one.message for one in found.reasons)
    assert ask(seen((answered(frozenset({ANCHOR})),), OLD, since=0.0), candidate(*NEW)).word is Word.SAFE


def test_a_set_that_only_caches_hold() -> None:
    """The journal knows of a set with the anchor alone: it counts until it is forgotten."""
    expired = (leaf(key="new", days=(-100, -1)).der(), ISSUER.der())
    scene = seen((answered(ee(OLD, expired)),), OLD, since=AT - 1e6)
    known = scene.facts.owners[SMTP.owner]
    for gone, word in ((AT - 600, Word.LATER), (AT - WAIT, Word.SAFE)):
        owner = dataclasses.replace(known, sets=(*known.sets, CachedSet(frozenset({ANCHOR}), 3600, gone)))
        facts = dataclasses.replace(scene.facts, owners={SMTP.owner: owner})
        found = ask(dataclasses.replace(scene, facts=facts), candidate(*expired))
        assert found.word is word
        assert found.not_before == (gone + WAIT if word is Word.LATER else None)


@pytest.mark.parametrize("presented", [(OLD,), (OLD, NEW), ()], ids=["old", "both", "nobody-knows"])
@pytest.mark.parametrize(
    "served", [ee(NEW), frozenset({ANCHOR}), frozenset({record("1 1 1", OLD[0])})], ids=["3 1 1", "2 1 1", "1 1 1"]
)
def test_what_was_replaced_a_minute_ago(served: RRset, presented: tuple[tuple[bytes, ...], ...]) -> None:
    """The record of the key that is presented is gone, and caches may hold it alone: the wait of the law, unless vouched for."""
    found = ask(seen((answered(served),), *presented), candidate(*NEW))
    assert (found.word, found.not_before) == (Word.LATER, AT + WAIT)
    assert "before this look" in found.reasons[0].message
    assert ask(seen((answered(served),), *presented, since=AT - 600), candidate(*NEW)).not_before == AT - 600 + WAIT
    assert ask(seen((answered(served),), *presented, since=AT - WAIT), candidate(*NEW)).word is Word.SAFE


def test_a_set_that_was_removed_a_minute_ago_cannot_be_seen() -> None:
    """Nothing is there, and that is proven: safe, with a word about what nobody can see, unless somebody vouches for it."""
    empty = seen((answered(frozenset()),), OLD)
    assert ask(empty, candidate(*NEW)).word is Word.SAFE
    ((owner, text),) = hindsight.removals(empty, None)
    assert owner == SMTP.owner
    assert "removed within the last 7800 s" in text
    assert "--since" in text
    assert list(hindsight.removals(empty, AT - 600))
    assert not list(hindsight.removals(empty, AT - WAIT))
    assert not list(hindsight.removals(seen((answered(ee(OLD)),), OLD), None))


def test_a_kind_without_a_match_is_told_as_the_rule_it_is() -> None:
    """Every sender would take the anchor's record; RFC 7671 §8 keeps it back all the same, and the very record is named."""
    both = frozenset({ANCHOR}) | ee(OLD)
    found = ask(seen((answered(both), answered(both, number=2)), OLD, since=0.0), candidate(*NEW))
    assert found.word is Word.UNSAFE
    assert "every sender would authenticate" in found.reasons[0].message
    assert "RFC 7671 §8" in found.reasons[0].message
    assert str(record("3 1 1", NEW[0])) in found.reasons[0].remedy
    assert not found.warnings
    full = frozenset({ANCHOR, record("3 0 0", OLD[0])})
    assert "with parameters 3 0 0" in ask(seen((answered(full),), OLD, since=0.0), candidate(*NEW)).reasons[0].remedy


def test_each_name_under_which_senders_come_is_judged() -> None:
    """The operator tells two names, and a certificate for one of them is not enough: each sender knows only its own."""
    scene = seen((answered(frozenset({ANCHOR})),), OLD, since=0.0)
    for told, names, word in (
        (("a.org", "b.org"), ("a.org", "b.org"), Word.SAFE),
        (("a.org", "b.org"), ("a.org",), Word.UNSAFE),
        (("a.org", "b.org"), (HOST,), Word.SAFE),
        (("a.org",), ("a.org",), Word.SAFE),
        ((), ("a.org",), Word.UNSAFE),
    ):
        chain = candidate(leaf(*names, key="new").der(), ISSUER.der(), names=names)
        liking = Trust(told).liking((SMTP,), Snapshot(AT), chain)
        assert for_scene(scene, Generation("preflight", chain.chain), chain, liking).word is word, (told, names)


def test_every_server_counts() -> None:
    """One that lags, one that is silent, one that is bogus: each alone keeps it back."""
    good = answered(ee(OLD, NEW))
    others = (
        answered(ee(OLD), number=2), answered(None, number=2, security=Security.INDETERMINATE),
        answered(ee(OLD, NEW), number=2, security=Security.BOGUS), answered(ee(OLD, NEW), number=2, security=Security.INSECURE),
    )  # fmt: skip
    for other in others:
        found = ask(seen((good, other), OLD, since=0.0), candidate(*NEW))
        assert found.word is Word.UNSAFE, other
        assert all(one.remedy for one in found.reasons if one.until is None)


def test_unusable_records_promise_tls_and_nothing_else() -> None:
    """With SMTP a set of usage 1 alone authenticates nobody, whatever the certificate: told, and no reason."""
    found = ask(seen((answered(frozenset({record("1 1 1", OLD[0])})),), OLD, since=0.0), candidate(*NEW))
    assert found.word is Word.SAFE
    assert any("do not authenticate it" in text for _, text in found.warnings)


CHAINS = (OLD, NEW, (leaf(key="third").der(), ISSUER.der()), (leaf(key="new", issuer="Root").der(), Paper("Root").der()))
EVERY = [record(params, one[0]) for one in CHAINS for params in ("3 1 1", "3 1 2", "3 0 1", "1 1 1")]
RECORDS = st.frozensets(st.sampled_from([*EVERY, ANCHOR, Tlsa(3, 1, 3, "ab")]), max_size=4)
SAID = st.tuples(st.none() | RECORDS, st.sampled_from([Security.SECURE] * 6 + [Security.INSECURE, Security.BOGUS]))
ANSWERS = st.lists(SAID, min_size=1, max_size=3)


@given(ANSWERS, st.lists(st.sampled_from(CHAINS), max_size=2), st.sampled_from(CHAINS), st.sampled_from([None, AT - 600, 0.0]))
def test_it_never_clears_what_the_rollover_would_not_do(
    said: list[tuple[RRset | None, Security]], presented: list[tuple[bytes, ...]], chain: tuple[bytes, ...], since: float | None
) -> None:
    """Over any world: cleared only if the gate is open and the veto silent; and if the gate waits, so does the answer."""
    answers = tuple(answered(records, number=n, security=security) for n, (records, security) in enumerate(said, 1))
    scene = seen(answers, *presented, since=since)
    new = Generation("preflight", chain_of(chain))
    found, blockers = ask(scene, candidate(*chain)), gates.swap(scene, new)
    if found.word is Word.SAFE:
        assert not blockers
        keys = {one.leaf.spki_sha256 for one in scene.presented(SMTP.owner)}
        assert since == 0.0 or keys == {new.chain.leaf.spki_sha256} or not any(records for records, _ in said)
        facts = dataclasses.replace(scene.facts, generations={new.id: new})
        assert not veto(Deploy(new.id, ()), dataclasses.replace(scene, facts=facts))
        for records, _ in said:
            usable = law.usable(records or frozenset(), smtp=True)
            assert not usable or any(new.chain.matches(one) for one in usable)
    if found.word is Word.LATER:
        moments = [one.until for one in blockers]
        assert None not in moments
        assert found.not_before >= max(moments, default=0.0)  # type: ignore[operator, type-var]  none is None
