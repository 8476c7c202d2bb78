"""What only Hetzner has: actions that end later, sets without a TTL of their own, and zones that nobody signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.hetzner import ZONE_TTL, HetznerStand
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import PublishTemporary
from tlsa_manager.publish import Change, LateBackend, Text, warning_of
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NEXT}), frozenset(), None, 3600)
ADD_TWO = Change(OWNER, "", frozenset({NOW, NEXT}), frozenset(), None, 3600)
REMOVE_TWO = Change(OWNER, "", frozenset(), frozenset({NOW, NEXT}), None, 3600)
PROOF = Text("_acme-challenge.mx.pub.example.", "", "A" * 43, present=True)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HetznerStand]:
    """Give the project."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    with HetznerStand(tmp_path / "hetzner", str) as one:
        yield one
        assert one.complaints() == []


def test_it_is_told_that_dane_cannot_work_there() -> None:
    """Whoever uses it has to know."""
    assert "DANE cannot work" in warning_of("hetzner")
    assert warning_of("cloudflare") == ""


def test_the_ttl_of_the_zone(account: HetznerStand) -> None:
    """A set may have no TTL of its own: caches keep it as long as the zone says, and it stays without."""
    account.put(OWNER, 0, str(FOREIGN))
    assert account.backend().read(OWNER).ttl == ZONE_TTL
    account.backend().change(ADD)
    assert account.stands(OWNER) == ({str(FOREIGN), str(NEXT)}, 0)


def test_asked_until_it_is_over(account: HetznerStand) -> None:
    """A change has a number, by which it is asked whether it is over."""
    account.server.pace = 3
    backend = account.backend()
    assert isinstance(backend, LateBackend)
    number = backend.change(ADD).number
    assert [backend.settled(number) for _ in range(4)] == [False, False, True, True]
    assert backend.settled("1"), "forgotten, so it is long ago"


def test_over_at_once(account: HetznerStand) -> None:
    """An action that is over when it begins has a number as all others: who loses it can ask for it again."""
    account.server.pace = 0
    backend = account.backend()
    assert isinstance(backend, LateBackend)
    assert backend.settled(backend.change(ADD).number)


def test_a_proof_that_failed(account: HetznerStand, caplog: pytest.LogCaptureFixture) -> None:
    """An action that is over may have failed: whether the proof stands is read, not concluded."""
    account.server.failing = True
    error = refusal(account, PROOF, caplog)
    assert isinstance(error, PublishTemporary)
    assert "not as they should be" in error.message


def test_the_number_of_what_stands(account: HetznerStand) -> None:
    """It is that of an action which is still running, else the newest; where none was ever made, there is none to wait for."""
    account.put(OWNER, 700, str(NEXT))
    backend = account.backend()
    assert isinstance(backend, LateBackend)
    assert backend.settled(backend.change(ADD).number)
    first = backend.change(ADD_TWO).number
    backend.change(REMOVE_TWO)
    assert any(backend.settled(str(int(first) + 1)) for _ in range(account.server.pace))
    assert backend.change(REMOVE_TWO).number == first
    assert any(backend.settled(first) for _ in range(account.server.pace))
    assert backend.change(REMOVE_TWO).number > first


def test_a_proof_waits_until_it_is_over(account: HetznerStand) -> None:
    """An authority may ask any of the name servers."""
    account.server.pace = 3
    account.backend().text(PROOF)
    assert sum("/actions/" in one.path for one in account.server.requests if one.method == "GET") == 3


def test_an_action_that_fails(account: HetznerStand) -> None:
    """It is over: nothing of it comes into force later, and the same change asked again is made."""
    account.server.failing, account.server.pace = True, 1
    backend = account.backend()
    assert isinstance(backend, LateBackend)
    number = backend.change(ADD).number
    assert backend.settled(number)
    assert account.stands(OWNER)[0] == set()
    account.server.failing = False
    assert backend.change(ADD).state == "done"
    assert account.stands(OWNER)[0]


@pytest.mark.parametrize("code", ["conflict", "locked"])
def test_a_busy_zone(account: HetznerStand, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """While something else goes on with the zone nothing is done, and it is asked again, here and at the next run."""
    account.server.held_up = code
    error = refusal(account, ADD, caplog)
    assert isinstance(error, PublishTemporary)
    assert "busy" in error.message
    assert account.writes() == 3
    assert account.stands(OWNER)[0] == set()
    account.server.held_up = ""
    account.backend().change(ADD)
    assert account.stands(OWNER)[0] == {str(NEXT)}


def test_done_in_part_by_others(account: HetznerStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else adds, or removes, one of the records in the middle, the change is refused; what is left is done."""
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 700, str(FOREIGN), str(NOW)))
    with account.trouble("conflict", OWNER):
        account.backend().change(ADD_TWO)
    assert account.stands(OWNER) == ({str(FOREIGN), str(NOW), str(NEXT)}, 700)
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 700, str(FOREIGN), str(NEXT)))
    with account.trouble("conflict", OWNER):
        account.backend().change(REMOVE_TWO)
    assert account.stands(OWNER) == ({str(FOREIGN)}, 700)
    monkeypatch.setattr(account.server, "meddle", lambda name: account.server.sets.pop((name, "TLSA")))
    account.put(OWNER, 700, str(NOW), str(NEXT))
    with account.trouble("conflict", OWNER):
        assert account.backend().change(REMOVE_TWO).state == "done"


def test_refused_for_good(account: HetznerStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What is refused although nobody has changed anything is an error that a person has to look at, in Hetzner's words."""
    monkeypatch.setattr("contract.doubles.hetzner.LEAST_TTL", 5000)
    error = refusal(account, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "must be at least 5000" in error.message
    assert account.writes() == 1
