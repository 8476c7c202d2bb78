"""The manual backend: the promises that apply to words, and that the words do what they say."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from contract.primaries import ZONE
from tlsa_manager.publish import Change, Text, open_backend
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.primaries import Primary

NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
OWNER = "_25._tcp.mx.example.org."
PROOF, TOKEN = "_acme-challenge.mx.example.org.", "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"


def words(change: Change | Text) -> str:
    backend = open_backend("hand", "manual", {})
    ticket = backend.change(change) if isinstance(change, Change) else backend.text(change)
    assert ticket.state == "asked"
    return ticket.message


def test_it_cannot_tell_what_stands() -> None:
    """Reading says that it cannot tell, not that there is nothing."""
    held = open_backend("hand", "manual", {}).read(OWNER)
    assert held.records is None
    assert held.reason


def test_every_form_of_the_record() -> None:
    """The text has the record as a provider's form wants it, as a zone file wants it, and the names both ways."""
    text = words(Change(OWNER, "example.org.", frozenset({NEXT}), frozenset(), frozenset({NOW}), 3600))
    assert f"    {OWNER} 3600 IN TLSA {NEXT}" in text.splitlines()
    assert f"_25._tcp.mx   (absolute: {OWNER})" in text
    for line in ("usage          3   DANE-EE(3)", "selector       1   SPKI(1)", "matching type  1   SHA2-256(1)", NEXT.data):
        assert line in text
    assert "Do not change or remove any other record" in text


def test_asking_again_is_the_same() -> None:
    """The same change asked twice gives the same words."""
    change = Change(OWNER, "", frozenset(), frozenset({NOW}), None, 3600)
    assert words(change) == words(change)
    assert "Remove this TLSA record" in words(change)


def test_the_nsupdate_form_works(bind: Primary, fresh: Callable[[], str]) -> None:
    """What the text says for nsupdate does exactly that, for adding and for removing."""
    name = fresh()
    bind.put(f"{name} 3600 TLSA {NOW}")
    for change, after in (
        (Change(name, ZONE, frozenset({NEXT}), frozenset(), None, 3600), {str(NOW), str(NEXT)}),
        (Change(name, ZONE, frozenset(), frozenset({NOW}), None, 3600), {str(NEXT)}),
    ):
        script = words(change).split("With nsupdate:\n")[1].split("\n\n")[0]
        argv = ["nsupdate", "-k", bind.keys.path("publisher.")]
        subprocess.run(argv, input=f"server {bind.address}\n{script}\n", text=True, check=True)
        assert bind.records(name)[0] == after


def test_every_form_of_a_proof() -> None:
    """A TXT record is written as a provider's form wants it and as a zone file wants it; nothing else is to be touched."""
    text = words(Text(PROOF, "example.org.", TOKEN, present=True))
    assert f'    {PROOF} 60 IN TXT "{TOKEN}"' in text.splitlines()
    assert f"_acme-challenge.mx   (absolute: {PROOF})" in text
    assert f"    value  {TOKEN} " in text
    assert "do not change or remove any other record" in text
    away = words(Text(PROOF, "", TOKEN, present=False))
    assert "Remove this TXT record" in away
    assert TOKEN in away


def test_the_nsupdate_form_of_a_proof_works(bind: Primary, fresh: Callable[[], str]) -> None:
    """What the text says for nsupdate does exactly that, beside what stands there."""
    name = fresh()
    bind.put(f'{name} 60 TXT "somebody else\'s"')
    for present, after in ((True, {'"somebody else\'s"', f'"{TOKEN}"'}), (False, {'"somebody else\'s"'})):
        script = words(Text(name, ZONE, TOKEN, present=present)).split("With nsupdate:\n")[1].split("\n\n")[0]
        argv = ["nsupdate", "-k", bind.keys.path("publisher.")]
        subprocess.run(argv, input=f"server {bind.address}\n{script}\n", text=True, check=True)
        assert bind.records(name, "TXT")[0] == after
