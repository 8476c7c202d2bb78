"""Run a program of the consumer: bounded in time and output, without a shell, and never with our own environment."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from typing import IO, TYPE_CHECKING

from tlsa_manager.deploy import leaving
from tlsa_manager.deploy.listener import Kept, Pipe
from tlsa_manager.deploy.terminal import Terminal
from tlsa_manager.deploy.text import one_line
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_LINES = 5
_MAX_OUTPUT = 64 << 20  # bytes; postconf may say a lot
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

    It gets no stdin and only PATH, LC_ALL and what `environment` says. A daemon which it leaves behind does not keep us waiting,
    and of its output so much is kept, on no disk. `at_terminal` is for programs that tell their errors only to a terminal,
    `is_secret` for those whose stdout has passwords: one that says more than a limit ends there. Raises DeployError with the exit
    code and the last lines it wrote, of secret ones those to stderr.
    """
    said = {"PATH": PATH, "LC_ALL": "C", **(environment or {})}
    errors = Kept(0)
    if is_secret:
        with _in_memory() as file:
            ending = _listened(argv, timeout, said, file, errors, at_terminal=at_terminal)
            file.seek(0)
            written, last = file.read(_MAX_SECRET).rstrip(b"\0"), b""
    else:
        output = Kept(_MAX_OUTPUT)
        with Pipe(output) as stdout:
            ending = _listened(argv, timeout, said, stdout, errors, at_terminal=at_terminal)
        written, last = bytes(output.head), output.tail
    if ending:
        told = _tail(errors.tail) or (_UNTOLD if is_secret else _tail(last))
        raise DeployError(f"{_shown(argv)} {ending}{told}", _HINT)
    return written.decode("utf-8", "replace")


_UNTOLD = " (its output may have passwords and is not shown)"
_HINT = "run it by hand to see all it says; the mail log may say more"


def _listened(
    argv: Sequence[str], timeout: float, said: Mapping[str, str], stdout: IO[bytes] | int, errors: Kept, *, at_terminal: bool
) -> str:
    """Return how it ended, empty when well, and keep what it said of errors: to a terminal where there is one to be had."""
    try:
        stderr = Terminal(errors) if at_terminal else Pipe(errors)
    except OSError:  # no /dev/pts here
        stderr = Pipe(errors)
    with stderr as number:
        return _run(argv, timeout, said, stdout, number)


def _in_memory() -> IO[bytes]:
    """Make a file that is on no disk and cannot grow: it is of its largest size, filled up with zeros that take no room."""
    file = os.fdopen(os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.truncate(_MAX_SECRET)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return file


def _run(argv: Sequence[str], timeout: float, said: Mapping[str, str], output: IO[bytes] | int, stderr: int) -> str:
    """Return how it ended, empty when well. After `timeout`, and when we are interrupted, its whole group is killed."""
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=stderr, env=said, cwd="/", start_new_session=True
        )
    except OSError as error:
        message = f"{argv[0]} cannot be started: {error.strerror}"
        raise DeployError(message, "look whether it is installed, and correct the configuration of the consumer") from None
    try:
        with leaving.taken_along(process.pid):
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


def _tail(said: bytes) -> str:
    """Return the last lines for a message: no control characters, and nothing where it may be a key."""
    text = said.decode("utf-8", "replace")
    if "PRIVATE KEY" in text:
        return ": (its output looks like a private key and is not shown)"
    lines = [line for line in ("".join(c if c.isprintable() else " " for c in raw).strip() for raw in text.splitlines()) if line]
    return ": " + " | ".join(line[:200] for line in lines[-_TAIL_LINES:]) if lines else ""


def _shown(argv: Sequence[str]) -> str:
    return one_line(" ".join(argv)[:120])
