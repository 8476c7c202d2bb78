"""What `status`, `run` and `config check` say of a lineage that the configuration names no more; and how `run` ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from test_house_commands import NAME, home, staged

from tlsa_manager.journal import Journal
from tlsa_manager.order import Token
from tlsa_manager.rollover import events as ev
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say

__all__ = ["home"]

OWNER = "_25._tcp.old.example.org."
RECORD = Tlsa.parse("3 1 1 " + "ab" * 32)
TOKEN = Token("_acme-challenge.old.example.org.", "example.org.", "A" * 43)


@pytest.fixture
def memory(home: Path) -> Journal:
    """A journal in which a former lineage has a record and a proof."""
    (home / "data").mkdir(mode=0o700)
    journal = Journal(home / "data" / "state.db")
    for event in (ev.Publishing(OWNER, (RECORD,)), ev.Published(OWNER, (RECORD,)), ev.Proving(TOKEN)):
        journal.append("old.example.org", event, time.time())
    return journal


@pytest.mark.parametrize("words", [("status",), ("run", "--json"), ("config", "check")])
def test_what_a_former_lineage_owns_is_told(say: Say, memory: Journal, words: tuple[str, ...]) -> None:
    """Its records and proofs by name, and both ways out: else they would stand for ever."""
    text = say(*words).out
    assert "the configuration names old.example.org no more" in text
    assert str(RECORD) in text
    assert OWNER in text
    assert TOKEN.target in text
    assert "leaving = true" in text
    assert "--adopt-foreign" in text


def test_what_has_gone_or_was_taken_over_is_told_no_more(say: Say, memory: Journal) -> None:
    """The proof was removed, and the record is another lineage's."""
    memory.append("old.example.org", ev.Proved(TOKEN), time.time())
    assert "a TXT record" not in say("status").out
    memory.append(NAME, ev.RecordsAdopted(OWNER, (RECORD,)), time.time())
    assert "no more" not in say("status").out
    assert say("status", "--json").json["abandoned"] == []
    assert say("config", "check", "--json").json["notes"] == []


def test_where_there_is_no_journal_config_check_makes_none(say: Say, home: Path) -> None:
    """It changes nothing."""
    say("config", "check")
    assert not (home / "data").exists()


def test_a_run_that_ends_with_1_says_why(say: Say, home: Path) -> None:
    """While a lineage is held each run does, whether a look is due or not, and never silently."""
    staged(say, home, "www.example.org")
    for _ in range(3):
        ending = say("run")
        assert ending.code == 1
        assert "held" in ending.out
        assert "does not name mx.example.org" in ending.out
    assert say("run", "--quiet").code == 1
    say("rollover", "start", NAME)
    idle = say("run")
    assert (idle.code, idle.out) == (0, "")
