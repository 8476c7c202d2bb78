"""The only atomic install: a combined file is replaced by rename in its own directory, never opened for writing.

Owner and mode are set before the content is written, and the content is proven before that, so at any moment (a crash
included) the consumer finds the old pair or the new pair, and nobody else can read either.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tlsa_manager import keys
from tlsa_manager.disk import KEY_MODES, Owner, distrust, in_words, open_directory, read_file, replace_file, sweep
from tlsa_manager.errors import BadInput, DeployError
from tlsa_manager.pem import MAX_BYTES
from tlsa_manager.snapshot import FileView
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

_UNTOUCHED = "the old file stands as before; mend that and run again"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose a file shall be. What is None stays as of the file that stands there; without one it is ours, 0600.

    The access control list of the file that stands there stays, too; the group's bits of the mode are its mask then, chmod(1).
    """

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None

    def over(self, stands: Owner) -> Owner:
        """Return what this makes of the present owner and mode; a mode that is too wide for a key is narrowed to KEY_MODES."""
        uid, gid, mode = self.uid, self.gid, self.mode
        kept = stands.mode & KEY_MODES | 0o400
        return Owner(stands.uid if uid is None else uid, stands.gid if gid is None else gid, kept if mode is None else mode)


AS_IT_STANDS = Wanted()


def install(path: Path, combined: bytes, wanted: Wanted = AS_IT_STANDS) -> None:
    """Put a combined file (key first, then the chain) at `path`, on the disk when this returns. Raises DeployError.

    A mode that stands there and is too wide for a key is narrowed to KEY_MODES.
    """
    _prove(path, combined)
    try:
        with open_directory(path.parent) as directory:
            fcntl.flock(directory, fcntl.LOCK_EX)
            owner = wanted.over(_owner_of(path, directory))
            if _stands(path.name, combined, directory, owner):
                os.fsync(directory)  # whoever wrote it may have died before that
            else:
                _refuse_unsafe(path, directory, owner)
                sweep(path.name, directory)
                _replace(path.name, combined, directory, owner)
    except FileNotFoundError:
        message = f"{path} cannot be written: its directory does not exist"
        raise DeployError(message, f"make it first: install -d -m 0700 {path.parent}") from None
    except OSError as error:
        raise DeployError(f"{path} cannot be replaced: {in_words(error)}", _UNTOUCHED) from None


def read_current(path: Path) -> bytes | None:
    """Return what stands at `path`, None when nothing does. Raises DeployError when it cannot be read."""
    try:
        with open_directory(path.parent) as directory:
            return read_file(path.name, directory, MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeployError(
            f"{path} cannot be read: {in_words(error)}", "it must be a file of its own that root can read"
        ) from None


def look(consumer: str, path: Path, wanted: Wanted = AS_IT_STANDS) -> FileView:
    """Say what stands at `path` and what is wrong with it, apart from what only the consumer's configuration tells."""
    fingerprint, stuck, problems, exposed = "", "", list[str](), list[str]()
    try:
        content = read_current(path)
        if content is not None:
            fingerprint = keys.load_pair(content, content).chain.fingerprint
    except (DeployError, BadInput) as error:
        problems.append(error.message if str(path) in error.message else f"{path}: {error.message}")
    try:
        with open_directory(path.parent) as directory:
            stuck = _stuck(path, directory, wanted)
            exposed = [*filter(None, (stuck,)), *_problems(path, directory, wanted)]
    except FileNotFoundError:
        stuck = f"the directory {path.parent} does not exist; to make it: install -d -m 700 {path.parent}"
    except OSError as error:
        stuck = f"{path.parent} cannot be used: {in_words(error)}"
    if stuck and (path.is_symlink() or path.parent.is_symlink()):
        problems = []  # that it is not read through a link is no problem of its own
    told = tuple(dict.fromkeys(filter(None, (*problems, stuck, *exposed))))
    return FileView(consumer, str(path), fingerprint, problems=told, exposed=tuple(exposed), stuck=stuck)


def _prove(path: Path, combined: bytes) -> None:
    try:
        keys.split_combined(combined)
    except BadInput as error:
        raise DeployError(f"{path} is not replaced: {error.message}", error.hint) from None


def _owner_of(path: Path, directory: int) -> Owner:
    """Whose the file is that stands there; ours where there is none."""
    try:
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return Owner(os.geteuid(), os.getegid(), 0o600)
    return Owner(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def _refuse_unsafe(path: Path, directory: int, owner: Owner) -> None:
    unsafe = _unsafe(path, directory, owner)
    if unsafe:
        raise DeployError(f"{path} is not replaced: {unsafe[0]}", unsafe[1])


def _unsafe(path: Path, directory: int, owner: Owner) -> tuple[str, str] | None:
    """Say why nothing may be written here, and what to do; None if it may. The key's own reader may own the directory."""
    found = os.fstat(directory)
    reason = distrust(found)
    if reason and not (found.st_uid == owner.uid and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return f"its directory {path.parent} {reason}", f"chown root {path.parent}; chmod go-w {path.parent}"
    with suppress(FileNotFoundError):
        mode = os.stat(path.name, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(path.name, dir_fd=directory)[:200]
            return f"it is a symbolic link to {target!r}", "name a file of this program's own, or remove the link"
        if not stat.S_ISREG(mode):
            return "it is not a regular file", "name a file that is this program's to write"
    return None


def _stands(name: str, content: bytes, directory: int, owner: Owner) -> bool:
    """Whether it is all there already: then a full or read-only disk is no obstacle to the way back."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        same = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (owner.uid, owner.gid, owner.mode)
        return same and read_file(name, directory, MAX_BYTES) == content
    except OSError:
        return False  # what cannot be read is replaced


def _stuck(path: Path, directory: int, wanted: Wanted) -> str:
    """Why the file could not be replaced, with what to do; empty if it could."""
    unsafe = _unsafe(path, directory, wanted.over(_owner_of(path, directory)))
    return f"{path} could not be replaced: {unsafe[0]}; {unsafe[1]}" if unsafe else ""


def _problems(path: Path, directory: int, wanted: Wanted) -> list[str]:
    """Whose and with which mode (fault F-PERM): sentences with the exact command."""
    problems: list[str] = []
    with suppress(FileNotFoundError):
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISREG(found.st_mode) and mode & ~KEY_MODES & 0o077:
            problems.append(f"{path} has mode {mode:04o}, too wide for a private key; chmod {mode & KEY_MODES:04o} {path}")
        if found.st_uid not in {0, os.geteuid(), wanted.uid}:
            problems.append(
                f"{path} belongs to another user (uid {found.st_uid}), who can read the private key; chown root {path}"
            )
    return problems


def _replace(name: str, content: bytes, directory: int, owner: Owner) -> None:
    replace_file(name, content, directory, owner)
    try:
        os.fsync(directory)
    except OSError as error:
        message = f"{name} was replaced, but the disk does not confirm it: {in_words(error)}"
        raise DeployError(message, "look at the disk (dmesg); the new certificate may already be in use") from None
