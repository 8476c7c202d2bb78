"""Our own ACME on real servers: the first certificate, a failed order, renewals, more names, a key that signs for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from lab.certificate import record
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.pebble import Pebble
from lab.receiver import trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab

ISSUERS = """issuer = "pebble"
[issuer.pebble]
type = "acme"
directory = "{good.directory_url}"
ca-bundle = "{good.ca_file}"
agree-to-terms = true
[issuer.refusing]
type = "acme"
directory = "{bad.directory_url}"
ca-bundle = "{bad.ca_file}"
agree-to-terms = true
"""


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


@pytest.fixture
def refusing(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Pebble]:
    """An authority that looks for proofs where none are."""
    made = Pebble(tmp_path / "pebble", dns_server=dns_lab.faults_server, address="127.14.0.2")
    made.start()
    yield made
    made.daemon.stop()


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, pebble: Pebble, refusing: Pebble, tmp_path: Path) -> Installation:
    """tlsa-manager with two authorities, the one that is willing in use."""
    made = Installation(tmp_path, dns_lab, mail)
    made.config.write_text(made.config.read_text() + ISSUERS.format(good=pebble, bad=refusing))
    return made


def test_the_first_certificate_and_a_renewal_after_a_refusal(
    dns_lab: DnsLab, mail: MailDomain, installation: Installation
) -> None:
    """What stood there stays until the next key is known; a refused order changes nothing; then one that is done in seconds."""
    old = record(mail.chain_file.read_bytes())
    said = installation.command("issue", mail.host)
    print(said)
    assert f"{mail.host}: asking " in said
    assert "is safely kept" in said
    assert record(mail.chain_file.read_bytes()) == old, "the certificate there stays current"
    assert no_proof_is_left(dns_lab, mail)
    with Timer(installation):
        await_next_key(installation, of=installation.status()["next"]["spki"])
    assert trust(mail.domain) == "Verified"
    assert "nothing had to be ordered" in installation.command("issue", mail.host)
    (planned,) = [one["details"]["renewal"] for one in installation.events() if one["event"] == "RenewalPlanned"]
    assert planned["generation"] == installation.status()["current"]["id"]
    assert installation.status()["renewal"]["why"] == planned["why"]

    key = standby(installation)
    configure(installation, 'issuer = "pebble"', 'issuer = "refusing"')
    refused = installation.command("renew", mail.host, code=1)
    print(refused)
    assert mail.host in refused
    assert standby(installation) == key
    assert no_proof_is_left(dns_lab, mail)
    configure(installation, 'issuer = "refusing"', 'issuer = "pebble"')

    began = len(installation.events())
    print(installation.command("renew", mail.host, "--force"))
    assert installation.status()["current"]["spki"] == key, "a certificate for a published key goes into service at once"
    assert record(mail.chain_file.read_bytes()).endswith(key)
    assert {"Ordering", "Ordered", "OrderEnded", "Confirmed"} <= {one["event"] for one in installation.events()[began:]}
    assert trust(mail.domain) == "Verified"
    assert no_proof_is_left(dns_lab, mail)


def test_a_name_that_is_added_is_ordered_by_the_timer(dns_lab: DnsLab, mail: MailDomain, installation: Installation) -> None:
    """A wildcard and its own domain are proven by two records of one name, and both go again."""
    configure(installation, 'issuer = "pebble"', f'issuer = "pebble"\nnames = ["{mail.domain}", "*.{mail.domain}"]')
    with Timer(installation):
        until(lambda: bool(installation.status()["next"]), "a certificate has come", timeout=90, every=1.0)
        await_next_key(installation, of=installation.status()["next"]["spki"])
    leaf = x509.load_pem_x509_certificates(mail.chain_file.read_bytes())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert set(names) == {mail.host, mail.domain, f"*.{mail.domain}"}
    assert len([one for one in installation.events() if one["event"] == "Ordered"]) == 1
    assert no_proof_is_left(dns_lab, mail)


def test_a_key_that_signs_for_itself_is_enough_for_dane(dns_lab: DnsLab, mail: MailDomain, installation: Installation) -> None:
    """Nobody is asked; who validates DANE is content, and it is said who is not."""
    configure(installation, 'issuer = "pebble"', 'issuer = "self-signed"')
    said = installation.command("issue", mail.host)
    print(said)
    assert "MTA-STS" in said
    with Timer(installation):
        await_next_key(installation, of=installation.status()["next"]["spki"])
    assert trust(mail.domain) == "Verified"
    assert "MTA-STS" in installation.command("status")
    assert not [one for one in installation.events() if one["event"] == "Ordering"]


def test_a_rehearsal_is_refused_where_the_authority_has_no_directory_for_it(installation: Installation) -> None:
    """And where it has one, nothing of it stays."""
    said = installation.command("issue", installation.name, "--dry-run", code=1)
    assert "staging" in said
    text = installation.config.read_text()
    url = text[text.index('directory = "https') :].splitlines()[0].partition("= ")[2]
    configure(installation, "agree-to-terms = true", f"agree-to-terms = true\nstaging = {url}")
    said = installation.command("issue", installation.name, "--dry-run")
    print(said)
    assert "the rehearsal went well" in said
    assert not {"Ordering", "Ordered", "Staged"} & {one["event"] for one in installation.events()}


def configure(installation: Installation, old: str, new: str) -> None:
    """Write the configuration anew."""
    text = installation.config.read_text()
    assert old in text
    installation.config.write_text(text.replace(old, new, 1))


def standby(installation: Installation) -> str:
    """Return the digest of the latest next key."""
    prepared = [one for one in installation.events() if one["event"] == "Prepared"]
    digest: str = prepared[-1]["details"]["key"]["spki_sha256"]
    return digest


def await_next_key(installation: Installation, *, of: str) -> None:
    """Wait until the certificate with this key is in service, the rollover over, and the next key known to every cache."""

    def there() -> bool:
        status: dict[str, Any] = installation.status()
        done = status["phase"] == "stable" and status["current"]["spki"] == of
        return done and standby(installation) != of and age(installation) > 10.0

    try:
        until(there, "the next key is published and known", timeout=90, every=1.0)
    except AssertionError:
        print(installation.start("status").communicate(timeout=60)[0], installation.command("history", "-n", "40"))
        raise


def age(installation: Installation) -> float:
    """How many seconds ago something was published or a swap proven: W + M is 7 s here."""
    from datetime import UTC, datetime

    told = [one["at"] for one in installation.events() if one["event"] in {"Published", "Seen", "Finished"}]
    return (datetime.now(UTC) - datetime.fromisoformat(told[-1])).total_seconds()


def no_proof_is_left(dns_lab: DnsLab, mail: MailDomain) -> bool:
    """Whether a transfer of the zone, where other tests have proofs, has no name for those of this domain."""
    return not {f"_acme-challenge.{name}." for name in (mail.host, mail.domain)} & dns_lab.zone_names(dns_lab.zone)
