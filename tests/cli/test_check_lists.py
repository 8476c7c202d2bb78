"""Lists: read as they come, each target once, nothing lost whatever interrupts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from acted import act, argv, environment, report
from hypothesis import given
from hypothesis import strategies as st

from tlsa_manager.cli.check.former import resumed
from tlsa_manager.cli.check.result import of_report
from tlsa_manager.cli.check.targets import MOST_ASIDE, Met, Work, first_column
from tlsa_manager.target import Target

if TYPE_CHECKING:
    from pathlib import Path


def targets(text: str) -> list[str]:
    """Return the targets of JSON lines."""
    return [json.loads(line)["target"] for line in text.splitlines()]


def test_a_list_may_be_a_table_with_comments() -> None:
    """First column, quotes and byte order mark gone; comments and blank lines mean nothing; each target once."""
    text = '\ufeffgood1.org\n# a comment\n\n"good2.org",17,x\ngood1.org.\nGOOD2.org ; again\n  good3.org:25\tx\nuser@good4.org\n'
    ending = act("check", "good0.org", "--list", "-", "--format", "jsonl", stdin=text.encode())
    assert (ending.code, ending.err) == (0, "")
    assert targets(ending.out) == ["good0.org", "good1.org", "good2.org", "good3.org:25", "good4.org"]


@pytest.mark.parametrize("bad", [b"nonsense", b"good.org:0", b"a..b.org", b"\xff\xfe.org", b"x" * 9000, b"\x1b]0;x\x07.org"])
def test_a_line_that_names_no_target_stops_nothing(bad: bytes) -> None:
    """It is told as unknown, with its number; the others are checked."""
    ending = act("check", "--list", "-", "--format", "jsonl", stdin=b"good1.org\n" + bad + b"\ngood2.org\n")
    assert ending.code == 3
    found = [json.loads(line) for line in ending.out.splitlines()]
    assert {one["target"] for one in found if one["outcome"] == "auth"} == {"good1.org", "good2.org"}
    wrong = [one for one in found if one["outcome"] == "unknown"]
    assert wrong
    assert all("of the list" in one["why"] for one in wrong)
    assert "\x1b" not in act("check", "--list", "-", stdin=bad).out


@given(st.binary(max_size=200))
def test_any_line_has_a_first_column_or_none(line: bytes) -> None:
    """Whatever the bytes: no exception, and never a part that a table would split again."""
    assert not set(first_column(line)) & set(" ,;\t\n")


def test_a_list_is_told_line_by_line() -> None:
    """Status, target, outcome, codes; with -v the findings; a summary at the end."""
    text = b"good.org\nbad.org\n"
    lines = act("check", "--list", "-", stdin=text).out.splitlines()
    assert lines[0] == "ok        good.org  auth"
    assert lines[1].startswith("critical  bad.org  defer  F-STALE; no TLSA record matches")
    assert lines[2] == "2 targets: 1 critical, 1 ok"
    assert "to do: publish" in act("check", "-v", "--list", "-", stdin=text).out
    nothing = act("check", "--list", "-", stdin=b"# nothing\n")
    assert (nothing.code, nothing.out) == (3, "there was nothing to check\n")


@pytest.mark.parametrize("file", ["-", "fifo"])
@pytest.mark.parametrize("stop", [True, False])
def test_a_pipe_that_says_nothing_more_keeps_nobody(file: str, stop: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """The list comes from elsewhere and does not end: an interrupt, and an error, end the run all the same."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(type=socket.SOCK_DGRAM) as resolver:  # one that says nothing
        resolver.bind(("127.0.0.1", 0))
        options = ["--resolver", f"127.0.0.1#{resolver.getsockname()[1]}", "--timeout", "60" if stop else "0.2", "--workers", "1"]
        words = [sys.executable, "-m", "tlsa_manager", "check", "--list", file, *options]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            with process.stdin if file == "-" else (tmp_path / "fifo").open("wb") as pipe:
                pipe.write(b"good.org\n")
                pipe.flush()
                resolver.recv(4096)
                if stop:
                    process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == (130 if stop else 3)
            err = process.stderr.read()
    assert b"Fatal" not in err
    assert b"interrupted" in err if stop else b"no resolver answers" in err


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_an_interrupt_loses_nothing(form: str, tmp_path: Path) -> None:
    """What is done is told and can be read, JSON too; exit code 130; how to go on is said."""
    (tmp_path / "list").write_text("good1.org\nbad2.org\nhalt.org\n")
    words = argv("check", "--list", tmp_path / "list", "--format", form, "--output", tmp_path / "out")
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment(), text=True) as process:
        while not ((tmp_path / "out").exists() and "bad2.org" in (tmp_path / "out").read_text()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted after 2 targets; with --resume FILE a run can be continued" in err
    out = (tmp_path / "out").read_text()
    assert "bad2.org" in out
    if form == "json":
        assert [one["target"] for one in json.loads(out)["targets"]] == ["good1.org", "bad2.org"]


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """After kill -9, and with half a line at the end, the next run looks at what is missing; the answer has all, each once."""
    names = [f"slow-{kind}{number}.org" for number in range(20) for kind in ("good", "bad")]
    (tmp_path / "list").write_text("\n".join(names))
    words = ("check", "--list", tmp_path / "list", "--resume", tmp_path / "results", "--format", "jsonl")
    with subprocess.Popen(argv(*words), stdout=subprocess.DEVNULL, env=environment()) as process:
        while not (tmp_path / "results").exists() or (tmp_path / "results").read_bytes().count(b"\n") < 3:
            assert process.poll() is None
        process.kill()
    kept = (tmp_path / "results").read_text()
    done = targets("\n".join(kept.split("\n")[:-1]))
    assert 3 <= len(done) < len(names)
    with (tmp_path / "results").open("a") as stream:
        stream.write('{"schema": 1, "target": "slow-go' if kept.endswith("\n") else "")
    ending = act(*words)
    assert ending.code == 2
    assert sorted(targets(ending.out)) == sorted(names)
    everything = (tmp_path / "results").read_text()
    assert everything.startswith(kept[: kept.rindex("\n") + 1])
    assert sorted(targets(everything)) == sorted(names)
    again = act("check", "--list", tmp_path / "list", "--resume", tmp_path / "results")
    assert again.out.endswith("40 targets: 20 critical, 20 ok\n")
    assert (tmp_path / "results").read_text() == everything


def test_a_former_run_counts_as_if_it_were_this_one(tmp_path: Path) -> None:
    """Every format makes the same of it; nothing is looked at."""
    (tmp_path / "list").write_text("good.org\nweak.org\n")
    assert act("check", "--list", tmp_path / "list", "--resume", tmp_path / "results").code == 1
    finished = (tmp_path / "results").read_text().replace("good.org", "halt-good.org").replace("weak.org", "halt-weak.org")
    (tmp_path / "results").write_text(finished)
    (tmp_path / "list").write_text("halt-good.org\nhalt-weak.org\n")
    for form in ("text", "json", "jsonl", "nagios", "prometheus"):
        ending = act("check", "--list", tmp_path / "list", "--resume", tmp_path / "results", "--format", form)
        assert (ending.code, ending.err) == (1, ""), form
        assert "F-TTLLONG" in ending.out, form


def test_what_could_not_be_seen_is_looked_at_again(tmp_path: Path) -> None:
    """Unknown is no result to rest on: the next run asks again, and what it finds out then is the result."""
    kept = tmp_path / "results"
    words = ("check", "good.org", "dark.org", "--resume", kept, "--format", "jsonl")
    assert act(*words).code == 3
    first = kept.read_text()
    assert sorted(targets(first)) == ["dark.org", "good.org"]
    with resumed(kept) as former:
        assert former is not None
        former.keep(of_report(report(Target.parse("dark.org"))))  # unknown again
    assert kept.read_text() == first
    kept.write_text(first.replace("good.org", "dark.org"))
    told = [json.loads(line) for line in act("check", "dark.org", "--resume", kept, "--format", "jsonl").out.splitlines()]
    assert [(one["target"], one["outcome"]) for one in told] == [("dark.org", "auth")]  # the later line, which knows
    kept.write_text(first.replace("dark.org", "good9.org"))
    assert act("check", "good9.org", "--resume", kept).code == 0
    assert [json.loads(line)["outcome"] for line in kept.read_text().splitlines() if "good9" in line] == ["unknown", "auth"]


@pytest.mark.parametrize("head", [b"", b"good0.org\n"])
def test_mistakes_are_told_as_they_come(head: bytes) -> None:
    """A pipe with nothing but mistakes: they are on the way out long before it ends, and none is kept for ever."""
    words = argv("check", "--list", "-", "--format", "jsonl")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        too_late = threading.Timer(50, process.kill)
        too_late.start()
        process.stdin.write(head + b"nonsense\n" * (2 * MOST_ASIDE + 10))
        process.stdin.flush()
        told = [process.stdout.readline() for _ in range(2 * MOST_ASIDE)]
        process.stdin.write(b"good1.org\n")
        process.stdin.close()
        told += process.stdout.readlines()
        too_late.cancel()
        assert process.wait(timeout=60) == 3
    found = [json.loads(line)["target"] for line in told]
    assert found.count("nonsense") == 2 * MOST_ASIDE + 10
    assert [one for one in found if one != "nonsense"] == ([head.decode().strip()] if head else []) + ["good1.org"]


def test_what_is_put_aside_is_bounded() -> None:
    """While reports are awaited no more than a thousand mistakes are kept; the rest of the list waits, and nothing is lost."""
    lines = [b"good1.org\n", *[b"nonsense\n"] * (3 * MOST_ASIDE), b"good2.org\n"]
    read: list[bytes] = []
    work = Work((), (read.append(line) or line for line in lines))  # type: ignore[func-returns-value]
    run = work.next_target()
    with pytest.raises(StopIteration) as first:
        next(run)
    assert [one.name for one in work.some(first.value.value)] == ["good1.org"]
    assert len(read) == 1 + MOST_ASIDE
    run = work.next_target()
    with contextlib.suppress(StopIteration):
        told = 0
        while True:
            next(run)
            told += 1
    assert told == 3 * MOST_ASIDE


def test_what_was_met_is_remembered_for_long_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest targets are known again, and the memory for them has an end."""
    monkeypatch.setattr("tlsa_manager.cli.check.targets.REMEMBERED", 100)
    met = Met()
    keys = [("domain", f"{number}.org") for number in range(1000)]
    for place, key in enumerate(keys):
        assert not met.again(key)
        assert all(met.again(one) for one in keys[max(0, place - 99) : place + 1])
    assert not met.again(keys[0])


@pytest.mark.parametrize(
    "content", [b"root:x:0:0\n", b'{"schema": 1}\n', b"\0" * 100, b"no end of line", b'{"schema": 1, "target": "a.org"}\nx\n']
)
def test_a_strangers_file_is_not_touched(content: bytes, tmp_path: Path) -> None:
    """What is no file of results is refused, and not a byte of it changes."""
    (tmp_path / "file").write_bytes(content)
    ending = act("check", "good.org", "--resume", tmp_path / "file")
    assert (ending.code, ending.out) == (3, "")
    assert "is no result of tlsa-manager check" in ending.err
    assert (tmp_path / "file").read_bytes() == content


def test_two_runs_do_not_mingle_their_lines(tmp_path: Path) -> None:
    """A file that a run writes to is not another run's."""
    words = argv("check", "good.org", "halt.org", "--resume", tmp_path / "file")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()) as process:
        while not (tmp_path / "file").exists() or not (tmp_path / "file").read_bytes():
            assert process.poll() is None
        ending = act("check", "good.org", "--resume", tmp_path / "file")
        process.kill()
    assert ending.code == 3
    assert "another run is writing to" in ending.err
