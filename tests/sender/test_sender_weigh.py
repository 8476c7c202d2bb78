"""Whole sets at once: the same verdicts as record by record, each signature verified once, and not for ever."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from papers import AT, HOST, ISSUER, ROOT, STOP, Paper, leaf, record, seen

from tlsa_manager.security import Security
from tlsa_manager.sender import match as matching
from tlsa_manager.sender import path
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.match import match
from tlsa_manager.sender.path import MOST_CERTIFICATES
from tlsa_manager.sender.route import Route
from tlsa_manager.sender.weigh import MOST_ABSENT, weigh
from tlsa_manager.snapshot import Answer, OwnerView, ServiceView, Snapshot
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    import pytest

CHAIN = (leaf().der(), ISSUER.der(), ROOT.der())
STRANGERS = [Paper(f"stranger {number}").der() for number in range(100)]


def test_a_set_is_weighed_as_its_records_are() -> None:
    """One by one or all at once makes no difference, whoever presented it."""
    records = frozenset(record(params, one) for params in ("3 1 1", "2 0 1", "2 0 0", "2 1 0", "0 1 1") for one in CHAIN)
    found = weigh(records, seen(*CHAIN), STOP, AT)
    assert found == {one: match(one, seen(*CHAIN), STOP, AT) for one in records}
    assert found is weigh(records, seen(*CHAIN, client="rsa", address="192.0.2.2"), STOP, AT)
    assert found != weigh(records, seen(*CHAIN[:2]), STOP, AT)
    assert found != weigh(records, seen(*CHAIN), dataclasses.replace(STOP, names=("www.example.org",)), AT)
    assert found != weigh(records, seen(*CHAIN), STOP, AT + 1e9)


def test_a_heap_of_keys_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred keys against twenty certificates: some are tried, each but once, however many clients and addresses see it."""
    tried: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(path, "signed", lambda one, spki: bool(tried.append((one, spki))))
    heap = (CHAIN[0], *STRANGERS[: MOST_CERTIFICATES + 5])
    records = frozenset(record("2 1 0", one) for one in STRANGERS[30:])
    assert _outcome(records, *(seen(*heap, client=client, address=place) for client in ("any", "rsa") for place in "ab")) == {
        Delivery.DEFER
    }
    assert 0 < len(tried) == len(set(tried)) <= MOST_ABSENT * MOST_CERTIFICATES


def test_a_heap_of_certificates_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for whole certificates that are not presented; malformed ones use up nobody's turn."""
    tried: list[int] = []
    real = matching.problem
    monkeypatch.setattr(matching, "problem", lambda *words: (tried.append(1), real(*words))[1])
    strangers = frozenset(record("2 0 0", one) for one in STRANGERS)
    assert _outcome(strangers, seen(*CHAIN[:2])) == {Delivery.DEFER}
    assert len(tried) == MOST_ABSENT
    garbage = frozenset(Tlsa(2, 0, 0, f"{number:04x}") for number in range(100))
    assert _outcome(garbage | {record("2 0 0", ROOT.der())}, seen(*CHAIN[:2])) == {Delivery.AUTH}


def test_what_is_presented_is_found_among_any_number() -> None:
    """The bound is for anchors that are not presented: one that is counts, whole or not, however many stand before it."""
    strangers = frozenset(record(params, one) for params in ("2 0 0", "2 1 0") for one in STRANGERS)
    for params in ("2 0 0", "2 1 0", "2 1 1"):
        assert _outcome(strangers | {record(params, ROOT.der())}, seen(*CHAIN)) == {Delivery.AUTH}


def _outcome(records: frozenset[Tlsa], *presented: object) -> set[Delivery]:
    """Judge one service that presents these."""
    owner = STOP.owners[0]
    answers = (Answer("ns.", "192.0.2.53", records, security=Security.SECURE),)
    services = {f"{HOST}:25": ServiceView(f"{HOST}:25", AT, presented)}  # type: ignore[arg-type]  presentations
    views = {owner: OwnerView(owner, owner, "example.org.", AT, answers)}
    return {one.outcome for one in judge(Route((STOP,)), Snapshot(AT, views, services=services))}
