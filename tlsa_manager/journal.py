"""The journal: an append-only table of events in SQLite, and leases so that hook, timer and terminal may run at once.

Every append is on the disk when it returns (write-ahead log, fsynced). Events are never changed or removed; triggers see to
it. The plan of a lineage is the only row that is replaced: it can be lost without harm, the next run then looks at once.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, TypeVar, get_args
from weakref import finalize

import msgspec

from tlsa_manager import clock
from tlsa_manager.errors import Busy, Stale, StateError
from tlsa_manager.household import Holder
from tlsa_manager.rollover.events import Event
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = 1
LEASE_SECONDS = 120.0  # a holder that was not heard of for so long, on another host, is taken for dead
BUSY_SECONDS = 10.0  # how long SQLite waits for another writer, whose transactions last milliseconds

_UNTOUCHED = "nothing was changed, and the mail server keeps its certificate"
_NO_ROOM = f"free some space, or mend its directory; {_UNTOUCHED}"
_DAMAGED = (
    "restore it from a backup; or move it away (with -wal and -shm): the next run begins a new one from what it finds in service,"
    f" and `records --adopt` takes over what is published; {_UNTOUCHED}"
)

_OURS: dict[tuple[str, str], object] = {}  # the leases that this process holds, by journal and name, each with its holder
_OURS_LOCK = Lock()

_KINDS: dict[str, type] = {one.__name__: one for one in get_args(Event)}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, lineage TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_of_lineage ON events (lineage, seq);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE IF NOT EXISTS plans (lineage TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL, until REAL NOT NULL);
"""
_APPEND = """
INSERT INTO events (at, lineage, kind, body) SELECT ?, ?, ?, ?
WHERE ? IS NULL OR (SELECT COALESCE(MAX(seq), 0) FROM events WHERE lineage = ?) = ?
"""  # one statement, so that nobody can write between the question and the answer


Kind = TypeVar("Kind", bound=Event)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    seq: int
    at: float
    lineage: str
    event: Event


