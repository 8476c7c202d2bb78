"""With a next key published ahead a renewal needs no waiting: our own ACME, the real authority, server and sender."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from lab.certificate import record
from lab.daemon import until
from lab.installation import Installation
from lab.maildomain import establish
from lab.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

RENEWALS = 10
AT_ONCE = 10.0  # seconds from a certificate's arrival to its proof on the wire (the bar of next-key mode)
ISSUER = """
[issuer.pebble]
type = "acme"
directory = "{directory}"
ca-bundle = "{ca}"
agree-to-terms = true
"""


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, pebble: Pebble, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain, with an issuer of its own; what stands there is adopted, the next key is known everywhere."""
    made = Installation(tmp_path, dns_lab, mail, timing={"cache-floor": "3s", "margin": "1s", "rollback-window": "2s"})
    text = made.config.read_text() + 'issuer = "pebble"\n'
    made.config.write_text(text + ISSUER.format(directory=pebble.directory_url, ca=pebble.ca_file))
    return made


def test_ten_renewals_go_into_service_at_once_and_defer_no_mail(
    dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, installation: Installation
) -> None:
    """Ten times `renew` takes the next key: each certificate is proven on the wire within seconds, and no mail is deferred."""
    sender_lab.flush()
    adopted(installation, mail)
    served, took = [], []
    with Stream(sender_lab, mail.domain) as stream:
        installation.command("renew", "--force", mail.host)  # from what was adopted to a key of ours
        settled(installation)
        for _ in range(RENEWALS):
            key = standby(installation)
            until(lambda: is_usable(installation), "the next key is known to every cache", timeout=120, every=1.0)
            before = len(installation.events())
            installation.command("renew", "--force", mail.host)
            arrived, proven = moments(installation.events()[before:])
            took.append(proven - arrived)
            new = record(mail.chain_file.read_bytes())
            served.append(new)
            assert new.endswith(key), "the certificate is for another key than the one that was published ahead"
            settled(installation)
    totals = stream.drain()
    print(f"ten renewals with the next key: {totals}; from arrival to proof {min(took):.1f}-{max(took):.1f} s")

    assert len(set(served)) == RENEWALS
    assert max(took) <= AT_ONCE
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert totals.sent == totals.submitted
    assert totals.rate >= 4.0, str(totals)
    assert dns_lab.records(dns_lab.primary, f"_acme-challenge.{mail.host}", "TXT") == set(), "a proof was left behind"


def adopted(installation: Installation, mail: MailDomain) -> None:
    """Look for the first time: what is served is taken in, its records are ours, and there is a next key."""
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    installation.command("run", mail.host)


def standby(installation: Installation) -> str:
    """Return the digest of the next key, as its record has it."""
    found: str = installation.status()["next_key"]["spki"]
    return found


def is_usable(installation: Installation) -> bool:
    """Whether every cache knows the next key: `run` looks, `status` tells."""
    installation.command("run", installation.name)
    return bool(installation.status()["next_key"]["ready"])


def settled(installation: Installation) -> None:
    """Wait until the former certificate's records are gone and there is another next key."""
    until(lambda: at_rest(installation), "the rollover is over", timeout=120, every=1.0)


def at_rest(installation: Installation) -> bool:
    """Whether nothing is on its way: `run` does what is due, `status` tells."""
    installation.command("run", installation.name)
    standing = installation.status()
    return standing["phase"] == "stable" and standing["next_key"] is not None


def moments(events: list[dict[str, Any]]) -> tuple[float, float]:
    """Return when the certificate arrived and when it was proven on the wire, seconds since 1970."""
    found = {one["event"]: datetime.fromisoformat(one["at"]).timestamp() for one in events}
    return found["Staged"], found["Confirmed"]
