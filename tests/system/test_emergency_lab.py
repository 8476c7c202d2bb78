"""A stolen key is replaced while mail flows: with a next key nobody notices, without one mail waits as long as was predicted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import establish, settle
from lab.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import Delivery, SenderLab

_ISSUER = """issuer = "pebble"
[issuer.pebble]
type = "acme"
directory = "{directory}"
ca-bundle = "{bundle}"
agree-to-terms = true
"""
FOUR_A_SECOND = 0.25
OLD_TTL = 10  # seconds


def test_with_a_next_key_no_mail_is_deferred(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Bar 3: every cache knows the next key, so the swap comes at once; the stolen key's record goes, and stays gone."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = in_charge(dns_lab, mail, tmp_path, more="next-key = true")
    with Timer(installation):
        until(lambda: foreseen(installation) == "standby", "every cache knows the next key", timeout=60, every=1.0)
        coming = records(dns_lab, mail) - {mail.pair.record}
        assert len(coming) == 1
        sender_lab.flush()
        with Stream(sender_lab, mail.domain, every=FOUR_A_SECOND) as stream:
            until(lambda: stream.totals().sent >= 8, "mail flows", timeout=30)
            began = time.time()
            said = emergency(installation)
            until(
                lambda: mail.pair.record not in records(dns_lab, mail), "the stolen key's record is gone", timeout=60, every=0.2
            )
            gone = time.time()
            until(lambda: len(records(dns_lab, mail)) == 2, "there is a next key again", timeout=60, every=1.0)
            until(lambda: foreseen(installation) == "standby", "it is known everywhere", timeout=60, every=1.0)
        totals = stream.drain()
    print(f"emergency with a next key, record gone after {gone - began:.1f} s: {totals}")

    assert said["emergency"]["way"] == "standby"
    assert said["emergency"]["ways"][0]["deferred_until"] is None
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert coming <= records(dns_lab, mail)
    assert installation.status()["current"]["spki"] in coming.pop()
    refused(installation, mail, tmp_path)


def test_without_a_next_key_mail_waits_no_longer_than_predicted(
    dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path
) -> None:
    """Bar 3: senders that hold the old records defer until they forget them; the prediction holds, and no mail is lost."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    for owner in mail.owners:
        dns_lab.put_tlsa(owner, mail.pair.record, ttl=OLD_TTL)
    settle(dns_lab, mail, mail.pair.record)
    timing = {"ttl": f"{OLD_TTL}s", "cache-floor": "30s", "poll-interval": "3s"}
    installation = in_charge(dns_lab, mail, tmp_path, timing=timing, adopt=False)
    assert foreseen(installation) == "at once"
    sender_lab.flush()
    with Timer(installation), Stream(sender_lab, mail.domain, every=FOUR_A_SECOND) as stream:
        until(lambda: stream.totals().sent >= 8, "mail flows", timeout=30)
        began = time.time()
        said = emergency(installation)
        until(lambda: mail.pair.record not in records(dns_lab, mail), "the stolen key's record is gone", timeout=60, every=0.2)
        gone = time.time()
        predicted = moment(said["emergency"]["ways"][0]["deferred_until"])
        until(
            lambda: "every name server has the new record since" in installation.command("status"), "it is told again", timeout=30
        )
        until(lambda: time.time() > predicted + 5, "the predicted moment is over", timeout=60, every=1.0)
    totals = stream.drain()
    deferred = [one for one in sender_lab.deliveries() if one.status == "deferred" and one.when >= began - 1]
    last = max((one.when for one in deferred if one.recipient.startswith("stream-")), default=began)
    print(
        f"emergency without a next key, record gone after {gone - began:.1f} s, deferral predicted {predicted - began:.0f} s,"
        f" measured {last - began:.0f} s: {totals}"
    )

    assert said["emergency"]["way"] == "at once"
    assert said["emergency"]["taken_over"] == {owner: [mail.pair.record] for owner in mail.owners}
    (stolen,) = installation.status()["stolen"]
    assert stolen["out_of_service"]
    assert stolen["published_at"] == stolen["foreign"] == []
    assert totals.deferred, "nobody held the old records: nothing was measured"
    assert last <= predicted, f"{last - began:.1f} s, predicted {predicted - began:.1f} s"
    assert totals.bounced == totals.pending == 0, str(totals)
    assert totals.sent == totals.submitted
    assert not mail_lost(deferred, sender_lab)
    refused(installation, mail, tmp_path)


