"""How far the record of a next key has spread: what `status` and `next-key` say, and what is advised about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.lineage import Generation, Key, Lineage
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.advice import advice
from tlsa_manager.rollover.ahead import Ahead, ahead
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.state import Spread
from tlsa_manager.rollover.succession import key_type
from tlsa_manager.service import Service
from tlsa_manager.tlsa import Params, RRset

NOW = 1_800_000_000.0
HOUR = 3600.0
NAME = "mx.example.org"
SERVICES = (Service(NAME, 25, "smtp"), Service(NAME, 465, "smtps"))
LINEAGE = Lineage(NAME, SERVICES, "dns", ("postfix",), keys=KeyPolicy(next_key=True))
CURRENT = Generation("a", Chain((Digests(*(["aa" * 32] * 4)),), "ECDSA", NOW + 9e6), (NAME,))
KEY = Key("k", "bb" * 32, "bb" * 64, "ECDSA", "ecdsa-p256")
RSA = replace(KEY, kind="RSA", type="rsa-2048")
OLD, NEW = CURRENT.records(LINEAGE.params), KEY.records(LINEAGE.params)
PUBLISHED = NOW - 20 * HOUR


def told(*happened: tuple[ev.Event, float]) -> Facts:
    """The facts after events with their moments; before them `a` is in service and published for long, and a next key is made."""
    first = [
        (ev.Adopted(CURRENT), 1.0),
        *((seen(one, OLD, PUBLISHED - 90 * HOUR)) for one in LINEAGE.owners),
        (ev.Prepared(KEY), 2.0),
    ]
    facts = Facts(NAME)
    for event, at in (*first, *happened):
        facts = apply(facts, event, at)
    return facts


def seen(owner: str, records: RRset, at: float, *, complete: bool = True) -> tuple[ev.Event, float]:
    """Every server of an owner hands this set out."""
    return ev.Seen(owner, owner, at, (ev.ServedSet(tuple(sorted(records)), 3600),), complete=complete), at


def published(owner: str, at: float = PUBLISHED) -> tuple[ev.Event, float]:
    """The next key's record was sent to an owner."""
    return ev.Published(owner, tuple(NEW)), at


FIRST, SECOND = LINEAGE.owners


def found(*happened: tuple[ev.Event, float], now: float = NOW) -> Ahead:
    """How far the next key's record has spread."""
    return ahead(LINEAGE, told(*happened), NEW, now)


def test_what_was_not_published_is_hidden() -> None:
    """Neither when it was nor when it will be usable can be said."""
    assert found() == Ahead(Spread.HIDDEN, None, None)


def test_on_its_way_it_is_rumoured_until_every_cache_knows_it() -> None:
    """Two TTLs of an hour and ten minutes after the last server gave the old set up."""
    both = [published(one) for one in LINEAGE.owners] + [seen(one, OLD | NEW, PUBLISHED + 60) for one in LINEAGE.owners]
    usable = PUBLISHED + 60 + 2 * HOUR + 600
    assert found(*both, now=usable - 1) == Ahead(Spread.RUMOURED, PUBLISHED, usable)
    assert found(*both, now=usable + 1) == Ahead(Spread.OMNIPRESENT, PUBLISHED, usable)


def test_it_is_not_since_before_it_was_published() -> None:
    """A next key after many: the sets from before its record are forgotten, and all that is left is older than the key."""
    both = [published(one) for one in LINEAGE.owners]
    former = ev.ServedSet(tuple(sorted(OLD)), 3600)
    for one in LINEAGE.owners:
        event, at = seen(one, OLD | NEW, NOW - HOUR)
        assert isinstance(event, ev.Seen)
        both.append((replace(event, forgotten=(former,)), at))
    assert found(*both) == Ahead(Spread.OMNIPRESENT, PUBLISHED, 0.0)
    seen_only = [one for one in both if not isinstance(one[0], ev.Published)]
    assert found(*seen_only) == Ahead(Spread.OMNIPRESENT, None, 0.0), "when it came nobody knows"


def test_the_owner_that_is_last_counts() -> None:
    """At one of two owners it is not there yet."""
    late = [published(one) for one in LINEAGE.owners] + [seen(FIRST, OLD | NEW, PUBLISHED + 60)]
    assert found(*late) == Ahead(Spread.HIDDEN, PUBLISHED, None)


def test_a_server_that_was_not_heard_leaves_it_open() -> None:
    """Unknown is never there (L6)."""
    both = [seen(FIRST, OLD | NEW, PUBLISHED + 60), seen(SECOND, OLD | NEW, PUBLISHED + 60, complete=False)]
    assert (found(*both).spread, found(*both).usable_at) == (Spread.RUMOURED, None)


def test_without_records_nothing_spreads() -> None:
    """3 0 1 cannot be made of a key alone."""
    assert ahead(LINEAGE, told(), frozenset(), NOW) == Ahead(Spread.HIDDEN, None, None)


@pytest.mark.parametrize(
    ("lineage", "key", "words"),
    [
        (LINEAGE, KEY, ""),
        (LINEAGE, RSA, "will be held"),
        (replace(LINEAGE, keys=KeyPolicy(next_key=True, accept=("RSA",))), RSA, "made before"),
        (replace(LINEAGE, params=(Params(3, 1, 1), Params(3, 0, 1))), KEY, "params has 3 0 1"),
        (replace(LINEAGE, params=(Params(3, 1, 1), Params(2, 1, 1))), KEY, ""),
        (replace(LINEAGE, keys=KeyPolicy(next_key=True, type="ecdsa-p384")), KEY, ""),
    ],
)  # fmt: skip
def test_what_is_otherwise_than_one_may_think_is_told(lineage: Lineage, key: Key, words: str) -> None:
    """Another kind than the one in service, a type that nobody wants any more, records that only a certificate has."""
    facts = replace(told(), standby=key)
    text = "\n".join(advice(lineage, facts, NOW))
    assert (words in text) if words else not text, text


def test_a_next_key_is_made_like_the_one_in_service() -> None:
    """Its size, too: nobody rolls from RSA 4096 to 2048 without a word. What is configured goes before."""
    strong = replace(CURRENT, id="s", chain=replace(CURRENT.chain, kind="RSA"), type="rsa-4096")
    facts = apply(Facts(NAME), ev.Adopted(strong), NOW)
    assert key_type(LINEAGE, facts) == "rsa-4096"
    assert key_type(replace(LINEAGE, keys=KeyPolicy(type="ecdsa-p384")), facts) == "ecdsa-p384"
    assert key_type(LINEAGE, apply(Facts(NAME), ev.Adopted(replace(strong, type="")), NOW)) == "rsa-2048"
    assert key_type(LINEAGE, Facts(NAME)) == "ecdsa-p256"
