"""What only netcup has: sessions that end, one TTL for a zone, and an empty zone that is told as an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.netcup import TTL, Netcup, NetcupStand
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import PublishTemporary
from tlsa_manager.publish import Change
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.doubles.double import Reply, Request

NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NOW}), frozenset(), None, 3600)
REMOVE = Change(OWNER, "", frozenset(), frozenset({NOW}), None, 3600)


class Odd(Netcup):
    """A double that has one answer of its own for one action."""

    odd = ("", 0, "")

    def answer(self, request: Request) -> Reply:
        """Give that, or go on."""
        action, code, said = self.odd
        return self._error(code, "Error", said) if request.content["action"] == action else super().answer(request)


class OddStand(NetcupStand):
    """With it."""

    double = Odd


@pytest.fixture
def account(tmp_path: Path) -> Iterator[OddStand]:
    """Give a customer."""
    with OddStand(tmp_path / "netcup", str) as one:
        yield one
        assert one.complaints() == []


def test_an_empty_zone(account: OddStand) -> None:
    """It is told by 5029, which means that there is no record; the first can be added, and the last taken away."""
    assert account.backend().read(OWNER).records == frozenset()
    assert account.backend().change(ADD).state == "done"
    assert account.backend().change(REMOVE).state == "done"
    assert account.backend().read(OWNER).records == frozenset()


def test_a_zone_that_is_elsewhere_is_not_empty(account: OddStand) -> None:
    """The same code says that the zone cannot be found: then nobody can tell what stands there."""
    account.server.odd = ("infoDnsRecords", 5029, "Can not get DNS records for zone. The zone pub.example could not be found.")
    held = account.backend().read(OWNER)
    assert held.records is None
    assert "could not be found" in held.reason


def test_the_ttl_is_that_of_the_zone(account: OddStand) -> None:
    """Whatever is asked for, and also after the zone's has been changed."""
    assert account.backend().change(ADD).state == "done"
    assert account.backend().read(OWNER).ttl == TTL
    (sent,) = [request.content for request in account.server.requests if account.server.writes(request)]
    record = {"hostname": "_25._tcp.mx", "type": "TLSA", "destination": str(NOW)}
    assert sent["param"]["dnsrecordset"] == {"dnsrecords": [record]}
    backend = account.backend()
    for account.server.ttl in (7200, 300):
        assert backend.read(OWNER).ttl == account.server.ttl


def test_only_what_changes_is_sent(account: OddStand) -> None:
    """A removal names that record only, with its number and all that it has."""
    account.put(OWNER, TTL, str(NEXT), f"3 1 1 {'A' * 64}")
    assert account.backend().change(REMOVE).state == "done"
    (sent,) = [request.content for request in account.server.requests if account.server.writes(request)]
    (record,) = sent["param"]["dnsrecordset"]["dnsrecords"]
    assert (record["destination"], record["deleterecord"], record["hostname"]) == (f"3 1 1 {'A' * 64}", True, "_25._tcp.mx")
    assert account.spelled(OWNER) == [str(NEXT)]


def test_a_session_that_has_ended(account: OddStand) -> None:
    """We log in again, and the action is done."""
    backend = account.backend()
    assert backend.read(OWNER).records == frozenset()
    account.server.sessions.clear()
    assert backend.change(ADD).state == "done"
    assert account.server.logins == 2


def test_a_session_that_is_not_taken_right_after_the_login(account: OddStand, caplog: pytest.LogCaptureFixture) -> None:
    """It happens now and then: passing trouble, without end of logins."""
    account.server.odd = ("infoDnsZone", 4001, "The session id is not in a valid format.")
    assert isinstance(refusal(account, ADD, caplog), PublishTemporary)
    assert account.server.logins == 1


def test_a_session_that_is_quoted_is_not_shown(account: OddStand, caplog: pytest.LogCaptureFixture) -> None:
    """An answer may have its number; our messages have not."""
    account.backend().read(OWNER)
    account.server.odd = ("updateDnsRecords", 4013, "not with c2Vzc2lvbi1udW1iZXI00000002")
    assert "not with ***" in refusal(account, ADD, caplog).message


def test_one_login_for_many_questions(account: OddStand) -> None:
    """As long as the session is good."""
    backend = account.backend()
    for change in (ADD, REMOVE, ADD):
        assert backend.change(change).state == "done"
    assert account.server.logins == 1


def test_a_password_that_is_wrong_is_not_tried_again_and_again(account: OddStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts are locked for that: one login, and the next some minutes later."""
    moment = [1_800_000_000.0]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    stranger = account.stranger()
    assert all("does not let us in" in stranger.read(OWNER).reason for _ in range(6))
    assert account.asked() == 1
    moment[0] += 601
    assert stranger.read(OWNER).records is None
    assert account.asked() == 2


def test_too_many_logins_are_no_wrong_password(account: OddStand, caplog: pytest.LogCaptureFixture) -> None:
    """Both have code 4013: the words tell."""
    with account.trouble("limit", OWNER, reads=True):
        assert isinstance(refusal(account, ADD, caplog), PublishTemporary)
    account.server.odd = ("login", 4013, "Wrong API credentials.")
    error = refusal(account, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "does not let us in" in error.message
