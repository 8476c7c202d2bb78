"""Files that are never readable by others, not for a moment, and that are on the disk when the call returns."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tlsa_manager import acl
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_MODES = 0o640  # the widest a key file may have: the owner writes, one group may read
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a file shall be. -1 leaves it to the system."""

    uid: int = -1
    gid: int = -1
    mode: int = 0o600


def write_new(name: str, content: bytes, directory: int, owner: Owner | None = None, *, like: str = "") -> None:
    """Make a file that must not exist yet, in an open directory. Owner and mode are set before the content is written.

    `like`: a file whose access control list it gets, too, as far as the mode leaves it; without one it has none, whatever the
    directory would have it inherit. Raises OSError; then no file of that name is left behind.
    """
    owner = owner or Owner()
    rights = _rights(like, directory) if like else None
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        try:
            acl.drop(descriptor)  # while nobody but its maker may do anything with it
            os.fchown(descriptor, owner.uid, owner.gid)
            if rights is None:
                os.fchmod(descriptor, owner.mode)
            else:
                rights.with_mode(owner.mode).put(descriptor)  # in one step: it is never wider than that
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise


def replace_file(name: str, content: bytes, directory: int, owner: Owner) -> None:
    """Put a file in the place of another by rename; whoever looks finds one or the other. Raises OSError.

    The access control list of the other is kept, as far as the mode of `owner` leaves it: some server may read by it alone.
    The content is on the disk then, its name is when the directory has been synchronized.
    """
    temporary = f".{name}.{os.urandom(8).hex()}.new"
    write_new(temporary, content, directory, owner, like=name)
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise


def sweep(name: str, directory: int) -> None:
    """Remove what a killed `replace_file` left, in a directory that is locked, so that nobody is at it. Raises OSError."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.new")
    for entry in entries(directory):
        if ours.fullmatch(entry):
            os.unlink(entry, dir_fd=directory)


def read_file(name: str, directory: int, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes in an open directory, not through a symlink. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            raise OSError(errno.EINVAL, "not a regular file of sensible size", name)
        return file.read(limit)


def read_plain(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes, also through symlinks; a pipe or a device is never waited for.

    Raises OSError that says which it is.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        content = bytearray()
        while chunk := file.read(limit + 1 - len(content)):
            content += chunk
        if len(content) > limit:
            raise OSError(0, f"it is larger than {limit >> 20} MiB")
        return bytes(content)


@contextmanager
def open_directory(path: str | Path, *, within: int | None = None, follow: bool = False) -> Iterator[int]:
    """Open a directory for work inside it, whatever happens to its name meanwhile. Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def entries(directory: int) -> list[str]:
    """Return the names in an open directory. Raises OSError."""
    return os.listdir(directory)


def sync(directory: Path) -> None:
    """Make sure that the names in a directory are on the disk. Raises OSError."""
    with open_directory(directory, follow=True) as descriptor:
        os.fsync(descriptor)


def distrust(found: os.stat_result) -> str:
    """Say why a directory could be changed by somebody else, or an empty text. Root's and our own are trusted."""
    if found.st_uid not in {0, os.geteuid()}:
        return f"belongs to another user (uid {found.st_uid})"
    if found.st_mode & _WRITABLE_BY_OTHERS:
        return f"is writable by others (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def in_words(error: OSError) -> str:
    """Say what an error of the system means to a person."""
    known = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would be larger than the process may write",
        errno.EROFS: "the file system is mounted read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "permission denied",
        errno.ENOENT: "it does not exist",
        errno.ENOTDIR: "a part of the path is not a directory (or is a symbolic link)",
        errno.ELOOP: "it is a symbolic link",
    }
    return known.get(error.errno or 0, error.strerror or type(error).__name__)


def _rights(name: str, directory: int) -> acl.Acl | None:
    """Return the access control list of a file, None where it has none or is not there. Raises OSError."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        return acl.of(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    """Write everything; the system may take less at a time, for instance when the disk is nearly full."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
