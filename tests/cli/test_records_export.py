"""`records export` and owners that are aliases, without a network: what they print, and when nothing."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from pki import pair

from tlsa_manager.export import FORMATS
from tlsa_manager.journal import Journal
from tlsa_manager.keys import load_pair
from tlsa_manager.lineage import Generation
from tlsa_manager.rollover import events as ev
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Tlsa

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say

    from tlsa_manager.rollover.events import Event

NAME, HOST = "export", "mx.example.org"
OWNERS = ("_25._tcp.mx.example.org.", "_465._tcp.mx.example.org.")
TARGET = "_dane.example.net."
FOREIGN = Tlsa.parse("2 1 1 " + "f" * 64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Write a configuration with a lineage that is called like the command."""
    (tmp_path / "config.toml").write_text(f"""
        [defaults]
        directory = "data"
        resolver = ["127.0.0.1#1"]
        [dns.hand]
        backend = "manual"
        [consumer.mail]
        type = "command"
        file = "{tmp_path}/mx.pem"
        reload = ["/bin/true"]
        [lineage.{NAME}]
        services = [{{ at = "{HOST}:25", connect = ["127.0.0.1:1"] }}, {{ at = "{HOST}:465", connect = ["127.0.0.1:1"] }}]
        dns = "hand"
        consumers = ["mail"]
    """)
    return tmp_path


def remember(home: Path, *events: Event) -> None:
    journal = Journal(home / "data/state.db")
    for event in events:
        journal.append(NAME, event, time.time())


def seen(owner: str, *records: Tlsa, target: str = "", complete: bool = True, via: tuple[str, ...] = ()) -> ev.Seen:
    zone = "example.net." if target else "example.org."
    return ev.Seen(owner, target or owner, time.time(), (ev.ServedSet(records, 600),), complete, zone=zone, via=via)


@pytest.fixture
def record(home: Path) -> Tlsa:
    """Have a certificate in service, its record published by hand at both owners; returned is the record."""
    chain, key = pair(HOST)
    one = Generation("g0", load_pair(chain, key).chain, names=(HOST,))
    (record,) = one.records((DANE_EE_SPKI_SHA256,))
    remember(home, ev.Adopted(one), *(seen(owner, record, FOREIGN) for owner in OWNERS))
    return record


def test_the_command_and_the_lineage_of_its_name(say: Say, home: Path, record: Tlsa) -> None:
    """First and bare it is the command, wherever global options stand; after -- or another option it is the lineage."""
    for words in (("--", NAME), ("--format", "table", NAME), ("--json", "--", NAME), ()):
        ending = say("records", *words)
        assert ending.code == 0
        assert "wanted, published by somebody else" in ending.out or len(ending.json["targets"]) == 2
    for words in (
        ("export", "--no-look"),
        ("-q", "export", "--no-look"),
        ("--config", home / "config.toml", "export", "--no-look"),
    ):
        assert f"{OWNERS[0]} 600 IN TLSA {record}" in say("records", *words).out.splitlines()
    assert say("records", "--json", "export", "--no-look", NAME).json["names"]
    assert "tlsa-manager records [OPTIONS] [NAME]..." in say("records", "--help").out
    assert "tlsa-manager records export [OPTIONS]" in say("records", "export", "--help").out
    unknown = say("records", "exprot")
    assert unknown.code == 2
    assert "did you mean 'export'" in unknown.err


def test_every_format(say: Say, record: Tlsa) -> None:
    """The same records in each, foreign ones too, but where only what is ours is changed."""
    for form in ("zone", "octodns", "dnscontrol", "terraform"):
        text = say("records", "export", "--no-look", "--format", form).out
        assert text.count(record.data) >= 2, form
        assert text.count(FOREIGN.data) >= 2, form
    assert say("records", "export", "--no-look", "--format", "nsupdate").out.splitlines()[1:] == [], "none of it is ours"
    told = say("records", "export", "--no-look", "--json").json
    assert [one["name"] for one in told["names"]] == list(OWNERS)
    assert told["names"][0]["records"] == sorted(map(str, (record, FOREIGN)))
    assert (told["names"][0]["zone"], told["names"][0]["ttl"]) == ("example.org.", 600)
    assert told["text"] == say("records", "export", "--no-look").out


def test_unknown_prints_nothing(say: Say, home: Path, record: Tlsa) -> None:
    """Exit 75 and the reason; a text without the name would remove its records. JSON tells what is known."""
    remember(home, seen(OWNERS[1], record, complete=False))
    ending = say("records", "export", "--no-look")
    assert (ending.code, ending.out) == (75, "")
    assert f"it is not known which records stand at {OWNERS[1]}" in ending.err
    assert "try again" in ending.err
    told = json.loads(say("records", "export", "--no-look", "--json").out)
    assert told["text"] == ""
    assert [bool(one["problem"]) for one in told["names"]] == [False, True]
    assert told["names"][1]["records"] is None
    looked = say("records", "export")
    assert (looked.code, looked.out) == (75, ""), "nobody can be asked here"


