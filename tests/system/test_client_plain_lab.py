"""Clients that run a command when they have written their files, as getssl does: `hook files`, with our key and without."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from lab.certificate import record
from lab.fixtures import needs
from lab.installation import Installation, Timer
from lab.lego import Lego
from lab.maildomain import establish
from lab.plain import Plain
from lab.renewals import TIMING, WAIT, await_stable, live_through, seconds_to_swap, served

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.pebble import Pebble
    from lab.receiver import MxLab
    from lab.sender import SenderLab


class WithOurKey:
    """It is told to reuse its key, and before each run our next key is put where it looks for that."""

    def __init__(self, plain: Plain, installation: Installation) -> None:
        self.plain, self.installation, self.name = plain, installation, installation.name
        program = shlex.quote(installation.environment["TLSA_MANAGER"])
        self.reload = f'{program} hook files --lineage "$DOMAIN" --certificate "$DOMAIN.crt" --key "$DOMAIN.key"'

    def call(self, *, proves: bool = True, code: int = 0) -> None:
        """What stands in the administrator's crontab."""
        self.installation.command("next-key", self.name, "--key", str(self.plain.key))
        assert self.plain.key.stat().st_mode & 0o077 == 0
        print(self.plain.run(self.reload, self.installation.environment, reuse=True, proves=proves, code=code))

    def obtain(self) -> None:
        """Get the first certificate."""
        self.call()

    def renew(self) -> None:
        """Renew it."""
        self.call()

    def fail(self) -> None:
        """Publish nothing for the challenge: Pebble refuses."""
        self.call(proves=False, code=1)

    @property
    def chain(self) -> Path:
        """The newest certificate."""
        return self.plain.chain


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order."""
    return establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain; what stands there is adopted."""
    made = Installation(tmp_path, dns_lab, mail, timing=TIMING)
    made.command("run")
    made.command("records", mail.host, "--adopt")
    return made


@pytest.fixture
def client(dns_lab: DnsLab, pebble: Pebble, installation: Installation, tmp_path: Path) -> WithOurKey:
    """The client of this test."""
    needs("lego", "openssl")
    lego = Lego(tmp_path / "lego", pebble, tsig_key_file=dns_lab.tsig_key_file, resolver=dns_lab.resolver)
    return WithOurKey(Plain(tmp_path / "plain", lego, installation.name), installation)


def test_the_key_that_was_published_ahead_is_used(
    client: WithOurKey, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain
) -> None:
    """First issue; then twice a refused order and a renewal: each takes the next key, at once."""
    live_through(client, client.installation, dns_lab, sender_lab, mail)


def test_a_client_that_deletes_its_key_before_it_orders(client: WithOurKey, mail: MailDomain) -> None:
    """A refused order leaves it with a new key and an old certificate: nothing happens to mail. Its next key waits as any."""
    plain, env = client.plain, client.installation.environment
    with Timer(client.installation):
        plain.run(client.reload, env, reuse=False)
        first = record(plain.chain.read_bytes())
        await_stable(client.installation, first)
        former = plain.key.read_bytes()
        plain.run(client.reload, env, reuse=False, proves=False, code=1)
        assert plain.key.read_bytes() != former
        client.installation.command(
            "hook", "files", "--lineage", mail.host, "--certificate", str(plain.chain), "--key", str(plain.key)
        )
        assert served(25) == first
        plain.run(client.reload, env, reuse=False)
        second = record(plain.chain.read_bytes())
        await_stable(client.installation, second)
    for one in (first, second):
        assert seconds_to_swap(client.installation, one) >= WAIT
