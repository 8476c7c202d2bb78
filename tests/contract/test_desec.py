"""What only deSEC has: a least TTL for each domain, policies of tokens, and a way to find out that a set is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.desec import DesecStand
from contract.stand import refusal
from tlsa_manager.errors import Conflict, PublishTemporary
from tlsa_manager.publish import Change, Text
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NEXT}), frozenset(), None, 3600)
PROOF = Text("_acme-challenge.mx.pub.example.", "", "A" * 43, present=True)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[DesecStand]:
    """Give the account."""
    with DesecStand(tmp_path / "desec", str) as one:
        yield one
        assert one.complaints() == []


def test_a_set_keeps_a_ttl_that_no_new_one_may_have(account: DesecStand) -> None:
    """The least TTL of the domain may be raised when a set stands: it is not written anew."""
    account.put(OWNER, 60, str(FOREIGN), str(NOW))
    account.backend().change(ADD)
    assert account.stands(OWNER) == ({str(FOREIGN), str(NOW), str(NEXT)}, 60)
    account.backend().change(Change(OWNER, "", frozenset(), frozenset({NOW, NEXT}), None, 3600))
    assert account.stands(OWNER) == ({str(FOREIGN)}, 60)


def test_a_set_that_is_gone_is_not_made_again(
    account: DesecStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever deletes a set between our reading and our writing does not find the foreign records back."""
    account.put(OWNER, 3600, str(FOREIGN))
    monkeypatch.setattr(account.server, "meddle", lambda name: account.server.sets.pop((name, "TLSA")))
    with account.trouble("conflict", OWNER):
        assert isinstance(refusal(account, ADD, caplog), Conflict)
    assert account.stands(OWNER)[0] == set()
    assert account.backend().change(ADD).state == "done"
    assert account.stands(OWNER)[0] == {str(NEXT)}


@pytest.mark.parametrize(
    ("barred", "change"), [(("_25._tcp.mx", "TLSA"), ADD), (("_acme-challenge.mx", "TXT"), PROOF)], ids=["TLSA", "TXT"]
)
def test_what_the_policy_of_the_token_does_not_allow(
    account: DesecStand, barred: tuple[str, str], change: Change | Text, caplog: pytest.LogCaptureFixture
) -> None:
    """It may look, but not write: the remedy names the policy."""
    account.server.barred.add(barred)
    error = refusal(account, change, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "policy" in error.hint
    assert account.backend().read(OWNER).records == frozenset()
