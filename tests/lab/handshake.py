"""What a server presents: in TLS from the first octet, after STARTTLS of IMAP, or in a handshake that comes to no end."""

from __future__ import annotations

import hashlib
import imaplib
import re
import socket
import ssl
import subprocess


def presented(address: str, port: int, *, sni: str | None = None) -> str:
    """Return the fingerprint of the certificate, in TLS from the first octet."""
    with (
        socket.create_connection((address, port), timeout=10) as connection,
        _context().wrap_socket(connection, server_hostname=sni) as secured,
    ):
        return _fingerprint(secured)


def presented_imap(address: str, port: int = 143) -> str:
    """Return the fingerprint of the certificate after STARTTLS of IMAP."""
    client = imaplib.IMAP4(address, port, timeout=10)
    try:
        client.starttls(_context())
        return _fingerprint(client.sock)
    finally:
        client.shutdown()


def shown(address: str, port: int) -> str:
    """Return the fingerprint of the certificate that a server sends, though the handshake may fail after that."""
    words = ["openssl", "s_client", "-showcerts", "-connect", f"{address}:{port}"]
    said = subprocess.run(words, input=b"QUIT\n", capture_output=True, timeout=20, check=False).stdout
    found = re.search(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", said, re.DOTALL)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0].decode())).hexdigest() if found else ""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _fingerprint(secured: ssl.SSLSocket) -> str:
    certificate = secured.getpeercert(binary_form=True)
    assert certificate is not None
    return hashlib.sha256(certificate).hexdigest()
