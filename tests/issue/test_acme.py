"""A certificate from a real authority, Pebble, from the wish to the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from issue.asked import LabProver, Notes, wish
from tlsa_manager import keys
from tlsa_manager.issue import Issuer, open_issuer

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.pebble import Pebble


def issuer(pebble: Pebble, directory: Path, **options: object) -> Issuer:
    """Pebble as an issuer of the configuration."""
    given = {"directory": pebble.directory_url, "ca-bundle": str(pebble.ca_file), "agree-to-terms": True}
    return open_issuer("pebble", "acme", given | {name.replace("_", "-"): value for name, value in options.items()}, directory)


def test_first_certificate_dns(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> None:
    """A wish becomes a chain for our key: the order is written down before and after, the TXT record is gone at the end."""
    host, key = dns_lab.fresh_name(), keys.generate()
    diary, prover = Notes(), LabProver(dns_lab)
    chain = issuer(pebble, tmp_path).obtain(wish(host, key=key), None, diary, prover)
    pair = keys.load_pair(chain, key)
    assert pair.names == (host,)
    assert diary.words == ["ordering", "ordered"]
    assert prover.rounds == [{f"_acme-challenge.{host}.": prover.rounds[0][f"_acme-challenge.{host}."]}]
    assert prover.taken == 1
    assert dns_lab.records(dns_lab.primary, f"_acme-challenge.{host}", "TXT") == set()
