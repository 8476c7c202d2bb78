"""What only Google has: assertions signed with a key, the metadata server, private zones, routing policies, pages."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from contract.doubles.double import Double, Reply, Request
from contract.doubles.google import GoogleStand, tokens
from contract.stand import refusal
from tlsa_manager import clock, keys
from tlsa_manager.errors import BadInput, ConfigError, Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Change, Text, open_backend
from tlsa_manager.publish.hosted.google.tokens import Account, account_of
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "_25._tcp.mx.pub.example."
NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
ADD = Change(NAME, "", frozenset({NEXT}), frozenset(), None, 3600)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[GoogleStand]:
    """Return a project of its own; whatever it was not asked as documented fails the test."""
    with GoogleStand(tmp_path / "stand", lambda name: name) as one:
        yield one
        assert one.complaints() == []


# --- who asks -------------------------------------------------------------------------------------------------------------


def test_one_token_for_many_questions(account: GoogleStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is used as long as it is good, and got anew before its end."""
    backend = account.backend()
    backend.change(ADD)
    backend.read(NAME)
    assert _tokens(account) == 1
    monkeypatch.setattr(clock, "now", lambda: time.time() + 3500)
    backend.read(NAME)
    assert _tokens(account) == 2


def test_a_token_that_is_refused_is_forgotten(account: GoogleStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who withdraws a token makes one question fail; the next one comes with another token."""
    backend = account.backend()
    backend.read(NAME)
    monkeypatch.setattr(tokens, "TOKEN", "ya29.another-token")
    assert "HTTP status 401" in (backend.read(NAME).reason or "")
    assert backend.read(NAME).records == frozenset()


def test_a_wrong_clock(account: GoogleStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """An assertion of another time is refused; how wrong the clock is, is told."""
    monkeypatch.setattr(clock, "now", lambda: time.time() + 4000)
    error = refusal(account, ADD, caplog)
    assert "reasonable timeframe" in error.message
    assert "seconds ahead: set it right" in error.hint


def test_what_rs256_signs() -> None:
    """Only an RSA key signs so; the signature is what its public half verifies (the double verifies each one)."""
    with pytest.raises(BadInput, match="not RSA"):
        keys.rs256(keys.generate("ecdsa-p256"), b"content")
    assert len(keys.rs256(keys.generate("rsa-2048"), b"content")) == 256


def test_a_key_that_is_damaged(account: GoogleStand, caplog: pytest.LogCaptureFixture) -> None:
    """A key file whose private key cannot be used is told as that, and shows nothing of it."""
    text = json.loads(tokens.key_file(f"{account.server.url}/token"))
    path = account._file(
        "damaged.json", json.dumps({**text, "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"})
    )
    error = refusal(account, ADD, caplog, account.backend(**{"key-file": path}))
    assert f"private_key of {tokens.EMAIL} cannot be used" in error.message


@pytest.mark.parametrize(
    "change", [{"type": "authorized_user"}, {"private_key": None}, {"token_uri": "http://198.51.100.1/"}, {"type": 7}]
)
def test_what_is_no_key_file(change: dict[str, Any]) -> None:
    """Another kind of JSON, or a key that would be sent in the clear, is a mistake of the configuration."""
    found = {**json.loads(tokens.key_file("https://oauth2.googleapis.com/token")), **change}
    found = {name: value for name, value in found.items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        account_of(json.dumps(found), "dns.g")
    assert caught.value.mistakes[0].startswith("dns.g.key-file")


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '"text"'])
def test_what_is_no_json(text: str) -> None:
    """Whatever else the file holds is a mistake, and is not shown."""
    with pytest.raises(ConfigError, match="not the JSON key"):
        account_of(text, "dns.g")


def test_a_key_is_not_shown() -> None:
    """The key is in no representation."""
    assert "PRIVATE" not in repr(Account("p", "e", "u", "k", "-----BEGIN PRIVATE KEY-----"))


class Metadata(Double):
    """The metadata server of a machine at Google."""

    lacks = False

    def answer(self, request: Request) -> Reply:
        """Play it (https://cloud.google.com/compute/docs/metadata/querying-metadata)."""
        if (request.method, request.path) != ("GET", "/computeMetadata/v1/instance/service-accounts/default/token"):
            return self.complain(request, "no such path")
        if request.headers.get("metadata-flavor") != "Google":
            return Reply(403, body=b"Missing Metadata-Flavor:Google header.")
        if self.lacks:
            return Reply(404, body=b"<html>not found</html>")
        return Reply(200, {"access_token": tokens.TOKEN, "expires_in": 3599, "token_type": "Bearer"})


def test_account_of_the_machine(account: GoogleStand) -> None:
    """A machine at Google needs no key; without a service account it says what to do."""
    with Metadata() as metadata:
        options = {
            "machine-account": True,
            "metadata": metadata.url,
            "project": "example-dns",
            "api": f"{account.server.url}/dns/v1",
        }
        open_backend("g", "google", options).change(ADD)
        assert account.stands(NAME)[0] == {str(NEXT)}
        metadata.lacks = True
        with pytest.raises(PublishError) as caught:
            open_backend("g", "google", options).change(ADD)
        assert metadata.complaints == []
    assert "give key-file" in caught.value.hint


def test_one_way_to_say_who_asks(account: GoogleStand) -> None:
    """A key or the machine's account, not both; and without a key the project must be said."""
    with pytest.raises(ConfigError, match="there is a key too"):
        account.backend(**{"machine-account": True})
    with pytest.raises(ConfigError, match=r"project: missing"):
        open_backend("g", "google", {"machine-account": True})
    with pytest.raises(ConfigError, match=r"key-file: missing"):
        open_backend("g", "google", {})


# --- finding, reading, writing --------------------------------------------------------------------------------------------


def test_a_private_zone_is_not_ours(account: GoogleStand) -> None:
    """Of a private and a public zone of one name the public one is changed; of private ones alone none."""
    account.backend().change(ADD)
    assert {one.path.split("/")[6] for one in account.server.requests if "rrsets" in one.path} == {"pub-example"}
    account.server.zones = (("inside", "pub.example.", "private"),)
    assert "no zone of this account" in (account.backend().read(NAME).reason or "")


def test_two_public_zones_of_one_name(account: GoogleStand, caplog: pytest.LogCaptureFixture) -> None:
    """Which one the world sees is not guessed; managed-zone says it."""
    account.server.zones = (*account.server.zones, ("second", "pub.example.", "public"))
    error = refusal(account, ADD, caplog)
    assert "pub-example, second" in error.hint
    assert account.backend(**{"managed-zone": "pub-example"}).change(ADD).state == "done"


def test_managed_zone(account: GoogleStand, caplog: pytest.LogCaptureFixture) -> None:
    """A zone given by its name at Google is not looked for; another one is not changed."""
    account.backend(**{"managed-zone": "pub-example"}).change(ADD)
    assert not [one for one in account.server.requests if one.path.endswith("/managedZones")]
    for zone in ("other", "inside"):
        error = refusal(account, ADD, caplog, account.backend(**{"managed-zone": zone}))
        assert "no zone of this account" in error.message
    error = refusal(account, ADD, caplog, account.backend(**{"managed-zone": "unknown"}))
    assert "does not exist" in error.message


def test_pages(account: GoogleStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that goes on is read to its end."""
    account.put(NAME, 300, str(NOW))
    account.put(NAME, 300, "mail.pub.example.", kind="MX")
    listed = account.server._list
    monkeypatch.setattr(account.server, "_list", lambda one: listed(_with(one, maxResults="1")))
    assert account.backend().read(NAME).records == frozenset({NOW})


def test_a_routing_policy(account: GoogleStand, caplog: pytest.LogCaptureFixture) -> None:
    """Records of which each sender sees others are not touched."""
    account.put(NAME, 300, str(NOW))
    account.server.policies.add((NAME, "TLSA"))
    assert "routing policy" in refusal(account, ADD, caplog).message
    assert account.writes() == 0


def test_a_set_is_compared_with_its_ttl(
    account: GoogleStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who changes only the TTL meanwhile is a conflict, too; so is one who takes the whole set away."""
    account.put(NAME, 300, str(NOW))
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 301, str(NOW)))
    with account.trouble("conflict", NAME):
        assert isinstance(refusal(account, ADD, caplog), Conflict)
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 0))
    with account.trouble("conflict", NAME):
        assert isinstance(refusal(account, ADD, caplog), Conflict)


def test_a_zone_that_is_gone_is_no_conflict(
    account: GoogleStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That the zone itself is not there any more, at reading or at writing, is not what a new plan would change."""
    backend = account.backend()
    monkeypatch.setattr(account.server, "meddle", lambda _: setattr(account.server, "zones", ()))
    with account.trouble("conflict", NAME):
        error = refusal(account, ADD, caplog, backend)
    assert not isinstance(error, PublishTemporary)
    assert account.writes() == 1
    error = refusal(account, ADD, caplog, backend)
    assert not isinstance(error, PublishTemporary)
    assert "does not exist" in error.message


def test_in_force(account: GoogleStand) -> None:
    """A proof is waited for until all servers have it; a change that is not known any more is in force."""
    backend = account.backend()
    backend.text(Text("_acme-challenge.mx.pub.example.", "", "value-of-a-proof", present=True))
    assert list(account.server.asked.values()) == [2]
    assert backend.settled("pub-example/1")  # type: ignore[attr-defined]


def _tokens(account: GoogleStand) -> int:
    return len([one for one in account.server.requests if one.path == "/token"])


def _with(request: Request, **query: str) -> Request:
    return Request(request.method, request.path, {**request.query, **query}, request.headers, request.body)
