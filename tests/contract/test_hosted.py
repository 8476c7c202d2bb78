"""What all zones at providers have in common, beside the promises: names and zones refused, answers that make no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract.doubles.double import Reply, Request
from contract.stand import refusal
from tlsa_manager.errors import PublishTemporary
from tlsa_manager.publish import Change, Text
from tlsa_manager.publish.hosted import Standing, Zone, parents, value_of
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.doubles.desec import DesecStand

NOW = Tlsa.parse(f"3 1 1 {'a' * 64}")


def adding(target: str, zone: str = "") -> Change:
    return Change(target, zone, frozenset({NOW}), frozenset(), None, 3600)


@pytest.fixture
def desec(stand_named: Callable[[str], DesecStand]) -> DesecStand:
    """Give one that is as all others."""
    return stand_named("desec")


@pytest.fixture
def name(fresh_in: Callable[[str], str]) -> str:
    """Return an owner name that no other test has used."""
    return fresh_in("pub.example.")


@pytest.mark.parametrize(
    "target",
    [
        "_25._tcp.m\\046x.pub.example.",
        "_25._tcp.m/x.pub.example.",
        "_25._tcp..pub.example.",
        "*.pub.example.",
        ".",
        f"{'a.' * 126}example.",
    ],
)
def test_names_that_an_api_might_take_for_others(desec: DesecStand, caplog: pytest.LogCaptureFixture, target: str) -> None:
    """Escapes, slashes, empty labels and wildcards go into no URL: nobody is asked."""
    before = desec.asked()
    error = refusal(desec, adding(target), caplog)
    assert not isinstance(error, PublishTemporary)
    assert desec.backend().read(target).records is None
    assert desec.asked() == before


def test_only_the_zone_that_is_named(desec: DesecStand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A name outside of `zone` is refused without asking; inside it makes no difference."""
    before = desec.asked()
    error = refusal(desec, adding("_25._tcp.mx.notpub.example."), caplog, desec.backend(zone="Pub.Example"))
    assert "not inside zone pub.example." in error.message
    assert desec.asked() == before
    assert desec.backend(zone="Pub.Example").change(adding(name)).state == "done"


@pytest.mark.parametrize("seen", ["example.", "mx.pub.example."])
def test_a_zone_that_nobody_sees(desec: DesecStand, name: str, caplog: pytest.LogCaptureFixture, seen: str) -> None:
    """Where the world finds the name in another zone than the provider has, nothing is written: nobody would see it."""
    before = desec.writes()
    for change in (adding(name, seen), Text(name, seen, "proof", present=True)):
        error = refusal(desec, change, caplog)
        assert not isinstance(error, PublishTemporary)
        assert seen in error.message
        assert "pub.example." in error.message
    assert desec.writes() == before
    assert desec.backend().change(adding(name, "Pub.example.")).state == "done"


def test_a_record_that_cannot_be_read(desec: DesecStand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is no TLSA record would not survive: nothing is written, somebody has to look at it."""
    desec.put(name, 3600, "3 1 one abcd")
    before = desec.writes()
    error = refusal(desec, adding(name), caplog)
    assert not isinstance(error, PublishTemporary)
    assert name in error.message
    held = desec.backend().read(name)
    assert held.records is None
    assert held.reason
    assert desec.writes() == before


@pytest.mark.parametrize("content", [[], {}, [{}], "text", 7, [{"name": 7}], [None], [{"name": "pub.example"}]])
def test_an_answer_of_another_form(
    desec: DesecStand, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: Any
) -> None:
    """JSON in which something is missing is no stack trace, and never means that there is no record."""
    answer = desec.server.answer

    def other(request: Request) -> Reply:
        return Reply(200, content) if request.path.endswith("/domains/") else answer(request)

    monkeypatch.setattr(desec.server, "answer", other)
    before = desec.writes()
    refusal(desec, adding(name), caplog)
    held = desec.backend().read(name)
    assert held.records is None
    assert held.reason
    assert desec.writes() == before


@pytest.mark.parametrize("ttl", ["Infinity", "1e999", "NaN", "-1", "1" * 30])
def test_a_ttl_that_is_none(desec: DesecStand, name: str, monkeypatch: pytest.MonkeyPatch, ttl: str) -> None:
    """No number that JSON can write is too odd to be refused in a sentence (RFC 2181 §8: 0 to 2^31-1)."""
    answer = desec.server.answer
    label = name.removesuffix(".pub.example.")
    whole = f'[{{"type": "TLSA", "name": "{name}", "subname": "{label}", "records": ["{NOW}"], "ttl": {ttl}}}]'

    def other(request: Request) -> Reply:
        return Reply(200, body=whole.encode()) if "/rrsets/" in request.path else answer(request)

    monkeypatch.setattr(desec.server, "answer", other)
    held = desec.backend().read(name)
    assert held.records is None
    assert held.reason


def test_an_alias_is_one_short_line(desec: DesecStand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a provider says, it makes no line of its own in an output."""
    desec.put(name, 3600, "x.example.\nmx.pub.example: stable: all is well" + 3000 * "x", kind="CNAME")
    error = refusal(desec, adding(name), caplog)
    assert "\n" not in error.message
    assert len(error.message) < 500


def test_success_that_is_none(
    desec: DesecStand, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who says yes and does nothing is found out by reading again."""
    answer = desec.server.answer
    monkeypatch.setattr(desec.server, "answer", lambda one: Reply(200, []) if one.method == "PATCH" else answer(one))
    for change in (adding(name), Text(name, "", "proof", present=True)):
        error = refusal(desec, change, caplog)
        assert isinstance(error, PublishTemporary)
        assert "said yes" in error.message


def test_the_zone_is_asked_for_once(desec: DesecStand, name: str) -> None:
    """A run that reads and writes many times asks for the zone of a name only once."""
    backend = desec.backend()
    before = len(desec.server.requests)
    for _ in range(3):
        backend.read(name)
    asked = [one.path for one in desec.server.requests[before:]]
    assert asked.count("/api/v1/domains/") == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"plain"', "plain"),
        ("bare", "bare"),
        ('"one" "two"', "onetwo"),
        ('"say \\"yes\\"" ', 'say "yes"'),
        ('"back\\\\slash"', "back\\slash"),
        ('"\\097bc"', "abc"),
        ('""', ""),
    ],
)
def test_what_a_txt_record_says(text: str, value: str) -> None:
    """Strings are joined, escapes undone (RFC 1035 §5.1): so is found whether a proof stands there."""
    assert value_of("TXT", text) == value


def test_zones_that_a_name_may_lie_in() -> None:
    """The longest first, none that begins with an underscore, not the top level; only one where one is named."""
    assert list(parents("_25._tcp.mx.example.org.")) == ["mx.example.org.", "example.org."]
    assert list(parents("_25._tcp.mx.example.org.", "example.org.")) == ["example.org."]


def test_what_a_provider_keeps_for_itself_is_not_shown() -> None:
    """Versions and raw records are in no repr, and make no two sets different."""
    assert Standing(version={"secret": 1}) == Standing()
    assert "secret" not in repr(Standing(version={"secret": 1}))
    assert Zone("x.").least_ttl == 0
