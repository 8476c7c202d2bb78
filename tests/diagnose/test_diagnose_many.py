"""Many targets side by side: none is lost, none is done twice, memory is bounded, and whatever goes wrong is told."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.diagnose import many
from tlsa_manager.diagnose.report import Report
from tlsa_manager.diagnose.settings import Settings
from tlsa_manager.errors import ConfigError
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NOBODY = Settings(resolver=("127.0.0.9",), timeout=0.05, at_once=4)


def targets(count: int) -> list[Target]:
    """Name mail domains."""
    return [Target.parse(f"d{number}.example") for number in range(count)]


class Acted:
    """Stands for the diagnosis of one target. Counts who is under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self.failing: dict[str, Exception] = {}

    async def __call__(self, target: Target, *_: object) -> Report:
        """Say that all is well, or fail as told."""
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if target.name in self.failing:
            raise self.failing[target.name]
        return Report(target, Delivery.AUTH, (), (), 0.0)


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Acted:
    """Let the diagnosis be acted, in the thread of this process."""

    @asynccontextmanager
    async def no_eyes(_: Settings) -> AsyncIterator[tuple[None, None]]:
        yield None, None

    actor = Acted()
    monkeypatch.setattr(many, "open_eyes", no_eyes)
    monkeypatch.setattr(many, "diagnose_one", actor)
    return actor


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_each_target_has_one_report(acted: Acted, count: int) -> None:
    """As many reports come as targets went in, and the run ends."""
    wanted = targets(count)
    assert sorted(str(one.target) for one in many.diagnose(wanted, NOBODY)) == sorted(map(str, wanted))
    assert acted.under_way == 0


def test_targets_are_taken_only_as_reports_are_taken_away(acted: Acted) -> None:
    """An endless list does not fill the memory: what is ahead of the reader is bounded."""
    taken = itertools.count()
    ahead: list[int] = []

    def endless() -> Iterator[Target]:
        for number in itertools.count():
            next(taken)
            yield Target.parse(f"d{number}.example")

    run = many.diagnose(endless(), NOBODY)
    for done, _ in enumerate(itertools.islice(run, 200), 1):
        ahead.append(int(repr(taken).strip("count()")) - done)
    run.close()
    assert max(ahead) <= NOBODY.at_once + 1
    assert acted.most <= NOBODY.at_once


def test_closing_it_ends_its_threads(acted: Acted) -> None:
    """Who stops reading in the middle leaves nothing behind that works on."""
    before = threading.active_count()
    run = many.diagnose((Target.parse(f"d{number}.example") for number in itertools.count()), NOBODY)
    next(run)
    run.close()
    for _ in range(500):
        if threading.active_count() <= before:
            break
        threading.Event().wait(0.01)
    assert threading.active_count() <= before


def test_what_the_list_raises_comes_out(acted: Acted) -> None:
    """A list that cannot be read any further ends the run with its own error, after what was read before."""

    def broken() -> Iterator[Target]:
        yield from targets(2)
        raise ConfigError("the list ends here", "mend it")

    with pytest.raises(ConfigError, match="the list ends here"):
        list(many.diagnose(broken(), NOBODY))


def test_what_escapes_a_diagnosis_is_raised_and_not_waited_for(acted: Acted) -> None:
    """A mistake of our own ends the run with its name; nobody waits for a report that never comes."""
    acted.failing["d1.example"] = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError, match="ours"):
        list(many.diagnose(targets(3), NOBODY))


def test_settings_that_cannot_be_used_are_told_by_every_worker() -> None:
    """A trust anchor that does not exist ends the run with a configuration error, also from another process."""
    wrong = Settings(anchor="/nonexistent/root.key")
    for workers in (1, 2):
        with pytest.raises(ConfigError, match="cannot be read"):
            list(many.diagnose(targets(3), wrong, workers=workers))


def test_processes_share_the_work() -> None:
    """Two processes give each report once; without a resolver nothing is known, and that is what they say."""
    wanted = targets(9)
    reports = list(many.diagnose(wanted, NOBODY, workers=2))
    assert sorted(str(one.target) for one in reports) == sorted(map(str, wanted))
    assert {one.outcome for one in reports} == {Delivery.UNKNOWN}


def test_a_worker_that_is_killed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the kernel kills for want of memory ends the run with a sentence, not with a wait for ever."""
    made: list[int] = []
    usual = many._Process.__init__

    def remembered(self: many._Process, *words: object) -> None:
        usual(self, *words)  # type: ignore[arg-type]  handed through
        made.append(self._process.pid or 0)

    monkeypatch.setattr(many._Process, "__init__", remembered)
    run = many.diagnose((Target.parse(f"d{number}.example") for number in itertools.count()), NOBODY, workers=2)
    next(run)
    os.kill(made[0], signal.SIGKILL)
    with pytest.raises(many.WorkerError, match="before its time"):
        list(itertools.islice(run, 10000))
