"""lego: with a request of ours it renews with the key that was published ahead; a key of its own waits as any does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.certificate import record
from lab.fixtures import needs
from lab.installation import Installation, Timer
from lab.lego import Lego, deploy_hook_of_5
from lab.maildomain import establish
from lab.renewals import TIMING, WAIT, await_stable, live_through, seconds_to_swap

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab

HOOK = str(Path(__file__).parents[2] / "hooks" / "lego")
DUE = ("--days", "1000", "--no-random-sleep")


class Lego4:
    """lego 4 from Debian, with our hook and, before each run, a request for the next key."""

    def __init__(self, lego: Lego, installation: Installation) -> None:
        self.lego, self.installation, self.name = lego, installation, installation.name
        self.request = str(lego.directory / "next.csr")

    def ask(self) -> None:
        """What stands before lego in the administrator's script."""
        self.installation.command("next-key", self.name, "--request", self.request)

    def obtain(self) -> None:
        """Get the first certificate."""
        self.ask()
        print(self.lego.run("--csr", self.request, "run", "--run-hook", HOOK, env=self.installation.environment))

    def renew(self) -> None:
        """Renew it."""
        self.ask()
        words = ("--csr", self.request, "renew", *DUE, "--renew-hook", HOOK)
        print(self.lego.run(*words, env=self.installation.environment))

    def fail(self) -> None:
        """Publish nothing for the challenge: Pebble refuses."""
        self.ask()
        words = ("--csr", self.request, "renew", *DUE, "--renew-hook", HOOK)
        said = self.lego.run(*words, env=self.installation.environment, proves=False, code=1)
        assert "urn:ietf:params:acme:error:" in said

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.lego.certificate(self.name)


class Lego5(Lego4):
    """A double of lego 5, which cannot be installed here: the real lego 4 orders, and the hook is called as lego 5 calls it."""

    def obtain(self) -> None:
        """Get the first certificate; then the deploy hook."""
        self.ask()
        self.lego.run("--csr", self.request, "run")
        self._deploy()

    def renew(self) -> None:
        """Renew it; then the deploy hook."""
        self.ask()
        self.lego.run("--csr", self.request, "renew", *DUE)
        self._deploy()

    def _deploy(self) -> None:
        hook = f"{HOOK} --lineage {self.name}"
        print(deploy_hook_of_5(hook, self.chain, self.name, self.installation.environment))


@pytest.fixture
def lego(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> Lego:
    """A lego of this test's own."""
    needs("lego")
    return Lego(tmp_path / "lego", pebble, tsig_key_file=dns_lab.tsig_key_file, resolver=dns_lab.resolver)


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


@pytest.fixture(params=[Lego4, Lego5])
def client(request: pytest.FixtureRequest, lego: Lego, installation: Installation) -> Lego4:
    """Both versions."""
    made: Lego4 = request.param(lego, installation)
    return made


def test_the_key_that_was_published_ahead_is_used(
    client: Lego4, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain
) -> None:
    """First issue; then twice a refused order and a renewal: each takes the next key, at once. lego never has a key of it."""
    live_through(client, client.installation, dns_lab, sender_lab, mail)
    assert not list(client.lego.directory.glob("certificates/*.key"))


def test_a_key_of_its_own_waits_as_usual(lego: Lego, mail: MailDomain, installation: Installation) -> None:
    """Without --csr, and with --csr when the file of that earlier key is still there: each certificate finds its key."""
    env = installation.environment
    with Timer(installation):
        lego.run("--domains", mail.host, "run", "--run-hook", HOOK, env=env)
        first = record(lego.certificate(mail.host).read_bytes())
        await_stable(installation, first)
        assert seconds_to_swap(installation, first) >= WAIT
        stale = lego.certificate(mail.host).with_suffix(".key").read_bytes()
        client = Lego4(lego, installation)
        client.renew()
        second = record(client.chain.read_bytes())
        assert second != first
        assert lego.certificate(mail.host).with_suffix(".key").read_bytes() == stale
        await_stable(installation, second)
