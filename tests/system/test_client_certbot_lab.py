"""certbot, Debian's and the current one: it renews with the key that was published ahead, and a failed order burns none."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.certbot import Certbot, current, packaged
from lab.installation import Installation
from lab.maildomain import establish
from lab.renewals import TIMING, live_through

from tlsa_manager.keyslot import KEPT

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

HOOKS = Path(__file__).parents[2] / "hooks"


class Renewing:
    """certbot with our three hooks and --reuse-key."""

    def __init__(self, certbot: Certbot, installation: Installation, name: str) -> None:
        self.certbot, self.name, self._env = certbot, name, installation.environment

    def hook(self, name: str) -> str:
        """A hook with the words that a directory of our own needs."""
        return f"{HOOKS / name} --config-dir {shlex.quote(str(self.certbot.config_dir))}"

    def obtain(self) -> None:
        """Get the first certificate; certbot remembers the hooks and --reuse-key."""
        more = ("--reuse-key", "--pre-hook", self.hook("certbot-pre"), "--post-hook", self.hook("certbot-post"))
        self.certbot.obtain(self.name, deploy_hook=str(HOOKS / "certbot"), more=more, env=self._env)

    def renew(self) -> None:
        """Renew."""
        print(self.certbot.renew(self.name, env=self._env))
        self.assert_tidy()

    def fail(self) -> None:
        """Renew without proving anything: Pebble refuses."""
        said = self.certbot.renew(self.name, more=("-a", "manual", "--manual-auth-hook", "true"), env=self._env, code=1)
        assert "Some challenges have failed" in said or "some challenges" in said.lower(), said
        assert "stands in" in said, f"our key was not there:\n{said}"
        self.assert_tidy()

    def assert_tidy(self) -> None:
        """Every number in archive/ has the key of its certificate, and nothing is left beside it."""
        archive = self.certbot.config_dir / "archive" / self.name
        assert not list(archive.glob(f"*{KEPT}"))
        for certificate in archive.glob("cert*.pem"):
            key = archive / certificate.name.replace("cert", "privkey")
            assert fits(key, certificate), certificate.name
            assert key.stat().st_mode & 0o777 == 0o600
        assert fits(self.certbot.live(self.name) / "privkey.pem", self.chain)

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.certbot.live(self.name) / "fullchain.pem"


def fits(key: Path, certificate: Path) -> bool:
    """Whether a key is the certificate's."""
    from tlsa_manager.errors import BadInput
    from tlsa_manager.keys import load_pair

    try:
        load_pair(certificate.read_bytes(), key.read_bytes())
    except BadInput:
        return False
    return True


@pytest.fixture(params=[packaged, current], ids=["debian", "current"])
def certbot(request: pytest.FixtureRequest, dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> Certbot:
    """One certbot after the other."""
    made = Certbot(tmp_path / "certbot", pebble, dns_lab.tsig_key_file, program=request.param())
    version = re.search(r"certbot (\d+)", made.certbot("--version"))
    assert version
    assert (int(version[1]) >= 5) == (request.param is current), f"not the version that was meant: {version[0]}"
    return made


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


def installed(directory: Path, dns_lab: DnsLab, mail: MailDomain, keys: str) -> Installation:
    """tlsa-manager for that domain, with these options of the lineage; what stands there is adopted."""
    made = Installation(directory, dns_lab, mail, timing=TIMING)
    made.config.write_text(made.config.read_text() + keys)
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


def test_the_key_that_was_published_ahead_is_used(
    certbot: Certbot, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, tmp_path: Path
) -> None:
    """First issue; then twice a refused order and a renewal: each takes the next key, at once, and archive/ always fits."""
    installation = installed(tmp_path, dns_lab, mail, "next-key = true\n")
    live_through(Renewing(certbot, installation, mail.host), installation, dns_lab, sender_lab, mail)
