"""How the process ends: quickly, and not before its work is done."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AT_WORK = """
import atexit, sys, threading, time
from tlsa_manager import __main__ as program

def write():
    time.sleep(0.3)
    open(sys.argv[1], "a").write("thread ")

def main():
    atexit.register(lambda: open(sys.argv[1], "a").write("exit"))
    if sys.argv[2] == "thread":
        threading.Thread(target=write).start()
    sys.stdout.write("told")
    return 3

program.main = main
program.door()
"""


def test_the_door_waits_for_threads_and_does_what_is_to_be_done_at_the_end(tmp_path: Path) -> None:
    """What was registered for the end is done, what was said is out, a thread that is not a daemon is waited for."""
    for kind, expected in (("thread", "thread exit"), ("none", "exit")):
        file = tmp_path / kind
        ended = subprocess.run([sys.executable, "-c", _AT_WORK, str(file), kind], capture_output=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"told", b"")
        assert file.read_text() == expected