class Journal:
    """The journal in one SQLite file. Safe for several processes and threads. Raises StateError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = local()
        self._facts: dict[str, tuple[int, Facts]] = {}
        self._facts_lock = Lock()
        with _in_words(path, "cannot be opened"):
            _make_private(path)
            self._connection()

    def facts(self, lineage: str) -> Facts:
        """Return the fold of all events of a lineage."""
        with self._facts_lock:
            seq, facts = self._facts.get(lineage, (0, Facts(lineage)))
            rows = self._rows(lineage, after=seq)
            for _, at, _, kind, body in rows:
                if kind in _KINDS:  # one that a newer version wrote changes nothing here
                    facts = apply(facts, _decode(self.path, kind, body), at)
            seq = rows[-1][0] if rows else seq
            self._facts[lineage] = (seq, facts)
        self._folded_here()[lineage] = seq
        return facts

    def folded(self, lineage: str) -> int:
        """Return the number of the latest event that `facts` has told this thread of, 0 if it was not asked."""
        return self._folded_here().get(lineage, 0)

    def entries(self, lineage: str = "", *, after: int = 0) -> Iterator[Entry]:
        """Yield the events of one lineage, or of all, in the order in which they were written."""
        for seq, at, name, kind, body in self._rows(lineage, after=after):
            if kind in _KINDS:
                yield Entry(seq, at, name, _decode(self.path, kind, body))

    def of_kind(self, kind: type[Kind], lineage: str = "") -> Iterator[tuple[float, Kind]]:
        """Yield each event of one kind, of one lineage or of all, configured or not, with its moment; oldest first."""
        query = "SELECT at, body FROM events WHERE kind = ? AND (lineage = ? OR ? = '') ORDER BY seq"
        with _in_words(self.path, "cannot be read"):
            rows = self._connection().execute(query, (kind.__name__, lineage, lineage)).fetchall()
        for at, body in rows:
            event = _decode(self.path, kind.__name__, body)
            if isinstance(event, kind):
                yield at, event

    def lineages(self) -> list[str]:
        """Return the names of all lineages that anything happened to, configured or not."""
        with _in_words(self.path, "cannot be read"):
            return [name for (name,) in self._connection().execute("SELECT DISTINCT lineage FROM events ORDER BY lineage")]

    def append(self, lineage: str, event: Event, at: float, *, after: int | None = None) -> None:
        """Write one event for ever; it is on disk when this returns.

        `after`: only if event number `after` is still the latest of the lineage, else raise Stale and write nothing.
        """
        body = msgspec.json.encode(event).decode()
        with _in_words(self.path, "cannot be written"), self._connection() as connection:
            written = connection.execute(_APPEND, (at, lineage, type(event).__name__, body, after, lineage, after)).rowcount
        if not written:
            raise Stale(
                f"something happened to {lineage} while it was decided what to do", "nothing was done; it is decided anew"
            )

    def latest(self, lineage: str) -> int:
        """Return the number of the latest event of a lineage, 0 if there is none."""
        with _in_words(self.path, "cannot be read"):
            row = self._connection().execute("SELECT MAX(seq) FROM events WHERE lineage = ?", (lineage,)).fetchone()
        return row[0] or 0

    def plan(self, lineage: str) -> Plan | None:
        """Return the latest plan of a lineage, None if there is none that can be understood."""
        with _in_words(self.path, "cannot be read"):
            row = self._connection().execute("SELECT body FROM plans WHERE lineage = ?", (lineage,)).fetchone()
        if row is None:
            return None
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(row[0], type=Plan)
        return None

    def keep_plan(self, lineage: str, plan: Plan) -> None:
        """Replace the plan of a lineage; it knows the events that this thread knows, and no later one."""
        body = msgspec.json.encode(replace(plan, seen=self.folded(lineage))).decode()
        with _in_words(self.path, "cannot be written"), self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO plans (lineage, body) VALUES (?, ?)", (lineage, body))

    @contextmanager
    def lease(self, name: str) -> Iterator[None]:
        """Hold a lease while working. Raises Busy when a living process or another thread holds it; a dead one's is taken over.

        A lease that could not be given back, because the disk is full for instance, is taken over by this process.
        """
        me, holder = (socket.gethostname(), os.getpid(), _born(os.getpid())), object()
        with _in_words(self.path, "cannot be written"):
            self._take(name, me, holder)
        try:
            yield
        finally:
            with suppress(sqlite3.Error), self._connection() as connection:
                connection.execute("DELETE FROM leases WHERE name = ? AND host = ? AND pid = ?", (name, me[0], me[1]))
            self._let_go(name, holder)

    def holder(self, name: str) -> Holder | None:
        """Return who holds a lease and lives, None if nobody does."""
        with _in_words(self.path, "cannot be read"):
            row = self._connection().execute("SELECT host, pid, born, until FROM leases WHERE name = ?", (name,)).fetchone()
        if row is None or not _alive(*row, here=socket.gethostname()):
            return None
        return Holder(row[0], row[1], row[3] - LEASE_SECONDS)

    def renew(self, name: str) -> None:
        """Say that the holder of a lease, which is this process, is alive. Raises Busy when it has been taken over."""
        mine = (clock.now() + LEASE_SECONDS, name, socket.gethostname(), os.getpid())
        with _in_words(self.path, "cannot be written"), self._connection() as connection:
            kept = connection.execute("UPDATE leases SET until = ? WHERE name = ? AND host = ? AND pid = ?", mine).rowcount
        if not kept:
            raise Busy(f"another process took over the work on {name}", "nothing is lost; it goes on there")

    def _take(self, name: str, me: tuple[str, int, str], holder: object) -> None:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            row = connection.execute("SELECT host, pid, born, until FROM leases WHERE name = ?", (name,)).fetchone()
            if row is not None and self._is_held(name, row, me):
                who = f"process {row[1]}" + ("" if row[0] == me[0] else f" on {row[0]}")
                raise Busy(f"{who} is working on {name} at this moment", "nothing is lost; try again in a moment")
            connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)", (name, *me, clock.now() + LEASE_SECONDS))
            with _OURS_LOCK:
                _OURS[self._key(name)] = holder
            connection.execute("COMMIT")
        except BaseException:
            self._let_go(name, holder)
            with suppress(sqlite3.Error):  # what went wrong before is what matters
                connection.execute("ROLLBACK")
            raise

    def _is_held(self, name: str, row: tuple[str, int, str, float], me: tuple[str, int, str]) -> bool:
        """Whether somebody is at it: a row of our own that no thread of ours stands for is one that could not be deleted."""
        if row[:3] == me:
            with _OURS_LOCK:
                return self._key(name) in _OURS
        return _alive(*row, here=me[0])

    def _let_go(self, name: str, holder: object) -> None:
        """Forget that we hold a lease, unless another thread holds it already."""
        with _OURS_LOCK:
            if _OURS.get(self._key(name)) is holder:
                del _OURS[self._key(name)]

    def _key(self, name: str) -> tuple[str, str]:
        return str(self.path.absolute()), name

    def _rows(self, lineage: str, *, after: int) -> list[tuple[int, float, str, str, str]]:
        query = "SELECT seq, at, lineage, kind, body FROM events WHERE seq > ? AND (lineage = ? OR ? = '') ORDER BY seq"
        with _in_words(self.path, "cannot be read"):
            return self._connection().execute(query, (after, lineage, lineage)).fetchall()

    def _folded_here(self) -> dict[str, int]:
        """Up to where this thread knows each lineage."""
        known: dict[str, int] | None = getattr(self._local, "folded", None)
        if known is None:
            known = self._local.folded = {}
        return known

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            known.execute("PRAGMA journal_mode=WAL")
            known.execute("PRAGMA synchronous=FULL")
            _migrate(self.path, known)
            self._local.connection = known
            finalize(self, _close, known)
        return known


def _close(connection: sqlite3.Connection) -> None:
    """Close it, at the end of the process at the latest: then all stands in one file, and a copy of that is a whole journal."""
    with suppress(sqlite3.Error):  # of a thread that lives: it closes its own
        connection.close()


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StateError(f"the journal {path} was written by a newer version of tlsa-manager", "install that version again")
    if version < SCHEMA_VERSION:
        connection.executescript(_SCHEMA + f"PRAGMA user_version = {SCHEMA_VERSION};")


def _make_private(path: Path) -> None:
    """Make the file and its directory readable by nobody else from the first moment."""
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))


def _decode(path: Path, kind: str, body: str) -> Event:
    try:
        event: Event = msgspec.json.decode(body, type=_KINDS[kind])
    except msgspec.MsgspecError as error:
        raise StateError(f"the journal {path} holds a line that cannot be understood ({kind}: {error})", _DAMAGED) from None
    return event


def _alive(host: str, pid: int, born: str, until: float, *, here: str) -> bool:
    """Whether the holder of a lease lives. On this host the process table tells; of another host only its latest word."""
    if host != here:
        return until > clock.now()
    return bool(born) and _born(pid) == born


def _born(pid: int) -> str:
    """When a process began, so that a later one with the same number is not taken for it; empty = there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if not fields or fields[0] in "ZX" else fields[19]


@contextmanager
def _in_words(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of the disk and of SQLite into ours."""
    try:
        yield
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
        reason = f"the disk is full ({error})" if _is_full(path) else str(error)
        raise StateError(f"the journal {path} {what}: {reason}", _DAMAGED if damaged else _NO_ROOM) from None
    except OSError as error:
        raise StateError(f"the journal {path} {what}: {error.strerror}", "mend its directory, or run as the right user") from None


def _is_full(path: Path) -> bool:
    """Whether the file system has no room left: SQLite itself often calls that an I/O error."""
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False
