"""Which server programs the lab needs, and the Debian packages they come from."""

from __future__ import annotations

import os
import shutil
import sys

PACKAGE_OF = {
    "ip": "iproute2",
    "named": "bind9",
    "rndc": "bind9-utils",
    "dnssec-keygen": "bind9-utils",
    "dnssec-dsfromkey": "bind9-utils",
    "dnssec-signzone": "bind9-utils",
    "named-checkconf": "bind9-utils",
    "tsig-keygen": "bind9",
    "nsupdate": "bind9-dnsutils",
    "dig": "bind9-dnsutils",
    "knotd": "knot",
    "knotc": "knot",
    "keymgr": "knot",
    "pdns_server": "pdns-server",
    "pdnsutil": "pdns-server and pdns-backend-sqlite3",
    "nsd": "nsd",
    "nsd-control": "nsd",
    "nsd-checkzone": "nsd",
    "ldns-signzone": "ldnsutils",
    "named-checkzone": "bind9-utils",
    "unbound": "unbound",
    "unbound-control": "unbound",
    "postfix": "postfix",
    "posttls-finger": "postfix",
    "exim4": "exim4-daemon-light",
    "smtpd": "opensmtpd",
    "nginx": "nginx-light",
    "node": "nodejs",
    "haproxy": "haproxy",
    "dovecot": "dovecot-imapd, dovecot-pop3d, dovecot-managesieved and dovecot-lmtpd",
    "gnutls-serv": "gnutls-bin",
    "pebble": "pebble",
    "certbot": "certbot and python3-certbot-dns-rfc2136",
    "dehydrated": "dehydrated",
    "shellcheck": "shellcheck",
    "lego": "lego",
    "uacme": "uacme",
    "caddy": "caddy",
    "systemd-analyze": "systemd",
}
DNS = ("ip", "named", "rndc", "dnssec-keygen", "dnssec-dsfromkey", "dnssec-signzone", "nsupdate", "unbound", "unbound-control")
MAIL = ("postfix", "posttls-finger")
ACME = ("pebble", "certbot")


def missing(needed: tuple[str, ...]) -> str:
    """Say which of the needed programs are not installed and where they come from; nothing when all are there."""
    absent = [program for program in needed if shutil.which(program) is None]
    return ", ".join(f"{program} (Debian package {PACKAGE_OF[program]})" for program in absent)


def widen_path() -> None:
    """Find servers that are not on a normal user's PATH."""
    known = os.environ.get("PATH", "").split(os.pathsep)
    unpacked = [f"{sys.prefix}/{one}/usr/sbin" for one in ("exim4", "opensmtpd")]  # last: they have a sendmail, too
    extra = [folder for folder in ("/usr/sbin", "/sbin", *unpacked) if folder not in known]
    os.environ["PATH"] = os.pathsep.join([*known, *extra])
