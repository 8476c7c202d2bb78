"""Whether a server reads a replaced file by itself, so that it need not be told: seen by the file's access time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager import clock

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_EVERY = 0.1  # seconds


def is_read(path: Path, within: float) -> bool:
    """Wait until somebody reads the file for the first time since it was written, or so many seconds; say whether that was seen.

    File systems keep the time of the first access after a change (`relatime`, mount(8)); with `noatime` nothing is seen, nor
    where it was read before we looked. Whoever reads it meanwhile is taken for the server: no proof, then, of what it presents.
    """
    until = clock.monotonic() + within
    try:
        begun = path.stat()
        if begun.st_atime_ns > begun.st_mtime_ns:
            return False
        while clock.monotonic() < until:
            found = path.stat()
            if (found.st_ino, found.st_mtime_ns) != (begun.st_ino, begun.st_mtime_ns):
                return False  # replaced meanwhile
            if found.st_atime_ns > begun.st_atime_ns:
                return True
            clock.sleep(_LOOK_EVERY)
    except OSError:
        return False
    return False
