"""A DNS server that answers as a test tells it: for what no real server can be brought to do."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlsa_manager.publish.rfc2136.key import TsigKey

Answer = dns.message.Message | bytes


def denial(asked: dns.message.Message) -> dns.message.Message:
    """Answer with authority that there is nothing, in zone example."""
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.AA
    answer.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", "ns.example. h.example. 1 60 10 86400 1"))
    return answer


def with_rcode(word: str) -> Callable[[dns.message.Message], Answer]:
    """Answer questions with a denial and updates with this response code."""

    def answer(asked: dns.message.Message) -> Answer:
        if not isinstance(asked, dns.update.UpdateMessage):
            return denial(asked)
        reply = dns.message.make_response(asked)
        reply.set_rcode(dns.rcode.from_text(word))
        return reply

    return answer


def with_tsig_error(number: int) -> Callable[[dns.message.Message], Answer]:
    """Answer with an error in the TSIG record (RFC 8945 §5.2)."""

    def answer(asked: dns.message.Message) -> Answer:
        reply = dns.message.make_response(asked, tsig_error=number)
        reply.set_rcode(dns.rcode.NOTAUTH)
        return reply

    return answer


def unsigned(asked: dns.message.Message) -> Answer:
    """Answer with a denial that bears no signature."""
    reply = denial(asked)
    reply.tsig = None
    return reply


def unsigned_refusal(asked: dns.message.Message) -> Answer:
    """Refuse without a signature."""
    reply = dns.message.make_response(asked)
    reply.set_rcode(dns.rcode.REFUSED)
    reply.tsig = None
    return reply


def forged(asked: dns.message.Message) -> Answer:
    """Answer with a denial that was signed for another question."""
    reply = denial(asked)
    reply.request_mac = b"x" * 32
    return reply


def echoing(asked: dns.message.Message) -> Answer:
    """Answer FORMERR with the question's own TSIG record, as Unbound does."""
    octets = bytearray(asked.to_wire())
    octets[2] |= 0x80
    octets[3] = octets[3] & 0xF0 | dns.rcode.FORMERR
    return bytes(octets)


def recursive(asked: dns.message.Message) -> Answer:
    """Answer as a resolver does, without authority."""
    return dns.message.make_response(asked)


@contextlib.contextmanager
def impostor(key: TsigKey, answer: Callable[[dns.message.Message], Answer]) -> Iterator[str]:
    """Serve on a free port of loopback until the test is over. Yields address#port."""
    ring = dns.tsig.Key(key.name, key.secret, key.algorithm)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, ring, answer))
        thread.start()
        try:
            yield f"127.0.0.1#{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, ring: dns.tsig.Key, answer: Callable[[dns.message.Message], Answer]) -> None:
    while True:
        try:
            stream, _ = listening.accept()
        except OSError:  # shut down
            return
        with stream, stream.makefile("rb") as incoming:
            asked = dns.message.from_wire(incoming.read(int.from_bytes(incoming.read(2))), keyring=ring)
            reply = answer(asked)
            octets = reply if isinstance(reply, bytes) else reply.to_wire()
            if octets:
                stream.sendall(len(octets).to_bytes(2) + octets)
