"""What proving a name has beside the promises (test_promises_text.py): keys and wildcards at name servers, what is no proof."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.primaries import LEAST_PROOF, ZONE
from tlsa_manager.errors import Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Text, open_backend
from tlsa_manager.publish.rfc2136 import refusals, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    import dns.message

    from contract.conftest import World

pytestmark = pytest.mark.lab

FIRST, SECOND = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo", "_-" + "A" * 41
FOREIGN = '"v=spf1 mx \\"quoted\\" -all" "second piece"'


def shown(target: str, value: str = FIRST) -> Text:
    return Text(target, ZONE, value, present=True)


def gone(target: str, value: str = FIRST) -> Text:
    return Text(target, ZONE, value, present=False)


def stands(world: World, target: str, *values: str) -> None:
    """Assert that the server answers exactly these values, to anybody."""
    assert world.primary.records(target, "TXT")[0] == {value if '"' in value else f'"{value}"' for value in values}


@pytest.fixture
def name(fresh: Callable[[], str]) -> str:
    """Return the name of a proof that no other test has used, for a host that exists."""
    return "_acme-challenge." + fresh().split("._tcp.", 1)[1]


# --- dynamic update -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["unknown.", "stranger."])
def test_keys_that_may_not(updates: World, name: str, key: str) -> None:
    """A key that the server does not know, or does not allow TXT: the words name the key and the lines that allow it."""
    updates.primary.put(f"{name} 300 TXT {FOREIGN}")
    error = updates.refusal(shown(name), updates.backend(key))
    assert not isinstance(error, PublishTemporary)
    assert key in error.message
    assert f"grant {key} name {name} TXT;" in error.hint
    assert "update-type: [TXT]" in error.hint
    assert f"update-owner-name: [{name}]" in error.hint
    stands(updates, name, FOREIGN)


def test_least_privilege(updates: World, name: str) -> None:
    """The lines we tell people to write are enough for the whole of a proof, and allow no other name."""
    backend = updates.backend("least.")
    for text in (shown(LEAST_PROOF), shown(LEAST_PROOF, SECOND), gone(LEAST_PROOF), gone(LEAST_PROOF, SECOND)):
        assert backend.text(text).state == "done"
    stands(updates, LEAST_PROOF)
    updates.refusal(shown(name), backend)


def test_frozen_zone(updates: World, name: str) -> None:
    """While the zone is frozen nothing is written, and the words name that possibility."""
    updates.primary.freeze()
    try:
        error = updates.refusal(shown(name))
    finally:
        updates.primary.thaw()
    assert "thaw" in error.hint
    assert updates.backend().text(shown(name)).state == "done"


def test_delegated_away(updates: World, name: str) -> None:
    """Below a delegation nothing is written: the record would be invisible."""
    host = name.split(".", 1)[1]
    updates.primary.put(f"{host} 300 NS ns.elsewhere.example.")
    error = updates.refusal(shown(name))
    assert "delegated" in error.message
    assert host in error.message


def test_a_wildcard_that_answers_for_the_host_itself(updates: World, name: str) -> None:
    """A record below a host that is there by a wildcard only would take the host's addresses from it: nothing is written."""
    host = name.split(".", 1)[1]
    updates.primary.put(f"*.{host} 300 TXT {FOREIGN}", f"*.{host} 300 A 192.0.2.1")
    error = updates.refusal(shown(f"_acme-challenge.deep.{host}"))
    assert f"*.{host}" in error.message
    assert updates.primary.records(f"deep.{host}", "A")[0] == {"192.0.2.1"}


def test_a_wildcard_beside_the_proof(updates: World, name: str) -> None:
    """`*.example.org TXT` hides nothing of _acme-challenge.example.org that anybody needs, and comes back afterwards."""
    host = name.split(".", 1)[1]
    updates.primary.put(f"*.{host} 300 TXT {FOREIGN}")
    updates.backend().text(shown(name))
    stands(updates, name, FIRST)
    assert updates.primary.records(name, "TXT")[1] == 60
    updates.backend().text(gone(name))
    stands(updates, name, FOREIGN)


