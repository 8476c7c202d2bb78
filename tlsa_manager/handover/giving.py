"""Puts a key of ours, or a request signed with it, where an ACME client looks for it: whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tlsa_manager.disk import Owner, entries, in_words, open_directory, write_new
from tlsa_manager.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

KEY_MODE = 0o600
REQUEST_MODE = 0o644
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def give(path: Path, content: bytes, *, mode: int = KEY_MODE) -> None:
    """Put content at `path`, on the disk when this returns, in place of the file that stands there. Raises BadInput.

    It belongs to whom that file belonged to, else to whom the directory belongs to: the client may run as a user of its own. A
    symbolic link is neither followed nor replaced, and a directory that several may write to gets no key.
    """
    try:
        with open_directory(path.parent, follow=True) as directory:
            owner = _owner(path, directory, mode)
            _replace(path.name, content, directory, owner)
    except FileNotFoundError:
        message = f"{path} cannot be written: the directory {path.parent} does not exist"
        raise BadInput(message, f"install -d -m 700 {path.parent}") from None
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {in_words(error)}",
            "look at its name and its directory; what stood there stands as before",
        ) from None


def _owner(path: Path, directory: int, mode: int) -> Owner:
    """Whose it shall be. Raises BadInput where nothing may be put."""
    place = os.fstat(directory)
    shared = bool(place.st_mode & _OTHERS_WRITE)
    if shared and mode == KEY_MODE:
        raise BadInput(
            f"{path} is not written: others may write to its directory (mode {stat.S_IMODE(place.st_mode):04o})",
            f"chmod go-w {path.parent}, or name a file in a directory of the client's own",
        )
    stands = place
    with suppress(FileNotFoundError):
        stands = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(stands.st_mode):
            raise BadInput(f"{path} is not written: it is a symbolic link", "name the file that it leads to, or remove the link")
        if not stat.S_ISREG(stands.st_mode):
            raise BadInput(f"{path} is not written: it is not a regular file", "name the file in which the client looks for it")
    return Owner(mode=mode) if shared else Owner(stands.st_uid, stands.st_gid, mode)


def _replace(name: str, content: bytes, directory: int, owner: Owner) -> None:
    _sweep(name, directory)
    temporary = f".{name}.{secrets.token_hex(8)}.new"
    write_new(temporary, content, directory, owner)
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _sweep(name: str, directory: int) -> None:
    """Remove what a killed one left, unless another is at it: each holds the directory for as long as it writes.

    Nobody is waited for: the directory may be the client's own, who could hold it for ever.
    """
    with suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.new")
        for entry in entries(directory):
            if ours.fullmatch(entry):
                os.unlink(entry, dir_fd=directory)
    with suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)
