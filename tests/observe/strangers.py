"""Small servers in threads on loopback: well-behaved ones with any certificates, and every kind of nasty one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Behaviour = Callable[["Visit"], None]


@dataclass
class Visit:
    """One connection to a server. `number` counts them from 0."""

    socket: socket.socket
    number: int
    server: Server

    def line(self) -> bytes:
        """Read one line of the client, byte by byte so that nothing behind it is lost."""
        line = b""
        while not line.endswith(b"\n") and (byte := self.socket.recv(1)):
            line += byte
        return line

    def tls(self, context: ssl.SSLContext) -> None:
        """Shake hands, and keep what the client says inside."""
        with context.wrap_socket(self.socket, server_side=True) as inside:
            self.server.said.append(inside.recv(1000))

    def reset(self) -> None:
        """Send RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def pause(self, seconds: float) -> bool:
        """Wait; False when the server is to end."""
        return not self.server.over.wait(seconds)


@dataclass
class Server:
    """Runs a behaviour for each connection, in a thread each, until the `with` block ends. `port` 0: any that is free."""

    behaviour: Behaviour
    address: str = "127.0.0.1"
    port: int = 0
    visits: int = 0
    said: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listener = socket.create_server((self.address, self.port), family=family, backlog=100)
        self.port = self._listener.getsockname()[1]
        self._run(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(10)

    @property
    def place(self) -> str:
        """Where to connect, as a service says it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                connection, _ = self._listener.accept()
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            number, self.visits = self.visits, self.visits + 1
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            self.behaviour(Visit(connection, number, self))


def context(directory: Path, *pairs: tuple[bytes, bytes], only: ssl.TLSVersion | None = None, suites: str = "") -> ssl.SSLContext:
    """Make a server's settings from chains and keys (PEM); several = one for each kind of key.

    `only`: the one version of TLS that it speaks; `suites`: in OpenSSL's words, `@SECLEVEL=0` lets it have weak keys.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if suites:
        made.set_ciphers(suites)
    for number, (chain, key) in enumerate(pairs):
        file = directory / f"pair-{id(made)}-{number}.pem"
        file.touch(0o600)
        file.write_bytes(key + chain)
        made.load_cert_chain(file)
    if only is not None:
        made.minimum_version = made.maximum_version = only
    return made


def implicit(settings: ssl.SSLContext) -> Behaviour:
    """TLS from the first byte."""
    return lambda visit: visit.tls(settings)


def smtp(settings: ssl.SSLContext | Callable[[Visit], ssl.SSLContext]) -> Behaviour:
    """SMTP with STARTTLS; the settings may depend on the visit."""

    def behave(visit: Visit) -> None:
        visit.socket.sendall(b"220-one moment\r\n220 mx.example.org ESMTP\r\n")
        assert visit.line().startswith((b"EHLO ", b"LHLO "))
        visit.socket.sendall(b"250-mx.example.org\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 HELP\r\n")
        if visit.line() != b"STARTTLS\r\n":
            return visit.socket.sendall(b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        visit.socket.sendall(b"220 2.0.0 Ready to start TLS\r\n")
        return visit.tls(settings(visit) if callable(settings) else settings)

    return behave


def plain(*answers: bytes, then: Callable[[Visit], None] | None = None) -> Behaviour:
    """Talk in lines: say these answers, one before each line of the client."""

    def behave(visit: Visit) -> None:
        for place, words in enumerate(answers):
            if place:
                visit.line()
            visit.socket.sendall(words)
        if then is not None:
            then(visit)
        visit.line()

    return behave
