"""What the HTTP API of PowerDNS has beside the promises: what is disabled, comments, kinds of zones, versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from contract.doubles.double import Reply, Request
from contract.doubles.powerdns import NewFront
from contract.stand import refusal
from tlsa_manager.errors import ConfigError, Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from contract.doubles.powerdns import OldStand

pytestmark = pytest.mark.lab

NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
ZONE = "localhost/zones/pub.example."


def adding(target: str, *records: Tlsa) -> Change:
    return Change(target, "", frozenset(records), frozenset(), None, 3600)


def removing(target: str, *records: Tlsa) -> Change:
    return Change(target, "", frozenset(), frozenset(records), None, 3600)


@pytest.fixture(params=["powerdns-old", "powerdns-new"])
def server(request: pytest.FixtureRequest, stand_named: Callable[[str], OldStand]) -> OldStand:
    """Give the HTTP API alone, of old servers and of new ones."""
    return stand_named(request.param)


@pytest.fixture
def name(fresh_in: Callable[[str], str]) -> str:
    """Return an owner name that no other test has used."""
    return fresh_in("pub.example.")


def whole(server: OldStand, name: str) -> dict[str, Any]:
    """Return the TLSA set of a name as only the whole zone shows it: with what is disabled, and with comments."""
    zone = json.loads(server.primary.api("GET", ZONE)[1])  # type: ignore[attr-defined]
    return next((one for one in zone["rrsets"] if (one["name"], one["type"]) == (name, "TLSA")), {"records": []})


def put(server: OldStand, name: str, *records: tuple[Tlsa, bool], **more: object) -> None:
    """Make a set by the API, beside the backend's back; a record is disabled or not."""
    shown = [{"content": str(record), "disabled": disabled} for record, disabled in records]
    one = {"name": name, "type": "TLSA", "ttl": 317, "changetype": "REPLACE", "records": shown, **more}
    status, said = server.primary.api("PATCH", ZONE, json.dumps({"rrsets": [one]}).encode())  # type: ignore[attr-defined]
    assert status == 204, said


def test_what_is_disabled_and_what_is_noted(server: OldStand, name: str) -> None:
    """Records that an administrator has disabled, and comments, outlive every change; none of them is taken for a record."""
    put(server, name, (NOW, False), (FOREIGN, True), comments=[{"content": "ask Ann", "account": "bob"}])
    backend = server.backend()
    assert backend.read(name).records == {NOW}
    backend.change(adding(name, NEXT))
    backend.change(removing(name, NOW))
    found = whole(server, name)
    assert sorted((one["content"], one["disabled"]) for one in found["records"]) == [(str(NEXT), False), (str(FOREIGN), True)]
    assert [one["content"] for one in found["comments"]] == ["ask Ann"]
    backend.change(removing(name, NEXT))
    assert [(one["content"], one["disabled"]) for one in whole(server, name)["records"]] == [(str(FOREIGN), True)]


def test_a_server_of_one_s_own_has_no_status_page(tmp_path: Path) -> None:
    """Where nobody answers, one's own log and pdns.conf are what to look at."""
    key = tmp_path / "pdns.key"
    key.touch(mode=0o600)
    key.write_text("secret")
    backend = open_backend("own", "powerdns", {"server": "http://127.0.0.1:1", "api-key-file": str(key), "timeout": "1s"})
    with pytest.raises(PublishTemporary) as caught:
        backend.change(adding("_25._tcp.mx.pub.example.", NOW))
    assert "webserver-allow-from" in caught.value.hint
    assert "status page" not in caught.value.hint


def test_a_disabled_record_that_is_wanted(server: OldStand, name: str) -> None:
    """To add a record that stands there disabled enables it."""
    put(server, name, (NOW, False), (NEXT, True))
    assert server.backend().change(adding(name, NEXT)).state == "done"
    assert server.stands(name)[0] == {str(NOW), str(NEXT)}
    assert len(whole(server, name)["records"]) == 2


