"""Files that a client without hooks rewrites: noticed by what the system says of them, read only when that has changed.

What was seen of the files of a lineage is remembered in `<directory>/watched/<name>`. That memory may be lost without harm:
the files are read once more, and what the store knows already is not taken over twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.handover import handed_over
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.lineage import Lineage

SETTLE = 1.0  # seconds without a change before files are read: half a chain may look like a whole one
PATIENCE = 600.0  # seconds that a client may take to bring its files into order before anybody is told

Mark = tuple[int, int, int, int, int]  # device, inode, size, modified, changed (ns): one content of a file, told without reading


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of the files of one lineage. Moments in seconds since 1970.

    `marks`: of the chain and of the key, None where there is no file; `since`: when these were first seen; `read`: that they
    have been read; `trouble`: why they could not be taken over, `troubled`: since when; `told`: that somebody was told.
    """

    marks: tuple[Mark | None, Mark | None]
    since: float
    read: bool = False
    trouble: str = ""
    troubled: float = 0.0
    told: bool = False


class Watch:
    """The watched files of all lineages of an installation."""

    def __init__(self, directory: Path) -> None:
        """Name the directory of the installation; what is remembered goes below it, when there is something."""
        self.directory = directory / "watched"
        self._seen: dict[str, Seen] = {}

    def due(self, lineage: Lineage, now: float) -> bool:
        """Whether the files of a lineage are to be read, or somebody is to be told of them. One stat for each file."""
        if not lineage.watch[0]:
            return False
        seen = self._remembered(lineage.name)
        if seen is None or seen.marks != _marks(lineage):
            return True
        return _to_be_told(seen, now) if seen.read else _settled(seen, now)

    def look(self, lineage: Lineage, now: float, take: Callable[[bytes, bytes | None], object]) -> bool:
        """Have the files taken over if they are new. `take` gets the chain and the key, None where the key is ours.

        Returns False when they changed only now: look again after SETTLE. Files that cannot be used, or do not belong together,
        are somebody's unfinished work: they are left alone, and taken when that is finished. Raises BadInput once, when that
        takes too long; and what else `take` raises.
        """
        if not self.due(lineage, now):
            return True
        former, marks = self._remembered(lineage.name), _marks(lineage)  # before they are read: a change meanwhile shows later
        seen = former or Seen(marks, now)
        if seen.marks != marks:
            seen = replace(seen, marks=marks, since=now, read=False)
        if not _settled(seen, now):
            self._remember(lineage.name, seen)
            return False
        self._read(lineage, seen, now, take)
        return True

    def advice(self, lineage: Lineage, now: float) -> tuple[str, ...]:
        """What an operator should know: that the files have been of no use for too long."""
        seen = self._remembered(lineage.name) if lineage.watch[0] else None
        return (_complaint(lineage, seen, now),) if seen is not None and seen.told else ()

    def forget(self, name: str) -> None:
        """Read the files of a lineage once more if they were taken over: whoever did that knows nothing of it any more."""
        seen = self._remembered(name)
        if seen is not None and seen.read and not seen.trouble:
            del self._seen[name]
            with suppress(OSError):
                (self.directory / name).unlink()

    def _read(self, lineage: Lineage, seen: Seen, now: float, take: Callable[[bytes, bytes | None], object]) -> None:
        try:
            handed_over(take, *lineage.watch)
        except BadInput as error:
            troubled = seen.troubled if seen.trouble else now
            told = seen.told or now >= troubled + PATIENCE
            after = replace(seen, read=True, trouble=error.message, troubled=troubled, told=told)
            self._remember(lineage.name, after)
            if told and not seen.told:
                raise BadInput(_complaint(lineage, after, now), error.hint) from None
        else:
            self._remember(lineage.name, Seen(seen.marks, seen.since, read=True))

    def _remembered(self, name: str) -> Seen | None:
        """What was seen of the files of a lineage, by this process or by an earlier one."""
        import msgspec

        if name not in self._seen:
            with suppress(OSError, msgspec.MsgspecError):
                self._seen[name] = msgspec.json.decode((self.directory / name).read_bytes(), type=Seen)
        return self._seen.get(name)

    def _remember(self, name: str, seen: Seen) -> None:
        """Keep it for the processes to come; where that fails they read the files once more."""
        import msgspec

        self._seen[name] = seen
        with suppress(OSError):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.directory / f".{name}.new"  # of two at once one may spoil it: then the files are read once more
            try:
                temporary.touch(mode=0o600)
                temporary.write_bytes(msgspec.json.encode(seen))
                temporary.replace(self.directory / name)
            finally:
                temporary.unlink(missing_ok=True)


def _marks(lineage: Lineage) -> tuple[Mark | None, Mark | None]:
    """What the system says of both files where all links end: a secret that is a farm of links changes as a whole."""
    chain, key = lineage.watch
    return _mark(chain), _mark(key) if key else None


def _mark(file: str) -> Mark | None:
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _settled(seen: Seen, now: float) -> bool:
    """Whether nobody has touched the files for a while: by their own times, or by our clock where that of a server is another."""
    latest = max((one[4] for one in seen.marks if one), default=0) / 1e9
    return now - latest >= SETTLE or now - seen.since >= SETTLE


def _to_be_told(seen: Seen, now: float) -> bool:
    return bool(seen.trouble) and not seen.told and now >= seen.troubled + PATIENCE


def _complaint(lineage: Lineage, seen: Seen, now: float) -> str:
    files = " and ".join(one for one in dict.fromkeys(lineage.watch) if one)
    return (
        f"the watched files {files} have been of no use for {max(0, now - seen.troubled) / 60:.0f} minutes, so the mail server"
        f" keeps the certificate it has: {seen.trouble}"
    )
