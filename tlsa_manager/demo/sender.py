"""Some other mail server that delivers as DANE demands (RFC 7672), ten times a second: looks up, connects, decides anew.

Its DNS is a validating resolver beside it, whose AD bit it believes, as Postfix does (§2.1). It knows nothing of tlsa_manager:
the few lines that match a certificate are its own.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from contextlib import suppress
from dataclasses import field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlsa_manager import clock
from tlsa_manager.demo.names import DOMAIN
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from io import BufferedRWPair

    from tlsa_manager.observe.ask import Place

INTERVAL = 0.1  # seconds from one attempt to the next
TIMEOUT = 10.0  # seconds; a slow machine is no failure of anybody
_MAIL = f"From: <alice@sender.example>\r\nTo: <bob@{DOMAIN}>\r\nSubject: hello\r\n\r\nDid you get this?\r\n."


class Refused(Exception):
    """The mail stays in the queue. The text says why."""


@dataclass(slots=True)
class Tally:
    """How many attempts there were, and why some failed. `history`: True for a mail that was delivered."""

    attempts: int = 0
    failures: int = 0
    history: list[bool] = field(default_factory=list)
    reason: str = ""
    first_failure: float = 0.0
    last_failure: float = 0.0

    @property
    def outage(self) -> float:
        """Seconds from the first failure to the last."""
        return self.last_failure - self.first_failure

    def count(self, reason: str) -> None:
        """Count one attempt; an empty reason is success."""
        self.attempts += 1
        self.history.append(not reason)
        if reason:
            now = clock.monotonic()
            self.failures += 1
            self.reason, self.first_failure, self.last_failure = reason, self.first_failure or now, now


class Sender:
    """Tries all the time, from `start` to `stop`. `tally` may be exchanged at any moment; an attempt counts where it began."""

    def __init__(self, resolver: Place, port: int) -> None:
        self._resolver, self._port = resolver, port
        self._end = Event()
        self._thread = Thread(target=self._go, name="sender", daemon=True)
        self.tally = Tally()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End with the attempt that is under way."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(2 * INTERVAL + 1)

    def _go(self) -> None:
        due = clock.monotonic()
        while not self._end.wait(max(0.0, due - clock.monotonic())):
            due = max(due + INTERVAL, clock.monotonic())
            tally = self.tally
            tally.count(self.attempt())

    def attempt(self) -> str:
        """Try to deliver one mail; return why it could not be, an empty text when it was."""
        try:
            host = str(self._secure(DOMAIN, "MX")[0].exchange)
            records = [(r.usage, r.selector, r.mtype, r.cert) for r in self._secure(f"_25._tcp.{host}", "TLSA")]
            address = str(self._secure(host, "A")[0])
            self._deliver(address, host.rstrip("."), records)
        except (Refused, OSError, EOFError, dns.exception.DNSException) as fault:
            return str(fault) or type(fault).__name__
        return ""

    def _secure(self, name: str, rdtype: str) -> list[Any]:
        """Look up what must be there and be validated."""
        query = dns.message.make_query(name, rdtype, flags=dns.flags.RD | dns.flags.AD)
        reply = dns.query.udp(query, self._resolver.address, TIMEOUT, self._resolver.port)
        found = [rdata for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(rdtype) for rdata in rrset]
        if not found or not reply.flags & dns.flags.AD:
            raise Refused(f"{rdtype} of {name} could not be looked up securely")
        return found

    def _deliver(self, address: str, host: str, records: list[tuple[int, int, int, bytes]]) -> None:
        with socket.create_connection((address, self._port), TIMEOUT) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with plain.makefile("rwb") as stream:
                _expect(stream, 220)
                _say(stream, "EHLO sender.example", 250)
                _say(stream, "STARTTLS", 220)
            with _context().wrap_socket(plain, server_hostname=host) as secure, secure.makefile("rwb") as stream:
                if not matches(records, secure.getpeercert(binary_form=True) or b""):
                    with suppress(OSError, EOFError, Refused):
                        _say(stream, "QUIT", 221)
                    raise Refused(f"the certificate of {host} matches none of its TLSA records")
                _say(stream, "EHLO sender.example", 250)
                _say(stream, "MAIL FROM:<alice@sender.example>", 250)
                _say(stream, f"RCPT TO:<bob@{DOMAIN}>", 250)
                _say(stream, "DATA", 354)
                _say(stream, _MAIL, 250)
                _say(stream, "QUIT", 221)


def matches(records: list[tuple[int, int, int, bytes]], certificate: bytes) -> bool:
    """Whether a certificate (DER) matches a record (usage, selector, matching type, data) for DANE-EE (RFC 7672 §3.1.1).

    Names, dates and who signed it do not matter. Other usages are not for this sender; it takes them as unusable.
    """
    if not certificate:
        return False
    key = x509.load_der_x509_certificate(certificate).public_key()
    chosen = {0: certificate, 1: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}
    return any(
        usage == 3 and selector in chosen and _hashed(matching, chosen[selector]) == data
        for usage, selector, matching, data in records
    )


def _hashed(matching: int, data: bytes) -> bytes | None:
    """Return what a record has to say of the data (RFC 6698 §2.1.3); None: the matching type is unknown."""
    return {0: data, 1: hashlib.sha256(data).digest(), 2: hashlib.sha512(data).digest()}.get(matching)


def _context() -> ssl.SSLContext:
    """No public authority is asked: the TLSA record decides, after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _say(stream: BufferedRWPair, line: str, code: int) -> None:
    stream.write(line.encode("ascii") + b"\r\n")
    stream.flush()
    _expect(stream, code)


def _expect(stream: BufferedRWPair, code: int) -> None:
    """Read one reply (RFC 5321 §4.2)."""
    line = stream.readline(1000)
    while line[3:4] == b"-":
        line = stream.readline(1000)
    if not line:
        raise EOFError("the mail server closed the connection")
    if line[:3] != b"%d" % code:
        raise Refused("the mail server said: " + line.decode("ascii", "replace").strip())