def test_a_database_that_cannot_be_searched(server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where searching shows nothing, the whole zone is read for what is disabled."""
    put(server, name, (NOW, False), (FOREIGN, True))
    passed = server.double.passed

    def blind(request: Request, path: str, body: bytes | None) -> Reply:
        return Reply(200, []) if "/search-data" in path else passed(request, path, body)

    monkeypatch.setattr(server.double, "passed", blind)
    server.backend().change(adding(name, NEXT))
    assert {(one["content"], one["disabled"]) for one in whole(server, name)["records"]} == {
        (str(NOW), False), (str(NEXT), False), (str(FOREIGN), True),
    }  # fmt: skip


def test_old_servers_show_everything(server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that do not know the filters give all zones and all sets: the right ones are found among them."""
    put(server, name, (NOW, False))
    put(server, f"_26{name[3:]}", (FOREIGN, False))
    monkeypatch.setattr(server.double, "answer", lambda request: type(server.double).answer(server.double, _unfiltered(request)))
    assert server.backend().change(adding(name, NEXT)).state == "done"
    assert server.backend().read(name).records == {NOW, NEXT}


def _unfiltered(request: Request) -> Request:
    return Request(request.method, request.path, {} if "/zones" in request.path else request.query, request.headers, request.body)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"kind": "Slave"}, "only a copy"),
        ({"kind": "Secondary"}, "only a copy"),
        ({"presigned": True}, "signed elsewhere"),
        ({"kind": "Master", "soa_edit_api": "", "soa_edit": ""}, "SOA-EDIT-API"),
    ],
)
def test_zones_in_which_nobody_would_see_it(
    server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch, about: dict[str, object], words: str
) -> None:
    """A copy, a zone that is signed elsewhere, or one whose serial would stay: nothing is written, and the words say why."""
    _change_about(server, monkeypatch, about)
    before = server.writes()
    with pytest.raises(PublishError, match=words) as caught:
        server.backend().change(adding(name, NOW))
    assert not isinstance(caught.value, PublishTemporary)
    assert caught.value.hint
    assert server.writes() == before


@pytest.mark.parametrize("metadata", [["1"], []], ids=["so", "not so"])
def test_signatures_from_elsewhere(server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch, metadata: list[str]) -> None:
    """A server that does not tell it with the zone is asked for it, once."""
    passed, asked = server.double.passed, list[str]()

    def other(request: Request, path: str, body: bytes | None) -> Reply:
        if not path.endswith("/metadata/PRESIGNED"):
            return passed(request, path, body)
        asked.append(path)
        assert passed(request, path, body).status == 200
        return Reply(200, {"kind": "PRESIGNED", "metadata": metadata, "type": "Metadata"})

    monkeypatch.setattr(server.double, "passed", other)
    backend = server.backend()
    for record in (NOW, NEXT):
        if metadata:
            with pytest.raises(PublishError, match="signed elsewhere"):
                backend.change(adding(name, record))
        else:
            backend.change(adding(name, record))
    assert asked == [f"{ZONE}/metadata/PRESIGNED"]


def _change_about(server: OldStand, monkeypatch: pytest.MonkeyPatch, about: dict[str, object]) -> list[str]:
    """Have the server tell something else of its zone. Returns what is asked of the zone beside its records, as it comes."""
    passed, asked = server.double.passed, list[str]()

    def other(request: Request, path: str, body: bytes | None) -> Reply:
        if request.method == "PUT":
            asked.append(path.rpartition("/")[2])
        reply = passed(request, path, body)
        if request.method == "GET" and path.startswith(f"{ZONE}?"):
            return Reply(200, {**json.loads(reply.body or b""), **about})
        return reply

    monkeypatch.setattr(server.double, "passed", other)
    return asked


@pytest.mark.parametrize(
    ("about", "asked"),
    [
        ({"api_rectify": False}, ["rectify", "rectify"]),
        ({"api_rectify": True}, []),
        ({"dnssec": False}, []),
        ({"api_rectify": True, "kind": "Primary", "soa_edit_api": "DEFAULT"}, ["notify"] * 4),
    ],
)
def test_what_is_left_to_others(
    server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch, about: dict[str, object], asked: list[str]
) -> None:
    """Denials are put in order when a set comes or goes, where the zone does not say that it does so; secondaries are told."""
    found = _change_about(server, monkeypatch, about)
    for change in (adding(name, NOW), adding(name, NEXT), removing(name, NOW), removing(name, NEXT)):
        server.backend().change(change)
    assert found == asked


