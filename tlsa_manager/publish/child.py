"""Run one program with an input, and take only so much output for only so long."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from typing import TYPE_CHECKING, Literal

from tlsa_manager.clock import monotonic
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 1 << 20  # bytes, of each of stdout and stderr
_PIECE = 65536
Cut = Literal["", "time", "size", "left"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code` as subprocess gives it (negative: a signal); `cut`: why it was killed by us, or empty.

    `left`: it had ended in time itself, but something that it started held its output open.
    """

    code: int
    output: bytes
    errors: bytes
    cut: Cut = ""


def run(argv: list[str], given: bytes, environment: Mapping[str, str], timeout: float) -> Ended:
    """Run a program in a session of its own, so that what it starts can be killed with it. Raises OSError if it cannot start.

    It is over when the program has ended and closed its output; `timeout` in seconds covers both.
    """
    end = monotonic() + timeout
    with subprocess.Popen(
        argv, env=dict(environment), cwd="/", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        output, errors = bytearray(), bytearray()
        cut = _converse(child, given, output, errors, end)
        if not cut:
            try:
                child.wait(max(end - monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                cut = "time"
        if cut == "time" and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            cut = "left"
        if cut:
            os.killpg(child.pid, signal.SIGKILL)  # not yet waited for, so the number is still its own
        return Ended(child.wait(), bytes(output), bytes(errors), cut)


def _converse(child: subprocess.Popen[bytes], given: bytes, output: bytearray, errors: bytearray, end: float) -> Cut:
    """Write the input and read both outputs side by side until they are closed. Returns why it gave up, or an empty text."""
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise RuntimeError("the program was started without pipes")
    with selectors.DefaultSelector() as selector:
        os.set_blocking(child.stdin.fileno(), False)
        selector.register(child.stdin, selectors.EVENT_WRITE)
        selector.register(child.stdout, selectors.EVENT_READ, output)
        selector.register(child.stderr, selectors.EVENT_READ, errors)
        while selector.get_map():
            ready = selector.select(max(end - monotonic(), 0))
            if not ready:
                return "time"
            for key, _ in ready:
                if key.data is None:
                    given = _write(key.fd, given)
                    if not given:
                        selector.unregister(key.fileobj)
                        child.stdin.close()
                elif not _read(key.fd, key.data):
                    selector.unregister(key.fileobj)
            if max(len(output), len(errors)) > LARGEST:
                return "size"
    return ""


def _write(pipe: int, given: bytes) -> bytes:
    """Write what the pipe takes. Returns the rest; nothing is left when the program does not want to read."""
    try:
        return given[os.write(pipe, given) :]
    except BrokenPipeError:
        return b""


def _read(pipe: int, taken: bytearray) -> bool:
    """Take a piece. Returns whether there may be more."""
    piece = os.read(pipe, _PIECE)
    taken.extend(piece)
    return bool(piece)
