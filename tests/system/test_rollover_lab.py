"""The product's main job on real servers: certbot renews, the timer rolls the key, and no DANE sender notices."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from lab.certificate import record
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.rolling import LastServer, await_end, moment, swap_of
from lab.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab
    from lab.sender import SenderLab

WAIT = 5.0 + 2.0  # max(k·TTL, F) + M of the installation's timing
ROLLOVERS = 5
KILLS = 20


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order, in the zone whose secondary is seconds late."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.slow_zone)


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain; the certificate that stands there is adopted by the first run."""
    made = Installation(tmp_path, dns_lab, mail)
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


def test_five_renewals_by_certbot_defer_no_mail(
    dns_lab: DnsLab, sender_lab: SenderLab, acme_lab: Certbot, mail: MailDomain, installation: Installation
) -> None:
    """Five times certbot renews with our hook and a timer calls `run`: five new keys in service, zero deferred mails."""
    sender_lab.flush()
    keys = []
    with Timer(installation) as timer, Stream(sender_lab, mail.domain) as stream:
        live = acme_lab.obtain(mail.host, deploy_hook=installation.hook, env=installation.environment)
        for turn in range(ROLLOVERS):
            if turn:
                acme_lab.renew(mail.host, env=installation.environment)
            new = record((live / "fullchain.pem").read_bytes())
            with LastServer(dns_lab, (dns_lab.primary, dns_lab.secondary), mail, new) as watch:
                await_end(installation, new)
            keys.append(new)
            assert_swapped_in_time(installation, watch.all_new_at, new)
            for server in (dns_lab.primary, dns_lab.secondary):
                until(partial(is_alone, dns_lab, server, mail, new), "only the new record is left", timeout=30)
    totals = stream.drain()
    print(f"five rollovers with tlsa-manager: {totals}")

    assert len(set(keys)) == ROLLOVERS
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert totals.sent == totals.submitted
    assert totals.rate >= 4.0, str(totals)
    assert not [said for said, code in zip(timer.said, timer.codes, strict=True) if code not in (0, 75)]


def test_does_not_swap_while_a_secondary_is_away(
    dns_lab: DnsLab, sender_lab: SenderLab, acme_lab: Certbot, mail: MailDomain, installation: Installation
) -> None:
    """Without the secondary nothing is swapped and `status` names it; when it is back, the rollover goes on by itself."""
    sender_lab.flush()
    with Timer(installation), Stream(sender_lab, mail.domain) as stream:
        with dns_lab.without_secondary("process"):
            live = acme_lab.obtain(mail.host, deploy_hook=installation.hook, env=installation.environment)
            new = record((live / "fullchain.pem").read_bytes())
            until(lambda: names_secondary(installation), "status names the secondary", timeout=90, every=1.0)
            time.sleep(2 * WAIT)
            assert not happened(installation, "Deploying")
            assert "127.53.1.2" in installation.start("status").communicate(timeout=60)[0]
        await_end(installation, new)
    totals = stream.drain()
    assert totals.deferred == totals.bounced == 0, str(totals)


def test_the_hook_returns_while_the_servers_hang(
    dns_lab: DnsLab, acme_lab: Certbot, mail: MailDomain, installation: Installation
) -> None:
    """With servers that do not answer the hook keeps the certificate and returns long before their timeouts; `run` publishes."""
    live = acme_lab.obtain(mail.host)
    with dns_lab.without_secondary("hang"):
        began = time.monotonic()
        words = ("hook", "files", "--lineage", mail.host, "--certificate", str(live / "fullchain.pem"))
        said = installation.command(*words, "--key", str(live / "privkey.pem"))
        print(f"the hook took {time.monotonic() - began:.2f} s: {said.strip()}")
    assert "safely kept" in said
    new = record((live / "fullchain.pem").read_bytes())
    with Timer(installation):
        await_end(installation, new)


def test_kill_9_at_any_moment_defers_no_mail(
    dns_lab: DnsLab, sender_lab: SenderLab, acme_lab: Certbot, mail: MailDomain, installation: Installation
) -> None:
    """`run` is killed twenty times while a key is rolled; the next one goes on, and no mail is deferred."""
    sender_lab.flush()
    chance = random.Random(20261121)
    with Stream(sender_lab, mail.domain) as stream:
        live = acme_lab.obtain(mail.host, deploy_hook=installation.hook, env=installation.environment)
        new = record((live / "fullchain.pem").read_bytes())
        for turn in range(KILLS):
            if turn == KILLS // 2:
                acme_lab.renew(mail.host, env=installation.environment)
                new = record((live / "fullchain.pem").read_bytes())
            process = installation.start("run", "--watch")
            time.sleep(chance.uniform(0.1, 2.5))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        with Timer(installation):
            await_end(installation, new)
    totals = stream.drain()
    print(f"killed {KILLS} times: {totals}")

    assert totals.deferred == totals.bounced == 0, str(totals)
    assert happened(installation, "Confirmed")


def is_alone(dns_lab: DnsLab, server: str, mail: MailDomain, record: str) -> bool:
    """Whether a server hands out this record and no other."""
    return dns_lab.records(server, mail.owners[0]) == {record}


def assert_swapped_in_time(installation: Installation, all_new_at: float, new: str) -> None:
    """The swap began no earlier than the wait after the last server had the new set; how much later is printed."""
    event = swap_of(installation, new)
    late = moment(event) - (all_new_at + WAIT)
    print(f"swapped {late:+.2f} s after the earliest safe moment (a poll interval is 1 s)")
    if late > 2.0:
        print("\n".join(f"{e['at']} {e['text']}" for e in installation.events() if e["event"] != "Staged"))
    assert late >= -0.2, "the swap was too early"  # our own watch sees the last server up to two of its rounds late


def names_secondary(installation: Installation) -> bool:
    """Whether `status` names the secondary's address; what it says instead is printed."""
    status = installation.status()
    found = "127.53.1.2" in str(status)
    if not found:
        print(status["phase"], status["why"], [one["reason"] for one in status["blockers"]])
    return found


def happened(installation: Installation, kind: str) -> bool:
    """Whether the journal has an event of this kind."""
    return any(event["event"] == kind for event in installation.events())
