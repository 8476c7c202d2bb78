"""`status`, `run`, `history`, `records`, `rollover` without a network: what they say, and how they end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pki import pair

from tlsa_manager.cli.run import one_pass
from tlsa_manager.cli.voice import Voice
from tlsa_manager.journal import Journal
from tlsa_manager.rollover import events as ev
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.wiring import House

if TYPE_CHECKING:
    from pathlib import Path

    from program import Ending, Say

    from tlsa_manager.errors import TlsaManagerError

NAME = "mx.example.org"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Write a configuration whose resolver and services cannot be reached."""
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
        [lineage."{NAME}"]
        services = [{{ at = "{NAME}:25", connect = ["127.0.0.1:1"] }}]
        dns = "hand"
        consumers = ["mail"]
    """)
    return tmp_path


def staged(say: Say, home: Path, *hosts: str, kind: str = "ECDSA") -> Ending:
    """Hand a certificate over."""
    chain, key = pair(*(hosts or (NAME,)), kind=kind)
    (home / "chain.pem").write_bytes(chain)
    (home / "key.pem").write_bytes(key)
    return say("hook", "files", "--lineage", NAME, "--certificate", home / "chain.pem", "--key", home / "key.pem")


def test_what_a_run_tries_again_is_told_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step that is tried four times within one run has one line."""

    def run(house: House, names: list[str], *, anyway: bool) -> dict[str, TlsaManagerError]:
        assert anyway
        for text in ("the former certificate is put back", "the former certificate is put back", "it is there"):
            house.watch(names[0], text)
        return {}

    monkeypatch.setattr(House, "run", run)
    assert one_pass(Voice(config_file=home / "config.toml"), (NAME,)) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME}: the former certificate is put back",
        f"{NAME}: it is there",
        f"{NAME}: not looked at yet",
    ]


def test_before_anything_has_happened(say: Say, home: Path) -> None:
    """Nothing is known, and every command says so without fault."""
    assert home.exists()
    assert say("status").out.startswith(f"{NAME}: not looked at yet\n")
    assert say("history").out == "nothing has happened yet\n"
    assert say("records").out == f"_25._tcp.{NAME}. ({NAME}; nobody could tell what is there)\n"
    assert say("records", "--format", "nsupdate").out == "send\n"
    for words in (("abort",), ("back",), ("start",)):
        ending = say("rollover", *words, NAME)
        assert (ending.code, ending.out) == (1, "")
        assert "tlsa-manager: hint: " in ending.err


def test_a_name_that_is_not_configured(say: Say, home: Path) -> None:
    """Exit 2 with the nearest name, in every command that takes one."""
    assert home.exists()
    for words in (
        ["status"],
        ["run"],
        ["history"],
        ["records"],
        *(["rollover", one] for one in ("start", "abort", "back", "plan")),
    ):
        ending = say(*words, "mx.exampel.org")
        assert (ending.code, ending.out) == (2, ""), words
        assert "did you mean 'mx.example.org'" in ending.err


def test_a_run_without_a_network_changes_nothing(say: Say, home: Path) -> None:
    """It waits, says for what, and the next run has nothing to do."""
    assert staged(say, home).code == 0
    assert say("run").code == 0
    status = say("status", "--json").json["lineages"][0]
    assert status["phase"] == "publishing"
    assert "127.0.0.1" in status["why"]
    assert status["blockers"]
    assert status["wake_at"]
    assert status["next"]["kind"] == "ECDSA"
    idle = say("run")
    assert (idle.code, idle.out, idle.err) == (0, "", "")
    assert not (home / "mx.pem").exists()
    assert "cannot be asked" in say("status").out


def test_the_journal_is_told_in_sentences(say: Say, home: Path) -> None:
    """Oldest first; JSON with all details; the latest alone on demand."""
    staged(say, home)
    say("run")
    lines = say("history").out.splitlines()
    assert "took over" in lines[0]
    events = say("history", "--json").json["events"]
    assert events[0]["event"] == "Staged"
    assert events[0]["details"]["generation"]["origin"] == "files"
    assert len(events) == len(lines)
    assert say("history", "-n", "1").out.splitlines() == lines[-1:]
    assert "PRIVATE" not in say("history", "--json").out


def test_records_in_all_forms(say: Say, home: Path) -> None:
    """Table, zone text, nsupdate, JSON: one record, the same in each."""
    staged(say, home)
    record = say("-q", "digest", home / "chain.pem").out.strip()
    assert f"  {record}  wanted" in say("records").out
    assert say("records", "--format", "zone").out == f"_25._tcp.{NAME}. 3600 IN TLSA {record}\n"
    assert say("records", "--format", "nsupdate").out == f"update add _25._tcp.{NAME}. 3600 TLSA {record}\nsend\n"
    (target,) = say("records", "--format", "json").json["targets"]
    assert target["wanted"] == target["missing"] == [record]
    assert target["published"] is None
    refused = say("records", "--adopt-foreign", "3 1 1 " + "00" * 32, NAME)
    assert refused.code == 1
    assert "nothing was adopted" in refused.err


