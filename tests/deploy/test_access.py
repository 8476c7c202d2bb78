"""Whether a server's user can read a file: said of owner, group and mode, and compared with what that user really can."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.deploy import access
from tlsa_manager.deploy.files import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("as_root")
_NOBODY = access.Reader("nobody", 65534, 65534, frozenset({65534, 8}))


@pytest.fixture
def file(lab_dir: Path) -> Iterator[Path]:
    """A file in a place that everybody can walk to."""
    place = lab_dir / "access"
    (place / "tls").mkdir(parents=True)
    made = place / "tls" / "mx.pem"
    made.touch()
    yield made
    shutil.rmtree(place)


def really(path: Path) -> bool:
    """Ask the system itself, as that user with these groups."""
    return not subprocess.run(["/usr/bin/test", "-r", path], user=65534, group=65534, extra_groups=[8], check=False).returncode


def test_what_is_said_is_what_the_system_does(file: Path) -> None:
    """For every owner, group and mode that matters, of the file and of its directory."""
    owners, modes = ((0, 0), (0, 8), (65534, 0), (0, 65534)), (0o640, 0o040, 0o604, 0o000)
    for owner, mode in itertools.product(owners, modes):
        os.chown(file, *owner)
        file.chmod(mode)
        assert (access.hindrance(file, _NOBODY) == "") == really(file), (owner, oct(mode))
    file.chmod(0o604)
    for owner, mode in itertools.product(owners[:2], (0o755, 0o750, 0o700, 0o701)):
        os.chown(file.parent, *owner)
        file.parent.chmod(mode)
        assert (access.hindrance(file, _NOBODY) == "") == really(file), (owner, oct(mode))


def test_the_sentence_names_the_place_and_its_command_mends_it(file: Path) -> None:
    """Whichever of file and directory is closed is named; doing as told is enough."""
    file.chmod(0o600)
    file.parent.chmod(0o700)
    seen = []
    while said := access.hindrance(file, _NOBODY):
        message, _, command = said.partition("; ")
        seen.append(message.split(" (")[0])
        subprocess.run(command, shell=True, check=True)  # noqa: S602 - as an administrator would
    assert seen == [f"nobody cannot reach {file}: {file.parent} is closed to it", f"nobody cannot read {file}"]
    assert really(file)


def test_an_access_control_list_is_asked_too(file: Path) -> None:
    """What it allows is not denied here, nor what it denies allowed, though the mode shows the same."""
    for right in (4, 0):
        # owner, nobody, group, mask, others: acl(5)
        entries = ((1, 6, -1), (2, right, 65534), (4, 0, -1), (16, 4, -1), (32, 0, -1))
        packed = b"".join(
            n.to_bytes(2, "little") + p.to_bytes(2, "little") + (i & 0xFFFFFFFF).to_bytes(4, "little") for n, p, i in entries
        )
        os.setxattr(file, "system.posix_acl_access", (2).to_bytes(4, "little") + packed)
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert (access.hindrance(file, _NOBODY) == "") == really(file) == bool(right)


def test_what_will_be_counts_not_what_stands(file: Path) -> None:
    """A file is asked about as it will stand once it is replaced with the owner and mode that are configured."""
    file.chmod(0o600)
    assert access.hindrance(file, _NOBODY)
    assert access.hindrance(file, _NOBODY, Wanted(gid=8, mode=0o640)) == ""
    assert "(r-------- 0 0)" in access.hindrance(file, _NOBODY, Wanted(mode=0o400))


def test_who_reads(file: Path) -> None:
    """A user by name or number, with a group of its own or another; nobody who does not exist. Root reads all."""
    by_name, by_number = access.reader("nobody"), access.reader("65534", "8")
    assert by_name is not None
    assert by_number is not None
    assert (by_name.uid, by_number.name) == (65534, "nobody")
    assert 8 in by_number.groups - by_name.groups
    assert access.reader("no-such-user") is None
    assert access.reader("nobody", "no-such-group") is None
    file.chmod(0)
    assert access.hindrance(file, access.Reader("root", 0, 0, frozenset({0}))) == ""
    assert access.hindrance(file.with_name("absent"), _NOBODY) == ""
