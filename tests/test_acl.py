"""Access control lists: what they grant, and that no file that is replaced loses its own or gains by one of its directory."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import struct
import subprocess
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import acl, disk, keys
from tlsa_manager.deploy import access, files
from tlsa_manager.handover.keyslot import Slot
from tlsa_manager.publish.zonefile import place as zonefile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("as_root")
NOBODY, STAFF = 65534, 8
WHO = access.Reader("nobody", NOBODY, NOBODY, frozenset({NOBODY, STAFF}))
FIRST, SECOND = (keys.load_pair(*pki.pair("mx.example")).combined for _ in range(2))
_TAGS = {"u": 1, "g": 4, "m": 16, "o": 32}


@pytest.fixture
def file(lab_dir: Path) -> Iterator[Path]:
    """A file of root's alone, in a place that everybody can walk to."""
    directory = lab_dir / "lists" / "tls"
    directory.mkdir(parents=True)
    made = directory / "mx.pem"
    made.touch(mode=0o600)
    made.write_bytes(FIRST)
    yield made
    shutil.rmtree(directory.parent)


def put(path: Path, text: str, attribute: str = "access") -> None:
    """Do what `setfacl` does: `u::6 u:65534:4 g::0 m::4 o::0`."""
    packed = struct.pack("<I", 2)
    for who, number, rights in (word.split(":") for word in text.split()):
        tag = _TAGS[who] * (2 if number else 1)
        packed += struct.pack("<HHI", tag, int(rights), int(number or 0xFFFFFFFF))
    os.setxattr(path, f"system.posix_acl_{attribute}", packed)


def can(path: Path, uid: int = NOBODY, gid: int = NOBODY) -> bool:
    """Ask the system itself whether somebody can read it."""
    return not subprocess.run(["/usr/bin/test", "-r", path], user=uid, group=gid, extra_groups=[], check=False).returncode


def test_what_a_list_grants_is_what_the_system_grants(file: Path) -> None:
    """For named users and groups, the owning group, the mask and others; of a file, and of a directory on the way."""
    users, groups, rights = ("", "u:65534:0", "u:65534:4"), ("", "g:8:4"), (0, 4)
    for user, group, own, mask, others in itertools.product(users, groups, rights, rights, rights):
        put(file, f"u::6 {user} g::{own} {group} m::{mask} o::{others}")
        for owner in ((0, 0), (0, NOBODY), (NOBODY, 0)):
            os.chown(file, *owner)
            really = subprocess.run(["/usr/bin/test", "-r", file], user=NOBODY, group=NOBODY, extra_groups=[STAFF], check=False)
            assert (access.hindrance(file, WHO) == "") == (really.returncode == 0), (user, group, own, mask, others, owner)
    put(file, "u::6 u:65534:4 g::4 m::4 o::0")
    for right in range(8):
        put(file.parent, f"u::7 u:65534:{right} g::5 m::5 o::5")
        assert (access.hindrance(file, WHO) == "") == can(file), right


def test_a_swap_and_the_way_back_keep_the_list(file: Path) -> None:
    """Who reads the key by it alone goes on reading; the owning group, whose place in the mode the mask has, gains nothing."""
    put(file, f"u::6 u:{NOBODY}:4 g::0 m::4 o::0")
    os.chown(file, 0, STAFF)
    before = os.getxattr(file, "system.posix_acl_access")
    for content in (SECOND, FIRST):
        assert access.hindrance(file, WHO, files.AS_IT_STANDS) == ""
        files.install(file, content)
        assert os.getxattr(file, "system.posix_acl_access") == before
        assert (file.read_bytes(), can(file), can(file, uid=12345, gid=STAFF)) == (content, True, False)


