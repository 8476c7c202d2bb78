"""Keys that have no certificate yet, at rest: whole or not at all, closed to others, found by their public half."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import clock, keys
from tlsa_manager.errors import BadInput, StateError
from tlsa_manager.store import Store

if TYPE_CHECKING:
    from pathlib import Path

NAME = "mx.example.org"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "store")


def spki(key_pem: bytes) -> str:
    """The SHA-256 of the public half."""
    return keys.public_half(key_pem, "").spki_sha256


def test_a_key_can_be_read_back_under_its_id(store: Store) -> None:
    """By id and by its public half; it is kept once, whoever brings it again."""
    text = keys.generate()
    key = store.put_key(NAME, text)
    assert key == keys.public_half(text, key.id)
    assert key.id.endswith("Z-" + key.spki_sha256[:8])
    assert store.key(NAME, key.id) == store.key_of(NAME, key.spki_sha256) == text
    assert store.put_key(NAME, text).id == key.id
    assert store.lone_keys(NAME) == (key,)
    assert store.lone_keys("never-seen") == ()


def test_keys_are_no_generations(store: Store) -> None:
    """What is kept for later is never taken for a certificate that some hook brought."""
    store.put_key(NAME, keys.generate())
    assert store.generations(NAME) == ()
    assert store.newest(NAME, after="", before=clock.now() + 100) is None


def test_the_key_of_a_generation_is_found_too(store: Store) -> None:
    """A certificate that comes without its key may be for the key in service: by id, and by the public half."""
    pair = keys.load_pair(*pki.pair(NAME))
    generation = store.put(NAME, pair, "files")
    assert store.key(NAME, generation.id) == pair.key_pem
    assert store.key_of(NAME, generation.spki) == pair.key_pem
    assert store.key_of(NAME, "00" * 32) is None
    assert store.key_of("never-seen", generation.spki) is None


@pytest.mark.parametrize("umask", [0o000, 0o377])
@pytest.mark.usefixtures("as_root")
def test_no_key_is_readable_by_others_whatever_the_umask(store: Store, umask: int) -> None:
    """Files are 0600 and directories 0700."""
    before = os.umask(umask)
    try:
        store.put_key(NAME, keys.generate())
    finally:
        os.umask(before)
    for path in (store.directory / "lineages").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("level", ["lineages", f"lineages/{NAME}", f"lineages/{NAME}/keys"])
@pytest.mark.parametrize("harm", ["world-writable", "other owner"])
@pytest.mark.usefixtures("as_root")
def test_a_directory_that_others_could_change_is_refused(store: Store, level: str, harm: str) -> None:
    """Keys are neither put there nor taken from there."""
    key = store.put_key(NAME, keys.generate())
    place = store.directory / level
    if harm == "other owner":
        os.chown(place, 1, -1)
    else:
        place.chmod(0o777)
    with pytest.raises(StateError, match="not safe there"):
        store.put_key(NAME, keys.generate())
    with pytest.raises(StateError, match="not safe there"):
        store.key(NAME, key.id)


@pytest.mark.parametrize("level", [f"lineages/{NAME}/keys", "key", "file"])
def test_symlinks_are_not_followed(store: Store, level: str, tmp_path: Path) -> None:
    """Whoever could put one there would choose the key."""
    key = store.put_key(NAME, keys.generate())
    own = store.directory / "lineages" / NAME / "keys" / key.id
    place = {"key": own, "file": own / "privkey.pem"}.get(level, store.directory / level)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError):
        store.key(NAME, key.id)
    if level != "file":
        return
    assert store.lone_keys(NAME) == ()


@pytest.mark.parametrize("identity", ["../../x", "", "latest", "20261121T233449Z-1a2b3c4d\n"])
def test_hostile_ids_are_refused(store: Store, identity: str) -> None:
    """An id has one form only."""
    with pytest.raises(BadInput, match="not the id"):
        store.key(NAME, identity)


def test_a_damaged_key_is_told_left_out_and_replaced(store: Store) -> None:
    """What was a key is an error in words, bars no other, and the same key handed over again takes a place beside it."""
    text, other = keys.generate(), keys.generate()
    key, sound = store.put_key(NAME, text), store.put_key(NAME, other)
    (store.directory / "lineages" / NAME / "keys" / key.id / "privkey.pem").write_bytes(text[:60])
    with pytest.raises(StateError, match=f"cannot read key {key.id}"):
        store.key(NAME, key.id)
    assert store.lone_keys(NAME) == (sound,)
    assert store.key_of(NAME, key.spki_sha256) is None
    assert store.key_of(NAME, sound.spki_sha256) == other


@pytest.mark.parametrize("fault", ["write", "fsync", "rename"])
def test_a_failing_disk_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Disk full at any step: a sentence that says so, what stood there untouched, nothing half-written."""
    key = store.put_key(NAME, keys.generate())
    before = sorted(store.directory.rglob("*"))
    calls = iter(range(1000))

    def full(*_: object, **__: object) -> int:
        if fault != "fsync" or next(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(os, fault, full)
        with pytest.raises(StateError, match="the disk is full"):
            store.put_key(NAME, keys.generate())
    assert sorted(store.directory.rglob("*")) == before
    assert store.lone_keys(NAME) == (key,)


def test_two_writers_at_once_keep_one_key(store: Store) -> None:
    """The same key from hook and timer at the same moment: one directory, no error."""
    text, found = keys.generate(), list[str]()
    threads = [threading.Thread(target=lambda: found.append(store.put_key(NAME, text).id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_kill_at_any_moment_leaves_whole_keys_only(store: Store) -> None:
    """A process that is killed while it stores keys leaves sound ones only, and the next one works and sweeps."""
    script = """
import sys
from pathlib import Path
from tlsa_manager import keys
from tlsa_manager.store import Store
store, texts = Store(Path(sys.argv[1])), [keys.generate() for _ in range(60)]
print("ready", flush=True)
for text in texts:
    store.put_key("a", text)
"""
    place = store.directory / "lineages" / "a" / "keys"
    for attempt in range(6):
        with subprocess.Popen([sys.executable, "-c", script, str(store.directory)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            clock.sleep(0.004 * attempt)
            process.kill()
        whole = [path for path in place.glob("*") if not path.name.startswith(".new-")]
        assert len(store.lone_keys("a")) == len(whole)
    text = keys.generate()
    store.put_key("a", text)
    assert store.key_of("a", spki(text)) == text
    assert not list(place.glob(".new-*"))
