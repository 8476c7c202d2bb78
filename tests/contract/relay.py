"""A door in front of a real name server, over TCP: it passes messages on, or brings whoever asks into trouble."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

import dns.message
import dns.opcode
import dns.rcode
import dns.tsig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.stand import Trouble
    from tlsa_manager.publish.rfc2136.key import TsigKey


class Relay:
    """Port 53 of one address in front of port 53 of another. `meddle` lets somebody else add a record at a name."""

    def __init__(self, address: str, server: str, key: TsigKey, meddle: Callable[[str], None]) -> None:
        self.address, self._server, self._meddle = address, server, meddle
        self._ring = dns.tsig.Key(key.name, key.secret, key.algorithm)
        self._trouble: Trouble | None = None
        self._at, self._with_reads = "", False
        self._released = threading.Event()
        self.asked = self.writes = 0

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._listening = socket.create_server((self.address, 53))
        self._thread = threading.Thread(target=self._accept, args=(self._listening,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._released.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    @contextlib.contextmanager
    def trouble(self, which: Trouble, name: str, *, reads: bool = False) -> Iterator[None]:
        """Be in trouble with updates; with `reads` with questions too."""
        self._trouble, self._at, self._with_reads = which, name, reads
        self._released.clear()
        if which == "dead":
            self.__exit__()
        try:
            yield
        finally:
            self._trouble = None
            self._released.set()
            if which == "dead":
                self.__enter__()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                stream, _ = listening.accept()
            except OSError:  # shut down
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        """Pass on the messages of one connection."""
        with contextlib.suppress(OSError), stream, stream.makefile("rb") as incoming:
            while octets := _message(incoming.read(2), incoming.read):
                if answer := self._answer(octets):
                    stream.sendall(len(answer).to_bytes(2) + answer)
                else:
                    return

    def _answer(self, octets: bytes) -> bytes:
        """Return the answer to a message; none: hang up."""
        is_update = octets[2] >> 3 & 15 == dns.opcode.UPDATE
        self.asked += 1
        self.writes += is_update
        trouble = self._trouble if is_update or self._with_reads else None
        if trouble == "lost-request":
            self._released.wait(60)
            return b""
        if trouble == "broken":
            return self._servfail(octets)
        if trouble == "conflict":
            self._trouble = None
            self._meddle(self._at)
        answer = self._forward(octets)
        if trouble == "lost-answer":
            self._released.wait(60)
            return b""
        return b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" if trouble == "nonsense" else answer

    def _servfail(self, octets: bytes) -> bytes:
        """Answer as a server that cannot, signed with the key the question was signed with."""
        reply = dns.message.make_response(dns.message.from_wire(octets, keyring=self._ring))
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply.to_wire()

    def _forward(self, octets: bytes) -> bytes:
        with socket.create_connection((self._server, 53), 30) as server, server.makefile("rb") as incoming:
            server.sendall(len(octets).to_bytes(2) + octets)
            return _message(incoming.read(2), incoming.read)


def _message(length: bytes, read: Callable[[int], bytes]) -> bytes:
    """Return one message (RFC 1035 §4.2.2), or nothing at the end."""
    return read(int.from_bytes(length)) if len(length) == 2 else b""
