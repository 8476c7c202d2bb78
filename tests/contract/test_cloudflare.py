"""What only Cloudflare has: ids, an automatic TTL, comments, batches that somebody spoils, a zone that is named by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.cloudflare import TOKEN, ZONE_ID, Cloudflare, CloudflareStand, error_body
from contract.doubles.double import Reply
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.doubles.double import Request

NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NEXT}), frozenset(), None, 3600)
ADD_TWO = Change(OWNER, "", frozenset({NOW, NEXT}), frozenset(), None, 3600)
REMOVE_TWO = Change(OWNER, "", frozenset(), frozenset({NOW, NEXT}), None, 3600)
ID = {"zone": "pub.example", "zone-id": ZONE_ID}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudflareStand]:
    """Give the account."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    with CloudflareStand(tmp_path / "cloudflare", str) as one:
        yield one
        assert one.complaints() == []


def paths(account: CloudflareStand) -> list[str]:
    """Return what was asked to change something."""
    return [f"{one.method} {one.path.rpartition('/dns_records')[2]}" for one in account.server.requests if one.method != "GET"]


def test_automatic_ttl(account: CloudflareStand) -> None:
    """A TTL of 1 means 300 seconds, which caches have to be waited for; a record that joins such a set is automatic, too."""
    account.put(OWNER, 1, str(FOREIGN))
    assert account.backend().read(OWNER).ttl == 300
    account.backend().change(ADD)
    assert account.stands(OWNER) == ({str(FOREIGN), str(NEXT)}, 1)


def test_a_new_set_has_no_automatic_ttl(account: CloudflareStand) -> None:
    """It has the TTL that was asked for, and never less than Cloudflare takes."""
    account.backend().change(Change(OWNER, "", frozenset({NEXT}), frozenset(), None, 1))
    assert account.stands(OWNER)[1] == 60


def test_foreign_records_keep_id_and_comment(account: CloudflareStand) -> None:
    """A record of somebody else is never written: its id, by which others know it, and its comment stay."""
    account.put(OWNER, 300, str(FOREIGN), str(NOW))
    number = account.server.id_of(OWNER, "TLSA", str(FOREIGN))
    account.server.notes[number] = "of the backup server"
    for change in (ADD, REMOVE_TWO):
        account.backend().change(change)
    assert account.server.id_of(OWNER, "TLSA", str(FOREIGN)) == number
    assert not [one for one in account.server.requests if one.method != "GET" and number in f"{one.path}{one.body!r}"]


def test_several_are_one_batch(account: CloudflareStand) -> None:
    """Records that come or go together are one transaction; a single one is a request of its own."""
    account.backend().change(ADD_TWO)
    account.backend().change(REMOVE_TWO)
    account.backend().change(ADD)
    assert paths(account) == ["POST /batch", "POST /batch", "POST "]


def test_a_batch_that_is_done_in_part_by_others(account: CloudflareStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else adds, or deletes, one of the records in the middle, the batch is refused; the rest is done singly."""
    account.put(OWNER, 3600, str(FOREIGN))
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 3600, str(FOREIGN), str(NOW)))
    with account.trouble("conflict", OWNER):
        assert account.backend().change(ADD_TWO).state == "done"
    assert account.stands(OWNER)[0] == {str(FOREIGN), str(NOW), str(NEXT)}
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 3600, str(FOREIGN), str(NEXT)))
    with account.trouble("conflict", OWNER):
        assert account.backend().change(REMOVE_TWO).state == "done"
    assert account.stands(OWNER)[0] == {str(FOREIGN)}
    assert paths(account)[0] == "POST /batch"
    assert len(paths(account)) == 6


def test_a_zone_that_is_named_by_its_id(account: CloudflareStand, caplog: pytest.LogCaptureFixture) -> None:
    """With `zone-id` the token needs no right to look for zones; without it the remedy names both ways."""
    account.server.zone_read = False
    assert account.backend(**ID).change(ADD).state == "done"
    assert "zone-id" in refusal(account, ADD_TWO, caplog).hint


def test_a_token_of_another_form(account: CloudflareStand, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """What is no token (a Global API Key, for instance) is refused with status 400, and means that we are not let in."""
    file = tmp_path / "token"
    file.write_text("c2547eb745079dac9320b638f5e225cf483cc5cfdda41")
    file.chmod(0o600)
    error = refusal(account, ADD, caplog, account.backend(**{"token-file": str(file)}))
    assert "does not let us in" in error.message
    assert "Invalid request headers" in error.message
    assert "Zone / DNS / Edit" in error.hint


def test_throttled_whatever_the_status(
    account: CloudflareStand, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Error 971 means that all questions of the next five minutes are in vain, and none is asked."""
    monkeypatch.setattr(Cloudflare, "limited", lambda _: Reply(400, error_body(971, "Please wait")))
    backend, began = account.backend(), clock.now()
    with account.trouble("limit", OWNER):
        error = refusal(account, ADD, caplog, backend)
    assert isinstance(error, PublishTemporary)
    assert began + 290 < error.until < began + 400
    asked = account.asked()
    refusal(account, ADD, caplog, backend)
    assert account.asked() == asked


def test_a_success_that_is_none(
    account: CloudflareStand, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is `success`, whatever the HTTP status is."""
    answer = account.server.answer

    def playing(request: Request) -> Reply:
        told = error_body(1004, "DNS Validation Error", error_chain=[{"code": 9999, "message": "no such thing"}])
        return Reply(200, told) if request.method == "POST" else answer(request)

    monkeypatch.setattr(account.server, "answer", playing)
    error = refusal(account, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "DNS Validation Error; no such thing" in error.message


@pytest.mark.parametrize(
    ("options", "said"),
    [({"zone-id": ZONE_ID}, "of which zone?"), ({**ID, "zone-id": "../../accounts"}, "not 32 hexadecimal digits")],
)
def test_mistakes_in_the_configuration(tmp_path: Path, options: dict[str, str], said: str) -> None:
    """An id says nothing about names, and nothing else than an id may get into the address of a question."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        open_backend("ns1", "cloudflare", {"token-file": str(file), **options})
    assert said in caught.value.message
    assert "dns.ns1.zone-id" in caught.value.message
    assert "overview page" in caught.value.hint
