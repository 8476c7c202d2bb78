"""Which other software on this host presents a certificate to mail, from its configuration files. Reads only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from pathlib import Path

_PORTS = r"(?:24|25|110|143|465|587|993|995|2525|4190)"
_PLACES = {  # kind of consumer: its configuration, what has to stand in it, where its certificates may be
    "exim": (("etc/exim4/update-exim4.conf.conf", "etc/exim4/exim4.conf", "etc/exim/exim.conf", "etc/exim.conf"), "", "exim4"),
    "opensmtpd": (("etc/smtpd.conf", "etc/mail/smtpd.conf"), r"^\s*listen\s", "ssl/smtpd"),
    "dovecot": (("etc/dovecot/dovecot.conf",), "", "dovecot"),
    "haproxy": (("etc/haproxy/haproxy.cfg",), rf"^\s*bind\s[^\n]*:{_PORTS}\b", "haproxy"),
    "nginx": (("etc/nginx/nginx.conf",), r"^\s*mail\s*\{", "nginx"),
}


@dataclass(frozen=True, slots=True)
class MailServer:
    """One that was found. `kind`: of the consumer; `directory`: for the combined file, which this program alone writes."""

    kind: str
    directory: str


def mail_servers(root: Path) -> tuple[MailServer, ...]:
    """Return what is found besides Postfix; a web server or proxy only where its configuration speaks of mail."""
    return tuple(
        MailServer(kind, f"/etc/{directory}/tls") for kind, (files, word, directory) in _PLACES.items()
        if any(re.search(word, text, re.MULTILINE) for file in files if (text := _text(root / file)) is not None)
    )  # fmt: skip


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