def test_an_alias_that_appears_meanwhile(updates: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias that appears between our reading and our writing is not taken for success."""
    original = wire.update_text

    def update_text(text: Text, zone: str, ttl: int) -> dns.message.Message:
        updates.primary.put(f"{name} 300 CNAME proofs.{ZONE}")
        return original(text, zone, ttl)

    monkeypatch.setattr(wire, "update_text", update_text)
    assert isinstance(updates.refusal(shown(name)), Conflict)


def test_a_removal_overtakes_nothing(updates: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process had sent, and the server does only after we looked, is removed all the same."""
    original, asked = wire.ask, list[object]()

    def ask(message: dns.message.Message, *rest: object) -> wire.Reply:
        reply = original(message, *rest)  # type: ignore[arg-type]
        if not asked:
            updates.primary.put(f"{name} 60 TXT {FIRST}")
        asked.append(message)
        return reply

    monkeypatch.setattr(wire, "ask", ask)
    assert updates.backend().text(gone(name)).state == "done"
    stands(updates, name)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_timeout(updates: World, name: str, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Whether the server was lost before or after it did it is not known: to ask again is right in both cases."""
    original = wire._transport

    def transport(payload: bytes, *rest: object) -> bytes:
        is_update = payload[2] >> 3 & 15 == 5
        if is_update and moment == "before":
            raise PublishTemporary("lost", "again")
        answer = original(payload, *rest)  # type: ignore[arg-type]
        if is_update:
            raise PublishTemporary("lost", "again")
        return answer

    for text, after in ((shown(name), {f'"{FIRST}"'}), (gone(name), set[str]())):
        with monkeypatch.context() as patch:
            patch.setattr(wire, "_transport", transport)
            assert isinstance(updates.refusal(text), PublishTemporary)
        assert (updates.primary.records(name, "TXT")[0] == after) is (moment == "after")
        assert updates.backend().text(text).state == "done"
        assert updates.primary.records(name, "TXT")[0] == after


def test_outside_of_the_configured_zone(updates: World) -> None:
    """A name outside of the zone that the backend updates is refused without asking, as an alias elsewhere leads to."""
    error = updates.refusal(shown("proofs.notpub.example."), updates.backend(zone="pub.example"))
    assert "not inside zone pub.example." in error.message


# --- what is refused before anybody is asked ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", 'a"b', "a b", "a\\b", "a;b", "a\nb", "ä", "a" * 256, "a$b", "a@b"])
def test_values_that_are_no_proof(value: str) -> None:
    """Only base64url can be a proof (RFC 8555 §8.4); whatever would need quoting somewhere is refused."""
    with pytest.raises(ValueError, match="base64url"):
        shown("_acme-challenge.mx.example.org.", value)


@pytest.mark.parametrize("target", ["_acme-challenge.mx.example.org", "_acme-challenge.mx example.org.", "a\nserver evil.", ""])
def test_targets_that_are_no_names(target: str) -> None:
    """A name is absolute and has no blanks: it goes into zone files and to programs."""
    with pytest.raises(ValueError, match="not an absolute name"):
        shown(target)


def test_a_manual_backend_asks() -> None:
    """Nobody is done who only tells a person what to do."""
    ticket = open_backend("hand", "manual", {}).text(shown("_acme-challenge.mx.pub.example."))
    assert ticket.state == "asked"


def test_an_error_is_one_of_ours(updates: World) -> None:
    """A name in no zone of the server is an error that names the server."""
    error = updates.refusal(shown("_acme-challenge.mx.elsewhere.example."))
    assert type(error) is PublishError
    assert updates.primary.address in error.message


def test_the_page_shows_what_the_errors_say() -> None:
    """The lines that allow a key to prove a name are the same on the page, and the page quotes the words as they are."""
    page = (Path(__file__).parents[2] / "docs" / "dns-01.md").read_text()
    place = refusals.Place("192.0.2.53", "tlsa-manager.", "_acme-challenge.mx.example.org.", "example.org.", kind="TXT")
    lines = {line.strip() for line in page.splitlines()}
    for line in refusals.access(place).splitlines():
        if line.startswith(" "):
            assert line.strip().removeprefix("update-policy { ").removesuffix(" };") in lines
    refusal = refusals.rcode("REFUSED", dataclasses.replace(place, update=True), signed=True)
    for words in ("may not change TXT records there", "the wildcard", "does not have it yet", "cannot write"):
        assert words in page
    assert "may not change TXT records there" in refusal.message
