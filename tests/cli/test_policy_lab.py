"""The table of `policy` in a Postfix that sends mail by it."""

from __future__ import annotations

import contextlib
import smtplib
from typing import TYPE_CHECKING

import pki
import pytest
from lab.daemon import until
from lab.fixtures import needs
from lab.postfix import Postfix
from lab.programs import MAIL
from lab.sender import submit
from zoo.zoo import Zoo

from tlsa_manager.cli.check.result import FactsValue, Result, StsValue, TargetValue
from tlsa_manager.cli.policy.choice import choice
from tlsa_manager.cli.policy.table import merged, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab

ADDRESS = "127.25.0.31"
_MAIN = """
smtp_dns_support_level = dnssec
smtp_tls_security_level = may
smtp_tls_policy_maps = texthash:{table}
smtp_tls_CAfile = {roots}
smtp_host_lookup = dns
smtpd_relay_restrictions = permit_mynetworks, reject
"""


@pytest.fixture
def zoo(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Zoo]:
    """Open the zoo for one test; all its servers end with the test."""
    needs(*MAIL)
    with contextlib.ExitStack() as stack:
        yield Zoo(dns_lab, tmp_path, stack)


def demanded(domain: str, *names: str) -> Result:
    """Return the result for a domain without DANE, with an enforced MTA-STS policy that names these, and all is well."""
    sts = StsValue(mode="enforce", mx=list(names), problem="")
    facts = FactsValue(hosts=list(names), tls=True, pkix="", sts=sts)
    return Result(TargetValue(target=domain, kind="domain", outcome="opportunistic", services=[], findings=[], facts=facts), 0)


def test_postfix_sends_mail_by_the_table(zoo: Zoo) -> None:
    """The names of a policy are what it verifies: the right ones are trusted, others are not, and no word of the table is odd."""
    host = zoo.mx()
    good, wrong = zoo.domain(host), zoo.domain(host)
    directory = zoo.lab.dir / "policy"
    directory.mkdir()
    table, roots = directory / "tls_policy", directory / "roots.pem"
    roots.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    table.write_text(page(merged({}, [choice(demanded(good, host.name)), choice(demanded(wrong, "mx.elsewhere.example"))])))
    postfix = Postfix(directory / "tx", address=ADDRESS, hostname="px.a.example", main=_MAIN.format(table=table, roots=roots))
    try:
        postfix.start(resolver=zoo.lab.resolver)
        with smtplib.SMTP(ADDRESS, 25, local_hostname="client.a.example", timeout=20) as connection:
            submit(connection, f"a@{good}")
            submit(connection, f"b@{wrong}")
        until(lambda: all(f"to=<{who}>" in postfix.log() for who in (f"a@{good}", f"b@{wrong}")), "both were tried")
    finally:
        postfix.stop()
    log = postfix.log()
    assert f"Verified TLS connection established to {host.name}" in log
    assert "Server certificate not verified" in log
    assert "invalid" not in log.lower()
    assert "TLS policy" not in log
