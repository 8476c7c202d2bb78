"""A certificate that comes: one of another kind, one that came before, one for a key that was stolen under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pki
import pytest
from test_wiring import ANOTHER, NAME, house_of

from tlsa_manager import clock, keys
from tlsa_manager.errors import BadInput, Unsafe
from tlsa_manager.rollover import events as ev

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.lineage import Generation
    from tlsa_manager.wiring import House


@pytest.fixture
def home(tmp_path: Path) -> House:
    """A house whose lineage has an ECDSA certificate in service; nothing outside can be reached."""
    made = house_of(tmp_path)
    in_service(made)
    return made


def in_service(home: House, *, name: str = NAME) -> Generation:
    generation = home.store.put(name, keys.load_pair(*pki.pair(name)), "files")
    home.journal.append(name, ev.Adopted(generation), clock.now())
    return generation


def told(home: House) -> list[str]:
    """What happened, by kind."""
    return [type(one.event).__name__ for one in home.journal.entries(NAME)]


def test_another_kind_of_key_is_not_begun_without_a_word_for_it(home: House) -> None:
    """Who insists has not yet said that senders of the former kind may be shut out; nothing is kept until then."""
    rsa = pki.pair(NAME, kind="RSA")
    before = home.store.generations(NAME)
    with pytest.raises(Unsafe, match="the kind of key changed from ECDSA to RSA") as refused:
        home.stage(NAME, *rsa, "rollover start", insist=True)
    assert "--accept-key-type" in refused.value.hint
    assert (home.store.generations(NAME), told(home)) == (before, ["Adopted"])
    assert home.stage(NAME, *rsa, "rollover start", insist=True, accept_kind=True).hold == ""


def test_a_next_key_of_another_kind_is_not_begun_either(tmp_path: Path) -> None:
    """`key-type` says what is made, not that it may go into service unheard."""
    home = house_of(tmp_path, more='key-type = "rsa-2048"\n')
    in_service(home)
    with pytest.raises(Unsafe, match="from ECDSA to RSA"):
        home.stage_new_key(NAME)
    assert home.journal.facts(NAME).next == ""
    assert home.stage_new_key(NAME, accept_kind=True).generation.chain.kind == "RSA"


def test_what_a_person_gave_up_is_kept_and_said_to_be(home: House) -> None:
    """A client that brings it again is told so, and how it is used after all; that then works."""
    certificate = pki.pair(NAME)
    taken = home.stage(NAME, *certificate, "files")
    home.abort(NAME)
    again = home.stage(NAME, *certificate, "files")
    assert again.known
    text = str(again)
    assert f"generation {taken.id} came before and is kept, but was given up at 20" in text
    files = home.store.path(NAME, taken.id)
    words = f"rollover start {NAME} --certificate {files}/fullchain.pem --key {files}/privkey.pem"
    assert text.endswith(words)
    chain, key = ((files / one).read_bytes() for one in ("fullchain.pem", "privkey.pem"))
    started = home.stage(NAME, chain, key, "rollover start", insist=True)
    assert str(started).startswith(f"generation {taken.id} is safely kept; ")
    assert home.journal.facts(NAME).next == taken.id


def test_what_others_took_the_place_of_is_said_to_be_kept(home: House) -> None:
    """Nothing to do would be a lie: nothing is done with it."""
    first, second, third = (pki.pair(NAME) for _ in range(3))
    for one in (first, second, third):  # the first is next; of those that wait the last wins
        home.stage(NAME, *one, "files")
    text = str(home.stage(NAME, *second, "files"))
    assert "others have taken its place; to use it after all: tlsa-manager rollover start" in text
    assert str(home.stage(NAME, *first, "files")).endswith("was here already; nothing to do")


def test_it_is_taken_up_again_where_nothing_else_is_there(home: House) -> None:
    """A lineage that was given up and is taken back: the hook brings what it brought then."""
    certificate = pki.pair(NAME)
    taken = home.stage(NAME, *certificate, "files")
    home.journal.append(NAME, ev.Left(taken.id), clock.now())
    again = home.stage(NAME, *certificate, "files")
    assert (again.known, home.journal.facts(NAME).next) == (False, taken.id)


def test_nothing_is_taken_up_again_in_the_middle_of_a_swap(home: House) -> None:
    """One change at a time (RFC 7671 §8.4); the person is told to wait."""
    given_up, taken = pki.pair(NAME), pki.pair(NAME)
    home.stage(NAME, *given_up, "files")
    home.abort(NAME)
    home.journal.append(NAME, ev.Deploying(home.stage(NAME, *taken, "files").id), clock.now())
    before = told(home)
    with pytest.raises(Unsafe, match="in the middle of a rollover"):
        home.stage(NAME, *given_up, "rollover start", insist=True)
    assert told(home) == before


def test_who_brings_what_is_held_and_insists_ends_the_hold(home: House) -> None:
    """As `rollover start` without files does."""
    other = pki.pair("www.example.net")
    assert home.stage(NAME, *other, "files").hold
    assert not home.stage(NAME, *other, "rollover start", insist=True).known
    assert home.journal.facts(NAME).hold is None


def test_a_stolen_key_stays_stolen_under_another_name(tmp_path: Path) -> None:
    """A lineage that is called otherwise by now has not forgotten whose key is in other hands."""
    home = house_of(tmp_path, more=ANOTHER.format(name="former", host=NAME, directory=tmp_path))
    key = keys.generate()
    pair = keys.self_signed((NAME,), key)
    home.journal.append("former.example", ev.Compromised((pair.chain.leaf.spki_sha256,)), clock.now())
    with pytest.raises(BadInput, match="declared compromised"):
        home.stage(NAME, pair.chain_pem, key, "files")
    renamed = house_of(tmp_path)
    with pytest.raises(BadInput, match="declared compromised"):
        renamed.stage(NAME, pair.chain_pem, key, "files", insist=True)
    assert not home.store.generations(NAME)
