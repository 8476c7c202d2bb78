"""What is found on this host: enough to begin a configuration. Reads only; asks nothing of the network."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.config.mailserver import MailServer, mail_servers
from tlsa_manager.config.nameserver import NameServer, name_servers
from tlsa_manager.errors import BadInput
from tlsa_manager.lineage import lineage_name
from tlsa_manager.service import host_name
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.observe.delegation import Delegation

_PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}
_ANCHORS = ("/usr/share/dns/root.key", "/var/lib/unbound/root.key", "/etc/unbound/root.key")
_KEYS = ("etc/tlsa-manager/tsig.key", "etc/tlsa-manager/*.key", "etc/bind/*.key", "etc/named/*.key", "etc/knot/*.key")
UNKNOWN = "mx.example.org"  # the mail host where nothing tells how this one is called
_NOT_OURS = {"rndc.key", "session.key", "bind.keys", "pdns.key"}


@dataclass(frozen=True, slots=True)
class Found:
    """`lineages`: names of certificates of certbot. `ports`: what Postfix listens on. `tsig_key`: a key file, or empty.

    `name_servers`, `mail_servers`: what else was found; `delegation`: what DNS says of the host, where it was asked.
    """

    host: str
    lineages: tuple[str, ...] = ()
    postfix: str = ""  # its configuration directory
    ports: tuple[int, ...] = (25,)
    resolvers: tuple[str, ...] = ("127.0.0.1",)
    trust_anchor: str = ""
    tsig_key: str = ""
    chain_file: str = ""  # the one combined file that Postfix reads, if it is no ACME client's
    name_servers: tuple[NameServer, ...] = ()
    mail_servers: tuple[MailServer, ...] = ()
    delegation: Delegation | None = None


def look(root: Path = Path("/")) -> Found:
    """Look at the host, or at a tree that looks like one."""
    postfix, host, ports = _postfix() if root == Path("/") else ("", "", (25,))
    tsig_key = _tsig_key(root)
    return Found(
        host=host or _hostname(),
        lineages=_lineages(root / "etc/letsencrypt/live"),
        postfix=postfix,
        ports=ports,
        resolvers=_resolvers(root / "etc/resolv.conf"),
        trust_anchor=next((path for path in _ANCHORS if (root / path.lstrip("/")).is_file()), ""),
        tsig_key=tsig_key,
        chain_file=_chain_file() if postfix else "",
        name_servers=name_servers(root, tsig_key),
        mail_servers=mail_servers(root),
    )


def _postfix() -> tuple[str, str, tuple[int, ...]]:
    """Return the configuration directory, the host's name and the ports of Postfix; empty where there is none."""
    if shutil.which("postconf") is None:
        return "", "", (25,)
    services = [line.split()[0] for line in _says("postconf", "-M").splitlines() if " inet " in line.replace("\t", " ")]
    ports = {_PORTS.get(name.rpartition(":")[2], 0) for name in services} - {0}
    return (
        _says("postconf", "-h", "config_directory"),
        _host(_says("postconf", "-h", "myhostname")),
        tuple(sorted(ports)) or (25,),
    )


def _chain_file() -> str:
    """Return the file in smtpd_tls_chain_files, where it names one that this program may take over."""
    named = _says("postconf", "-xh", "smtpd_tls_chain_files").replace(",", " ").split()
    if len(named) != 1 or "letsencrypt" in named[0]:
        return ""
    try:
        return named[0] if stat.S_ISREG(Path(named[0]).lstat().st_mode) else ""
    except OSError:
        return ""


def _says(*argv: str) -> str:
    try:
        run = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def _hostname() -> str:
    return _host(socket.getfqdn()) or UNKNOWN


def _host(name: str) -> str:
    try:
        return host_name(name) if "." in name and not name.endswith((".localdomain", ".arpa")) else ""
    except BadInput:
        return ""


def _lineages(live: Path) -> tuple[str, ...]:
    """Return certbot's certificate names: the directories with a fullchain.pem."""
    try:
        names = sorted(entry.name for entry in live.iterdir() if (entry / "fullchain.pem").exists())
    except OSError:
        return ()
    return tuple(name for name in names if _usable(name))


def _usable(name: str) -> bool:
    try:
        return bool(lineage_name(name))
    except BadInput:
        return False


def _resolvers(file: Path) -> tuple[str, ...]:
    """Return loopback resolvers only: an answer of a resolver elsewhere could be forged on the way."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ("127.0.0.1",)
    found = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    return tuple(address for address in found if address.startswith("127.") or address == "::1") or ("127.0.0.1",)


def _tsig_key(root: Path) -> str:
    """Return the first file that is named as a key for updates; it is not opened."""
    for pattern in _KEYS:
        for file in sorted(root.glob(pattern)):
            if file.name not in _NOT_OURS:
                return "/" + str(file.relative_to(root))
    return ""
