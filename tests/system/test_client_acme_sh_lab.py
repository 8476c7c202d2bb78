"""acme.sh, the real one where there is one, else its double: it renews with the key that was published ahead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.acme_sh import DoubleOfAcmeSh, RealAcmeSh, script
from lab.certificate import record
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.renewals import TIMING, await_stable, live_through

from tlsa_manager.handover.keyslot import KEPT

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

HOOK = str(Path(__file__).parents[2] / "hooks" / "acme.sh")
AcmeSh = RealAcmeSh | DoubleOfAcmeSh


class Renewing:
    """acme.sh with our hooks; it uses its key again, so that it takes whatever stands in the key file of the domain."""

    def __init__(self, acme_sh: AcmeSh, installation: Installation) -> None:
        self.acme_sh, self.name, self._env = acme_sh, installation.name, installation.environment

    def obtain(self) -> None:
        """Get the first certificate, for a key of acme.sh."""
        self.acme_sh.issue(self.name, self._env, reload=HOOK, pre=f"{HOOK} --before", post=f"{HOOK} --after")
        self.assert_tidy()

    def renew(self) -> None:
        """Renew."""
        assert self.acme_sh.renew(self.name, self._env) == 0
        self.assert_tidy()

    def fail(self) -> None:
        """Renew without proving anything."""
        assert self.acme_sh.renew(self.name, self._env, proves=False) != 0
        self.assert_tidy()

    def assert_tidy(self) -> None:
        """Key and certificate belong together, and nothing is left beside them."""
        from tlsa_manager.keys import load_pair

        place = self.acme_sh.domain(self.name)
        assert not list(place.glob(f"*{KEPT}"))
        load_pair(self.chain.read_bytes(), (place / f"{self.name}.key").read_bytes())
        assert (place / f"{self.name}.key").stat().st_mode & 0o777 == 0o600

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.acme_sh.domain(self.name) / "fullchain.cer"


@pytest.fixture
def acme_sh(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> AcmeSh:
    """The real one where it is to be had."""
    return (RealAcmeSh if script() else DoubleOfAcmeSh)(tmp_path / "acme.sh", pebble, dns_lab)


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


def test_the_key_that_was_published_ahead_is_used(
    acme_sh: AcmeSh, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, tmp_path: Path
) -> None:
    """First issue; then twice a failed order and a renewal: each takes the next key, at once."""
    installation = Installation(tmp_path, dns_lab, mail, timing=TIMING)
    installation.config.write_text(installation.config.read_text() + "next-key = true\n")
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    live_through(Renewing(acme_sh, installation), installation, dns_lab, sender_lab, mail)


def test_the_renew_hook_will_do_too(acme_sh: AcmeSh, dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """--renew-hook instead of --reloadcmd: the hand-over comes with the first renewal; the key is used again, so it is known."""
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    acme_sh.issue(mail.host, installation.environment, renew=HOOK)
    assert not installation.status()["next"]
    acme_sh.renew(mail.host, installation.environment)
    assert installation.status()["next"]


def test_a_request_of_ours_will_do_too(acme_sh: AcmeSh, dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> None:
    """--sign-csr, and a pre-hook that writes the request anew: acme.sh never has a key, and each certificate is for the next."""
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    request = tmp_path / "request.csr"
    installation.command("next-key", mail.host, "--request", str(request))
    before = f'"$TLSA_MANAGER" next-key {mail.host} --request {mail.host}.csr'
    acme_sh.issue(mail.host, installation.environment, request=request, pre=before, reload=HOOK)
    chain = acme_sh.domain(mail.host) / "fullchain.cer"
    first = record(chain.read_bytes())
    assert first in installation.command("next-key", mail.host)
    installation.command("next-key", mail.host, "--replace", "to see another", code=1)  # a certificate for it is on its way
    with Timer(installation):
        await_stable(installation, first)
    acme_sh.renew(mail.host, installation.environment)
    second = record(chain.read_bytes())
    assert second != first
    assert second in installation.command("next-key", mail.host)
    assert not list(acme_sh.domain(mail.host).glob("*.key"))
