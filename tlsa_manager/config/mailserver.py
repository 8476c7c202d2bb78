"""Which other software on this host presents a certificate to mail: what its configuration says, and whether it runs. Reads only.

That a package is installed says nothing: its configuration has to name a certificate that no package brought, or it has to run.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAIL = r"(?:24|25|110|143|465|587|993|995|2525|4190)"
_LISTENING = "0A"  # /proc/net/tcp: the state (TCP_LISTEN)
_BROUGHT = ("/etc/dovecot/private/", "/etc/ssl/certs/ssl-cert-snakeoil")  # by packages


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known of one kind. `needs`: what has to stand in its configuration besides; `runs`: how its process is called."""

    files: tuple[str, ...]
    directory: str
    chain: str
    key: str
    runs: tuple[str, ...]
    needs: str = ""
    ports: tuple[int, ...] = ()


_PATH = r"\s*\"?(/[^\s\";:$]+)\"?"
_KINDS = {
    "exim": _Kind(
        (
            "etc/exim4/exim4.conf.localmacros", "etc/exim4/conf.d/main/*", "etc/exim4/exim4.conf",
            "etc/exim/exim.conf", "etc/exim.conf",
        ),
        "exim4", rf"^\s*(?:MAIN_TLS_CERTKEY|MAIN_TLS_CERTIFICATE|tls_certificate)\s*={_PATH}\s*$",
        rf"^\s*(?:MAIN_TLS_PRIVATEKEY|tls_privatekey)\s*={_PATH}\s*$", ("exim4", "exim"), ports=(25, 465, 587),
    ),
    "opensmtpd": _Kind(
        ("etc/smtpd.conf", "etc/mail/smtpd.conf"), "ssl/smtpd",
        rf"^\s*pki\s+\S+\s+cert{_PATH}", rf"^\s*pki\s+\S+\s+key{_PATH}", (), r"^\s*listen\s[^\n]*\b(?:tls|smtps)\b",
    ),
    "dovecot": _Kind(
        ("etc/dovecot/dovecot.conf", "etc/dovecot/conf.d/*.conf", "etc/dovecot/local.conf"), "dovecot",
        rf"^\s*(?:ssl_cert\s*=\s*<|ssl_server_cert_file\s*=){_PATH}", rf"^\s*(?:ssl_key\s*=\s*<|ssl_server_key_file\s*=){_PATH}",
        ("dovecot",), ports=(110, 143, 993, 995, 4190),
    ),
    "haproxy": _Kind(
        ("etc/haproxy/haproxy.cfg",), "haproxy", rf"\bcrt{_PATH}", r"(?!)", (), rf"^\s*bind\s[^\n]*:{_MAIL}\b",
    ),
    "nginx": _Kind(
        ("etc/nginx/nginx.conf",), "nginx",
        rf"^\s*ssl_certificate{_PATH}", rf"^\s*ssl_certificate_key{_PATH}", (), r"^\s*mail\s*\{",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MailServer:
    """One that was found. `kind`: of the consumer; `directory`: for the combined file, which this program alone writes.

    `file`: the one that it reads already, where that is one for key and chain that this program may take over, or empty;
    `ports`: what it is asked at, as far as somebody listens there.
    """

    kind: str
    directory: str
    file: str = ""
    ports: tuple[int, ...] = ()


def mail_servers(root: Path) -> tuple[MailServer, ...]:
    """Return what is found besides Postfix; a web server or proxy only where its configuration speaks of mail."""
    running, listening = set(_running(root)), set(_listening(root))
    found = []
    for name, kind in _KINDS.items():
        text = "\n".join(_texts(root, kind))
        chains = {one for one in re.findall(kind.chain, text, re.MULTILINE) if not one.startswith(_BROUGHT)}
        here = bool(re.search(kind.needs, text, re.MULTILINE)) if kind.needs else bool(chains or running & set(kind.runs))
        if here:
            ports = tuple(one for one in kind.ports if one in listening) if running & set(kind.runs) else ()
            found.append(MailServer(name, f"/etc/{kind.directory}/tls", _combined(root, kind, chains, text), ports))
    return tuple(found)


def _combined(root: Path, kind: _Kind, chains: set[str], text: str) -> str:
    """Return the one file that is named for the chain and for the key, if it is a file, and no ACME client's."""
    keys = set(re.findall(kind.key, text, re.MULTILINE))
    if len(chains) != 1 or not keys <= chains or "letsencrypt" in (one := next(iter(chains))):
        return ""
    if not keys and re.search(r"^\s*MAIN_TLS_CERTIFICATE\s*=", text, re.MULTILINE):
        return ""  # the macro for a chain alone: Debian has another one for both
    try:
        return one if stat.S_ISREG((root / one.lstrip("/")).lstat().st_mode) else ""
    except OSError:
        return ""


def _running(root: Path) -> Iterator[str]:
    """How the processes of this host are called."""
    for file in root.glob("proc/[0-9]*/comm"):
        yield from (text.strip() for text in _read(file))


def _listening(root: Path) -> Iterator[int]:
    """The ports that somebody listens at, at any address."""
    for name in ("tcp", "tcp6"):
        for text in _read(root / "proc/net" / name):
            rows = (line.split() for line in text.splitlines()[1:])
            yield from (int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTENING)


def _texts(root: Path, kind: _Kind) -> Iterator[str]:
    for pattern in kind.files:
        for file in sorted(root.glob(pattern)):
            yield from _read(file)


def _read(file: Path) -> Iterator[str]:
    try:
        yield file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
