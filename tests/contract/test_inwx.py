"""What only INWX has: a session, one-time codes of which each counts once, and successes that come as errors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from contract.doubles.inwx import SECRET, Inwx, InwxStand
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.publish.hosted.inwx.session import code, secret_key
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = Tlsa.parse(f"3 1 1 {'a' * 64}")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NOW}), frozenset(), None, 3600)


class Guarded(Inwx):
    """An account with a second factor."""

    second_factor = True


class GuardedStand(InwxStand):
    """INWX with it."""

    double = Guarded

    def with_code(self, secret: str = SECRET) -> dict[str, object]:
        """Return the option that names the shared secret."""
        return {"totp-secret-file": self._file("totp", secret)}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[GuardedStand]:
    """Give an account with a second factor."""
    with GuardedStand(tmp_path / "inwx", str) as stand:
        yield stand
        assert stand.complaints() == []


def methods(stand: InwxStand) -> list[str]:
    return [request.content["method"].split(".")[1] for request in stand.server.requests]


@pytest.mark.parametrize(("moment", "shown"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_the_standard(moment: int, shown: str) -> None:
    """The test vectors of RFC 6238 (appendix B, SHA-1), of which INWX wants the last six digits."""
    assert code(b"12345678901234567890", moment // 30) == shown


def test_a_shared_secret_as_people_copy_it() -> None:
    """With blanks, in lower case, with or without padding; anything else is a mistake in the configuration."""
    assert secret_key("gezd gnbv gy3t qojq") == secret_key("GEZDGNBVGY3TQOJQ") == b"1234567890"
    assert secret_key("GEZDG===") == b"123"
    assert secret_key("") == b""


def test_a_shared_secret_that_is_none(guarded: GuardedStand) -> None:
    """The message does not show it."""
    with pytest.raises(ConfigError, match=r"dns.ns1.totp-secret: .*base32") as caught:
        guarded.backend(**guarded.with_code("no-secret-0189"))
    assert "0189" not in str(caught.value)


def test_second_factor(guarded: GuardedStand) -> None:
    """One login, one code, and then one session for everything."""
    backend = guarded.backend(**guarded.with_code())
    assert backend.change(ADD).state == "done"
    assert guarded.stands(OWNER) == ({str(NOW)}, 3600)
    assert methods(guarded)[:2] == ["login", "unlock"]
    assert methods(guarded).count("login") == 1


def test_a_code_that_another_run_has_used(
    guarded: GuardedStand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts once: we come again when there is another, and not before; then it works."""
    moment = [1_800_000_010.0]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    guarded.server.now = clock.now
    assert guarded.backend(**guarded.with_code()).change(ADD).state == "done"
    late = guarded.backend(**guarded.with_code())
    error = refusal(guarded, ADD, caplog, late)
    assert isinstance(error, PublishTemporary)
    assert error.until == 1_800_000_030.0
    assert "one-time code" in error.message
    assert code(base64.b32decode(SECRET), int(moment[0] // 30)) not in error.message
    before = guarded.asked()
    assert late.read(OWNER).records is None
    assert guarded.asked() == before
    moment[0] = error.until + 0.5
    assert late.read(OWNER).records == {NOW}


def test_no_code_is_given_twice_by_one_run(guarded: GuardedStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a session ends within the half minute that it began in, the code is not even tried again."""
    monkeypatch.setattr(clock, "now", lambda: 1_800_000_010.0)
    guarded.server.now = clock.now
    backend = guarded.backend(**guarded.with_code())
    assert backend.read(OWNER).records == frozenset()
    guarded.server.sessions.clear()
    assert backend.read(OWNER).records is None
    assert methods(guarded).count("unlock") == 1


def test_second_factor_without_a_shared_secret(guarded: GuardedStand, caplog: pytest.LogCaptureFixture) -> None:
    """It is told which option is missing, and it is no passing trouble."""
    error = refusal(guarded, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "totp-secret" in error.hint


def test_a_session_that_has_ended(tmp_path: Path) -> None:
    """We log in again, once, and the method is done."""
    with InwxStand(tmp_path / "inwx", str) as stand:
        backend = stand.backend()
        assert backend.read(OWNER).records == frozenset()
        stand.server.sessions.clear()
        assert backend.change(ADD).state == "done"
        assert methods(stand).count("login") == 2
        assert stand.complaints() == []


def test_a_password_that_is_wrong_is_not_tried_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts are locked for that: one login, and the next some minutes later."""
    moment = [1_800_000_000.0]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    with InwxStand(tmp_path / "inwx", str) as stand:
        stranger = stand.stranger()
        reasons = {stranger.read(OWNER).reason for _ in range(6)}
        assert methods(stand) == ["login"]
        assert len(reasons) == 1
        assert "does not let us in" in reasons.pop()
        moment[0] += 601
        assert stranger.read(OWNER).records is None
        assert methods(stand) == ["login", "login"]


def test_what_exists_already_and_what_is_gone_already(tmp_path: Path) -> None:
    """Codes 2302 and 2303 are no errors: somebody else has done the same between our reading and our writing."""
    with InwxStand(tmp_path / "inwx", str) as stand:
        for change, here in ((ADD, True), (Change(OWNER, "", frozenset(), frozenset({NOW}), None, 300), False)):
            stand.server.meddle = lambda name, here=here: stand.put(name, 300, *([str(NOW)] if here else []))
            with stand.trouble("conflict", OWNER):
                assert stand.backend().change(change).state == "done"
            assert stand.stands(OWNER)[0] == ({str(NOW)} if here else set())


def test_a_zone_that_is_named_is_the_only_one_asked_for(tmp_path: Path) -> None:
    """With `zone` no other name is asked for: a sub-account may not see more."""
    with InwxStand(tmp_path / "inwx", str) as stand:
        assert stand.backend(zone="pub.example").change(ADD).state == "done"
        assert {one.content["params"].get("domain", "pub.example") for one in stand.server.requests} == {"pub.example"}


def test_the_usual_place() -> None:
    """The address of the documents is asked unless another is named."""
    from tlsa_manager.publish import options_of

    assert {option.name: option.default for option in options_of("inwx")}["api"] == "https://api.domrobot.com/jsonrpc"
    with pytest.raises(ConfigError, match="user: missing"):
        open_backend("ns1", "inwx", {})
