"""Clients without hooks: Caddy rewrites its files, `run --watch` notices; a key that DNS does not know waits as any."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from lab.caddy import Caddy
from lab.certificate import record
from lab.daemon import until
from lab.fixtures import needs
from lab.installation import Installation
from lab.maildomain import establish
from lab.renewals import TIMING, WAIT, Witness, await_stable, seconds_to_swap, served
from lab.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


@pytest.fixture
def caddy(pebble: Pebble, mail: MailDomain, tmp_path: Path) -> Caddy:
    """A Caddy of this test's own; it has nothing yet."""
    needs("caddy")
    return Caddy(tmp_path / "caddy", pebble, mail.host)


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, caddy: Caddy, tmp_path: Path) -> Installation:
    """tlsa-manager that watches Caddy's files; what stands there is adopted."""
    made = Installation(tmp_path, dns_lab, mail, timing=TIMING)
    watch = f"watch = {{ certificate = {json.dumps(str(caddy.chain))}, key = {json.dumps(str(caddy.key))} }}\n"
    made.config.write_text(made.config.read_text() + watch)
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


def test_caddy_rewrites_its_files(
    dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, caddy: Caddy, installation: Installation
) -> None:
    """First issue, a refused order, a renewal, which keeps the key and needs no wait, and a new key, which does."""
    sender_lab.flush()
    adopted = served(25)
    with keeps_going(installation), Witness(dns_lab, mail) as witness, Stream(sender_lab, mail.domain) as stream:
        with running(caddy):
            until(caddy.chain.exists, "Caddy has its first certificate", timeout=60, every=0.1)
            first, former = record(caddy.chain.read_bytes()), caddy.chain.read_bytes()
            until(lambda: staged(installation) == 1, "it was noticed", timeout=20, every=1.0)
            assert served(25) == adopted
            await_stable(installation, first)
        with running(caddy, due=True, proves=False):
            until(lambda: "will retry" in caddy.said(), "Pebble refuses", timeout=60, every=0.2)
            assert caddy.chain.read_bytes() == former
        with running(caddy, due=True):
            until(lambda: caddy.chain.read_bytes() != former, "Caddy renews", timeout=60, every=0.1)
            until(lambda: leaf(caddy.chain) in mail.chain_file.read_bytes(), "it is in service", timeout=WAIT, every=1.0)
            assert served(25) == first
        caddy.forget()
        with running(caddy):
            until(caddy.chain.exists, "Caddy begins anew", timeout=60, every=0.1)
            second = record(caddy.chain.read_bytes())
            assert second != first
            await_stable(installation, second)
    totals = stream.drain()
    print(totals)
    assert staged(installation) == 3
    assert all(seconds_to_swap(installation, one) >= WAIT for one in (first, second))
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert not witness.mismatches, witness.mismatches[:3]


def leaf(chain: Path) -> bytes:
    """The first certificate of a file, without the line that begins it."""
    return chain.read_bytes().split(b"-----")[2].strip()


def staged(installation: Installation) -> int:
    """How many certificates were taken over."""
    return sum(one["event"] == "Staged" for one in installation.events())


@contextmanager
def running(caddy: Caddy, *, due: bool = False, proves: bool = True) -> Iterator[None]:
    """Let Caddy run for a while."""
    daemon = caddy.start(due=due, proves=proves)
    try:
        yield
    finally:
        daemon.stop()


@contextmanager
def keeps_going(installation: Installation) -> Iterator[None]:
    """Let `run --watch` run for a while, and print what it said."""
    process = installation.start("run", "--watch")
    try:
        yield
        assert process.poll() is None, "run --watch has ended by itself"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            print(process.communicate(timeout=30)[0])
        except subprocess.TimeoutExpired:
            process.kill()
            raise
