"""dehydrated: it asks for certificates with requests for our key, and a failed order burns none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import programs
from lab.dehydrated import Dehydrated
from lab.fixtures import needs_only
from lab.installation import Installation
from lab.maildomain import establish
from lab.renewals import TIMING, live_through

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

HOOK = str(Path(__file__).parents[2] / "hooks" / "dehydrated")


class Renewing:
    """dehydrated with one certificate."""

    def __init__(self, dehydrated: Dehydrated, installation: Installation) -> None:
        self.dehydrated, self.name, self._env = dehydrated, installation.name, installation.environment
        (dehydrated.directory / "domains.txt").write_text(f"{self.name}\n")
        dehydrated.register()

    def obtain(self) -> None:
        """Get the first certificate; even that one is for a key of ours, so that dehydrated has none but what we put there."""
        said = self.dehydrated.run("--cron", env=self._env)
        assert "Using CSR from hook script" in said, said
        self.assert_fits()

    def renew(self) -> None:
        """Renew."""
        print(self.dehydrated.run("--cron", "--force", env=self._env))
        self.assert_fits()

    def fail(self) -> None:
        """Renew without proving anything: Pebble refuses."""
        said = self.dehydrated.run("--cron", "--force", env={**self._env, "PROVES_NOTHING": "1"}, code=1)
        assert "Challenge is invalid" in said, said
        self.assert_fits()

    def assert_fits(self) -> None:
        """What other software reads belongs together, and is as private as dehydrated would have it."""
        from tlsa_manager.keys import load_pair

        place = self.dehydrated.certificates(self.name)
        load_pair((place / "fullchain.pem").read_bytes(), (place / "privkey.pem").read_bytes())
        assert (place / "privkey.pem").is_symlink()
        assert (place / "privkey.pem").stat().st_mode & 0o777 == 0o600

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.dehydrated.certificates(self.name) / "fullchain.pem"


@pytest.fixture
def dehydrated(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> Dehydrated:
    """Debian's dehydrated with hooks/dehydrated."""
    needs_only("dehydrated", *programs.ACME)
    return Dehydrated(tmp_path / "dehydrated", pebble, tsig_key_file=dns_lab.tsig_key_file, hook=HOOK)


def test_the_key_that_was_published_ahead_is_used(
    dehydrated: Dehydrated, dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path
) -> None:
    """First issue; then twice a refused order and a renewal: each takes the next key, at once.

    Nothing is configured for it: a client that was given a request of ours gets a next key.
    """
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail, timing=TIMING)
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    client = Renewing(dehydrated, installation)
    live_through(client, installation, dns_lab, sender_lab, mail)

    told = (dehydrated.directory / "challenges.log").read_text()
    assert f"deploy_cert {mail.host}" in told, "the next hook is called after ours"
    assert "generate_csr" not in told


def test_without_a_next_key_it_makes_its_own(dehydrated: Dehydrated, dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """next-key = false: dehydrated's key comes with its certificate, and names that are none of ours are left to it."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.config.write_text(installation.config.read_text() + "next-key = false\n")
    installation.command("run")
    other = dns_lab.fresh_name("www")
    (dehydrated.directory / "domains.txt").write_text(f"{mail.host}\n{other}\n")
    dehydrated.register()
    said = dehydrated.run("--cron", env=installation.environment)
    assert "Using CSR" not in said
    assert f"{mail.host}: generation" in said
    assert "names the hosts of no configured lineage" in said
    assert installation.status()["next"]
    for name in (mail.host, other):
        assert (dehydrated.certificates(name) / "privkey.pem").exists()
