"""The text of a server's configuration: plain files alone, of bounded size and number, for others than we may have written it.

A pipe or a device under such a name would be waited for, or read, without end; files that include each other twice are read
twice as often with each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.disk import in_words, read_plain
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 16 << 20  # bytes of one file
_BYTES = 64 << 20  # of all
_FILES = 20_000  # a file that is included twice counts twice
_DEPTH = 100  # blocks in blocks, and files that include files


class Texts:
    """Reads the files of one configuration. `remedy`: what to do where one is not what it should be."""

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy
        self._files = self._bytes = 0

    def read(self, file: Path, depth: int = 0) -> str:
        """Return the text of one file, so deep inside of others. Raises DeployError."""
        self.go_down(file, depth)
        self._files += 1
        if self._files > _FILES:
            raise DeployError(f"more than {_FILES} files are included, the last one {_shown(file)}", self._remedy)
        try:
            content = read_plain(file, _LARGEST)
        except OSError as error:
            raise DeployError(f"{_shown(file)} cannot be read: {in_words(error)}", self._remedy) from None
        self._bytes += len(content)
        if self._bytes > _BYTES:
            raise DeployError(f"it is larger than {_BYTES >> 20} MiB with all that {_shown(file)} and others add", self._remedy)
        if b"\0" in content:
            raise DeployError(f"{_shown(file)} is no text", self._remedy)
        return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")

    def go_down(self, file: Path, depth: int) -> None:
        """See that a place is not too deep inside of blocks and files. Raises DeployError."""
        if depth > _DEPTH:
            raise DeployError(f"{_shown(file)} is nested too deeply: more than {_DEPTH} blocks and files", self._remedy)


def one_line(text: str) -> str:
    """Return words of a configuration with what could begin a line of its own, or steer a terminal, as its escape."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _shown(file: Path) -> str:
    return one_line(str(file))
