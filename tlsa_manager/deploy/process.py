"""Run a program of the consumer: bounded in time and output, without a shell, and never with our own environment."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tlsa_manager.deploy.terminal import Terminal
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_BYTES = 4096
_TAIL_LINES = 5
_MAX_OUTPUT = 64 << 20  # bytes; read only on success, where postconf may say a lot
_MAX_SECRET = 4 << 20  # bytes; what is kept in memory


def run(
    argv: Sequence[str],
    timeout: float,
    environment: Mapping[str, str] | None = None,
    *,
    at_terminal: bool = False,
    is_secret: bool = False,
) -> str:
    """Run a program and return what it wrote to stdout. `timeout` in seconds, then its whole process group is killed.

    It gets no stdin and only PATH, LC_ALL and what `environment` says. Output goes to files, not pipes, so that a daemon
    which it leaves behind cannot keep us waiting. `at_terminal` is for programs that tell their errors only to a terminal,
    `is_secret` for those whose stdout has passwords: that is kept in memory, of a limited size. Raises DeployError with the exit
    code and the last lines it wrote, of secret ones those to stderr.
    """
    said = {"PATH": PATH, "LC_ALL": "C", **(environment or {})}
    with _in_memory() if is_secret else tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with _stderr(errors, at_terminal=at_terminal) as stderr:
            ending = _run(argv, timeout, said, output, stderr)
        if ending:
            told = _tail(errors) or (_UNTOLD if is_secret else _tail(output))
            raise DeployError(f"{_shown(argv)} {ending}{told}", _HINT)
        output.seek(0)
        return output.read(_MAX_OUTPUT).rstrip(b"\0").decode("utf-8", "replace")


_UNTOLD = " (its output may have passwords and is not shown)"
_HINT = "run it by hand to see all it says; the mail log may say more"


@contextmanager
def _stderr(errors: IO[bytes], *, at_terminal: bool) -> Iterator[IO[bytes] | int]:
    """Give the file itself, or a terminal that is copied to it where there is one to be had."""
    if not at_terminal:
        yield errors
        return
    try:
        terminal = Terminal(errors)
    except OSError:  # no /dev/pts here: then it says what it says to files
        yield errors
        return
    with terminal as number:
        yield number


def _in_memory() -> IO[bytes]:
    """Make a file that is on no disk and cannot grow: it is of its largest size, filled up with zeros that take no room."""
    file = os.fdopen(os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.truncate(_MAX_SECRET)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return file


def _run(argv: Sequence[str], timeout: float, said: Mapping[str, str], output: IO[bytes], stderr: IO[bytes] | int) -> str:
    """Return how it ended, empty when well. After `timeout`, and when we are interrupted, its whole group is killed."""
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=stderr, env=said, cwd="/", start_new_session=True
        )
    except OSError as error:
        message = f"{argv[0]} cannot be started: {error.strerror}"
        raise DeployError(message, "look whether it is installed, and correct the configuration of the consumer") from None
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s and was killed"
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return _ending(process.returncode)


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by signal {-code}"
    return f"failed with exit code {code}" if code else ""


def _tail(file: IO[bytes]) -> str:
    """Return the last lines for a message: no control characters, and nothing where it may be a key."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    text = file.read().decode("utf-8", "replace")
    if "PRIVATE KEY" in text:
        return ": (its output looks like a private key and is not shown)"
    lines = [line for line in ("".join(c if c.isprintable() else " " for c in raw).strip() for raw in text.splitlines()) if line]
    return ": " + " | ".join(line[:200] for line in lines[-_TAIL_LINES:]) if lines else ""


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv)[:120]
