"""One BIND as resolver and as server of the zone, as small installations have it: of its own zone it is no witness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.flags
import pytest
from lab import namespace
from lab.bind import Named
from lab.zones import ZONES

from tlsa_manager.observe import DnsEyes
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab

ADDRESS = "127.53.2.9"


@pytest.fixture
def both(dns_lab: DnsLab, tmp_path: Path) -> Iterator[str]:
    """A validating recursive BIND that is a secondary of the zone besides."""
    namespace.add_address(ADDRESS)
    server = Named(tmp_path / "both", dns_lab.secrets, listen=(ADDRESS,), control=9541)
    words = dns_lab.anchor.read_text().split()
    owner, tag, algorithm, kind, digest = words[0], *words[-4:-1], words[-1]
    zone = next(one for one in ZONES if one.name == dns_lab.zone)
    server.configure(
        f'server {dns_lab.primary} {{ keys {{ "lab-transfer."; }}; }};\n{zone.on_secondary()}'
        f'zone "." {{ type hint; file "{dns_lab.hints}"; }};\n'
        f'trust-anchors {{ {owner} static-ds {tag} {algorithm} {kind} "{digest}"; }};\n'
    )
    file = server.directory / "named.conf"
    file.write_text(file.read_text().replace("recursion no; dnssec-validation no", "recursion yes; dnssec-validation yes"))
    server.daemon.start()
    try:
        server.daemon.wait_until(lambda: dns_lab.serial(ADDRESS, dns_lab.zone) is not None)
        server.daemon.wait_until(lambda: dns_lab.validates("b.example", "SOA", resolver=ADDRESS))
        yield ADDRESS
    finally:
        server.daemon.stop()
        namespace.remove_address(ADDRESS)


def test_a_resolver_is_no_witness_of_a_zone_that_it_serves(dns_lab: DnsLab, both: str) -> None:
    """It answers with AA and without AD, which is not a word against our own chain of trust; elsewhere its word counts."""
    owner, elsewhere = (f"_25._tcp.{dns_lab.fresh_name(zone=zone)}." for zone in (dns_lab.zone, "b.example"))
    for name in (owner, elsewhere):
        dns_lab.put_tlsa(name, "3 1 1 " + "ab" * 32)
    answer = dns_lab.ask(both, owner)
    assert answer is not None
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.AD

    views = DnsEyes(resolver=(both,), anchor=str(dns_lab.anchor)).owners([owner, elsewhere])

    for view in views.values():
        assert {one.security for one in view.answers} == {Security.SECURE}, view
    ours, theirs = views[owner].witness, views[elsewhere].witness
    assert ours is not None
    assert (ours.validates, ours.security) == (False, Security.INDETERMINATE)
    assert "serves the zone itself" in ours.reason
    assert ours.serves
    assert theirs is not None
    assert (theirs.validates, theirs.security) == (True, Security.SECURE)
