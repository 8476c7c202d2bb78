"""Files that appear whole or not at all: written beside the old one, then renamed into its place."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.disk import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_NEW = 0o666  # less the umask, like any file that a program makes


@contextmanager
def renamed(path: Path) -> Iterator[TextIO]:
    """Give a stream whose content takes the place of `path` when the block ends well; after an exception nothing has changed.

    A new file has the mode that the umask leaves, a former one's mode is kept. What is no regular file, such as /dev/stdout, is
    written to as it is. Raises OSError.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", errors="surrogateescape") as stream:
            yield stream
        return
    path = path.resolve()  # a symlink stays one
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:  # noqa: PTH123  a descriptor has no path
            yield stream
            os.fchmod(stream.fileno(), _mode(path))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync(path.parent)


def _mode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0o077)
    os.umask(mask)
    return _NEW & ~mask
