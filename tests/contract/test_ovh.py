"""What only OVH has: a signature with its own time, and changes that nobody serves before the zone is refreshed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from contract.doubles.ovh import CONSUMER, KEY, SECRET, Ovh, OvhStand
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, PublishTemporary
from tlsa_manager.publish import Change, Text
from tlsa_manager.publish.hosted.ovh import ENDPOINTS, Signer
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.doubles.double import Reply, Request

NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NOW}), frozenset(), None, 3600)
REMOVE = Change(OWNER, "", frozenset(), frozenset({NOW}), None, 3600)
PROOF = Text("_acme-challenge.mx.pub.example.", "", "A" * 43, present=True)


class Failing(Ovh):
    """A double whose refresh fails as long as it is told so; or whose reading does while there is something unserved."""

    failing = blind = False

    def answer(self, request: Request) -> Reply:
        """Fail, or go on."""
        from contract.doubles.double import Reply

        if (self.failing and request.path.endswith("/refresh")) or (self.blind and self.kept and request.method == "GET"):
            return Reply(500, {"message": "Internal server error"})
        return super().answer(request)


class FailingStand(OvhStand):
    """With it."""

    double = Failing


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingStand]:
    """Give the account."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    with FailingStand(tmp_path / "ovh", str) as one:
        yield one
        assert one.complaints() == []


def test_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of OVH's own guide (First steps with the OVHcloud APIs: signing a request)."""
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    signer = Signer(KEY, SECRET, CONSUMER)
    signer.start = 1366560945.0 - 100.0
    request = requests.Request("GET", "https://eu.api.ovh.com/1.0/domains/").prepare()
    headers = signer(request).headers
    assert headers["X-Ovh-Application"] == KEY
    assert headers["X-Ovh-Consumer"] == CONSUMER
    assert headers["X-Ovh-Timestamp"] == "1366560945"
    assert headers["X-Ovh-Signature"] == "$1$d3705e8afb27a0d2970a322b96550abfc67bb798"


def test_nothing_is_served_before_the_refresh(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """When it fails, that is told as passing trouble; the next run finds the record standing, and still has it served."""
    account.server.failing = True
    error = refusal(account, ADD, caplog)
    assert isinstance(error, PublishTemporary)
    assert account.stands(OWNER) == (set(), 0)
    account.server.failing = False
    assert account.backend().change(ADD).state == "done"
    assert account.stands(OWNER) == ({str(NOW)}, 3600)


def test_looking_changes_nothing(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """Not even what is left unserved, which may be half of what somebody does there; it is not asked for as it is shown."""
    account.server.failing = True
    refusal(account, ADD, caplog)
    account.server.failing = False
    assert account.backend().read(OWNER).records == {NOW}
    assert account.server.refreshes == 0
    assert account.stands(OWNER)[0] == set()


def test_what_was_written_and_could_not_be_read(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """Then the refresh was not even asked for; who asks for the change again, with the same backend, has it served."""
    backend = account.backend()
    account.server.blind = True
    refusal(account, ADD, caplog, backend)
    account.server.blind = False
    assert account.server.refreshes == 0
    assert backend.change(ADD).state == "done"
    assert account.stands(OWNER)[0] == {str(NOW)}


def test_a_removal_that_was_not_refreshed(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """What was taken out by a run that died before the refresh is taken out of what is served by the next."""
    account.put(OWNER, 300, str(NOW), str(NEXT))
    account.server.failing = True
    refusal(account, REMOVE, caplog)
    assert account.stands(OWNER)[0] == {str(NOW), str(NEXT)}
    account.server.failing = False
    assert account.backend().change(REMOVE).state == "done"
    assert account.stands(OWNER)[0] == {str(NEXT)}


def test_a_proof_that_was_not_refreshed(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """The same for TXT records."""
    account.server.failing = True
    refusal(account, PROOF, caplog)
    account.server.failing = False
    assert account.backend().text(PROOF).state == "done"
    assert account.stands(PROOF.target, "TXT")[0] == {f'"{PROOF.value}"'}


def test_an_answer_that_is_lost_is_refreshed_too(account: FailingStand) -> None:
    """The record was created though no answer came: it is served, too."""
    with account.trouble("lost-answer", OWNER):
        assert account.backend(timeout="1s").change(ADD).state == "done"
    assert account.server.refreshes == 1
    assert account.stands(OWNER)[0] == {str(NOW)}


def test_what_is_gone_already(account: FailingStand) -> None:
    """404 is no error: somebody else has deleted it between our reading and our writing."""
    account.put(OWNER, 300, str(NOW))
    account.server.meddle = lambda name: account.put(name, 300)
    with account.trouble("conflict", OWNER):
        assert account.backend().change(REMOVE).state == "done"


def test_the_clock_of_the_provider_counts(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """It is asked once; when it jumps, the refusal has it asked again the next time."""
    backend = account.backend()
    assert backend.change(ADD).state == "done"
    assert [request.path for request in account.server.requests].count("/1.0/auth/time") == 1
    account.server.ahead -= 900
    assert "does not let us in" in refusal(account, REMOVE, caplog, backend).message
    assert backend.change(REMOVE).state == "done"


def test_the_ttl_of_the_zone_stays_that_of_the_zone(account: FailingStand) -> None:
    """A set that has the TTL of the zone (OVH writes 0) gets no TTL of its own by a record that is added."""
    account.put(OWNER, 3600, str(NEXT))
    assert account.backend().read(OWNER).ttl == 3600
    assert account.backend().change(ADD).state == "done"
    assert [request.content["ttl"] for request in account.server.requests if account.server.writes(request)] == [0]


def test_names_that_are_only_like_it(account: FailingStand) -> None:
    """The filter of the API is a pattern in which an underscore is any character: others are not taken for ours."""
    account.put("x25.xtcp.mx.pub.example.", 300, str(NEXT))
    assert account.backend().read(OWNER).records == frozenset()


def test_a_zone_that_is_named_needs_no_right_to_list_zones(account: FailingStand) -> None:
    """Only paths below the zone are asked for."""
    assert account.backend(zone="pub.example").change(ADD).state == "done"
    paths = {request.path for request in account.server.requests} - {"/1.0/auth/time"}
    assert all(path.startswith("/1.0/domain/zone/pub.example/") for path in paths)


def test_something_else_is_under_way(account: FailingStand, caplog: pytest.LogCaptureFixture) -> None:
    """409 is passing trouble."""
    from contract.doubles.double import Reply

    account.server.refused = lambda: Reply(409, {"message": "An operation is already running", "class": "Client::Conflict"})
    with account.trouble("refusal", OWNER):
        error = refusal(account, ADD, caplog)
    assert isinstance(error, PublishTemporary)
    assert "already running" in error.message


def test_endpoints(account: FailingStand) -> None:
    """They are called as in OVH's own tools; another one is a mistake."""
    options = {name: value for name, value in account.options(account._file).items() if name != "api"}
    from tlsa_manager.publish import open_backend

    for endpoint, url in ENDPOINTS.items():
        backend = open_backend("ns1", "ovh", {**options, "endpoint": endpoint})
        assert backend.provider.api.base == url  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="did you mean 'ovh-eu'"):
        open_backend("ns1", "ovh", {**options, "endpoint": "ovh-eur"})
