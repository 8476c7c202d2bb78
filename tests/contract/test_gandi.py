"""What only Gandi has: domains on several pages, and sets that are missing by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.gandi import GandiStand
from contract.stand import refusal
from tlsa_manager.errors import PublishTemporary
from tlsa_manager.publish import Change
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "bc")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NEXT}), frozenset(), None, 3600)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[GandiStand]:
    """Give the organization."""
    with GandiStand(tmp_path / "gandi", str) as one:
        yield one
        assert one.complaints() == []


def asked(account: GandiStand) -> list[str]:
    """Return what was asked so far, and forget it."""
    found, account.server.requests[:] = [f"{one.method} {one.path}" for one in account.server.requests], []
    return [one.replace("/v5/livedns", "") for one in found]


def test_the_longest_domain_on_the_last_page(account: GandiStand) -> None:
    """All pages are looked through; of two domains that the name lies in, it is the longer one."""
    for owner, domain in ((OWNER, "pub.example"), ("_25._tcp.mx.deep.pub.example.", "deep.pub.example")):
        assert account.backend().read(owner).records == frozenset()
        assert asked(account) == [
            "GET /domains",
            "GET /domains",
            f"GET /domains/{domain}/records/_25._tcp.mx",
            f"GET /domains/{domain}",
        ]


def test_a_domain_that_is_configured(account: GandiStand, caplog: pytest.LogCaptureFixture) -> None:
    """Then no other is looked at; where the token does not see it, it is no empty set."""
    backend = account.backend(zone="pub.example")
    account.put(OWNER, 300, str(FOREIGN))
    backend.change(ADD)
    name = "/domains/pub.example/records/_25._tcp.mx"
    assert asked(account) == ["GET /domains/pub.example", f"GET {name}", f"PUT {name}/TLSA", f"GET {name}"]
    elsewhere = account.backend(zone="mx.pub.example")
    assert elsewhere.read(OWNER).records is None
    assert "no zone of this account" in refusal(account, ADD, caplog, elsewhere).message


def test_a_domain_that_has_gone(account: GandiStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status for a name without records is that for a domain which is not there any more: then nobody can tell."""
    backend = account.backend()
    assert backend.read(OWNER).records == frozenset()
    monkeypatch.setattr(account.server, "domains", ["other0.example"])
    held = backend.read(OWNER)
    assert held.records is None
    assert "could not be found" in held.reason


def test_its_own_words(account: GandiStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What it does not like is told as it says it."""
    monkeypatch.setattr("contract.doubles.gandi.LEAST_TTL", 5000)
    error = refusal(account, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "rrset_ttl; 3600 is less than 5000" in error.message
