"""What only TransIP has: a signed request for a token, and entries that are deleted by all that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.doubles.double import Reply
from contract.doubles.transip import TransipStand, pem
from contract.stand import refusal
from tlsa_manager import clock, keys
from tlsa_manager.errors import BadInput, ConfigError, PublishTemporary
from tlsa_manager.publish import Change
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
OWNER = "_25._tcp.mx.pub.example."
ADD = Change(OWNER, "", frozenset({NOW}), frozenset(), None, 3600)
REMOVE = Change(OWNER, "", frozenset(), frozenset({NOW}), None, 3600)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[TransipStand]:
    """Give an account."""
    with TransipStand(tmp_path / "transip", str) as one:
        yield one
        assert one.complaints() == []


def logins(account: TransipStand) -> list[dict[str, object]]:
    return [request.content for request in account.server.requests if request.path == "/v6/auth"]


def test_signature() -> None:
    """It is PKCS #1 v1.5 with SHA-512, which the public key confirms; other keys are refused."""
    key = rsa.generate_private_key(65537, 2048)
    key.public_key().verify(keys.signature(pem(key).encode(), b"message"), b"message", padding.PKCS1v15(), SHA512())
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadInput, match="not an RSA key"):
        keys.signature(other, b"message")


def test_one_token_for_half_an_hour(account: TransipStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for once, for reading and writing, for the whitelist only; and anew before it ends."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    backend = account.backend()
    assert backend.change(ADD).state == "done"
    now[0] += 1400
    assert backend.read(OWNER).records == {NOW}
    (login,) = logins(account)
    assert (login["read_only"], login["global_key"], login["expiration_time"]) == (False, False, "30 minutes")
    now[0] += 200
    account.server.tokens.clear()  # type: ignore[attr-defined]
    assert backend.read(OWNER).records == {NOW}
    assert len(logins(account)) == 2
    assert len({str(one["label"]) for one in logins(account)}) == 2


def test_tokens_for_any_address(account: TransipStand) -> None:
    """For a key pair that is not limited to the whitelist."""
    account.backend(**{"global-key": True}).read(OWNER)
    assert logins(account)[0]["global_key"] is True


def test_a_token_that_could_not_be_had_is_asked_for_again(account: TransipStand, caplog: pytest.LogCaptureFixture) -> None:
    """After a failed login there is none, and the next question begins with another login."""
    backend = account.backend()
    with account.trouble("broken", OWNER, reads=True):
        assert isinstance(refusal(account, ADD, caplog, backend), PublishTemporary)
    assert backend.change(ADD).state == "done"


def test_a_token_that_has_ended_is_not_used_again(account: TransipStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the login that should have brought the next one has failed."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    backend = account.backend()
    backend.read(OWNER)
    now[0] += 1600
    account.server.tokens.clear()  # type: ignore[attr-defined]
    with account.trouble("refusal", OWNER, reads=True):
        assert backend.read(OWNER).records is None
    assert backend.read(OWNER).records == frozenset()


def test_entries_are_being_saved(account: TransipStand, caplog: pytest.LogCaptureFixture) -> None:
    """409 is passing trouble."""
    account.server.refused = lambda: Reply(409, {"error": "The DNS entries of this domain are being saved"})
    with account.trouble("refusal", OWNER):
        error = refusal(account, ADD, caplog)
    assert isinstance(error, PublishTemporary)
    assert "being saved" in error.message


def test_a_token_that_is_quoted_is_not_shown(account: TransipStand, caplog: pytest.LogCaptureFixture) -> None:
    """An answer may have it; our messages have not."""
    account.server.refused = lambda: Reply(406, {"error": f"not with token {account.server.tokens[-1]}"})  # type: ignore[attr-defined]
    with account.trouble("refusal", OWNER):
        error = refusal(account, ADD, caplog)
    assert "not with token ***" in error.message


def test_deletion_names_all_of_the_entry(account: TransipStand) -> None:
    """As TransIP spells it, with its own TTL; the others stay."""
    account.put(OWNER, 86400, str(NEXT), f"3 1 1 {'A' * 64}")
    assert account.backend().change(REMOVE).state == "done"
    (deleted,) = [request.content for request in account.server.requests if request.method == "DELETE"]
    assert deleted == {"dnsEntry": {"name": "_25._tcp.mx", "expire": 86400, "type": "TLSA", "content": f"3 1 1 {'A' * 64}"}}
    assert account.spelled(OWNER) == [str(NEXT)]


def test_what_is_gone_already(account: TransipStand) -> None:
    """404 is no error: somebody else has deleted it between our reading and our writing."""
    account.put(OWNER, 300, str(NOW))
    account.server.meddle = lambda name: account.put(name, 300)
    with account.trouble("conflict", OWNER):
        assert account.backend().change(REMOVE).state == "done"


@pytest.mark.parametrize("text", ["no key", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"])
def test_not_a_key(account: TransipStand, text: str) -> None:
    """What is not a private key at all is a mistake in the configuration."""
    with pytest.raises(ConfigError, match="not a private key"):
        account.backend(**{"private-key-file": account._file("other", text)})


def test_a_key_that_cannot_be_used(account: TransipStand, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged one is told before anything is sent."""
    damaged = pem(account.server.key).replace("MII", "NII", 1)  # type: ignore[attr-defined]
    error = refusal(account, ADD, caplog, account.backend(**{"private-key-file": account._file("other", damaged)}))
    assert not isinstance(error, PublishTemporary)
    assert "private key" in error.message
    assert account.asked() == 0
