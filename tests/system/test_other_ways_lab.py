"""The same rollover by other ways: an operator who edits DNS by hand, a program that does, a consumer that is a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import establish
from lab.stream import Stream

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab
    from lab.sender import SenderLab

PROGRAM = Path(__file__).parents[2] / "examples" / "exec-backend" / "nsupdate-backend"
COMMAND = """type = "command"
file = "{file}"
check = ["/usr/sbin/postfix", "-c", "{postfix}", "check"]
reload = ["/usr/sbin/postfix", "-c", "{postfix}", "reload"]
"""


def test_by_hand(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """The tool says which records it wants; an operator adds and removes them some time; it notices and goes on by itself."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail, backend='backend = "manual"')
    installation.command("run")
    installation.command("records", "--adopt")
    new = self_signed(mail.host)
    sender_lab.flush()
    with Stream(sender_lab, mail.domain) as stream:
        hand_over(installation, new, tmp_path)
        said = installation.command("run", installation.name)
        assert new.record in installation.start("status").communicate(timeout=60)[0] + said
        with Timer(installation):
            until(lambda: new.record in waits_for(installation), "status names the record to add", timeout=30, every=1.0)
            dns_lab.update(installation.command("records", "--format", "nsupdate"))
            until(lambda: mail.pair.record in waits_for(installation), "status names the record to remove", timeout=60, every=1.0)
            print(installation.start("status").communicate(timeout=60)[0])
            dns_lab.update(installation.command("records", "--format", "nsupdate"))
            until(lambda: stable(installation, new.record), "the rollover is over", timeout=60, every=1.0)
    totals = stream.drain()

    assert totals.deferred == totals.bounced == 0, str(totals)
    assert dns_lab.records(dns_lab.primary, mail.owners[0]) == {new.record}


def test_by_a_program_and_a_command(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """The exec backend of the examples and a consumer of argument lists roll a key as well as the built-in ways."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    backend = f'backend = "exec"\ncommand = ["{PROGRAM}", "{{primary}}", "{{tsig}}"]'
    installation = Installation(tmp_path, dns_lab, mail, backend=backend, consumer=COMMAND)
    installation.command("run")
    installation.command("records", "--adopt")
    new = self_signed(mail.host)
    sender_lab.flush()
    with Timer(installation), Stream(sender_lab, mail.domain) as stream:
        hand_over(installation, new, tmp_path)
        until(lambda: stable(installation, new.record), "the rollover is over", timeout=90, every=1.0)
    totals = stream.drain()

    assert totals.deferred == totals.bounced == 0, str(totals)
    assert only(dns_lab, mail, new.record)


def hand_over(installation: Installation, pair: object, directory: Path) -> None:
    """What an ACME client's hook does."""
    file = directory / "new.pem"
    pair.install(file)  # type: ignore[attr-defined]  # a lab certificate
    installation.command("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))


def waits_for(installation: Installation) -> str:
    """What `status` says is in the way, as one text."""
    return "\n".join(one["reason"] for one in installation.status()["blockers"])


def stable(installation: Installation, record: str) -> bool:
    """Whether the lineage is stable with the key of this record."""
    status = installation.status()
    return status["phase"] == "stable" and status["current"]["spki"] == record.rsplit(maxsplit=1)[-1]


def only(dns_lab: DnsLab, mail: MailDomain, record: str) -> bool:
    """Whether every owner has this record and no other."""
    return all(dns_lab.records(dns_lab.primary, owner) == {record} for owner in mail.owners)
