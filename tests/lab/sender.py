"""A sending mail server that refuses to deliver without DANE, and the mail log as data."""

from __future__ import annotations

import re
import smtplib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.daemon import until
from lab.postfix import Postfix

if TYPE_CHECKING:
    from pathlib import Path

    from lab.unbound import Unbound

ADDRESS, RESOLVER = "127.25.0.2", "127.53.2.2"

# Each mail is to be tried on its own: no shared connections, and no destination is given up after failures.
# smtp(8) still keeps TLSA records for their TTL in each process, as any sender does.
_MAIN = """
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane-only
smtp_host_lookup = dns
smtp_connection_cache_on_demand = no
default_destination_concurrency_failed_cohort_limit = 0
initial_destination_concurrency = 20
default_destination_concurrency_limit = 20
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 3s
transport_retry_time = 2s
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
"""
_LINE = re.compile(r"^(\w+ +\d+ [\d:]+) .*?: to=<([^>]+)>, .*?status=(\w+) \((.*)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt of the sender, as its log tells it."""

    when: float  # seconds since 1970, whole
    recipient: str
    status: str  # sent, deferred, bounced
    text: str


class SenderLab:
    """The sending Postfix with a resolver and cache of its own."""

    resolver = RESOLVER

    def __init__(self, directory: Path, unbound: Unbound, *, name: str = "tx", address: str = ADDRESS, more: str = "") -> None:
        """Set it up below a directory. `more`: further lines for its main.cf."""
        self.address = address
        self._unbound = unbound
        self._postfix = Postfix(directory / name, address=address, hostname=f"{name}.a.example", main=_MAIN + more)

    def start(self) -> None:
        """Start resolver and mail server."""
        self._unbound.daemon.start()
        self._postfix.start(resolver=RESOLVER)

    def beside(self, directory: Path, name: str, *, address: str, more: str) -> SenderLab:
        """Start another sender that goes by this one's resolver; stop it with `leave`."""
        other = SenderLab(directory, self._unbound, name=name, address=address, more=more)
        other._postfix.start(resolver=RESOLVER)
        return other

    def leave(self) -> None:
        """Stop the mail server alone."""
        self._postfix.stop()

    def stop(self) -> None:
        """Stop both."""
        self._postfix.stop()
        self._unbound.daemon.stop()

    def flush(self) -> None:
        """Forget what the resolver and the running delivery processes know."""
        self._unbound.flush()
        self._postfix.reload()

    def connect(self) -> smtplib.SMTP:
        """Return a connection that takes mail for delivery."""
        return smtplib.SMTP(self.address, 25, local_hostname="client.a.example", timeout=20)

    def send(self, recipient: str, *, timeout: float = 20.0) -> Delivery:
        """Hand over one mail and wait for the outcome of its first attempt. Use a recipient only once."""
        with self.connect() as connection:
            submit(connection, recipient)
        until(lambda: bool(self.deliveries(recipient)), f"an attempt to deliver to {recipient}", timeout=timeout)
        return self.deliveries(recipient)[0]

    def deliveries(self, recipient: str = "") -> list[Delivery]:
        """Return all attempts in the order of the log, or those for one recipient."""
        attempts = [Delivery(_seconds(stamp), *rest) for stamp, *rest in _LINE.findall(self._postfix.log())]
        return [attempt for attempt in attempts if recipient in ("", attempt.recipient)]

    def log(self) -> str:
        """Return the whole mail log."""
        return self._postfix.log()


def submit(connection: smtplib.SMTP, recipient: str) -> None:
    """Hand one small mail to the sender."""
    connection.sendmail("probe@tx.a.example", [recipient], f"To: {recipient}\r\nSubject: probe\r\n\r\nHello.\r\n")


def _seconds(stamp: str) -> float:
    """Return seconds since 1970 of a log line's local time, which has no year."""
    now = time.localtime()
    year = now.tm_year - (stamp.startswith("Dec") and now.tm_mon == 1)
    return time.mktime(time.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S"))
