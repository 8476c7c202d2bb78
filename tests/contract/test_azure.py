"""What only Azure has: ETags, metadata of record sets, zones of one name in several groups, secrets and managed identities."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.doubles.azure import CLIENT, SUBSCRIPTION, TENANT, TOKEN, AzureStand
from contract.doubles.double import Double, Reply, Request
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "_25._tcp.mx.pub.example."
NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
ADD = Change(NAME, "", frozenset({NEXT}), frozenset(), None, 3600)
REMOVE = Change(NAME, "", frozenset(), frozenset({NOW}), None, 3600)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AzureStand]:
    """Return a subscription of its own; whatever it was not asked as documented fails the test."""
    with AzureStand(tmp_path / "stand", lambda name: name) as one:
        yield one
        assert one.complaints() == []


# --- finding the zone -----------------------------------------------------------------------------------------------------


def test_zones_of_many_pages(account: AzureStand) -> None:
    """The list of zones is read to its end; a private zone of the same name is not ours."""
    account.server.page = 1
    assert account.backend().change(ADD).state == "done"
    account.server.zones = (("inside", "pub.example", "Private"),)
    assert "no zone of this account" in (account.backend().read(NAME).reason or "")


def test_the_longest_zone(account: AzureStand) -> None:
    """Of a zone and its child the child is changed; what only ends alike is another zone."""
    account.server.zones = (*account.server.zones, ("dns", "mx.pub.example", "Public"), ("dns", "x.pub.example", "Public"))
    account.backend().read(NAME)
    assert "/dnszones/mx.pub.example/TLSA/_25._tcp" in account.server.requests[-3].path


def test_a_page_that_is_elsewhere(account: AzureStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is not taken to another host because an answer says that the list goes on there."""
    page = {"value": [], "nextLink": "https://198.51.100.1/subscriptions?api-version=2023-07-01-preview"}
    monkeypatch.setattr(account.server, "_zones", lambda *_: Reply(200, page))
    assert "not what its documents say" in (account.backend().read(NAME).reason or "")


def test_two_zones_of_one_name(account: AzureStand, caplog: pytest.LogCaptureFixture) -> None:
    """Which one the world sees is not guessed; resource-group says it."""
    account.server.zones = (*account.server.zones, ("second", "pub.example", "Public"))
    assert "set resource-group" in refusal(account, ADD, caplog).hint
    assert account.backend(**{"resource-group": "dns"}).change(ADD).state == "done"


def test_a_role_for_one_zone(account: AzureStand, caplog: pytest.LogCaptureFixture) -> None:
    """Who may see only one zone says which and where; then nothing else is asked for."""
    account.server.scoped = True
    assert "does not let us in" in refusal(account, ADD, caplog).message
    ours = {"resource-group": "dns", "zone": "pub.example"}
    assert account.backend(**ours).change(ADD).state == "done"
    error = refusal(account, ADD, caplog, account.backend(**{**ours, "resource-group": "empty"}))
    assert "no zone of this account" in error.message


def test_a_zone_that_is_gone(account: AzureStand, caplog: pytest.LogCaptureFixture) -> None:
    """That nothing is found where the zone itself is not there any more does not mean that there is no record."""
    backend = account.backend()
    assert backend.read(NAME).records == frozenset()
    account.server.zones = ()
    assert backend.read(NAME).records is None
    assert "was not found" in refusal(account, ADD, caplog, backend).message


# --- comparing and writing ------------------------------------------------------------------------------------------------


def test_metadata_stays(account: AzureStand) -> None:
    """What somebody has noted beside a set stays."""
    account.put(NAME, 300, str(NOW))
    account.server.metadata[NAME, "TLSA"] = {"owner": "mail team"}
    account.backend().change(ADD)
    assert account.stands(NAME) == ({str(NOW), str(NEXT)}, 300)
    assert account.server.metadata[NAME, "TLSA"] == {"owner": "mail team"}


