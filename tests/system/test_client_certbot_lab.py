"""certbot, Debian's and the current one: it renews with the key that was published ahead, and a failed order burns none."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.certbot import Certbot, current, packaged
from lab.certificate import Pair, record
from lab.installation import Installation, Timer
from lab.maildomain import establish, settle
from lab.renewals import TIMING, WAIT, Witness, await_stable, came_and_swapped, live_through, published_ahead, served
from lab.stream import Stream

from tlsa_manager.handover.keyslot import KEPT

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
        self.certbot.obtain(self.name, more=("--reuse-key", *self.hooks), env=self._env)

    @property
    def hooks(self) -> tuple[str, ...]:
        """The options for all three."""
        before, after = self.hook("certbot-pre"), self.hook("certbot-post")
        return ("--pre-hook", before, "--post-hook", after, "--deploy-hook", str(HOOKS / "certbot"))

    def renew(self) -> None:
        """Renew."""
        print(self.certbot.renew(self.name, more=self.hooks, env=self._env))
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


def test_from_a_fixed_key_to_next_keys_without_a_gap(
    certbot: Certbot, dns_lab: DnsLab, sender_lab: SenderLab, mail: MailDomain, tmp_path: Path
) -> None:
    """A key that --reuse-key has kept, its record made by hand: the first other key waits, the ones after it need not."""
    live = certbot.obtain(mail.host, more=("--reuse-key",))
    fixed = put_into_service(dns_lab, mail, live)
    installation = installed(tmp_path, dns_lab, mail, "reuse-key = true\n")
    client = Renewing(certbot, installation, mail.host)
    sender_lab.flush()
    with Timer(installation), Witness(dns_lab, mail) as witness, Stream(sender_lab, mail.domain) as stream:
        certbot.renew(mail.host, more=("--deploy-hook", str(HOOKS / "certbot")), env=installation.environment)
        await_stable(installation, fixed)
        assert record(client.chain.read_bytes()) == fixed == served(25), "while keys are reused it stays"

        changed = time.time()  # no record of another key is older
        text = installation.config.read_text()
        installation.config.write_text(text.replace("reuse-key = true", "next-key = true"))
        client.renew()
        first = record(client.chain.read_bytes())
        assert first != fixed
        await_stable(installation, first)
        assert came_and_swapped(installation, first)[1] >= changed + WAIT

        ahead = published_ahead(dns_lab, installation, mail, first)
        client.renew()
        assert record(client.chain.read_bytes()) == ahead
        await_stable(installation, ahead)
    totals = stream.drain()
    print(totals)
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert not witness.mismatches, witness.mismatches[:3]


def put_into_service(dns_lab: DnsLab, mail: MailDomain, live: Path) -> str:
    """What an administrator did by hand one day: publish the key that certbot keeps, then have Postfix use it."""
    pair = Pair((live / "privkey.pem").read_bytes(), (live / "fullchain.pem").read_bytes())
    pair.install(mail.chain_file)
    mail.postfix.reload()
    for owner in mail.owners:
        dns_lab.put_tlsa(owner, pair.record)
    settle(dns_lab, mail, pair.record)
    dns_lab.flush()
    return pair.record


def test_without_reuse_key_it_says_which_command_sets_it(
    certbot: Certbot, dns_lab: DnsLab, mail: MailDomain, tmp_path: Path
) -> None:
    """The pre-hook fails with the command, certbot goes on; after the command it works."""
    certbot.obtain(mail.host)
    installation = installed(tmp_path, dns_lab, mail, "next-key = true\n")
    before = ("hook", "certbot", "--before", "--config-dir", str(certbot.config_dir))
    said = installation.command(*before, code=1)
    command = re.search(r"hint: once: certbot renew (.*); or remove", said)
    assert command, said
    certbot.certbot("renew", *shlex.split(command[1]), "--no-random-sleep-on-renew")
    assert "stands in" in installation.command(*before)
    installation.command("hook", "certbot", "--after", "--config-dir", str(certbot.config_dir))
    Renewing(certbot, installation, mail.host).assert_tidy()


def test_another_type_of_key_is_refused_before_certbot_does(
    certbot: Certbot, dns_lab: DnsLab, mail: MailDomain, tmp_path: Path
) -> None:
    """Certbot uses no key again whose curve is not what it was told; the hint says what to write where, and then it does."""
    certbot.obtain(mail.host, more=("--reuse-key",))
    installation = installed(tmp_path, dns_lab, mail, 'next-key = true\nkey-type = "ecdsa-p384"\n')
    before = ("hook", "certbot", "--before", "--config-dir", str(certbot.config_dir))
    said = installation.command(*before, code=1)
    hint = re.search(r"hint: in (\S+), under \[renewalparams\]: (.*), (.*)\n", said)
    assert hint, said
    file = Path(hint[1])
    kept = [line for line in file.read_text().splitlines() if not line.startswith(("key_type", "elliptic_curve"))]
    file.write_text(
        "\n".join([*kept[: kept.index("[renewalparams]") + 1], hint[2], hint[3], *kept[kept.index("[renewalparams]") + 1 :]])
    )
    Renewing(certbot, installation, mail.host).renew()
    from cryptography import x509

    key = x509.load_pem_x509_certificate((certbot.live(mail.host) / "cert.pem").read_bytes()).public_key()
    assert key.key_size == 384  # type: ignore[union-attr]


def test_a_crash_between_the_hooks_is_mended_by_the_next_run(
    certbot: Certbot, dns_lab: DnsLab, mail: MailDomain, tmp_path: Path
) -> None:
    """Certbot died with our key in its place; the next run puts back the former, and is given ours anew. So is a dry run."""
    certbot.obtain(mail.host, more=("--reuse-key",))
    installation = installed(tmp_path, dns_lab, mail, "next-key = true\n")
    client = Renewing(certbot, installation, mail.host)
    installation.command("hook", "certbot", "--before", "--config-dir", str(certbot.config_dir))
    assert not fits(certbot.live(mail.host) / "privkey.pem", client.chain)
    said = certbot.renew(mail.host, more=(*client.hooks, "--dry-run"), env=installation.environment)
    assert "has its former key again" in said
    client.assert_tidy()
    installation.command("hook", "certbot", "--before", "--config-dir", str(certbot.config_dir))
    client.renew()
    assert installation.status()["next"]
