"""From targets to reports: side by side, in one process or several, as they come, with bounded memory.

Each worker is one event loop with eyes whose memory all its targets share. A target is taken only when a former report has been
taken away, so a list may be endless, and a reader that is slow slows everything down instead of filling the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import warnings
import zlib
from dataclasses import field, replace
from queue import SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, Protocol, cast

from tlsa_manager.diagnose.eyes import open_eyes
from tlsa_manager.diagnose.one import diagnose_one
from tlsa_manager.errors import TlsaManagerError
from tlsa_manager.target import Target
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.report import Report
    from tlsa_manager.diagnose.settings import Settings

    Give = Callable[[Report | Exception], None]

SELDOM = 20_000  # new objects before the interpreter looks for circles among them, which there are few of
GRACE = 2.0  # seconds that a worker process has to end when it is told to


class WorkerError(TlsaManagerError):
    """A worker process ended without having been asked to."""


def diagnose(
    targets: Iterable[Target], settings: Settings, *, config: Config | None = None, workers: int = 1
) -> Iterator[Report]:
    """Diagnose targets and yield their reports as they come, in any order. Targets are taken lazily.

    `config`: for lineages, which one process does alone; `workers`: processes. Closing the iterator ends everything.
    Raises BadInput and ConfigError for settings that cannot be used, and whatever `targets` raises.
    """
    results: SimpleQueue[object] = SimpleQueue()
    members: list[_Member] = []
    crew = _Crew(members, settings.at_once)
    try:
        if workers > 1 and config is None:
            polite = replace(settings, workers=workers)
            members += [_Process(polite, results) for _ in range(workers)]
        else:
            members.append(_InThread(settings, config, results))
        Thread(target=_feed, args=(iter(targets), crew, results), daemon=True).start()
        yield from _reports(crew, results)
    finally:
        crew.close()


class _Member(Protocol):
    """One worker."""

    under_way: int

    def send(self, target: Target) -> None:
        """Give it a target."""

    def close(self) -> None:
        """End it, whatever it is doing."""


@dataclass(slots=True)
class _Crew:
    """All workers, and who has how much to do."""

    members: Sequence[_Member]
    at_once: int
    taken: int = 0
    done: int = 0
    all_taken: bool = False
    closed: bool = False
    change: Condition = field(default_factory=Condition)

    def send(self, target: Target) -> None:
        """Wait for a free hand, and give it the target: hosts of one domain to the same worker, while it is not too busy."""
        usual = self.members[zlib.crc32(_family(target).encode()) % len(self.members)]
        with self.change:
            self.change.wait_for(lambda: self.closed or any(one.under_way < self.at_once for one in self.members))
            if self.closed:
                return
            one = usual if usual.under_way < self.at_once else min(self.members, key=lambda member: member.under_way)
            one.under_way += 1
            self.taken += 1
        one.send(target)

    def received(self, member: _Member) -> None:
        """Note that a report has been taken away."""
        with self.change:
            member.under_way -= 1
            self.done += 1
            self.change.notify_all()

    def finished(self) -> bool:
        """Whether nothing more will come."""
        with self.change:
            return self.all_taken and self.done == self.taken

    def close(self) -> None:
        """End all workers."""
        with self.change:
            self.closed = True
            self.change.notify_all()
        for member in self.members:
            member.close()


_ALL_TAKEN = object()


def _feed(source: Iterator[Target], crew: _Crew, results: SimpleQueue[object]) -> None:
    """Hand out targets until there are no more, in a thread: reading them may take its time."""
    try:
        for target in source:
            if crew.closed:
                return
            crew.send(target)
    except BaseException as error:  # noqa: BLE001  it is raised where the reports are read
        results.put(error)
    results.put(_ALL_TAKEN)


def _reports(crew: _Crew, results: SimpleQueue[object]) -> Iterator[Report]:
    while not crew.finished():
        got = results.get()
        if got is _ALL_TAKEN:
            crew.all_taken = True
        elif isinstance(got, BaseException):
            raise got
        else:
            member, report = cast("tuple[_Member, Report]", got)
            yield report
            crew.received(member)


def _family(target: Target) -> str:
    host = target.service.host if target.service else target.name
    return ".".join(host.split(".")[-2:])


def _by(member: _Member, got: Report | Exception) -> object:
    """Say whose report it is; an error is everybody's."""
    return got if isinstance(got, Exception) else (member, got)


class _InThread:
    """A worker that is a thread of this process."""

    def __init__(self, settings: Settings, config: Config | None, results: SimpleQueue[object]) -> None:
        self.under_way = 0
        self._inbox: SimpleQueue[Target | None] = SimpleQueue()

        def work() -> None:
            try:
                asyncio.run(_serve(settings, config, self._inbox.get, lambda got: results.put(_by(self, got))))
            except BaseException as error:  # noqa: BLE001  it is raised where the reports are read
                results.put(error)

        Thread(target=work, daemon=True).start()

    def send(self, target: Target) -> None:
        self._inbox.put(target)

    def close(self) -> None:
        self._inbox.put(None)


class _Process:
    """A worker that is a process: Python reads DNS messages with one core at a time."""

    def __init__(self, settings: Settings, results: SimpleQueue[object]) -> None:
        self.under_way = 0
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work_apart, args=(theirs, settings), daemon=True)
        self._process.start()
        theirs.close()
        self._closed = False
        Thread(target=self._hear, args=(results,), daemon=True).start()

    def send(self, target: Target) -> None:
        with contextlib.suppress(OSError):  # it has died; who hears it says so
            self._pipe.send(target)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._process.terminate()
        self._process.join(GRACE)
        if self._process.is_alive():
            self._process.kill()

    def _hear(self, results: SimpleQueue[object]) -> None:
        try:
            while True:
                got = self._pipe.recv()
                results.put(_by(self, got))
        except Exception as error:
            if not self._closed:
                logging.getLogger("tlsa_manager").info("a worker process cannot be heard", exc_info=error)
                results.put(
                    WorkerError("a worker process ended before its time", "was it killed for want of memory? try --workers 1")
                )


def _work_apart(pipe: Connection, settings: Settings) -> None:
    """Work in a process of its own until the pipe is closed."""
    if not sys.warnoptions:  # of libraries, about strangers' certificates
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent decides
    gc.set_threshold(SELDOM)

    def take() -> Target | None:
        try:
            target: Target | None = pipe.recv()
        except (EOFError, OSError):
            return None
        return target

    try:
        asyncio.run(_serve(settings, None, take, pipe.send))
    except (BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:  # noqa: BLE001  it is raised where the reports are read
        with contextlib.suppress(OSError):
            pipe.send(error)


async def _serve(settings: Settings, config: Config | None, take: Callable[[], Target | None], give: Give) -> None:
    """Diagnose what `take` (which blocks) brings, side by side, until it brings None; what is under way then is given up."""
    loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Target | None]()

    def carry() -> None:
        target = take()
        while target is not None:
            loop.call_soon_threadsafe(inbox.put_nowait, target)
            target = take()
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(inbox.put_nowait, None)

    async with open_eyes(settings) as (dns, tls):
        Thread(target=carry, daemon=True).start()
        tasks: set[asyncio.Task[None]] = set()

        async def one(target: Target) -> None:
            try:
                give(await diagnose_one(target, dns, tls, settings, config))
            except Exception as error:  # noqa: BLE001  a report that cannot be given is told, or all would wait for it
                give(error)

        while (target := await inbox.get()) is not None:
            task = asyncio.create_task(one(target))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        for task in tasks:
            task.cancel()
