"""The life of a client that takes its next key from us, lived through on real servers: issue, failed orders, renewals."""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import ssl
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.certificate import record
from lab.daemon import until
from lab.installation import Timer
from lab.stream import Stream
from lab.zones import MX_ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.installation import Installation
    from lab.maildomain import MailDomain
    from lab.sender import SenderLab

TIMING = {"margin": "8s"}
WAIT = 5.0 + 8.0  # max(k·TTL, F) + M with it: what a key that was not published ahead would have to wait
AT_ONCE = 10.0  # seconds from the certificate's arrival to the swap


class Client(Protocol):
    """An ACME client with our hooks."""

    def obtain(self) -> None:
        """Get the first certificate."""

    def renew(self) -> None:
        """Renew it."""

    def fail(self) -> None:
        """Try to renew it, and be refused by the authority; the client must say so."""

    @property
    def chain(self) -> Path:
        """The newest certificate it has."""


def live_through(
    client: Client, installation: Installation, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, *, turns: int = 2
) -> None:
    """Let it get a certificate, then each turn fail and renew: the key that was published ahead is the one used, and no wait."""
    sender_lab.flush()
    with Timer(installation) as timer, Witness(dns_lab, mail) as witness, Stream(sender_lab, mail.domain) as stream:
        client.obtain()
        current = record(client.chain.read_bytes())
        await_stable(installation, current)
        for _ in range(turns):
            ahead = published_ahead(dns_lab, installation, mail, current)
            time.sleep(WAIT)  # until every cache may know it
            client.fail()
            assert served(25) == current, "a failed order changed what is presented"
            assert other(dns_lab, mail, current) == ahead, "a failed order changed what is published ahead"
            client.renew()
            assert record(client.chain.read_bytes()) == ahead, "the certificate is not for the key that was published ahead"
            await_stable(installation, ahead)
            assert seconds_to_swap(installation, ahead) < AT_ONCE
            current = ahead
    totals = stream.drain()
    print(totals)
    assert not [said for said, code in zip(timer.said, timer.codes, strict=True) if code not in (0, 75)]
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert not witness.mismatches, witness.mismatches[:3]
    assert witness.rounds > turns * 10


class Witness:
    """Looks all the time, from outside, whether what is presented stands in what every server and resolver hands out."""

    def __init__(self, dns_lab: DnsLab, mail: MailDomain) -> None:
        self._dns_lab, self._mail = dns_lab, mail
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self.mismatches: list[str] = []
        self.rounds = 0

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ends.set()
        self._thread.join(30)

    def _watch(self) -> None:
        while not self._ends.wait(0.3):
            with contextlib.suppress(OSError, smtplib.SMTPException):  # a server that restarts answers nobody for a moment
                self._look()

    def _look(self) -> None:
        for port, owner in zip((25, 587), (self._mail.owners[0], self._mail.owners[2]), strict=True):
            presented = served(port)
            for server in (self._dns_lab.primary, self._dns_lab.secondary, self._dns_lab.resolver):
                records = self._dns_lab.records(server, owner)
                if records is not None and presented not in records:
                    self.mismatches.append(f"port {port} presents {presented}, and {server} says {records}")
        self.rounds += 1


def served(port: int) -> str:
    """Return the record that what a port presents would need."""
    with smtplib.SMTP(MX_ADDRESS, port, timeout=10) as connection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection.starttls(context=context)
        assert isinstance(connection.sock, ssl.SSLSocket)
        der = connection.sock.getpeercert(binary_form=True)
    assert der
    key = x509.load_der_x509_certificate(der).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    return f"3 1 1 {digest}"


def published_ahead(dns_lab: DnsLab, installation: Installation, mail: MailDomain, current: str) -> str:
    """Wait until exactly one record stands beside that of the current key everywhere, and return it."""
    try:
        until(lambda: bool(other(dns_lab, mail, current)), "a next key is published", timeout=90, every=0.3)
    except AssertionError:
        tell(installation)
        raise
    return other(dns_lab, mail, current)


def other(dns_lab: DnsLab, mail: MailDomain, current: str) -> str:
    """Return the one record beside this one that all servers hand out for all owners; empty where it is not so."""
    sets = [dns_lab.records(server, owner) or set() for server in (dns_lab.primary, dns_lab.secondary) for owner in mail.owners]
    rest = sets[0] - {current}
    return next(iter(rest)) if len(rest) == 1 and all(one == {current} | rest for one in sets) else ""


def await_stable(installation: Installation, wanted: str) -> None:
    """Wait until the lineage is stable with the key of this record; if it never is, tell what it waits for."""
    try:
        until(lambda: _stable(installation, wanted), "the rollover is over", timeout=120, every=1.0)
    except AssertionError:
        tell(installation)
        raise


def tell(installation: Installation) -> None:
    """Print where it stands and how it came to that."""
    print(installation.start("status").communicate(timeout=60)[0], installation.command("history", "-n", "40"))


def seconds_to_swap(installation: Installation, wanted: str) -> float:
    """Return the time from the arrival of the certificate for the key of this record to its swap."""
    came, swapped = came_and_swapped(installation, wanted)
    print(f"swapped {swapped - came:.1f} s after the certificate came")
    return swapped - came


def came_and_swapped(installation: Installation, wanted: str) -> tuple[float, float]:
    """Return when the certificate for the key of this record came, and when its swap began, seconds since 1970."""
    digest = wanted.rsplit(maxsplit=1)[-1]
    events = installation.events()
    staged = next(
        e for e in events
        if e["event"] == "Staged" and e["details"]["generation"]["chain"]["certificates"][0]["spki_sha256"] == digest
    )  # fmt: skip
    swap = next(
        e for e in events if e["event"] == "Deploying" and e["details"]["generation"] == staged["details"]["generation"]["id"]
    )
    return _moment(staged), _moment(swap)


def _stable(installation: Installation, wanted: str) -> bool:
    status = installation.status()
    return status["phase"] == "stable" and wanted.rsplit(maxsplit=1)[-1] in str(status["current"]) and not status["next"]


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()
