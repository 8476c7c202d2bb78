"""What a command of a consumer says, however much, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from lab.daemon import until

from tlsa_manager.deploy import process
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize("at_terminal", [False, True])


def shell(words: str, timeout: float = 60.0, *, at_terminal: bool = False) -> str:
    """Run a shell."""
    return process.run(("/bin/sh", "-c", words), timeout, at_terminal=at_terminal)


@BOTH
def test_a_flood_fills_no_disk_and_its_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, at_terminal: bool) -> None:
    """A program that says more than there is room for is not stopped by that, and its last words are the ones that count."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(process, "_MAX_OUTPUT", 1 << 20)
    flood = "yes | head -c 30000000"
    assert len(shell(flood)) == 1 << 20
    before = shutil.disk_usage(tmp_path).used
    with pytest.raises(DeployError, match=r"failed with exit code 3: (y \| )+the end$") as caught:
        shell(
            f"{flood}; {flood} >&2; df --output=used -B1 {tmp_path} > {tmp_path}/used; echo the end >&2; exit 3",
            at_terminal=at_terminal,
        )
    assert len(caught.value.message) < 1500
    assert int((tmp_path / "used").read_text().split()[-1]) - before < 20_000_000


@BOTH
def test_what_is_left_behind_neither_keeps_us_waiting_nor_is_hurt(tmp_path: Path, *, at_terminal: bool) -> None:
    """A daemon that goes on talking to the stdout it was given does so without an end by a signal, and without waiting."""
    daemon = (
        f"(until [ -e {tmp_path}/gone ]; do sleep 0.05; done; i=0; while [ $i -lt 3000 ]; do echo {'x' * 100}; i=$((i+1)); done"
    )
    assert shell(f"{daemon}; : > {tmp_path}/alive) 2>/dev/null & echo begun", at_terminal=at_terminal) == "begun\n"
    (tmp_path / "gone").touch()
    until((tmp_path / "alive").exists, "it has said it all")


@BOTH
def test_a_flood_that_is_left_behind_does_not_keep_us_waiting(tmp_path: Path, *, at_terminal: bool) -> None:
    """Nor one that never ends."""
    out = ">&2" if at_terminal else ""
    shell(f"yes {out} & echo $! > {tmp_path}/pid", at_terminal=at_terminal)
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_dev_stderr_can_be_opened() -> None:
    """As scripts do."""
    with pytest.raises(DeployError, match="exit code 1: one \\| two"):
        shell("echo one > /dev/stderr; echo two > /dev/stderr; exit 1")
    assert shell("echo one > /dev/stdout; echo two") == "one\ntwo\n"


_ASKS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tlsa_manager.deploy import open_consumer
one = open_consumer("mx", "command", {"file": "/x/mx.pem", "check": ["/bin/sh", "-c", sys.argv[1]], "reload": ["/bin/true"]})
if sys.argv[2] == "main":
    one.check()
with ThreadPoolExecutor(2) as pool:
    pool.submit(one.check).result()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("where", ["main", "thread"])
def test_whoever_ends_us_ends_what_we_have_started(where: str, number: int, tmp_path: Path) -> None:
    """A command that waits for ever, with a child of its own, is gone with us; and we end by that signal."""
    command = f"sleep 600 & echo $$ $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pids; wait"
    with subprocess.Popen([sys.executable, "-c", _ASKS, command, where]) as ours:
        until((tmp_path / "pids").exists, "it waits")
        ours.send_signal(number)
        assert ours.wait(60) == -number
    pids = (tmp_path / "pids").read_text().split()
    until(lambda: not any(is_there(pid) for pid in pids), "nobody is left")


def is_there(pid: str) -> bool:
    """Whether a process is there that has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