def test_secondaries_that_cannot_be_told(server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is done: they ask by themselves."""
    _change_about(server, monkeypatch, {"kind": "Primary", "soa_edit_api": "DEFAULT", "api_rectify": True})
    _refuse(server, monkeypatch, "notify")
    assert server.backend().change(adding(name, NOW)).state == "done"


def test_denials_that_are_not_in_order(
    server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an error that says what has been done, what has not, and the command for it; the same change asked again does it."""
    with monkeypatch.context() as meanwhile:
        _refuse(server, meanwhile, "rectify")
        error = refusal(server, adding(name, NOW), caplog)
        assert "is changed" in error.message
        assert error.hint == "pdnsutil rectify-zone pub.example."
    asked = _change_about(server, monkeypatch, {})
    assert server.backend().change(adding(name, NOW)).state == "done"
    assert asked == ["rectify"]


def _refuse(server: OldStand, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    passed = server.double.passed

    def refusing(request: Request, path: str, body: bytes | None) -> Reply:
        return Reply(422, {"error": "not now"}) if path.endswith(f"/{verb}") else passed(request, path, body)

    monkeypatch.setattr(server.double, "passed", refusing)


@pytest.mark.parametrize(
    ("version", "single"),
    [
        ("4.7.3", False), ("4.9.11", False), ("4.9.12", True), ("4.9.12-rc1", True), ("5.0.0", False), ("5.0.1", False),
        ("5.0.2", True), ("5.1.0-alpha1", True), ("0.0.20104gabcdef", False), ("unknown", False),
    ],
)  # fmt: skip
def test_versions(
    stand_named: Callable[[str], OldStand], name: str, monkeypatch: pytest.MonkeyPatch, version: str, single: bool  # noqa: FBT001
) -> None:  # fmt: skip
    """Single records are changed where the version is known to do so."""
    server = stand_named("powerdns-new")
    answer = server.double.answer
    about = f"/api/v1/servers/{ZONE.partition('/')[0]}"
    told = {"type": "Server", "daemon_type": "authoritative", "version": version}
    monkeypatch.setattr(server.double, "answer", lambda one: Reply(200, told) if one.path == about else answer(one))
    server.backend().change(adding(name, NOW))
    sent = json.loads(next(one.body for one in reversed(server.double.requests) if one.method == "PATCH"))
    assert sent["rrsets"][0]["changetype"] == ("EXTEND" if single else "REPLACE")


def test_an_alias_in_the_middle(
    server: OldStand, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An alias that appears between our reading and our writing is a conflict: the next run sees where it leads."""
    monkeypatch.setattr(server.double, "meddle", lambda at: server.put(at, 300, "_dane.pub.example.", kind="CNAME"))
    with server.trouble("conflict", name):
        assert isinstance(refusal(server, adding(name, NOW), caplog), Conflict)


@pytest.mark.parametrize("options", [{"zone": "PUB.example"}, {"zone": "pub.example."}, {"server-id": "localhost"}])
def test_options(server: OldStand, name: str, options: dict[str, object]) -> None:
    """The zone may be named; the URL may be that of the API itself."""
    url = f"{server.double.url}/api/v1/"
    assert server.backend(server=url, **options).change(adding(name, NOW)).state == "done"


def test_another_server_id(server: OldStand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server-id that the server does not have is told, with what to look at."""
    error = refusal(server, adding(name, NOW), caplog, server.backend(**{"server-id": "pdns/1"}))
    assert "Not Found" in error.message
    assert "server-id" in error.hint


def test_only_the_zone_that_is_named(server: OldStand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A zone that the server does not have, and names outside of it."""
    for zone in ("mx.pub.example", "example"):
        assert isinstance(refusal(server, adding(name, NOW), caplog, server.backend(zone=zone)), PublishError)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"server": "http://192.0.2.53:8081"}, "not https"),
        ({"server": "192.0.2.53"}, "not the URL"),
        ({"server": "http://localhost.example.org"}, "not https"),
        ({}, "server"),
    ],
)
def test_the_key_does_not_go_over_an_open_way(tmp_path: Path, options: dict[str, object], words: str) -> None:
    """Plain http is for this host only, unless it is vouched for."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text("k" * 20)
    with pytest.raises(ConfigError, match=words):
        open_backend("pdns", "powerdns", {"api-key-file": str(key), **options})
    if "http:" in str(options):
        open_backend("pdns", "powerdns", {"api-key-file": str(key), **options, "plain-http": True})


def test_what_the_front_would_complain_of() -> None:
    """The double is no yes-man: what no PowerDNS takes is a complaint."""
    front = NewFront(None)  # type: ignore[arg-type]  # it is not asked
    front.answer(Request("GET", "/servers/localhost", {}, {}, b""))
    two = json.dumps({"rrsets": [{"changetype": "EXTEND", "records": [{}, {}]}]}).encode()
    front.answer(Request("PATCH", "/api/v1/servers/localhost/zones/x.", {}, {}, two))
    front.answer(Request("PUT", "/api/v1/servers/localhost/zones/x./notify", {}, {}, b"{}"))
    assert len(front.complaints) == 3
