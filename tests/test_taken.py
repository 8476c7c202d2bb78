"""What a hook says of a certificate that it has taken over: when it goes into service, and whether that is in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.service import Service
from tlsa_manager.verbs.taken import Taken, is_ready, outlook

NOW = 1_800_000_000.0
DAY = 86400.0
NAME = "mx.example.org"
LINEAGE = Lineage(NAME, (Service(NAME, 25, "smtp"),), "dns", ("postfix",))
OWNER = LINEAGE.owners[0]


def generation(name: str, *, left: float = 60 * DAY) -> Generation:
    """A generation with a key of its own."""
    digest = name.encode().hex() * 64
    return Generation(name, Chain((Digests(*([digest[:64]] * 4)),), "ECDSA", NOW + left), (NAME,))


A, B = generation("a"), generation("b")


def known(*events: ev.Event, ends: float = 60 * DAY) -> Facts:
    """A lineage with `a` in service and published for long, and what happened since."""
    facts = Facts(NAME)
    for event in (ev.Adopted(generation("a", left=ends)), seen(A, at=NOW - 30 * DAY), *events):
        facts = apply(facts, event, NOW - 60)
    return facts


def seen(*generations: Generation, at: float) -> ev.Seen:
    """Every server hands out the records of these."""
    records = frozenset().union(*(one.records(LINEAGE.params) for one in generations))
    return ev.Seen(OWNER, OWNER, at, (ev.ServedSet(tuple(sorted(records)), 3600),), complete=True)


def told(facts: Facts, name: str = "b") -> str:
    """What is said of a generation now."""
    return outlook(LINEAGE, facts, name, NOW)


def test_a_published_key_goes_into_service_with_the_next_run() -> None:
    """Its record was there for days: nothing has to be waited for."""
    facts = known(seen(A, B, at=NOW - 9 * DAY), ev.Staged(B))
    assert is_ready(LINEAGE, facts, "b", NOW)
    assert told(facts) == "every cache knows its record already: it goes into service with the next run"


def test_a_known_key_needs_no_wait_either() -> None:
    """A renewal that keeps the key has the record of the former certificate."""
    again = replace(B, chain=replace(A.chain, not_after=NOW + 90 * DAY))
    assert "goes into service with the next run" in told(known(ev.Staged(again)))


def test_a_new_key_waits_and_says_until_when_at_the_earliest() -> None:
    """Not before the servers have its record, and then for the caches: two TTLs and the margin at least."""
    text = told(known(ev.Staged(B)))
    assert "has reached every cache, 2027-01-15 10:" in text, text
    assert text.endswith("UTC at the earliest")
    assert not is_ready(LINEAGE, known(ev.Staged(B)), "b", NOW)


def test_what_was_seen_at_all_servers_says_exactly_when() -> None:
    """Two TTLs and ten minutes after the last server gave the old set up."""
    assert "2027-01-15 10:00:00 UTC at the earliest" in told(known(seen(A, B, at=NOW - 600), ev.Staged(B)))


@pytest.mark.parametrize(("left", "words"), [(3600.0, "lower the TTL"), (3.5 * 3600, "little time is to spare")])
def test_a_wait_that_does_not_fit_is_said_at_once(left: float, words: str) -> None:
    """The certificate in service would expire meanwhile (T20, T21)."""
    assert words in told(known(ev.Staged(B), ends=left))


def test_what_comes_in_the_middle_of_a_rollover_is_next() -> None:
    """One change at a time (RFC 7671 §8.4)."""
    facts = known(ev.Staged(generation("c")), ev.Staged(B))
    assert told(facts) == "it is next when the rollover that is going on is over"


def test_a_lineage_that_waits_for_a_person_says_for_what() -> None:
    """A renewal is not silently stuck behind an earlier way back."""
    facts = known(
        ev.Staged(generation("c")), ev.Deploying("c"), ev.Deployed("c"), ev.RollingBack("a", "a server did not reload"),
        ev.RolledBack("a"), ev.Restored("a"), ev.Staged(B),
    )  # fmt: skip
    assert "waits for a person: a server did not reload" in told(facts)
    assert f"rollover start {NAME}" in told(facts)


def test_the_first_certificate_may_be_in_service_already() -> None:
    """The next look tells."""
    facts = apply(Facts(NAME), ev.Staged(B), NOW)
    assert "the next run looks whether the services present it already" in told(facts)


def test_what_is_in_service_is_said_to_be() -> None:
    """Nothing is waited for."""
    assert told(known(), "a") == "it is in service already"


def test_the_sentence_for_the_log() -> None:
    """Kept, held or known; what was published and when it goes on."""
    taken = Taken(B, "", "", known=False, notes=("its records are published at x",), outlook="it waits")
    assert str(taken) == "generation b is safely kept; it waits; its records are published at x"
    assert str(replace(taken, hold="no", remedy="do")) == "generation b is safely kept, and held: no; do"
    assert str(replace(taken, known=True)) == "generation b was here already; nothing to do"
