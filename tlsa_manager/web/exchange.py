"""One question and its answer in a thread of its own, which can be given up: then nothing more is sent, and the line is cut.

Nothing ends a thread from outside while it looks up a name or connects. So whatever that leads to is not used any more: each
connection asks before it sends whether somebody still waits. Or else a write that was given up would be done later, over what
others have written since.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests


Answer = TypeVar("Answer")


class GivenUpError(OSError):
    """Nobody waits for this exchange any more."""


class Exchange(threading.Thread, Generic[Answer]):
    """One exchange. `ask` returns the answer, or raises."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        """Begin nothing yet."""
        super().__init__(name="web", daemon=True)
        self._ask = ask
        self._found: list[Answer | Exception] = []
        self._lock, self._given_up = threading.Lock(), False
        self._line: socket.socket | None = None  # the connection, however often the libraries wrap it

    def run(self) -> None:
        """Ask."""
        try:
            self._found.append(self._ask())
        except Exception as error:  # noqa: BLE001  it is raised again where somebody waits for it
            self._found.append(error)
        finally:
            with self._lock:
                if self._line:
                    self._line.close()

    def answer(self, seconds: float) -> Answer:
        """Return the answer. Raises what `ask` raises, and TimeoutError after so many seconds: then no octet is sent any more."""
        self.start()
        self.join(seconds)
        result = self._found[0] if self._found else TimeoutError()
        self._give_up()
        if isinstance(result, Exception):
            raise result
        return result

    def uses(self, line: socket.socket) -> None:
        """Remember over what it goes. Raises GivenUpError."""
        with self._lock:
            if self._given_up:
                raise GivenUpError
            if self._line is None:
                self._line = socket.socket(fileno=os.dup(line.fileno()))

    def _give_up(self) -> None:
        """Wake a thread that waits for the other side, if there is one."""
        with self._lock, contextlib.suppress(OSError):
            self._given_up = True
            if self.is_alive() and self._line:
                self._line.shutdown(socket.SHUT_RDWR)


def watch(session: requests.Session) -> None:
    """Have all connections of a session ask whether somebody still waits."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            _watch(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **more)
            _watch(manager)
            return manager

    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter())


class _Watched:
    """What is put before the methods of a connection of http.client, however the libraries have made it."""

    sock: Any

    def _new_conn(self) -> Any:
        line = super()._new_conn()  # type: ignore[misc]  # of the connection that it is put before
        try:
            _used(line)
        except GivenUpError:
            line.close()
            raise
        return line

    def send(self, data: Any) -> None:
        if self.sock is None:  # or else it would be connected after we have asked
            self.connect()  # type: ignore[attr-defined]
        _used(self.sock)
        super().send(data)  # type: ignore[misc]


def _watch(manager: Any) -> None:
    """Have a manager of pools make connections that ask."""
    manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


def _watched(pool: Any) -> Any:
    """Return a kind of pool with connections that ask."""
    if issubclass(pool.ConnectionCls, _Watched):
        return pool
    return type(pool.__name__, (pool,), {"ConnectionCls": type("Watched", (_Watched, pool.ConnectionCls), {})})


def _used(line: socket.socket) -> None:
    exchange = threading.current_thread()
    if isinstance(exchange, Exchange):
        exchange.uses(line)
