"""A process in which dns-lexicon works: asked over a pipe, one line of JSON each way, and killed when it takes too long."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Any

from tlsa_manager.clock import monotonic

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

COMMAND = (sys.executable, "-P", "-m", "tlsa_manager.publish.hosted.lexicon.worker")
LARGEST = 1 << 20  # octets of an answer
_PASSED = (  # no proxy for what has no TLS: it would read the secret
    "PATH", "LANG", "PYTHONPATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
)  # fmt: skip


class Pipe:
    """The process. It ends when this one does, because its input does."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, what: Mapping[str, Any], timeout: float) -> dict[str, Any] | None:
        """Return the answer; None if there was none in time (seconds), or it was not one: then the process is gone, too."""
        with self._lock:
            answer = self._answer(json.dumps(what).encode() + b"\n", monotonic() + timeout)
            try:
                found = json.loads(answer) if answer else None
            except ValueError:
                found = None
            if not isinstance(found, dict):
                self._kill()
                return None
            return found

    def _answer(self, line: bytes, end: float) -> bytes:
        """Write a line and read one; less than a line if that is all that came."""
        child = self._child = self._child or self._start()
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the process was started without pipes")
        taken = bytearray()
        try:
            child.stdin.write(line)
            child.stdin.flush()
        except OSError:  # it has ended
            return b""
        while not taken.endswith(b"\n") and len(taken) <= LARGEST:
            if not select.select([child.stdout], [], [], max(end - monotonic(), 0))[0]:
                return b""
            piece = os.read(child.stdout.fileno(), 65536)
            if not piece:
                return b""
            taken.extend(piece)
        return bytes(taken)

    def _start(self) -> subprocess.Popen[bytes]:
        import subprocess  # slow to import, and options are declared without it

        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return subprocess.Popen(
            COMMAND, cwd="/", env={**environment, "NETRC": os.devnull}, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                if stream:
                    stream.close()
            self._child = None
