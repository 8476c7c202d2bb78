"""Run a program of the consumer: bounded in time and output, without a shell, and never with our own environment."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING

from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_BYTES = 4096
_TAIL_LINES = 5
_MAX_OUTPUT = 64 << 20  # read only on success, where postconf may say a lot


def run(argv: Sequence[str], timeout: float, environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it wrote to stdout. `timeout` in seconds, then its whole process group is killed.

    It gets no stdin and only PATH, LC_ALL and what `environment` says. Output goes to files, not pipes, so that a daemon
    which it leaves behind cannot keep us waiting. Raises DeployError with the exit code and the last lines it wrote.
    """
    said = {"PATH": PATH, "LC_ALL": "C", **(environment or {})}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=said, cwd="/", start_new_session=True
            )
        except OSError as error:
            message = f"{argv[0]} cannot be started: {error.strerror}"
            raise DeployError(message, "look whether it is installed, and correct the configuration of the consumer") from None
        _wait(process, argv, timeout, errors)
        if process.returncode != 0:
            raise DeployError(f"{_shown(argv)} {_ending(process.returncode)}{_tail(errors) or _tail(output)}", _HINT)
        output.seek(0)
        return output.read(_MAX_OUTPUT).decode("utf-8", "replace")


_HINT = "run it by hand to see all it says; the mail log may say more"


def _wait(process: subprocess.Popen[bytes], argv: Sequence[str], timeout: float, errors: IO[bytes]) -> None:
    """Wait for the end, and make one if it does not come, also when we are interrupted."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise DeployError(f"{_shown(argv)} did not end within {timeout:g} s and was killed{_tail(errors)}", _HINT) from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by signal {-code}"
    return f"failed with exit code {code}"


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
