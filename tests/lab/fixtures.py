"""The lab as pytest fixtures: started when first asked for, once for a test process, stopped at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from lab import namespace, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

LAB_FIXTURES = frozenset({"lab_dir", "dns_lab", "mx_lab", "sender_lab", "acme_lab"})
_NOT_RUN = "cannot run here"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a lab fixture as `lab`, so that `-m "not lab"` leaves it out.

    Tests that send a stream of mail take minutes, half of it waiting. With several workers they come first, side by side: at the
    end none is left that all the others wait for.
    """
    for item in items:
        if LAB_FIXTURES & _fixtures(item):
            item.add_marker("lab")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: "sender_lab" not in _fixtures(item))


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly how many tests did not run for want of root or servers: a skipped test proves nothing."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    reasons = Counter(place[2] for place in skipped if isinstance(place, tuple) and _NOT_RUN in place[2])
    for reason, count in reasons.items():
        terminalreporter.write_line(f"NOT RUN: {count} tests. {reason}", yellow=True)


def needs(*wanted: str) -> None:
    """Skip, or fail where TLSA_MANAGER_LAB=required, unless there is a private network and these programs."""
    if reason := namespace.refusal():
        refuse(reason)
    needs_only(*wanted)


def needs_only(*wanted: str) -> None:
    """Skip, or fail where TLSA_MANAGER_LAB=required, unless there are these programs."""
    if absent := programs.missing(wanted):
        refuse(f"not installed: {absent}")


def refuse(reason: str) -> NoReturn:
    """End this test as one that cannot run here: skipped, or failed where TLSA_MANAGER_LAB=required."""
    if os.environ.get("TLSA_MANAGER_LAB") == "required":
        pytest.fail(f"the lab is required, but: {reason}", pytrace=False)
    pytest.skip(f"{_NOT_RUN}: {reason}")  # told again at the end as NOT RUN; .ci/run requires the lab, and so fails above


@pytest.fixture(scope="session")
def as_root() -> None:
    """For tests that change owners or mount file systems, which only root may, in a mount namespace of its own."""
    needs()


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

    own = Unbound(dns_lab.dir / "unbound-sender", RESOLVER, anchor=dns_lab.anchor)
    lab = SenderLab(dns_lab.dir, own)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="session")
def pebble(dns_lab: DnsLab) -> Iterator[Pebble]:
    """Start an ACME authority that asks the primary server."""
    needs(*programs.ACME)
    from lab.pebble import Pebble

    pebble = Pebble(dns_lab.dir / "pebble", dns_server=dns_lab.primary)
    try:
        pebble.start()
        yield pebble
    finally:
        pebble.daemon.stop()


@pytest.fixture
def acme_lab(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> Certbot:
    """Install a certbot that proves names through the primary server, for this test: it would keep a lineage of another one."""
    from lab.certbot import Certbot

    return Certbot(tmp_path / "certbot", pebble, dns_lab.tsig_key_file)
