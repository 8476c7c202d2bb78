"""A mail server: STARTTLS with the certificate of one file, which it reads when it starts and when it is told to."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP

from tlsa_manager import keys
from tlsa_manager.demo.names import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session


class MailServer:
    """Receives mails and counts them. `digest`: SHA-256 of the public key that it presents, `3 1 1` as they say."""

    def __init__(self, file: Path) -> None:
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what a demo's sender does is told by the demo
        self._file = file
        self.received = 0
        self._server: asyncio.Server | None = None
        self.reload()

    def reload(self) -> None:
        """Read the file; who is connected keeps what was negotiated. Raises OSError and BadInput."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._file)
        self.digest = keys.split_combined(self._file.read_bytes()).chain.leaf.spki_sha256
        self._context = context

    async def open(self, address: str) -> int:
        """Listen at a free port of an address; return the port."""
        self._server = await asyncio.get_running_loop().create_server(self._session, address, 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def _session(self) -> SMTP:
        return SMTP(self, hostname=HOST, ident="demo", tls_context=self._context, timeout=30, loop=asyncio.get_running_loop())

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Take a mail."""
        self.received += 1
        return "250 2.0.0 received"
