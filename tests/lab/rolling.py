"""A rollover as it is seen from outside, and as the journal tells it afterwards."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from lab.daemon import until

if TYPE_CHECKING:
    from pathlib import Path

    from lab.certificate import Pair
    from lab.hierarchy import DnsLab
    from lab.installation import Installation
    from lab.maildomain import MailDomain


class LastServer:
    """Watches from outside when the last authoritative server hands out a record for every owner."""

    def __init__(self, dns_lab: DnsLab, servers: tuple[str, ...], mail: MailDomain, new: str) -> None:
        self._dns_lab, self._servers, self._mail, self._new = dns_lab, servers, mail, new
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.all_new_at = float("inf")

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ends.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._ends.wait(0.05):
            asked = time.time()
            if all(self._new in (self._dns_lab.records(s, o) or ()) for s in self._servers for o in self._mail.owners):
                self.all_new_at = asked
                return


def swap_of(installation: Installation, new: str) -> dict[str, Any]:
    """The event that began the swap to the key of this record."""
    digest = new.rsplit(maxsplit=1)[-1]
    events = installation.events()
    ids = {
        e["details"]["generation"]["id"] for e in events
        if e["event"] == "Staged" and e["details"]["generation"]["chain"]["certificates"][0]["spki_sha256"] == digest
    }  # fmt: skip
    return next(e for e in events if e["event"] == "Deploying" and e["details"]["generation"] in ids)


def moment(event: dict[str, Any]) -> float:
    """When an event happened, seconds since 1970."""
    return datetime.fromisoformat(event["at"]).timestamp()


def await_end(installation: Installation, new: str) -> None:
    """Wait until the rollover to the key of this record is over; if it does not end, tell what it waits for."""
    try:
        until(lambda: finished(installation, new), "the rollover is over", timeout=90, every=1.0)
    except AssertionError:
        print(installation.start("status").communicate(timeout=60)[0], installation.command("history", "-n", "30"))
        raise


def finished(installation: Installation, new: str) -> bool:
    """Whether the rollover to the key of this record is over."""
    status = installation.status()
    digest = new.rsplit(maxsplit=1)[-1]
    return status["phase"] == "stable" and digest in str(status["current"]) and not status["next"]


def hand_over(installation: Installation, pair: Pair, directory: Path) -> None:
    """What an ACME client's hook does with a new certificate."""
    file = directory / "new.pem"
    pair.install(file)
    installation.command("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))
