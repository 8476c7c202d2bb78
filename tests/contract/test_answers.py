"""What the rfc2136 backend makes of every answer that a server may give, wrong ones included."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import dns.message
import dns.update
import pytest
from lab.bind import tsig_key

from contract import impostor
from tlsa_manager.errors import Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.publish.rfc2136 import key as tsig
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWNER = "_25._tcp.mx.example."
CHANGE = Change(OWNER, "", frozenset({Tlsa.parse("3 1 1 " + "a" * 64)}), frozenset(), frozenset(), 3600)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Callable[..., impostor.Answer]], PublishError]:
    """Return the error of a change at a server that answers so, and have reading answer instead of raise."""
    path = tsig_key(tmp_path / "key", "publisher.")
    key = tsig.load(str(path), "test")

    def meet(answer: Callable[..., impostor.Answer]) -> PublishError:
        with impostor.impostor(key, answer) as server:
            backend = open_backend("ns1", "rfc2136", {"server": server, "tsig-key-file": str(path), "timeout": "5s"})
            with pytest.raises(PublishError) as caught:
                backend.change(CHANGE)
            backend.read(OWNER)
        assert caught.value.hint
        return caught.value

    return meet


@pytest.mark.parametrize(
    ("word", "kind", "words"),
    [
        ("REFUSED", PublishError, "refused the update"),
        ("NOTAUTH", PublishError, "not the primary of zone example."),
        ("NOTZONE", PublishError, "not inside zone example."),
        ("FORMERR", PublishError, "did not understand"),
        ("NOTIMP", PublishError, "does not take dynamic updates"),
        ("SERVFAIL", PublishTemporary, "something is wrong on that server"),
        ("NXRRSET", Conflict, "changed between"),
        ("YXRRSET", Conflict, "changed between"),
        ("NXDOMAIN", Conflict, "changed between"),
        ("YXDOMAIN", Conflict, "changed between"),
        ("BADVERS", PublishError, "BADVERS"),
    ],
)
def test_every_response_code(refused: Callable[..., PublishError], word: str, kind: type[PublishError], words: str) -> None:
    """Every response code to an update is told in words, as the kind of error it is."""
    error = refused(impostor.with_rcode(word))
    assert type(error) is kind
    assert words in error.message


@pytest.mark.parametrize(
    ("number", "words"), [(16, "BADSIG"), (17, "BADKEY"), (18, "BADTIME"), (22, "BADTRUNC"), (21, "unknown kind")]
)
def test_every_tsig_error(refused: Callable[..., PublishError], number: int, words: str) -> None:
    """Every TSIG error is told in words; none is taken for a passing trouble."""
    error = refused(impostor.with_tsig_error(number))
    assert type(error) is PublishError
    assert words in error.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (impostor.unsigned, "without a signature"),
        (impostor.unsigned_refusal, "REFUSED"),
        (impostor.forged, "signature on the answer"),
        (impostor.echoing, "as resolvers do not"),
        (impostor.recursive, "without authority"),
        (lambda _asked: b"HTTP/1.1 400 Bad Request\r\n\r\n", "not an answer"),
        (lambda _asked: os.urandom(5), "not an answer"),
        (lambda _asked: b"", "closed the connection"),
    ],
)
def test_answers_that_are_not_believed(
    refused: Callable[..., PublishError], answer: Callable[..., impostor.Answer], words: str
) -> None:
    """An answer without the right signature, without authority, or that is no answer, changes nothing and is told."""
    error = refused(answer)
    assert words in error.message
    assert isinstance(error, PublishTemporary) == ("closed" in words)


def test_a_key_that_is_known_and_not_allowed(refused: Callable[..., PublishError]) -> None:
    """BADKEY to an update whose key has just been good for a question means the acl (Knot); to a question it means the key."""

    def acl(asked: dns.message.Message) -> impostor.Answer:
        is_update = isinstance(asked, dns.update.UpdateMessage)
        return impostor.with_tsig_error(17)(asked) if is_update else impostor.denial(asked)

    error = refused(acl)
    assert "knows TSIG key publisher., but its acl does not let it" in error.message
    assert f"one more name in update-owner-name: {OWNER}" in error.hint
    assert "id: publisher-tlsa" in error.hint, "an id that the page does not use: Knot refuses two of one id"
    assert "add-meta example TSIG-ALLOW-DNSUPDATE publisher\n" in error.hint
    error = refused(impostor.with_tsig_error(17))
    assert "does not know TSIG key publisher." in error.message
    assert f"the update-policy of the zone of {OWNER}:" in error.hint, "which zone that is nobody has been told yet"


def test_accepted_but_not_applied(refused: Callable[..., PublishError]) -> None:
    """NOERROR is not proof: when the records are not there afterwards, it is an error."""
    error = refused(impostor.with_rcode("NOERROR"))
    assert type(error) is PublishError
    assert "accepted" in error.message


def test_mangled_answers(tmp_path: Path) -> None:
    """An answer with a signed octet changed, or cut anywhere, never gets past the signature, and ends as one of our errors."""
    path = tsig_key(tmp_path / "key", "publisher.")
    key = tsig.load(str(path), "test")
    dice = random.Random(2136)

    def mangled(asked: dns.message.Message) -> bytes:
        octets = bytearray(impostor.denial(asked).to_wire())
        if dice.random() < 0.3:
            return bytes(octets[: dice.randrange(1, len(octets))])
        signed = octets.rindex(b"\x09publisher")  # after it comes the TSIG record, where letter case and TTL are free
        octets[dice.randrange(2, signed)] ^= dice.randrange(1, 256)
        return bytes(octets)

    with impostor.impostor(key, mangled) as server:
        backend = open_backend("ns1", "rfc2136", {"server": server, "tsig-key-file": str(path), "timeout": "5s"})
        answers = [backend.read(OWNER) for _ in range(400)]
    assert all(held.records is None and held.reason for held in answers)
