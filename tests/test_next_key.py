"""The next key at home: the same for all who ask, kept before it is told, never burned; certificates that come without key."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from test_wiring import NAME, house_of

from tlsa_manager import clock, keys
from tlsa_manager.errors import BadInput, StateError, Unsafe
from tlsa_manager.rollover import events as ev

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.lineage import Generation, Key
    from tlsa_manager.wiring import House


@pytest.fixture
def home(tmp_path: Path) -> House:
    """A house whose lineage has neither certificate nor key; nothing outside can be reached."""
    return house_of(tmp_path)


def adopted(home: House, key: bytes | None = None) -> Generation:
    """Have a certificate in service, of a key of its own or of this one."""
    generation = home.store.put(NAME, certified(key or keys.generate()), "files")
    home.journal.append(NAME, ev.Adopted(generation), clock.now())
    return generation


def certified(key: bytes, *hosts: str) -> keys.Pair:
    """A pair whose certificate an authority made for this key."""
    return keys.load_pair(pki.authority().chain(*(hosts or (NAME,)), key=load_pem_private_key(key, None)), key)  # type: ignore[arg-type]


def spki(key: bytes) -> str:
    """The SHA-256 of the public half."""
    return keys.public_half(key, "").spki_sha256


def events(home: House, kind: type) -> list[ev.Event]:
    """The events of one kind, oldest first."""
    return [one.event for one in home.journal.entries(NAME) if isinstance(one.event, kind)]


def test_it_is_made_once_kept_and_journalled(home: House) -> None:
    """Asked again, however often and after a restart, it is the same: failed orders do not burn it."""
    first = home.next_key(NAME)
    (prepared,) = events(home, ev.Prepared)
    assert isinstance(prepared, ev.Prepared)
    assert home.store.key(NAME, prepared.key.id) == first
    assert house_of(home.config.path.parent).next_key(NAME) == home.next_key(NAME) == first


def test_it_is_of_the_kind_in_service_or_as_configured(tmp_path: Path) -> None:
    """A change of kind is a decision."""
    home = house_of(tmp_path)
    adopted(home, keys.generate("rsa-3072"))
    assert keys.public_half(home.next_key(NAME), "").type == "rsa-3072"
    (tmp_path / "other").mkdir()
    other = house_of(tmp_path / "other", more='key-type = "ecdsa-p384"\n')
    assert keys.public_half(other.next_key(NAME), "").type == "ecdsa-p384"


def test_processes_that_ask_at_once_get_the_same(home: House) -> None:
    """Whoever comes second is given what the first one journalled."""
    home.journal.facts(NAME)
    script = """
