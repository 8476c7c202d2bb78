"""The file itself: locked, read, replaced by rename, and a mark beside it while the name server may not have it yet."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager import clock, disk
from tlsa_manager.errors import BadInput, PublishError, PublishTemporary
from tlsa_manager.publish.zonefile import snippet
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.publish.zonefile.snippet import Snippet

LARGEST = 16 << 20  # bytes: a hundred thousand records
_MARK = b"tlsa-manager changed the file of this name, and does not know yet that the command was run: it will be run again.\n"
_EVERY = 0.05  # seconds between two tries for the lock


@dataclass(frozen=True, slots=True)
class Place:
    """One snippet, at work inside its directory, which is open and locked."""

    path: Path
    directory: int

    def read(self) -> Snippet:
        """Return what stands there. Raises PublishError for what is no snippet; nothing is lost by asking."""
        try:
            text = disk.read_file(self.path.name, self.directory, LARGEST).decode("utf-8")
            if "\0" in text:
                raise BadInput("it is not text", "")
            return snippet.parse(text)
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        except BadInput as error:
            reason = error.message
        except OSError as error:
            raise _unusable(self.path, error) from None
        raise PublishError(f"{self.path} cannot be changed: {reason}", _OWN_FILE)

    def replace(self, text: str) -> None:
        """Put another text there, on the disk when this returns; owner and mode stay. Raises OSError."""
        found = os.stat(self.path.name, dir_fd=self.directory, follow_symlinks=False)
        owner = disk.Owner(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode) & 0o777)
        disk.sweep(self.path.name, self.directory)
        disk.replace_file(self.path.name, text.encode(), self.directory, owner)
        os.fsync(self.directory)

    @property
    def is_owed(self) -> bool:
        """Whether the file was changed, and the command may not have been run since."""
        return self._mark in disk.entries(self.directory)

    def owe(self) -> None:
        """Write down, on the disk, that the command is to be run. Raises OSError."""
        with suppress(FileExistsError):
            disk.write_new(self._mark, _MARK, self.directory, disk.Owner(mode=0o644))
        os.fsync(self.directory)

    def settle(self) -> None:
        """Write down that it has been run; if that is lost, it is run once more. Raises OSError."""
        with suppress(FileNotFoundError):  # the command may clean up, as rsync --delete does
            os.unlink(self._mark, dir_fd=self.directory)

    @property
    def _mark(self) -> str:
        return f".{self.path.name}.owed"


@contextmanager
def opened(path: Path, patience: float, *, shared: bool = False) -> Iterator[Place]:
    """Open and lock the directory of a snippet, waiting for at most `patience` seconds. `shared`: only to look.

    Raises PublishError, PublishTemporary where another process has the lock.
    """
    try:
        with disk.open_directory(path.parent, follow=True) as directory:
            _lock(path, directory, patience, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield Place(path, directory)
    except OSError as error:
        raise _unusable(path, error) from None


def problems(path: Path) -> Iterator[str]:
    """Say why the snippet cannot be worked with, each with its remedy."""
    try:
        with opened(path, 0, shared=True) as place:
            place.read()
            if not os.access(path.parent, os.W_OK):
                yield f"{path} could not be replaced: {path.parent} cannot be written by this user (uid {os.geteuid()})"
            if _is_mount_point(path):
                yield f"{path} could not be replaced: {_MOUNTED}"
    except PublishTemporary:
        return  # somebody is at work there, so it works
    except PublishError as error:
        yield f"{error.message}; {error.hint}"


def _lock(path: Path, directory: int, patience: float, kind: int) -> None:
    end = clock.monotonic() + patience
    while True:
        try:
            fcntl.flock(directory, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() >= end:
                message = f"{path} is being changed by another run, which has not finished"
                raise PublishTemporary(message, "tried again by itself; if it stays so, look what that run waits for") from None
            clock.sleep(_EVERY)
        else:
            return


def _is_mount_point(path: Path) -> bool:
    """Whether something is mounted on a file, as containers do it (proc_pid_mountinfo(5): blanks and backslashes are octal)."""
    with suppress(OSError), Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as mounts:
        places = (line.split(" ")[4] for line in mounts)
        return str(path.resolve()) in {re.sub(r"\\([0-7]{3})", lambda one: chr(int(one[1], 8)), place) for place in places}
    return False


_MOUNTED = "it is a mount point, and nothing can take its place: mount its directory instead"
_OWN_FILE = "give this program a file of its own, which the zone file includes (docs/backends/zonefile.md)"
_NO_FILE = f"it is not a regular file of at most {LARGEST >> 20} MiB"
_REASONS = {
    errno.EINVAL: _NO_FILE,
    errno.EISDIR: _NO_FILE,
    errno.EBUSY: _MOUNTED,
    errno.ELOOP: "it is a symbolic link, which would be lost",
}


def _unusable(path: Path, error: OSError) -> PublishError:
    """Say why the file cannot be used. A file that is not there is not made: it would be one that no zone includes."""
    if error.errno == errno.ENOENT:
        message = f"{path} does not exist, so no zone file includes it and no record can be published there"
        return PublishError(message, f"make it: touch {path}; then end the zone file with: $INCLUDE {path}")
    if reason := _REASONS.get(error.errno or 0):
        return PublishError(f"{path} cannot be used: {reason}", _OWN_FILE)
    hint = "nothing is lost: mend that, and it goes on by itself"
    if error.errno == errno.EPERM:
        hint = f"is it or its directory immutable (lsattr -d {path} {path.parent}; chattr -i)? Then it goes on by itself"
    if error.errno == errno.EROFS:
        hint = f"for the service of examples/systemd: ReadWritePaths={path.parent} (docs/backends/zonefile.md)"
    return PublishError(f"{path} cannot be used: {disk.in_words(error)}", hint)