def test_a_list_that_is_too_wide_is_narrowed_before_anything_is_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others lose their right, nobody may write but the owner, and at no moment has the new file more than that."""
    put(file, f"u::6 u:{NOBODY}:6 g::0 m::7 o::4")
    seen, really = list[tuple[int, int]](), os.setxattr

    def watched(descriptor: int, name: str, value: bytes) -> None:
        seen.append((os.fstat(descriptor).st_mode & 0o777, os.fstat(descriptor).st_size))
        really(descriptor, name, value)
        seen.append((os.fstat(descriptor).st_mode & 0o777, os.fstat(descriptor).st_size))

    with monkeypatch.context() as patch:
        patch.setattr(acl.os, "setxattr", watched)
        files.install(file, SECOND)
    assert seen == [(0o600, 0), (0o640, 0)]
    assert (can(file), can(file, uid=12345, gid=12345)) == (True, False)


def test_what_a_swap_would_take_away_is_told_before(file: Path) -> None:
    """A right of others is none for a key, and a mode that is configured may leave nothing of a list: said of what will be."""
    file.chmod(0o604)
    assert access.hindrance(file, WHO) == ""
    assert "nobody cannot read" in access.hindrance(file, WHO, files.AS_IT_STANDS)
    put(file, f"u::6 u:{NOBODY}:4 g::0 m::4 o::0")
    said = access.hindrance(file, WHO, files.Wanted(mode=0o600))
    assert said == f"nobody cannot read {file} (rw-------+ 0 0); setfacl -m u:nobody:r {file}"
    files.install(file, SECOND, files.Wanted(mode=0o600))
    assert not can(file)


def test_a_list_of_the_directory_gives_nobody_a_key(file: Path) -> None:
    """New files inherit it, but ours have the rights of those that they replace, or none; a group's right is not lost by it."""
    put(file.parent, f"u::7 u:{NOBODY}:7 g::0 m::7 o::5", "default")
    os.chown(file, 0, STAFF)
    file.chmod(0o640)
    files.install(file, SECOND)
    assert acl.of(file) is None
    assert (can(file), can(file, uid=12345, gid=STAFF)) == (False, True)
    file.unlink()
    files.install(file, FIRST, files.Wanted(gid=STAFF, mode=0o640))
    assert (can(file), can(file, uid=12345, gid=STAFF)) == (False, True)


def test_a_zone_s_snippet_keeps_its_list(file: Path) -> None:
    """A name server may read it by that alone."""
    snippet = file.with_name("snippet")
    snippet.touch(mode=0o600)
    put(snippet, f"u::6 u:{NOBODY}:4 g::0 m::4 o::0")
    os.chown(snippet, 0, STAFF)
    with zonefile.opened(snippet, 0) as place:
        place.replace("; ours\n")
    assert (snippet.read_text(), can(snippet), can(snippet, uid=12345, gid=STAFF)) == ("; ours\n", True, False)


def test_a_key_that_is_lent_has_the_list_of_the_former(file: Path) -> None:
    """The client's user may read ours as it could read its own; the group that owns the file may not."""
    chain, key = pki.pair("mx.example")
    slot = Slot(file.with_name("privkey.pem"), file.with_name("cert.pem"))
    slot.certificate.write_bytes(chain)
    slot.key.touch(mode=0o600)
    slot.key.write_bytes(key)
    put(slot.key, f"u::6 u:{NOBODY}:4 g::0 m::4 o::0")
    os.chown(slot.key, 0, STAFF)
    assert slot.lend(pki.pair("mx.example")[1])
    assert (can(slot.key), can(slot.key, uid=12345, gid=STAFF)) == (True, False)


def test_a_list_that_cannot_be_read_or_put_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is swapped, and nothing lies about."""
    put(file, f"u::6 u:{NOBODY}:4 g::0 m::4 o::0")

    def fail(*_: object) -> None:
        raise OSError(28, "full")

    for name in ("getxattr", "setxattr"):
        with monkeypatch.context() as patch, disk.open_directory(file.parent) as directory:
            patch.setattr(acl.os, name, fail)
            with pytest.raises(OSError, match="full"):
                disk.replace_file(file.name, SECOND, directory, disk.Owner())
        assert (file.read_bytes(), [one.name for one in file.parent.iterdir()]) == (FIRST, ["mx.pem"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