def test_with_an_issuer_a_real_certificate_follows_for_the_same_key(
    dns_lab: DnsLab, mx_lab: MxLab, acme_lab: Certbot, pebble: Pebble, tmp_path: Path
) -> None:
    """The key that went in at once gets a certificate of the authority without another wait; the stolen one is revoked."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    issuer = _ISSUER.format(directory=pebble.directory_url, bundle=pebble.ca_file)
    installation = in_charge(dns_lab, mail, tmp_path, more=issuer)
    installation.command("issue", mail.host)
    with Timer(installation):
        until(lambda: issued(installation), "the authority's certificate is in service", timeout=90, every=1.0)
        stolen = installation.status()["current"]
        until(lambda: foreseen(installation) == "standby", "every cache knows the next key", timeout=60, every=1.0)
        said = emergency(installation)
        until(lambda: installation.status()["current"]["spki"] != stolen["spki"], "another key serves", timeout=60, every=0.2)
        key = installation.status()["current"]["spki"]
        until(lambda: issued(installation), "a certificate for it follows", timeout=90, every=1.0)
    now = installation.status()["current"]
    serving = [one["details"]["generation"] for one in installation.events() if one["event"] == "Confirmed"]

    assert said["emergency"]["way"] == "standby"
    assert now["spki"] == key, "the certificate that followed is for another key"
    assert serving[-1] == now["id"]
    command = next(one for one in said["emergency"]["besides"] if "certbot revoke" in one).partition("certbot ")[2].split()
    assert "revoked" in acme_lab.certbot(*command).lower()


def issued(installation: Installation) -> bool:
    """Whether a certificate of the authority is in service, and nothing goes on."""
    state = installation.status()
    return state["phase"] == "stable" and bool(state["current"]) and state["current"]["origin"] == "issuer.pebble"


def in_charge(
    dns_lab: DnsLab,
    mail: MailDomain,
    directory: Path,
    *,
    more: str = "",
    timing: dict[str, str] | None = None,
    adopt: bool = True,
) -> Installation:
    """Install tlsa-manager, which takes the certificate in use over; and its records, unless they stay somebody else's."""
    installation = Installation(directory, dns_lab, mail, timing=timing)
    with installation.config.open("a") as file:
        file.write(more + "\n")
    installation.command("run")
    if adopt:
        installation.command("records", "--adopt")
    return installation


def program(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal; its answer and what it says besides are kept apart."""
    argv = [sys.executable, "-m", "tlsa_manager", *words]
    environment = {**os.environ, **installation.environment}
    return subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def foreseen(installation: Installation) -> str:
    """Which way is open, as the program says it to somebody who has not confirmed: it does nothing, and ends with 2."""
    done = program(installation, "rollover", "emergency", installation.name)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing was done" in done.stderr
    return "standby" if "the swap now" in done.stdout else "at once"


def emergency(installation: Installation) -> dict[str, Any]:
    """Say that the key is stolen, as a script does."""
    done = program(installation, "rollover", "emergency", installation.name, "--yes", "--json")
    assert done.returncode in (0, 75), done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def refused(installation: Installation, mail: MailDomain, directory: Path) -> None:
    """Neither the way back nor a hook brings the stolen key again."""
    back = program(installation, "rollover", "back", installation.name)
    assert (back.returncode, "declared compromised" in back.stderr) == (1, True), back.stderr
    file = directory / "again.pem"
    mail.pair.install(file)
    words = ("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))
    again = program(installation, *words)
    assert again.returncode != 0
    assert "declared compromised" in again.stderr
    status = installation.status()
    assert mail.pair.record.split()[-1] in [one["key"] for one in status.pop("stolen")]
    assert mail.pair.record.split()[-1] not in json.dumps(status)


def mail_lost(deferred: list[Delivery], sender: SenderLab) -> set[str]:
    """Recipients whose mail was deferred and never delivered."""
    return {one.recipient for one in deferred} - {one.recipient for one in sender.deliveries() if one.status == "sent"}


def moment(text: str) -> float:
    """Read a moment of --json, seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def records(dns_lab: DnsLab, mail: MailDomain) -> set[str]:
    """Every record that some server has for some owner."""
    servers = (dns_lab.primary, dns_lab.secondary)
    return {record for server in servers for owner in mail.owners for record in dns_lab.records(server, owner) or ()}
