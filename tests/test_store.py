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


def fresh() -> keys.Pair:
    return keys.load_pair(*pki.pair(NAME))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def everything(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_generation_is_three_files_that_can_be_read_back(store: Store) -> None:
    """What is put can be read, is checked again, and stands in the files the design names."""
    pair = fresh()
    generation = store.put(NAME, pair, "certbot")
    assert (generation.chain, generation.names, generation.ours, generation.origin) == (pair.chain, (NAME,), True, "certbot")
    assert generation.id.endswith("Z-" + pair.chain.fingerprint[:8])
    place = store.path(NAME, generation.id)
    assert place == store.directory / "lineages" / NAME / generation.id
    assert everything(place) == {
        "privkey.pem": pair.key_pem,
        "fullchain.pem": pair.chain_pem,
        "combined.pem": pair.key_pem + pair.chain_pem,
    }
    assert store.read(NAME, generation.id) == pair
    assert store.combined(NAME, generation.id) == pair.combined


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
@pytest.mark.usefixtures("as_root")
def test_nothing_is_readable_by_others_whatever_the_umask(store: Store, umask: int) -> None:
    """Files are 0600 and directories 0700."""
    before = os.umask(umask)
    try:
        store.put(NAME, fresh(), "files")
    finally:
        os.umask(before)
    for path in [store.directory / "lineages", *(store.directory / "lineages").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_ids_sort_by_time_and_a_pair_is_kept_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations come oldest first; the same certificate again is the same generation, another chain file or not."""
    first, second = fresh(), fresh()
    monkeypatch.setattr("tlsa_manager.store.now", lambda: 1_800_000_000.0)
    one = store.put(NAME, first, "certbot")
    monkeypatch.setattr("tlsa_manager.store.now", lambda: 1_800_000_060.0)
    two = store.put(NAME, second, "certbot")
    again = store.put(NAME, first, "files")
    assert one.id.startswith("20270115T080000Z-")
    assert again.id == one.id
    assert [generation.id for generation in store.generations(NAME)] == [one.id, two.id]
    assert store.generations("never-seen") == ()


def test_a_renewal_that_reuses_the_key_is_a_generation_of_its_own(store: Store) -> None:
    """Same key, new certificate: two generations with the same record."""
    key = pki.new_key()
    first, second = (keys.load_pair(pki.authority().chain(NAME, key=key), pki.key_pem(key)) for _ in range(2))
    one, two = store.put(NAME, first, "certbot"), store.put(NAME, second, "certbot")
    assert one.id != two.id
    assert one.records(()) == two.records(())
    assert one.chain.leaf.spki_sha256 == two.chain.leaf.spki_sha256


@pytest.mark.parametrize("name", ["../x", "a/../b", "-rf", "a\nb", "", ".", "..", "a/b", "x" * 200, "a b", "a\0b", ".new-1"])
def test_hostile_lineage_names_are_refused(store: Store, name: str) -> None:
    """A name that is a path, an option or several lines is refused before anything is written."""
    with pytest.raises(BadInput, match="not a lineage name"):
        store.put(name, fresh(), "files")
    assert not store.directory.exists()


@pytest.mark.parametrize("identity", ["../../x", "", "latest", "20261121T233449Z-1a2b3c4", "20261121T233449Z-1a2b3c4d\n"])
def test_hostile_generation_ids_are_refused(store: Store, identity: str) -> None:
    """An id has one form only."""
    with pytest.raises(BadInput, match="not the id of a generation"):
        store.read(NAME, identity)


def test_an_unknown_generation_is_an_error_in_words(store: Store) -> None:
    """A generation that is not there is a StateError, before and after the lineage exists."""
    unknown = "20261121T233449Z-1a2b3c4d"
    with pytest.raises(StateError, match="does not exist"):
        store.read(NAME, unknown)
    store.put(NAME, fresh(), "files")
    with pytest.raises(StateError, match="does not exist"):
        store.combined(NAME, unknown)


@pytest.mark.parametrize("level", ["", "lineages", f"lineages/{NAME}"])
@pytest.mark.parametrize("harm", ["group-writable", "world-writable", "other owner"])
@pytest.mark.usefixtures("as_root")
def test_a_directory_that_others_could_change_is_refused(store: Store, level: str, harm: str) -> None:
    """Keys are neither put into nor taken from a directory somebody else could change; the hint says chmod or chown."""
    generation = store.put(NAME, fresh(), "files")
    place = store.directory / level
    if harm == "other owner":
        os.chown(place, 65534, -1)
    else:
        place.chmod(0o770 if harm == "group-writable" else 0o707)
    with pytest.raises(StateError, match="keys are not safe there") as caught:
        store.put(NAME, fresh(), "files")
    assert "chmod" in caught.value.hint
    with pytest.raises(StateError, match="keys are not safe there"):
        store.read(NAME, generation.id)


@pytest.mark.parametrize("level", ["lineages", f"lineages/{NAME}", "generation", "file"])
def test_symlinks_in_the_store_are_refused(store: Store, level: str, tmp_path: Path) -> None:
    """Whatever inside the store is a symlink is not followed, for reading or writing."""
    generation = store.put(NAME, fresh(), "files")
    place = {"generation": store.path(NAME, generation.id), "file": store.path(NAME, generation.id) / "privkey.pem"}.get(
        level, store.directory / level
    )
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    outside = everything(tmp_path / "elsewhere") if level != "file" else {}
    with pytest.raises(StateError, match="symbolic link"):
        store.read(NAME, generation.id)
    if level.startswith("lineages"):
        with pytest.raises(StateError, match="symbolic link"):
            store.put(NAME, fresh(), "files")
        assert everything(tmp_path / "elsewhere") == outside


def test_a_damaged_generation_is_told_left_out_and_replaced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was cut or exchanged is noticed when it is read; the same pair put again gets a sound generation."""
    pair, other = fresh(), fresh()
    monkeypatch.setattr("tlsa_manager.store.now", lambda: 1_800_000_000.0)
    generation = store.put(NAME, pair, "certbot")
    key = store.path(NAME, generation.id) / "privkey.pem"
    key.write_bytes(other.key_pem)
    with pytest.raises(StateError, match="do not belong together"):
        store.read(NAME, generation.id)
    assert store.generations(NAME) == ()
    monkeypatch.setattr("tlsa_manager.store.now", lambda: 1_800_000_001.0)
    sound = store.put(NAME, pair, "certbot")
    assert [one.id for one in store.generations(NAME)] == [sound.id]
    (store.path(NAME, sound.id) / "combined.pem").write_bytes(other.combined)
    with pytest.raises(StateError, match=r"combined\.pem is not"):
        store.combined(NAME, sound.id)


def test_left_overs_of_a_crash_are_ignored_and_swept(store: Store) -> None:
    """A half-written directory is no generation, and the next put removes it."""
    generation = store.put(NAME, fresh(), "files")
    left = store.path(NAME, generation.id).parent / ".new-0123456789abcdef"
    left.mkdir()
    (left / "privkey.pem").write_bytes(b"half a k")
    assert len(store.generations(NAME)) == 1
    store.put(NAME, fresh(), "files")
    assert not left.exists()


@pytest.mark.parametrize("fault", ["write", "fsync", "rename"])
def test_a_failing_disk_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Disk full at any step: a sentence that says so, what stood there untouched, nothing half-written."""
    kept = store.put(NAME, fresh(), "files")
    before = everything(store.directory)
    calls = iter(range(1000))

    def full(*words: object, **more: object) -> int:
        if fault != "fsync" or next(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(os, fault, full)
        with pytest.raises(StateError, match="the disk is full"):
            store.put(NAME, fresh(), "files")
    assert everything(store.directory) == before
    assert [one.id for one in store.generations(NAME)] == [kept.id]


@pytest.mark.usefixtures("as_root")
def test_a_really_full_disk_is_said_plainly(tmp_path: Path) -> None:
    """On a file system of one page the put fails in words, and works as soon as there is room."""
    mount = tmp_path / "small"
    mount.mkdir()
    script = f"""
import sys
from pathlib import Path
from tlsa_manager import keys
from tlsa_manager.errors import StateError
from tlsa_manager.store import Store
chain, key = (Path(name).read_bytes() for name in sys.argv[1:3])
store = Store(Path({str(mount)!r}) / "store")
filler = Path({str(mount)!r}) / "filler"
filler.write_bytes(b"x" * 4096 * 6)
try:
    store.put("a", keys.load_pair(chain, key), "files")
except StateError as error:
    print(error.message)
filler.unlink()
print(store.put("a", keys.load_pair(chain, key), "files").id == store.generations("a")[0].id)
"""
    chain, key = pki.pair()
    (tmp_path / "chain").write_bytes(chain)
    (tmp_path / "key").write_bytes(key)
    inner = f'mount -t tmpfs -o size=32k tmpfs {mount} && exec {sys.executable} -c "$SCRIPT" {tmp_path}/chain {tmp_path}/key'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inner],
        env={**os.environ, "SCRIPT": script},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the disk is full" in done.stdout
    assert done.stdout.splitlines()[-1] == "True"


def test_a_generation_is_on_the_disk_when_put_returns(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files and their directory are synced before the rename, the lineage's directory after it."""
    store.put(NAME, fresh(), "files")
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(*words: str, **more: int) -> None:
        steps.append("rename")
        rename(*words, **more)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    store.put(NAME, fresh(), "files")
    assert steps[-6:] == ["file", "file", "file", "directory", "rename", "directory"]


def test_two_writers_at_once_keep_one_generation(store: Store) -> None:
    """Hook and timer at the same moment: one generation, no error."""
    pair = fresh()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(store.put(NAME, pair, "files").id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_kill_at_any_moment_leaves_whole_generations_only(store: Store, tmp_path: Path) -> None:
    """A process that is killed while it stores leaves either nothing or a sound generation, and the next put works."""
    script = """
import sys
from pathlib import Path
from tlsa_manager import keys, pem
from tlsa_manager.store import Store
pairs = [keys.load_pair(text, text) for text in (path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir()))]
store = Store(Path(sys.argv[2]))
print("ready", flush=True)
for pair in pairs:
    store.put("a", pair, "files")
"""
    source = tmp_path / "pairs"
    source.mkdir()
    for number in range(30):
        (source / f"{number:03}").write_bytes(fresh().combined)
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(source), str(store.directory)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            clock.sleep(0.004 * attempt)
            process.kill()
        names = [path for path in (store.directory / "lineages" / "a").glob("*") if not path.name.startswith(".new-")]
        assert len(store.generations("a")) == len(names)
    assert store.put("a", fresh(), "files").id in {generation.id for generation in store.generations("a")}
