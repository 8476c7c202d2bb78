"""Start a server in the foreground as our child, wait until it answers, stop it by its own process id."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Daemon:
    """One server process with its log file."""

    def __init__(self, argv: list[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.argv, self.log, self.env = argv, log, env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it dies with the test process even if that is killed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end, and insist after ten seconds."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Leave it running without answering: clients time out."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._running().send_signal(signal.SIGCONT)

    def is_alive(self) -> bool:
        """Tell whether it is running, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def number(self) -> int:
        """Its process id."""
        return self._running().pid

    def wait_until(self, ready: Callable[[], bool], *, timeout: float = 20.0) -> None:
        """Wait for the first answer; tell with the log's end when it ended or never answered."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.is_alive() or time.monotonic() > deadline:
                raise AssertionError(f"{' '.join(self.argv)} is not ready; the end of its log:\n{self.log_end()}")
            time.sleep(0.01)

    def log_end(self) -> str:
        """Return the last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.argv[0]} is not running"
        return self._process


def run(*argv: str, text: str | None = None, cwd: Path | None = None) -> str:
    """Run a tool to its end and return what it printed; a failure shows everything it said."""
    done = subprocess.run(argv, input=text or "", capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def until(ready: Callable[[], bool], what: str, *, timeout: float = 20.0, every: float = 0.02) -> None:
    """Wait for something in the lab to become true, or fail with its name."""
    deadline = time.monotonic() + timeout
    while not ready():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(every)
