"""DNS servers that no standard would let pass, written by hand because no real one misbehaves to order."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from typing import TYPE_CHECKING, Self

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
from lab.zones import TLD_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dns.message import Message
    from lab.hierarchy import DnsLab

    Datagram = Callable[[socket.socket, bytes, "Address"], None]
    Stream = Callable[[socket.socket], None]

Address = tuple[str, int]
numbers = itertools.count(1)  # of strangers, so that each has a name and an address of its own


class DnsStranger:
    """Listens on UDP and TCP of one loopback address and does to each query what it was told to."""

    def __init__(
        self,
        address: str,
        datagram: Callable[[socket.socket, bytes, Address], None],
        stream: Callable[[socket.socket], None] | None = None,
        *,
        port: int = 53,
    ) -> None:
        self.address, self._datagram, self._stream = address, datagram, stream
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self._tcp = socket.create_server((address, port), family=family)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._hear, self._accept)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._udp, self._tcp):
            sock.shutdown(socket.SHUT_RDWR) if sock is self._tcp else None
            sock.close()
        self._threads[1].join(5)

    def _hear(self) -> None:
        while True:
            try:
                data, sender = self._udp.recvfrom(4096)
                self._datagram(self._udp, data, sender)
            except OSError:
                return

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            if self._stream is not None:
                try:
                    self._stream(connection)
                except OSError:
                    return


def says(make: Callable[[Message], bytes]) -> Callable[[socket.socket, bytes, Address], None]:
    """Answer each datagram with what `make` makes of the query."""

    def answer(sock: socket.socket, data: bytes, sender: Address) -> None:
        sock.sendto(make(dns.message.from_wire(data)), sender)

    return answer


def response(query: Message, *, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = dns.flags.AA) -> Message:
    """Make an empty answer."""
    message = dns.message.make_response(query)
    message.set_rcode(rcode)
    message.flags |= flags
    return message


def resolver_that(change: Callable[[Message, Message], None], behind: str) -> Callable[[socket.socket, bytes, Address], None]:
    """Make a forwarder to a real resolver that never checks (CD) and then `change`s the answer: (query, answer)."""

    def answer(sock: socket.socket, data: bytes, sender: Address) -> None:
        threading.Thread(target=forward, args=(sock, data, sender), daemon=True).start()

    def forward(sock: socket.socket, data: bytes, sender: Address) -> None:
        query = dns.message.from_wire(data)
        asked = dns.message.from_wire(data)
        asked.flags |= dns.flags.CD
        try:
            got = dns.query.udp_with_fallback(asked, behind, timeout=3)[0]
        except (dns.exception.Timeout, OSError):
            return  # the one behind is silent, and so is this one
        got.flags &= ~(dns.flags.AD | dns.flags.CD)
        change(query, got)
        sock.sendto(got.to_wire(max_size=65535), sender)

    return answer


@contextlib.contextmanager
def zone_of(lab: DnsLab, datagram: Datagram, stream: Stream | None = None, *, more: str = "") -> Iterator[str]:
    """Delegate a new unsigned zone to a stranger; give an owner in it."""
    number = next(numbers)
    zone, address = f"stranger{number}.example.", f"127.53.9.{number}"
    lines = f"update add {zone} 5 NS ns.{zone}\nupdate add ns.{zone} 5 A {address}\n{more.format(zone=zone)}"
    lab.update(lines, server=TLD_SERVER)
    with DnsStranger(address, datagram, stream):
        yield f"_25._tcp.mx.{zone}"


def tlsa(query: Message, data: str = "aa" * 32) -> Message:
    """Answer every question with a TLSA record of that name."""
    message = response(query)
    message.answer.append(dns.rrset.from_text(query.question[0].name, 2, "IN", "TLSA", f"3 1 1 {data}"))
    return message


def negative(query: Message) -> Message:
    message = response(query)
    zone = ".".join(query.question[0].name.to_text().split(".")[-3:])
    message.authority.append(dns.rrset.from_text(zone, 2, "IN", "SOA", f"ns.{zone} h.{zone} 7 1 1 1 1"))
    return message


def answers(query: Message) -> Message:
    """Answer as a decent server of an unsigned zone."""
    return tlsa(query) if query.question[0].rdtype == 52 else negative(query)