import sys
from tlsa_manager import config, keys, wiring
home = wiring.House(config.load(sys.argv[1]))
home.journal.facts(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(keys.public_half(home.next_key(sys.argv[2]), "").spki_sha256)
"""
    command = [sys.executable, "-c", script, str(home.config.path), NAME]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    found = {one.communicate(timeout=120)[0].strip() for one in running}
    assert found == {spki(home.next_key(NAME))}


def test_only_the_first_of_several_is_journalled(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is second throws nothing away that history would tell of; an event of another kind does not stop anybody."""
    other, put = house_of(home.config.path.parent), home.store.put_key

    def slow(lineage: str, key_pem: bytes) -> Key:
        made = put(lineage, key_pem)
        home.journal.append(NAME, ev.KeyDue(), clock.now())
        other.next_key(NAME)
        return made

    monkeypatch.setattr(home.store, "put_key", slow)
    assert home.next_key(NAME) == other.next_key(NAME)
    assert len(events(home, ev.Prepared)) == 1
    other.replace_next_key(NAME, "again")
    monkeypatch.setattr(home.store, "put_key", lambda *words: (put(*words), home.journal.append(NAME, ev.KeyDue(), 1.0))[0])
    assert home.replace_next_key(NAME, "once more") == home.journal.facts(NAME).standby
    assert len(events(home, ev.Prepared)) == 3


def test_the_engine_s_own_key_does_not_push_out_one_that_was_handed_out(home: House) -> None:
    """A run that made one at the same moment journals it second: the one that a client has stays the next."""
    given = home.hand_out(NAME)
    other = home.store.put_key(NAME, keys.generate())
    home.journal.append(NAME, ev.Prepared(other), clock.now())
    standby = home.journal.facts(NAME).standby
    assert standby is not None
    assert (standby.id, home.next_key(NAME)) == (given.id, given.pem)


def test_a_crash_between_key_and_journal_loses_nothing(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has seen the key that was kept; another one is made, and that is the next."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(home.journal, "append", die)
        with pytest.raises(KeyboardInterrupt):
            home.next_key(NAME)
    assert home.journal.facts(NAME).standby is None
    assert len(home.store.lone_keys(NAME)) == 1
    made = home.next_key(NAME)
    standby = home.journal.facts(NAME).standby
    assert standby is not None
    assert standby.spki_sha256 == spki(made)


def test_a_key_that_cannot_be_kept_is_not_journalled(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is published ahead is on the disk."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tlsa_manager.disk.os.write", full)
    with pytest.raises(StateError, match="the disk is full"):
        home.next_key(NAME)
    assert not events(home, ev.Prepared)


REUSE = "reuse-key = true\n"


@pytest.mark.parametrize(
    ("more", "due", "wanted"),
    [
        ("", False, "next"),
        ("next-key = true\n", False, "next"),
        (REUSE, False, "current"),
        (REUSE, True, "next"),
        (REUSE + "next-key = true\n", False, "current"),
        (REUSE + 'key-lifetime = "30d"\n', False, "current"),
        (REUSE + 'key-lifetime = "1s"\n', False, "next"),
    ],
)
def test_which_key_a_renewal_is_for(tmp_path: Path, more: str, due: bool, wanted: str) -> None:  # noqa: FBT001  a table
    """The key in service while keys are reused and none is due, else the next key."""
    home = house_of(tmp_path, more=more)
    generation = home.store.put(NAME, certified(keys.generate()), "files")
    home.journal.append(NAME, ev.Adopted(generation), clock.now() - 3600)
    if due:
        home.journal.append(NAME, ev.KeyDue(), clock.now())
    identity, pem = home.key_for_renewal(NAME)
    if wanted == "current":
        assert (identity, spki(pem)) == (generation.id, generation.spki)
    else:
        assert (pem, spki(pem) == generation.spki) == (home.next_key(NAME), False)
        assert home.store.key(NAME, identity) == pem


def test_the_first_certificate_is_for_the_next_key(tmp_path: Path) -> None:
    """Reused can only be what there is."""
    home = house_of(tmp_path, more=REUSE)
    assert home.key_for_renewal(NAME)[1] == home.next_key(NAME)


def test_a_key_in_service_that_was_only_seen_on_the_wire_cannot_be_reused(tmp_path: Path) -> None:
    """Then the renewal is for the next key."""
    home = house_of(tmp_path, more=REUSE)
    chain = certified(keys.generate()).chain
    home.journal.append(NAME, ev.Adopted(ev.Generation("seen", chain, ours=False)), clock.now())
    assert home.key_for_renewal(NAME)[1] == home.next_key(NAME)


def test_a_key_in_service_that_the_store_has_lost_is_told(tmp_path: Path) -> None:
    """It is not replaced behind the operator's back, who said that it stays."""
    home = house_of(tmp_path, more=REUSE)
    generation = adopted(home)
    for file in home.store.path(NAME, generation.id).iterdir():
        file.unlink()
    with pytest.raises(StateError, match="not in the store any more") as told:
        home.key_for_renewal(NAME)
    assert "backup" in told.value.hint
    assert not events(home, ev.Prepared)


def test_what_is_handed_out_is_journalled_once(home: House) -> None:
    """From then on a next key is published ahead; a client that asks daily does not fill the journal."""
    adopted(home)
    given = [home.hand_out(NAME) for _ in range(3)]
    assert {(one.id, one.pem) for one in given} == {home.key_for_renewal(NAME)}
    assert events(home, ev.HandedOut) == [ev.HandedOut(given[0].id)]
    assert home.journal.facts(NAME).handed_out
    assert "PRIVATE" not in repr(given)


def test_the_next_key_can_be_given_up_for_another(home: House) -> None:
    """Only when a person says so, and not while a certificate for it is on its way."""
    former = home.next_key(NAME)
    key = home.replace_next_key(NAME, "it was shown around")
    assert key.spki_sha256 == spki(home.next_key(NAME)) != spki(former)
    assert home.store.key_of(NAME, spki(former)) == former
    adopted(home)
    home.stage(NAME, certified(home.next_key(NAME)).chain_pem, None, "lego")
    with pytest.raises(Unsafe, match="on its way into service") as told:
        home.replace_next_key(NAME, "again")
    assert f"rollover abort {NAME}" in told.value.hint
    assert home.journal.facts(NAME).standby == key


def test_a_certificate_without_key_finds_the_next_key(home: House) -> None:
    """As with lego --csr and dehydrated signcsr: the key never left this machine."""
    adopted(home)
    chain = certified(home.hand_out(NAME).pem).chain_pem
    taken = home.stage(NAME, chain, None, "lego")
    assert not taken.hold
    assert home.store.read(NAME, taken.id).key_pem == home.next_key(NAME)
    assert home.journal.facts(NAME).next == taken.id


def test_a_certificate_without_key_finds_the_key_of_any_generation(home: House) -> None:
    """A renewal of the key in service, or of a former one, or for a next key that only was of another type than is wanted now."""
    former, discarded = adopted(home), home.next_key(NAME)
    home.replace_next_key(NAME, ev.ANOTHER_TYPE)
    adopted(home)
    for key in (home.store.key(NAME, former.id), discarded):
        taken = home.stage(NAME, certified(key).chain_pem, None, "lego")
        assert home.store.read(NAME, taken.id).key_pem == key


def test_a_certificate_for_a_stranger_s_key_is_refused_with_the_way_out(home: House) -> None:
    """Nothing is kept of it."""
    home.next_key(NAME)
    with pytest.raises(BadInput, match="the key of this certificate is not here") as told:
        home.stage(NAME, certified(keys.generate()).chain_pem, None, "lego")
    assert f"tlsa-manager next-key {NAME} --request" in told.value.hint
    assert not home.store.generations(NAME)


@pytest.mark.parametrize("insist", [False, True])
@pytest.mark.parametrize("brought", [False, True])
def test_a_compromised_key_never_comes_back(home: House, insist: bool, brought: bool) -> None:  # noqa: FBT001  a table
    """Neither through a hook nor because somebody insists: only another key helps."""
    current = adopted(home)
    key = home.store.key(NAME, current.id)
    home.journal.append(NAME, ev.Compromised((current.spki,)), clock.now())
    before = home.store.generations(NAME)
    with pytest.raises(BadInput, match="declared compromised") as told:
        home.stage(NAME, certified(key).chain_pem, key if brought else None, "certbot", insist=insist)
    assert f"tlsa-manager next-key {NAME}" in told.value.hint
    assert home.store.generations(NAME) == before
    assert spki(home.key_for_renewal(NAME)[1]) != current.spki


def test_a_compromised_key_that_a_dead_hook_left_in_the_store_stays_there(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is judged as what is brought."""
    current = adopted(home)
    key = home.store.key(NAME, current.id)
    monkeypatch.setattr("tlsa_manager.store.now", lambda: clock.now() + 100)
    home.store.put(NAME, certified(key), "certbot")
    monkeypatch.setattr("tlsa_manager.verbs.staging.SETTLED", -1000.0)
    home.journal.append(NAME, ev.Compromised((current.spki,)), clock.now())
    home._stage_found(NAME)
    assert not events(home, ev.Staged)


@pytest.mark.parametrize("insist", [False, True])
def test_a_next_key_that_was_given_up_is_never_used(home: House, insist: bool) -> None:  # noqa: FBT001  a table
    """A client that had taken it is told so, and what a dead hook left of it stays in the store."""
    adopted(home)
    former = home.next_key(NAME)
    home.replace_next_key(NAME, "it was shown around")
    before = home.store.generations(NAME)
    with pytest.raises(BadInput, match="was given up") as told:
        home.stage(NAME, certified(former).chain_pem, None, "lego", insist=insist)
    assert f"tlsa-manager next-key {NAME}" in told.value.hint
    assert home.store.generations(NAME) == before


def test_what_a_dead_hook_left_for_a_key_that_was_given_up_stays_there(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is judged as what is brought."""
    adopted(home)
    former = home.next_key(NAME)
    home.replace_next_key(NAME, "it was shown around")
    monkeypatch.setattr("tlsa_manager.store.now", lambda: clock.now() + 100)
    home.store.put(NAME, certified(former), "lego")
    monkeypatch.setattr("tlsa_manager.verbs.staging.SETTLED", -1000.0)
    home._stage_found(NAME)
    assert not events(home, ev.Staged)


def test_a_new_key_is_the_next_key(home: House) -> None:
    """`rollover start --new-key` uses the key that is published already, and says once what its certificate is."""
    adopted(home)
    key = home.next_key(NAME)
    taken = home.stage_new_key(NAME)
    assert spki(key) == taken.generation.spki
    assert "signed by itself" in str(taken)
    home.journal.append(NAME, ev.Adopted(taken.generation), clock.now())
    assert home.journal.facts(NAME).standby is None
    assert "signed by itself" not in str(home.stage_new_key(NAME))
