"""uacme in our wrapper: it renews with the key that was published ahead, from a request, and never has the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.certificate import record
from lab.fixtures import needs
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.renewals import TIMING, WAIT, await_stable, live_through, seconds_to_swap
from lab.uacme import Uacme

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

WRAPPER = str(Path(__file__).parents[2] / "hooks" / "uacme")


class Wrapped:
    """uacme in the wrapper, as cron calls it."""

    def __init__(self, uacme: Uacme, installation: Installation) -> None:
        self.uacme, self.name, self._env = uacme, installation.name, installation.environment
        self.requests = uacme.confdir / "requests"
        self.requests.mkdir(mode=0o700)

    def call(self, *options: str, proves: bool = True, code: int = 0) -> str:
        """Call the wrapper."""
        words = (WRAPPER, self.name, str(self.requests), *self.uacme.options, *options)
        said = self.uacme.run(*words, env=self._env, proves=proves, code=code)
        print(said)
        return said

    def obtain(self) -> None:
        """Get the first certificate; called again it does nothing, and that is no error, nor worth a word."""
        assert self.name in self.call()
        before = self.chain.read_bytes()
        assert self.call() == ""
        assert self.chain.read_bytes() == before

    def renew(self) -> None:
        """Renew it."""
        self.call("-f")

    def fail(self) -> None:
        """Publish nothing for the challenge: Pebble refuses."""
        assert "urn:ietf:params:acme:error:" in self.call("-f", proves=False, code=2)

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.requests / f"{self.name}-cert.pem"


@pytest.fixture
def uacme(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> Uacme:
    """A uacme of this test's own."""
    needs("uacme")
    return Uacme(tmp_path / "uacme", pebble, tsig_key_file=dns_lab.tsig_key_file)


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain; what stands there is adopted. Nothing is said of keys: a request for ours is word enough."""
    made = Installation(tmp_path, dns_lab, mail, timing=TIMING)
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


def test_the_key_that_was_published_ahead_is_used(
    uacme: Uacme, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, installation: Installation
) -> None:
    """First issue; then twice a refused order and a renewal: each takes the next key, at once, and it never leaves us."""
    live_through(Wrapped(uacme, installation), installation, dns_lab, sender_lab, mail)
    assert [one.name for one in uacme.confdir.rglob("*key*")] == ["key.pem"]  # that of its account


def test_a_key_of_its_own_waits_as_usual(uacme: Uacme, mail: MailDomain, installation: Installation) -> None:
    """Called as ever, by name, and the hook after it: its key is new to DNS."""
    with Timer(installation):
        uacme.run("uacme", *uacme.options, "-t", "EC", "issue", mail.host)
        installation.command("hook", "uacme", "--confdir", str(uacme.confdir), mail.host)
        own = record((uacme.confdir / mail.host / "cert.pem").read_bytes())
        await_stable(installation, own)
        assert seconds_to_swap(installation, own) >= WAIT