def test_a_file_is_written_whole_or_stays(say: Say, home: Path, record: Tlsa) -> None:
    """In one step, only if all is known, and not at all where nothing changes."""
    file = home / "tlsa.zone"
    assert say("records", "export", "--no-look", "--output", file).out == f"{file} is written\n"
    text = file.read_text()
    assert f"{OWNERS[0]} 600 IN TLSA {record}\n" in text
    number = file.stat().st_ino
    assert say("records", "export", "--no-look", "--output", file).out == f"{file} is as it should be\n"
    assert file.stat().st_ino == number
    remember(home, seen(OWNERS[1], complete=False))
    assert say("records", "export", "--no-look", "--output", file).code == 75
    assert file.read_text() == text
    remember(home, seen(OWNERS[1], record))
    ending = say("records", "export", "--no-look", "--output", home / "none" / "file")
    assert (ending.code, ending.out) == (1, "")
    assert "cannot be written" in ending.err


def test_a_file_stays_whose_it_is(say: Say, home: Path, record: Tlsa) -> None:
    """Its mode stays; what is no file is neither read nor replaced, and nobody waits for it."""
    file, link, pipe = home / "tlsa.zone", home / "link", home / "pipe"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    os.mkfifo(pipe)
    for other in (link, pipe, "/dev/null", "/dev/stdout"):
        ending = say("records", "export", "--no-look", "--output", other)
        assert (ending.code, ending.out) == (1, ""), other
        assert "is no file of its own" in ending.err
    assert (link.is_symlink(), pipe.is_fifo(), file.read_text()) == (True, True, "old")
    say("records", "export", "--no-look", "--output", file)
    assert str(record) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", FORMATS)
def test_a_zone_without_names(say: Say, home: Path, form: str) -> None:
    """A slip of the pen is no empty zone: an empty text would have all records removed."""
    file = home / "tlsa.zone"
    ending = say("records", "export", "--no-look", "--format", form, "--zone", "exmaple.org", "--output", file)
    assert (ending.code, ending.out) == (1, "")
    assert "exmaple.org" in ending.err
    assert not file.exists()


def test_only_one_zone(say: Say, home: Path, record: Tlsa) -> None:
    """OctoDNS has a file a zone: names in two are refused, one is chosen by its name."""
    remember(home, seen(OWNERS[1], record, target=TARGET))
    assert "--zone example.net." in say("records", "export", "--no-look", "--format", "octodns").err
    text = say("records", "export", "--no-look", "--format", "octodns", "--zone", "example.net").out
    assert '"_dane":' in text
    assert "_25._tcp" not in text.replace(f"# {OWNERS[1]}", "")


def test_what_is_not_asked_for_yet_is_told_on_stderr(say: Say, home: Path) -> None:
    """A certificate was handed over and no run has looked at it yet: its record is not exported."""
    chain, key = pair(HOST)
    one = Generation("g1", load_pair(chain, key).chain, names=(HOST,))
    remember(home, *(seen(owner) for owner in OWNERS), ev.Staged(one))
    ending = say("records", "export", "--no-look")
    assert ending.code == 0
    assert "TLSA" not in ending.out
    assert "not exported yet" in ending.err


def test_aliases_are_shown_where_records_are(say: Say, home: Path, record: Tlsa) -> None:
    """`records`, `status`, `rollover plan`, `history`: the way of each owner; one target with both owners."""
    for owner in OWNERS:
        remember(home, seen(owner, record, target=TARGET, via=("_tlsa.example.com.",)))
    lines = [f"{owner} -> _tlsa.example.com. -> {TARGET}: an alias; its records are written at {TARGET}" for owner in OWNERS]
    for words in (("records", "--", NAME), ("status",), ("rollover", "plan", NAME)):
        out = say(*words).out
        assert all(f"  {line}\n" in out for line in lines), words
    assert f"saw at {OWNERS[0]} -> _tlsa.example.com. -> {TARGET}:" in say("history").out
    (target,) = say("records", "--format", "json").json["targets"]
    assert (target["name"], target["owners"]) == (TARGET, list(OWNERS))
    assert target["aliases"] == {owner: ["_tlsa.example.com.", TARGET] for owner in OWNERS}
    (target,) = say("status", "--json").json["lineages"][0]["targets"]
    assert (target["name"], target["owners"], target["zone"]) == (TARGET, list(OWNERS), "example.net.")
    assert say("rollover", "plan", NAME, "--json").json["targets"] == [target]
    assert f"; {OWNERS[0]} is an alias for it" in say("records", "export", "--no-look").out


def test_completion_knows_both(say: Say, home: Path) -> None:
    """Lineages and options without the command, its own options behind it."""
    cases = {"records e": NAME, "records --lo": "--look", "records export --format te": "terraform", "records export e": NAME}
    for words, wanted in cases.items():
        line = f"tlsa-manager {words}"
        asked = say(_TLSA_MANAGER_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1))
        assert f"plain,{wanted}" in asked.out.splitlines(), words