def test_a_doubtful_certificate_is_held_until_somebody_insists(say: Say, home: Path) -> None:
    """It does not name the host: kept, held, said; `status` ends with 1; `rollover start` goes on."""
    ending = staged(say, home, "www.example.org")
    assert ending.code == 0
    assert "held: the certificate does not name mx.example.org" in ending.out
    status = say("status")
    assert status.code == 1
    assert "held: the certificate does not name mx.example.org" in status.out
    assert "to do: if that is intended: tlsa-manager rollover start mx.example.org" in status.out
    assert say("rollover", "start", NAME).code == 0
    assert say("status").code == 0


def test_start_with_files_insists(say: Say, home: Path) -> None:
    """The operator's own certificate is not doubted; both files are needed."""
    chain, key = pair("www.example.org", kind="RSA")
    (home / "chain.pem").write_bytes(chain)
    (home / "key.pem").write_bytes(key)
    assert say("rollover", "start", NAME, "--certificate", home / "chain.pem").code == 2
    ending = say("rollover", "start", NAME, "--certificate", home / "chain.pem", "--key", home / "key.pem", "--json")
    assert ending.code == 0
    assert ending.json["lineage"]["hold"] is None
    assert ending.json["lineage"]["next"]["kind"] == "RSA"


def test_start_with_a_new_key_makes_one(say: Say, home: Path) -> None:
    """A key and a certificate signed by itself, staged like any other; not together with files."""
    assert say("rollover", "start", NAME, "--new-key", "--certificate", home / "c", "--key", home / "k").code == 2
    say("rollover", "start", NAME, "--new-key")
    events = say("history", "--json").json["events"]
    made = [one["details"]["generation"] for one in events if one["event"] == "Staged"]
    assert [one["origin"] for one in made] == ["new key"]
    assert made[0]["names"] == [NAME]


def test_abort_gives_it_up(say: Say, home: Path) -> None:
    """Nothing is on its way afterwards; the files are kept."""
    staged(say, home)
    assert say("rollover", "abort", NAME).code == 0
    assert say("status", "--json").json["lineages"][0]["next"] is None
    assert list((home / "data").glob("lineages/*/*/combined.pem"))


def test_plan_tells_a_timeline(say: Say, home: Path) -> None:
    """As lines and as JSON; it changes nothing."""
    staged(say, home)
    before = say("history").out
    ending = say("rollover", "plan", NAME)
    assert ending.code == 0
    assert ending.out.startswith(f"{NAME}: if nothing goes wrong:\n")
    assert say("rollover", "plan", NAME, "--json").json["turns"]
    assert say("history").out == before


def test_watch_goes_on_until_it_is_interrupted(say: Say, home: Path) -> None:
    """It says where things stand, reads a configuration that was changed, and ends with 130 on Ctrl-C."""
    staged(say, home)
    argv = [sys.executable, "-m", "tlsa_manager", "--config", str(home / "config.toml"), "run", "--watch", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert '"phase": "publishing"' in process.stdout.readline()
        file = home / "config.toml"
        file.write_text(file.read_text() + "\n[oops]\n")
        assert process.stderr is not None
        assert "oops: unknown key" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_journal_that_cannot_be_read(say: Say, home: Path) -> None:
    """Garbage in its place: an error with a hint, in every command, and nothing is changed."""
    (home / "data").mkdir()
    (home / "data/state.db").write_bytes(b"this is no database" * 100)
    for words in (["status"], ["run"], ["history"], ["records"], ["rollover", "plan", NAME]):
        ending = say(*words)
        assert ending.code == 1, words
        assert "tlsa-manager: hint: " in ending.err
        assert "Traceback" not in ending.err


def test_what_is_foreign_is_named_where_nothing_can_be_adopted(say: Say, home: Path) -> None:
    """With the words that hand it over."""
    owner, record = f"_25._tcp.{NAME}.", Tlsa.parse("3 1 1 " + "cd" * 32)
    (home / "data").mkdir(mode=0o700)
    seen = ev.Seen(owner, owner, time.time(), (ev.ServedSet((record,), 3600),), complete=True)
    Journal(home / "data" / "state.db").append(NAME, seen, time.time())
    ending = say("records", "--adopt", NAME)
    assert f'tlsa-manager records {NAME} --adopt-foreign "{record}"' in ending.err
