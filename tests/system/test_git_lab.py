"""DNS that is kept in git: what is exported takes the place of what stands there, at any moment, and no mail is deferred."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import MailDomain, establish
from lab.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab

FOREIGN = "2 1 1 " + "ab" * 32
BY_HAND = 'backend = "manual"'


class Repository:
    """The file that is kept in git, and the job that applies it, over and over, whenever it likes."""

    def __init__(self, installation: Installation, file: Path, dns_lab: DnsLab) -> None:
        self.installation, self.file, self.lab = installation, file, dns_lab
        self.applied: list[str] = []

    def job(self) -> None:
        """Export; put what is exported in the place of what stands there, name by name, as such tools do."""
        words = ("records", "export", "--output", str(self.file))
        process = self.installation.start(*words)
        said = process.communicate(timeout=60)[0]
        assert process.returncode in {0, 75}, said  # not now: the timer is at it, or a server was not heard
        text = self.file.read_text() if self.file.exists() else ""
        if process.returncode or (self.applied and text == self.applied[-1]):
            return
        sets = defaultdict(list)
        for line in text.splitlines():
            if not line.startswith(";"):
                name, ttl, _, _, record = line.split(maxsplit=4)
                sets[name].append(f"update add {name} {ttl} TLSA {record}\n")
        for name, adds in sets.items():
            self.lab.update(f"update delete {name} TLSA\n{''.join(adds)}")
        self.applied.append(text)


def begun(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> tuple[MailDomain, Installation]:
    """A mail domain with somebody else's record beside ours, taken over by an installation without hands."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    dns_lab.update(f"update add {mail.owners[0]} 2 TLSA {FOREIGN}")
    on_all = (dns_lab.primary, dns_lab.secondary)
    until(lambda: all(FOREIGN in (dns_lab.records(at, mail.owners[0]) or ()) for at in on_all), "the foreign record", timeout=15)
    installation = Installation(tmp_path, dns_lab, mail, backend=BY_HAND)
    installation.command("run")
    installation.command("records", "--adopt")
    return mail, installation


def rolled(installation: Installation, mail: MailDomain, tmp_path: Path, apply: Callable[[], None]) -> str:
    """Hand a new certificate over, apply what is exported until the rollover is over; return the new record."""
    new = self_signed(mail.host)
    file = tmp_path / "new.pem"
    new.install(file)

    def is_over() -> bool:
        apply()
        status = installation.status()
        return status["phase"] == "stable" and status["current"]["spki"] == new.record.split()[-1]

    with Timer(installation, every=1.0):
        installation.command("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))
        until(is_over, "the rollover is over", timeout=150, every=1.0)
    return new.record


def test_a_tool_that_replaces_whole_sets(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Applied at every moment of a rollover, mail flowing all the time: none deferred, the foreign record as it was."""
    mail, installation = begun(dns_lab, mx_lab, tmp_path)
    repository = Repository(installation, tmp_path / "tlsa.zone", dns_lab)
    sender_lab.flush()
    with Stream(sender_lab, mail.domain) as stream:
        new = rolled(installation, mail, tmp_path, repository.job)
    totals = stream.drain()
    assert totals.deferred == totals.bounced == 0, str(totals)
    assert dns_lab.records(dns_lab.primary, mail.owners[0]) == {new, FOREIGN}
    assert all(dns_lab.records(dns_lab.primary, owner) == {new} for owner in mail.owners[1:])
    keys = {new.split()[-1], mail.pair.record.split()[-1]}
    both, after = (set(text.split()) & keys for text in repository.applied[-2:])
    assert (both, after) == (keys, {new.split()[-1]})


def test_a_script_for_nsupdate(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """Applied as often as one likes, to BIND: it adds and removes what is ours; at an alias the server refuses it whole."""
    mail, installation = begun(dns_lab, mx_lab, tmp_path)

    def apply() -> None:
        process = installation.start("-q", "records", "export", "--format", "nsupdate")
        said = process.communicate(timeout=60)[0]
        if process.returncode == 0:
            dns_lab.update(said)
            dns_lab.update(said)

    new = rolled(installation, mail, tmp_path, apply)
    assert dns_lab.records(dns_lab.primary, mail.owners[0]) == {new, FOREIGN}
    assert all(dns_lab.records(dns_lab.primary, owner) == {new} for owner in mail.owners[1:])
