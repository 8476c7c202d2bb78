"""What senders meet at a mail server, before and after: the file, the certificate on the wire, the records in DNS."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.maildomain import PORTS

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain

IMPLICIT_TLS = 465


@dataclass(frozen=True, slots=True)
class Sight:
    """The state of one mail server at one moment; two that are equal prove that nothing was touched in between."""

    file: tuple[str, int, int, int, int]  # digest, inode, owner, mode, time of the last change
    presented: tuple[str, ...]  # digest of the certificate at each port
    records: tuple[tuple[str, ...], ...]  # at the primary, for each owner

    @classmethod
    def of(cls, dns_lab: DnsLab, mail: MailDomain) -> Sight:
        """Look at everything."""
        found = mail.chain_file.stat()
        digest = hashlib.sha256(mail.chain_file.read_bytes()).hexdigest()
        records = (dns_lab.records(dns_lab.primary, owner) for owner in mail.owners)
        return cls(
            (digest, found.st_ino, found.st_uid, found.st_mode, found.st_mtime_ns),
            tuple(presented(mail.postfix.address, port) for port in PORTS),
            tuple(tuple(sorted(one or ("no answer",))) for one in records),
        )

    @property
    def server(self) -> tuple[object, ...]:
        """Return the part that only a swap may change: the file, and what is on the wire."""
        return self.file, self.presented


def presented(address: str, port: int) -> str:
    """Return the digest of the certificate that a mail server presents at a port, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if port == IMPLICIT_TLS:
        with smtplib.SMTP_SSL(address, port, timeout=10, context=context) as client:
            return _leaf(client)
    with smtplib.SMTP(address, port, timeout=10) as client:
        client.starttls(context=context)
        return _leaf(client)


def _leaf(client: smtplib.SMTP) -> str:
    assert isinstance(client.sock, ssl.SSLSocket)
    der = client.sock.getpeercert(binary_form=True)
    assert der, "TLS without a certificate"
    return hashlib.sha256(der).hexdigest()
