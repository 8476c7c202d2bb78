"""What the usual hook does to mail: the reason why this program exists."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab import naive
from lab.certificate import record
from lab.maildomain import establish, settle
from lab.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab


def test_naive_hook_defers_mail(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, acme_lab: Certbot, tmp_path: Path) -> None:
    """Renewals that reload at once and then replace the record make a DANE sender defer mail; it recovers later."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.slow_zone)
    hook = naive.write_hook(tmp_path / "hook", dns_lab, mail)
    live = acme_lab.obtain(mail.host, deploy_hook=str(hook))
    settle(dns_lab, mail, record((live / "fullchain.pem").read_bytes()))
    sender_lab.flush()
    with Stream(sender_lab, mail.domain) as stream:
        for _ in range(3):  # a single one may be lucky: the resolver had just asked again, and the right server
            acme_lab.renew(mail.host)
            settle(dns_lab, mail, record((live / "fullchain.pem").read_bytes()))
            time.sleep(2 * dns_lab.ttl)  # until caches have followed
    totals = stream.drain()
    print(f"naive hook: {totals}")
    assert totals.deferred > 0, str(totals)
    assert totals.sent == totals.submitted, str(totals)
