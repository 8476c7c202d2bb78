"""The journal between processes and threads: leases, plans, and events that may only follow what was known."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sim.memory import Memory

from tlsa_manager.errors import Busy, NotYet, Stale
from tlsa_manager.journal import Journal
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(0.0, "nothing", "", (), None, (0.0, "", 0.0))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state.db")


def other_hand(journal: Journal) -> sqlite3.Connection:
    """Another connection to the same file, as another process would have it."""
    return sqlite3.connect(journal.path, isolation_level=None)


def is_busy(journal: Journal, name: str) -> bool:
    try:
        with journal.lease(name):
            return False
    except Busy:
        return True


def test_a_lease_that_could_not_be_given_back_does_not_lock_us_out(journal: Journal) -> None:
    """The disk was busy or full at the wrong moment: the row names our living process, and yet nobody holds the lease."""
    other = other_hand(journal)
    with journal.lease("one"):
        journal._connection().execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    assert other.execute("SELECT pid FROM leases").fetchall() == [(os.getpid(),)]
    assert not is_busy(journal, "one")
    assert other.execute("SELECT pid FROM leases").fetchall() == []


def test_threads_of_one_process_exclude_each_other(journal: Journal) -> None:
    """Also through two journals on the same file; another name is free."""
    again = Journal(journal.path)
    with ThreadPoolExecutor(1) as pool:
        with journal.lease("one"):
            assert pool.submit(is_busy, journal, "one").result()
            assert pool.submit(is_busy, again, "one").result()
            assert not pool.submit(is_busy, journal, "two").result()
        assert not pool.submit(is_busy, again, "one").result()


def test_only_one_of_many_threads_is_at_work(journal: Journal) -> None:
    """Each waits for its turn; no two are inside at once, however giving back and taking meet."""
    inside, most, done = [0], [0], threading.Semaphore(0)

    def work() -> None:
        turns = 0
        while turns < 20:
            try:
                with journal.lease("one"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    turns += 1
                    inside[0] -= 1
            except Busy:
                continue
        done.release()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for one in threads:
        one.start()
    assert all(done.acquire(timeout=60) for _ in threads)
    assert most == [1]


def test_a_lease_that_was_taken_over_is_not_renewed(journal: Journal) -> None:
    """Another host took us for dead: its lease stays as it is, and we stop working."""
    other = other_hand(journal)
    with journal.lease("one"):
        journal.renew("one")
        other.execute("UPDATE leases SET host = 'elsewhere', until = 5")
        with pytest.raises(Busy, match="took over the work on one"):
            journal.renew("one")
    assert other.execute("SELECT host, until FROM leases").fetchall() == [("elsewhere", 5.0)]
    assert socket.gethostname() != "elsewhere"


def test_a_plan_knows_no_event_that_its_maker_did_not(journal: Journal) -> None:
    """A hook writes between the look and the plan: the plan must not sleep on it."""
    journal.append("one", ev.Released(), 1.0)
    journal.facts("one")
    journal.append("one", ev.Failed("deploy", "why", "what"), 2.0)
    journal.keep_plan("one", PLAN)
    kept = journal.plan("one")
    assert kept is not None
    assert kept.seen == 1 < journal.latest("one")
    journal.facts("one")
    journal.keep_plan("one", PLAN)
    kept = journal.plan("one")
    assert kept is not None
    assert kept.seen == journal.latest("one")


def test_what_another_thread_read_is_not_what_this_one_decided_from(journal: Journal) -> None:
    """`folded` belongs to the thread, so that a status shown beside a run does not make the run believe it knows more."""
    journal.append("one", ev.Released(), 1.0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(journal.facts, "one").result()
        assert pool.submit(journal.folded, "one").result() == 1
    assert journal.folded("one") == 0


def test_an_event_of_a_newer_version_is_read_although_it_says_nothing(journal: Journal) -> None:
    """Else the lineage would be due for ever, and every intent stale."""
    other_hand(journal).execute("INSERT INTO events (at, lineage, kind, body) VALUES (1, 'one', 'Levitated', '{}')")
    journal.facts("one")
    assert journal.folded("one") == journal.latest("one") == 1
    journal.append("one", ev.Released(), 2.0, after=1)
    assert [entry.seq for entry in journal.entries("one")] == [2]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_event_may_be_made_to_follow_what_was_known(kind: str, tmp_path: Path) -> None:
    """What happened since makes it stale: nothing is written, and exit code 75 says that nothing is wrong."""
    journal = Journal(tmp_path / "state.db") if kind == "file" else Memory()
    journal.facts("one")
    journal.append("one", ev.Released(), 1.0, after=journal.folded("one"))
    journal.append("two", ev.Released(), 1.0)
    journal.facts("one")
    journal.append("one", ev.Failed("deploy", "why", "what"), 2.0, after=journal.folded("one"))
    with pytest.raises(Stale, match="something happened to one") as stale:
        journal.append("one", ev.Released(), 3.0, after=journal.folded("one"))
    assert isinstance(stale.value, NotYet)
    assert "deploy" in journal.facts("one").failures


def test_of_many_that_follow_the_same_event_one_is_written(journal: Journal) -> None:
    """Question and answer are one statement."""

    def attempt(number: int) -> bool:
        try:
            journal.append("one", ev.Released(), float(number), after=0)
        except Stale:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(16))) == [False] * 15 + [True]
    assert journal.latest("one") == 1


def test_facts_are_the_same_for_threads_that_read_at_once(journal: Journal) -> None:
    """However reading and writing meet, no event is lost and none counts twice."""
    with ThreadPoolExecutor(4) as pool:
        for number in range(40):
            journal.append("one", ev.Failed("deploy", "why"), float(number))
            pool.submit(journal.facts, "one")
    assert journal.facts("one").failures["deploy"].count == 40
