"""The lab as pytest fixtures: started when first asked for, once for a test process, stopped at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import namespace, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab

LAB_FIXTURES = frozenset({"lab_dir", "dns_lab", "mx_lab", "sender_lab", "acme_lab"})
_NO_LAB = "no lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a lab fixture as `lab`, so that `-m "not lab"` leaves it out."""
    for item in items:
        if LAB_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("lab")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly how many tests did not run for want of a lab: a skipped test proves nothing."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    reasons = Counter(place[2] for place in skipped if isinstance(place, tuple) and _NO_LAB in place[2])
    for reason, count in reasons.items():
        terminalreporter.write_line(f"NOT RUN: {count} tests with real servers. {reason}", yellow=True)


def needs(*wanted: str) -> None:
    """Skip, or fail where TLSA_MANAGER_LAB=required, unless there is a private network and these programs."""
    absent = programs.missing(wanted)
    reason = namespace.refusal() or (f"not installed: {absent}" if absent else "")
    if reason and os.environ.get("TLSA_MANAGER_LAB") == "required":
        pytest.fail(f"the lab is required, but {reason}", pytrace=False)
    if reason:
        pytest.skip(f"{_NO_LAB}: {reason}")


@pytest.fixture(scope="session")
def lab_dir() -> Iterator[Path]:
    """Work directory of all servers, in memory where possible; at the end nothing may be left in our network."""
    needs("ip")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="tlsa-lab-", dir=memory))
    directory.chmod(0o755)  # Postfix's own users walk through it
    yield directory
    left = namespace.evict()
    shutil.rmtree(directory)
    assert not left, f"still running at the end of the session: {left}"


@pytest.fixture(scope="session")
def dns_lab(lab_dir: Path) -> Iterator[DnsLab]:
    """Signed root, example., zones on primary and secondary, broken zones, Unbound."""
    needs(*programs.DNS)
    from lab.hierarchy import DnsLab

    lab = DnsLab(lab_dir)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="session")
def mx_lab(dns_lab: DnsLab) -> Iterator[MxLab]:
    """Maker of receiving Postfix instances."""
    needs(*programs.MAIL)
    from lab.receiver import MxLab

    lab = MxLab(dns_lab.dir)
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def sender_lab(dns_lab: DnsLab) -> Iterator[SenderLab]:
    """Start a sending Postfix that delivers with DANE only, with an Unbound of its own."""
    needs(*programs.MAIL)
    from lab.sender import RESOLVER, SenderLab
    from lab.unbound import Unbound

    own = Unbound(dns_lab.dir / "unbound-sender", RESOLVER, hints=dns_lab.hints, anchor=dns_lab.anchor)
    lab = SenderLab(dns_lab.dir, own)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="session")
def acme_lab(dns_lab: DnsLab) -> Iterator[Certbot]:
    """Pebble, and a certbot that proves names through the primary server."""
    needs(*programs.ACME)
    from lab.certbot import Certbot
    from lab.pebble import Pebble

    pebble = Pebble(dns_lab.dir / "pebble", dns_server=dns_lab.primary)
    try:
        pebble.start()
        yield Certbot(dns_lab.dir / "certbot", pebble, dns_lab.tsig_key_file)
    finally:
        pebble.daemon.stop()
