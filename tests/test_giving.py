"""giving: a key of ours in the file where a client looks for it."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.errors import BadInput
from tlsa_manager.handover import giving
from tlsa_manager.handover.giving import REQUEST_MODE, give

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.disk import Owner

KEY = b"-----BEGIN PRIVATE KEY-----\n"


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("stood", [None, 0o644])
def test_a_key_is_closed_to_others(tmp_path: Path, umask: int, stood: int | None) -> None:
    """0600 whatever the umask, and whatever the file before had; a request may be read by all."""
    if stood is not None:
        (tmp_path / "key").write_bytes(b"former")
        (tmp_path / "key").chmod(stood)
    before = os.umask(umask)
    try:
        give(tmp_path / "key", KEY)
        give(tmp_path / "request", b"csr", mode=REQUEST_MODE)
    finally:
        os.umask(before)
    assert (tmp_path / "key").read_bytes() == KEY
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "request").stat().st_mode) == 0o644
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key", "request"]


def test_it_is_closed_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can read it while it is written, and the former file stands until it is whole."""
    (tmp_path / "key").write_bytes(b"former")
    seen = list[tuple[int, bytes]]()
    write = os.write

    def watched(descriptor: int, content: bytes) -> int:
        seen.append((stat.S_IMODE(os.fstat(descriptor).st_mode), (tmp_path / "key").read_bytes()))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", watched)
    give(tmp_path / "key", KEY)
    assert seen == [(0o600, b"former")]


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_symbolic_link_is_neither_followed_nor_replaced(tmp_path: Path, target: str) -> None:
    """What it leads to is left alone."""
    (tmp_path / "there").write_bytes(b"somebody's")
    (tmp_path / "key").symlink_to(tmp_path / target)
    with pytest.raises(BadInput, match="symbolic link"):
        give(tmp_path / "key", KEY)
    assert (tmp_path / "key").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"somebody's"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_directory_that_several_may_write_to_gets_no_key(tmp_path: Path, mode: int) -> None:
    """Not even a sticky one: somebody could have put a file of theirs there, whose owner the key would get."""
    tmp_path.chmod(mode)
    with pytest.raises(BadInput, match="others may write to its directory"):
        give(tmp_path / "key", KEY)
    give(tmp_path / "request", b"csr", mode=REQUEST_MODE)
    assert [one.name for one in tmp_path.iterdir()] == ["request"]


@pytest.mark.usefixtures("as_root")
def test_it_belongs_to_the_client_s_own_user(tmp_path: Path) -> None:
    """A client that runs as a user of its own has a directory of its own; the file that stands there tells best."""
    os.chown(tmp_path, 1, 1)
    give(tmp_path / "key", KEY)
    assert ((tmp_path / "key").stat().st_uid, (tmp_path / "key").stat().st_gid) == (1, 1)
    os.chown(tmp_path / "key", 2, 2)
    give(tmp_path / "key", KEY)
    assert ((tmp_path / "key").stat().st_uid, (tmp_path / "key").stat().st_gid) == (2, 2)


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A device or a pipe is not where a client looks for its key."""
    (tmp_path / "key").mkdir() if kind == "directory" else os.mkfifo(tmp_path / "key")
    with pytest.raises(BadInput, match="not a regular file"):
        give(tmp_path / "key", KEY)


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    """In words, with what to do."""
    with pytest.raises(BadInput, match=f"the directory {tmp_path}/none does not exist") as caught:
        give(tmp_path / "none" / "key", KEY)
    assert caught.value.hint == f"install -d -m 700 {tmp_path}/none"


def test_what_a_killed_one_left_goes_with_the_next(tmp_path: Path) -> None:
    """It is a copy of a key; files of others that only look like it stay."""
    (tmp_path / f".key.{'0a' * 8}.new").write_bytes(KEY)
    stays = {f".other.{'0a' * 8}.new", ".key.new", f".key.{'0a' * 8}.new~"}
    for name in stays:
        (tmp_path / name).touch()
    give(tmp_path / "key", KEY)
    assert {one.name for one in tmp_path.iterdir()} == {"key"} | stays


def test_one_that_writes_at_the_same_time_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one name at once: each is whole, and neither takes the other's file away."""
    write, inner = giving.write_new, list[str]()

    def slow(name: str, content: bytes, directory: int, owner: Owner) -> None:
        write(name, content, directory, owner)
        if not inner:
            inner.append(name)
            give(tmp_path / "key", b"second")
            assert (tmp_path / name).exists()

    monkeypatch.setattr(giving, "write_new", slow)
    give(tmp_path / "key", b"first")
    assert (tmp_path / "key").read_bytes() == b"first"


def test_a_directory_that_is_held_by_another_program_holds_nobody_up(tmp_path: Path) -> None:
    """It may belong to the client, who could hold it for ever."""
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    give(tmp_path / "key", KEY)
    os.close(holder)
    assert (tmp_path / "key").read_bytes() == KEY


@pytest.mark.parametrize("moment", ["rename", "fsync"])
def test_a_fault_leaves_no_key_lying_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Whatever goes wrong: no temporary file with a key in it stays."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(giving.os, moment, fail)
    with pytest.raises(BadInput, match="the disk is full"):
        give(tmp_path / "key", KEY)
    assert {one.name for one in tmp_path.iterdir()} <= {"key"}