@pytest.mark.parametrize("change", [ADD, REMOVE], ids=["replace", "delete"])
def test_a_set_is_compared_with_its_ttl(
    account: AzureStand, change: Change, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who changes only the TTL meanwhile is a conflict, also where the last record shall go."""
    account.put(NAME, 300, str(NOW))
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 301, str(NOW)))
    with account.trouble("conflict", NAME):
        assert isinstance(refusal(account, change, caplog), Conflict)
    assert account.stands(NAME) == ({str(NOW)}, 301)


def test_the_last_record_goes_with_its_set(account: AzureStand) -> None:
    """A set without records is deleted, under its ETag."""
    account.put(NAME, 300, str(NOW))
    account.backend().change(REMOVE)
    assert (NAME, "TLSA") not in account.server.sets
    assert [one.method for one in account.server.requests if account.server.writes(one)] == ["DELETE"]


def test_the_apex(account: AzureStand) -> None:
    """The zone's own name is called @."""
    account.put("pub.example.", 300, str(NOW))
    assert account.backend().read("pub.example.").records == frozenset({NOW})
    assert account.server.requests[-1].path.endswith("/CNAME/@")


def test_what_is_done_is_not_done_twice(account: AzureStand) -> None:
    """A write whose answer is lost is not repeated: looking shows that it is done."""
    account.put(NAME, 300, str(NOW))
    with account.trouble("lost-answer", NAME):
        assert account.backend(timeout="1s").change(ADD).state == "done"
    assert account.writes() == 1


def test_done_in_spite_of_an_error(account: AzureStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that is done although an error of the server is answered is no conflict with ourselves."""
    put = account.server._put
    monkeypatch.setattr(account.server, "_put", lambda *words: put(*words) and Reply(500, {}))
    assert account.backend().change(ADD).state == "done"
    assert account.writes() == 1


# --- who asks -------------------------------------------------------------------------------------------------------------


def test_one_token_for_many_questions(account: AzureStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is used as long as it is good, and got anew before its end."""
    backend = account.backend()
    backend.change(ADD)
    backend.read(NAME)
    assert _tokens(account) == 1
    monkeypatch.setattr(clock, "now", lambda: time.time() + 3500)
    backend.read(NAME)
    assert _tokens(account) == 2


def test_a_wrong_secret(account: AzureStand, caplog: pytest.LogCaptureFixture) -> None:
    """Microsoft's own number for what is wrong is told, and what to look at."""
    path = account._file("wrong", "wrong-but-long-enough")
    error = refusal(account, ADD, caplog, account.backend(**{"client-secret-file": path}))
    assert not isinstance(error, PublishTemporary)
    assert "AADSTS7000215" in error.message
    assert "not expired" in error.hint


class Metadata(Double):
    """The metadata service of a machine at Azure."""

    client: str | None = None

    def answer(self, request: Request) -> Reply:
        """Play it (https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token)."""
        query = {"api-version": "2018-02-01", "resource": "https://management.azure.com/"}
        expected = {**query, **({"client_id": self.client} if self.client else {})}
        if (request.method, request.path, request.query) != ("GET", "/metadata/identity/oauth2/token", expected):
            return self.complain(request, f"no such path or query: {request.query}")
        if request.headers.get("metadata") != "true":
            return Reply(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
        if self.client == "unknown":
            return Reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
        return Reply(200, {"access_token": TOKEN, "expires_in": "3599", "token_type": "Bearer", "resource": query["resource"]})


@pytest.mark.parametrize("client", [None, CLIENT])
def test_managed_identity(account: AzureStand, client: str | None) -> None:
    """A machine at Azure needs no secret, be its identity its own or one that was assigned to it."""
    with Metadata() as metadata:
        metadata.client = client
        options = {"managed-identity": True, "metadata": metadata.url, "subscription-id": SUBSCRIPTION, "api": account.server.url}
        open_backend("a", "azure", {**options, **({"client-id": client} if client else {})}).change(ADD)
        assert account.stands(NAME)[0] == {str(NEXT)}
        metadata.client = "unknown"
        with pytest.raises(PublishError, match="Identity not found") as caught:
            open_backend("a", "azure", {**options, "client-id": "unknown"}).change(ADD)
        assert metadata.complaints == []
    assert "az vm identity assign" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "client-secret-file: missing"),
        ({"client-secret-environment": "S"}, "tenant-id: missing"),
        ({"client-secret-environment": "S", "tenant-id": TENANT}, "client-id: missing"),
        ({"client-secret-environment": "S", "managed-identity": True}, "client-secret too"),
    ],
)
def test_one_way_to_say_who_asks(options: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret with its application, or the identity of the machine."""
    monkeypatch.setenv("S", "secret-of-the-application")
    with pytest.raises(ConfigError, match=words):
        open_backend("a", "azure", {"subscription-id": SUBSCRIPTION, **options})


def test_the_documented_role_is_what_is_asked_for(account: AzureStand) -> None:
    """The role of the page allows each operation that is used on a zone that is named, and no other one."""
    page = (Path(__file__).parents[2] / "docs/backends/azure.md").read_text()
    role = json.loads(page[page.index("    {\n") : page.index("\n    }\n") + 6])
    backend = account.backend(**{"resource-group": "dns", "zone": "pub.example"})
    account.put(NAME, 300, str(NOW))
    for change in (ADD, REMOVE, Change(NAME, "", frozenset(), ADD.add, None, 3600)):
        backend.change(change)
    asked = set()
    for one in account.server.requests:
        _, _, what = one.path.partition("/providers/")
        verb = {"GET": "read", "PUT": "write", "DELETE": "delete"}.get(one.method, "")
        kind = what.split("/")[3:4]
        asked |= {"/".join(["Microsoft.Network", "dnsZones", *kind, verb])} if what else set()
    assert asked == set(role["Actions"])


def _tokens(account: AzureStand) -> int:
    return len([one for one in account.server.requests if one.path.endswith("/token")])
