"""What a mail server presents after STARTTLS, asked by a client of the standard library."""

from __future__ import annotations

import hashlib
import smtplib
import ssl

NOBODY = "nobody listens"  # while Exim starts anew, for instance


def presented(address: str, port: int = 25, *, sni: str | None = None, kind: str = "") -> str:
    """Return the fingerprint of the certificate; empty where no TLS comes about, NOBODY where no connection does.

    `kind`: RSA or ECDSA, all that the client knows.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if kind:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"ECDHE+a{kind}")
    try:
        with smtplib.SMTP(address, port, timeout=10) as client:
            return _shown(client, context, sni)
    except (ConnectionError, smtplib.SMTPServerDisconnected):  # also when it ends while we wait for its greeting
        return NOBODY


def _shown(client: smtplib.SMTP, context: ssl.SSLContext, sni: str | None) -> str:
    client.ehlo("test.example")
    code, _ = client.docmd("STARTTLS")
    assert client.sock is not None
    if code != 220:
        return ""
    try:
        with context.wrap_socket(client.sock, server_hostname=sni) as secured:
            certificate = secured.getpeercert(binary_form=True)
    except (ssl.SSLError, ConnectionError):
        return ""
    finally:
        client.sock = None
    assert certificate is not None
    return hashlib.sha256(certificate).hexdigest()
