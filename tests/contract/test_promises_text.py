"""The promises of `publish.Backend.text`, kept by every backend in every trouble: what dns-01 puts into a zone and takes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.doubles.hosted import one_spelling
from contract.stand import outcome, playing, refusal
from tlsa_manager import clock
from tlsa_manager.errors import PublishTemporary
from tlsa_manager.publish import Text, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.stand import Stand, Trouble

FIRST, SECOND = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo", "_-" + "A" * 41
FOREIGN = '"v=spf1 mx \\"quoted\\" -all" "second piece"'


def shown(target: str, value: str = FIRST, *, ttl: int = 60) -> Text:
    return Text(target, _zone(target), value, present=True, ttl=ttl)


def gone(target: str, value: str = FIRST) -> Text:
    return Text(target, _zone(target), value, present=False)


def _zone(target: str) -> str:
    """Return the zone as it is seen from outside."""
    return target.lower().split(".", 2)[2]


def stands(stand: Stand, target: str, *values: str) -> None:
    """Assert that exactly these values stand there, each once."""
    assert stand.stands(target, "TXT")[0] == {one_spelling("TXT", value) for value in values}
    assert len(stand.spelled(target, "TXT")) == len(values)


@pytest.fixture
def name(stand: Stand, fresh_in: Callable[[str], str]) -> str:
    """Return the name of a proof that no other test has used, for a host that exists."""
    return "_acme-challenge." + fresh_in(stand.zone).split("._tcp.", 1)[1]


@pytest.fixture
def shared(stand: Stand, name: str) -> str:
    """Make a name where somebody else's TXT record stands, with a TTL that is not ours."""
    stand.put(name, stand.other_ttl(), FOREIGN, kind="TXT")
    return name


def test_shown_and_taken_away(stand: Stand, name: str) -> None:
    """It stands with the TTL asked for (or the provider's least), and is gone again; both may be asked twice."""
    for _ in range(2):
        assert stand.backend().text(shown(name, ttl=42)).state == "done"
        stands(stand, name, FIRST)
        assert stand.stands(name, "TXT")[1] == stand.new_ttl(42)
    for _ in range(2):
        assert stand.backend().text(gone(name)).state == "done"
        stands(stand, name)


def test_what_never_was_is_gone(stand: Stand, name: str) -> None:
    """A record that was about to be added when the process was killed can be taken away without looking whether it was."""
    assert stand.backend().text(gone(name)).state == "done"


def test_two_proofs_at_one_name(stand: Stand, name: str) -> None:
    """example.org and *.example.org are proven at one name at the same time, and so are an RSA and an ECDSA certificate."""
    stand.backend().text(shown(name, FIRST))
    stand.backend().text(shown(name, SECOND))
    stands(stand, name, FIRST, SECOND)
    stand.backend().text(gone(name, FIRST))
    stands(stand, name, SECOND)


def test_foreign_records_stay(stand: Stand, shared: str) -> None:
    """What somebody else has at the name stays, with its TTL, its pieces and its spelling, through adding and removing."""
    spelled = stand.spelled(shared, "TXT")
    stand.backend().text(shown(shared))
    stands(stand, shared, FOREIGN, FIRST)
    assert set(spelled) < set(stand.spelled(shared, "TXT"))
    assert stand.stands(shared, "TXT")[1] == stand.other_ttl()
    stand.backend().text(gone(shared))
    assert stand.spelled(shared, "TXT") == spelled
    assert stand.stands(shared, "TXT")[1] == stand.other_ttl()


def test_other_types_stay(stand: Stand, name: str) -> None:
    """TLSA records of the same name are not touched."""
    stand.put(name, stand.other_ttl(), f"3 1 1 {'a' * 64}")
    stand.backend().text(shown(name))
    stand.backend().text(gone(name))
    assert stand.stands(name) == ({f"3 1 1 {'a' * 64}"}, stand.other_ttl())


def test_alias(stand: Stand, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """At an alias nothing is written, and the words say where it leads; nothing of ours can stand beside it, so it is gone."""
    stand.put(name, stand.other_ttl(), f"proofs.{stand.zone}", kind="CNAME")
    before = stand.writes()
    error = refusal(stand, shown(name), caplog)
    assert not isinstance(error, PublishTemporary)
    assert f"proofs.{stand.zone}".rstrip(".") in error.message
    assert stand.backend().text(gone(name)).state == "done"
    assert stand.stands(name, "CNAME")[0] == {f"proofs.{stand.zone}"}
    assert stand.writes() == before


def test_spelling_of_the_name(stand: Stand, name: str) -> None:
    """Capital letters in the name make no difference."""
    stand.backend().text(shown(name.upper()))
    stands(stand, name, FIRST)
    stand.backend().text(gone(name.upper()))
    stands(stand, name)


def test_outside_of_all_zones(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    """A name in no zone of the server, or of the account, is an error that a person has to look at."""
    error = refusal(stand, shown("_acme-challenge.mx.elsewhere.example."), caplog)
    assert not isinstance(error, PublishTemporary)
    assert "mx.elsewhere.example" in error.message


def test_stranger(stand: Stand, shared: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a secret that the server does not know nothing is written, and it is no passing trouble."""
    for text in (shown(shared), gone(shared)):
        assert not isinstance(refusal(stand, text, caplog, stand.stranger()), PublishTemporary)
    stands(stand, shared, FOREIGN)


# --- in trouble -----------------------------------------------------------------------------------------------------------


@playing("refusal")
def test_refused(stand: Stand, trouble: Trouble, shared: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who may not is told so for good; nothing is written."""
    with stand.trouble(trouble, shared):
        assert not isinstance(refusal(stand, shown(shared), caplog), PublishTemporary)
    stands(stand, shared, FOREIGN)


@playing("limit", "broken", "dead", "lost-request")
@pytest.mark.parametrize("what", ["add", "remove"])
def test_passing_trouble(stand: Stand, trouble: Trouble, shared: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written, it may be tried again, and then it is done."""
    text, before, after = _way(stand, shared, what)
    began = clock.now()
    with stand.trouble(trouble, shared):
        error = refusal(stand, text, caplog, stand.backend(timeout=stand.patience))
    assert isinstance(error, PublishTemporary)
    assert error.until > began or trouble != "limit"
    stands(stand, shared, *before)
    assert stand.backend().text(text).state == "done"
    stands(stand, shared, *after)


@playing("lost-answer", "nonsense")
@pytest.mark.parametrize("what", ["add", "remove"])
def test_done_or_not(stand: Stand, trouble: Trouble, shared: str, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """When the answer says nothing, the backend looks; or else it says so, and the same may be asked again."""
    text, _before, after = _way(stand, shared, what)
    with stand.trouble(trouble, shared):
        end = outcome(stand, text, caplog, stand.backend(timeout=stand.patience))
    assert isinstance(end, (Ticket, PublishTemporary))
    assert stand.backend().text(text).state == "done"
    stands(stand, shared, *after)


def _way(stand: Stand, name: str, what: str) -> tuple[Text, list[str], list[str]]:
    """Return a change of the name, what stands there before (made so here), and after."""
    if what == "add":
        return shown(name), [FOREIGN], [FOREIGN, FIRST]
    assert stand.backend().text(shown(name)).state == "done"
    return gone(name), [FOREIGN, FIRST], [FOREIGN]
