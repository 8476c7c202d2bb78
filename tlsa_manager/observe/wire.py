"""One TCP connection to a server that may be hostile: bounded in time from the first packet to the last, and in bytes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Self

from tlsa_manager.clock import monotonic
from tlsa_manager.observe.ending import ProbeError
from tlsa_manager.snapshot import Outcome

if TYPE_CHECKING:
    from types import TracebackType

MAX_BYTES = 512 * 1024  # a handshake with the largest chain that OpenSSL takes (100 kB) fits several times
PATIENCE = 3  # a whole conversation may take this many times as long as the connection: greet delays, slow reverse lookups


class Wire:
    """A connection. Asynchronous context manager; everything that goes wrong on the way is a ProbeError."""

    def __init__(self, address: str, port: int, timeout: float, source: str = "") -> None:
        """Prepare to connect within `timeout` seconds; the whole conversation must end within PATIENCE times as many.

        source: the local address to connect from, of the same family; empty = the one that the system chooses.
        """
        self._place = address, port
        self._source = source
        self._timeout = timeout
        self._seconds = timeout * PATIENCE
        self._received = 0
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        """Connect, and return the connection itself."""
        self._deadline = monotonic() + self._seconds
        try:
            self._socket = await self._connect()
        except OSError as error:
            raise _unconnected(error, self._timeout) from None
        return self

    async def _connect(self) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)  # noqa: FBT003  the socket module has no names for it
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._source:
                made.bind((self._source, 0))
            async with asyncio.timeout(self._timeout):
                await self._loop.sock_connect(made, self._place)
        except BaseException:
            made.close()
            raise
        return made

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it. What is already sent is let through before the end: FIN first, then what came is thrown away."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.recv(65536)
        self._socket.close()

    @property
    def greeting_name(self) -> str:
        """What to call ourselves in EHLO: the host's full name, else the address literal (RFC 5321 §4.1.3)."""
        name = socket.gethostname()
        if "." in name.strip(".") and name.isascii() and name.replace(".", "").replace("-", "").isalnum():
            return name
        with contextlib.suppress(OSError):
            own = str(self._socket.getsockname()[0]).partition("%")[0]
            return f"[IPv6:{own}]" if ":" in own else f"[{own}]"
        return "[127.0.0.1]"

    async def receive(self) -> bytes:
        """Wait for bytes; empty at the end of the stream. Raises ProbeError when time or patience is over."""
        try:
            async with asyncio.timeout(self._left()):
                data = await self._loop.sock_recv(self._socket, 16384)
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            raise _broken(error) from None
        self._received += len(data)
        if self._received > MAX_BYTES:
            raise ProbeError(Outcome.FAILED, f"the server sent more than {MAX_BYTES // 1024} kB without coming to an end")
        return data

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises ProbeError."""
        try:
            async with asyncio.timeout(self._left()):
                await self._loop.sock_sendall(self._socket, data)
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            raise _broken(error) from None

    async def leave(self, farewell: bytes) -> None:
        """Say good-bye, if anybody is still listening."""
        with contextlib.suppress(ProbeError):
            await self.send(farewell)

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> ProbeError:
        silent = "the server sent nothing" if not self._received else "the conversation did not end"
        return ProbeError(Outcome.FAILED, f"{silent} within {self._seconds:g} s", late=True)


def _unconnected(error: OSError, timeout: float) -> ProbeError:
    """Say why there is no connection. A reset means that there was one: without anybody there it is "refused"."""
    if isinstance(error, TimeoutError) and not error.errno:
        return ProbeError(Outcome.UNREACHABLE, f"no connection within {timeout:g} s", late=True)
    if isinstance(error, ConnectionResetError):
        return _broken(error)
    return ProbeError(Outcome.UNREACHABLE, f"no connection: {_words(error)}", refused=isinstance(error, ConnectionRefusedError))


def _broken(error: OSError) -> ProbeError:
    return ProbeError(Outcome.FAILED, f"the connection broke: {_words(error)}")


def _words(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
