"""From RSA through RSA beside ECDSA to ECDSA: three safe steps, nobody loses mail while the kind that he knows is promised."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import establish, settle
from lab.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain
    from lab.receiver import MxLab
    from lab.sender import SenderLab

_SECOND = """
[consumer.ecdsa]
type = "postfix"
file = "{file}"
config-directory = "{postfix}"

[lineage."ecdsa.{host}"]
services = [{services}]
dns = "primary"
consumers = ["ecdsa"]
"""
# With TLS 1.2 the suites say which kind of certificate a client can take (RFC 5246 §7.4.2).
_ONLY = """
smtp_tls_mandatory_protocols = TLSv1.2
smtp_tls_protocols = TLSv1.2
smtp_tls_mandatory_exclude_ciphers = {not_known}
smtp_tls_exclude_ciphers = {not_known}
"""


def test_three_steps(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Bar 4: RSA alone; ECDSA published, then served beside it; RSA taken out, then its record, and nothing else."""
    mail = with_rsa(dns_lab, mx_lab, tmp_path)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    installation.command("records", "--adopt")
    ecdsa, ecdsa_file = self_signed(mail.host), mail.chain_file.with_name("ecdsa.pem")
    sender_lab.flush()
    with (
        knowing_only("rsa", sender_lab, mail, "127.25.0.7") as for_rsa,
        knowing_only("ecdsa", sender_lab, mail, "127.25.0.8") as for_ecdsa,
        Timer(installation),
        Stream(sender_lab, mail.domain, every=0.25) as everybody,
        Stream(for_rsa, mail.domain, every=1.0) as rsa_only,
    ):
        until(lambda: rsa_only.totals().sent >= 4, "mail flows", timeout=30)

        configure_beside(installation, mail, ecdsa_file)
        ecdsa.install(tmp_path / "new.pem")
        new, second = str(tmp_path / "new.pem"), f"ecdsa.{mail.host}"
        installation.command("hook", "files", "--lineage", second, "--certificate", new, "--key", new)
        until(lambda: "nothing reads it yet" in lineage(installation, second)["why"], "the file is there", timeout=60, every=1.0)
        assert records(dns_lab, mail) == {mail.pair.record, ecdsa.record}
        assert ecdsa_file.read_bytes() == ecdsa.combined
        command = lineage(installation, second)["remedy"].partition("to have it read: ")[2]
        assert f"{mail.chain_file}, {ecdsa_file}" in command
        subprocess.run(["sh", "-ec", command], check=True, capture_output=True)  # as the operator types it
        until(lambda: lineage(installation, second)["current"] is not None, "ECDSA is in service", timeout=60, every=1.0)
        assert lineage(installation, mail.host)["phase"] == "stable"

        with Stream(for_ecdsa, mail.domain, every=1.0) as ecdsa_only:
            until(lambda: ecdsa_only.totals().sent >= 8 and rsa_only.totals().sent >= 30, "both kinds are served", timeout=60)

            promised = rsa_only.drain()  # from here on nobody promises RSA
            leave(installation)
            until(lambda: "to be given up" in lineage(installation, mail.host)["why"], "it asks", timeout=30, every=1.0)
            assert str(mail.chain_file) in lineage(installation, mail.host)["remedy"]
            serve(mail, ecdsa_file)
            until(lambda: records(dns_lab, mail) == {ecdsa.record}, "the RSA record is gone", timeout=60, every=1.0)
            until(lambda: lineage(installation, mail.host)["current"] is None, "the lineage is given up", timeout=30, every=1.0)
            assert for_rsa.send(f"late@{mail.domain}").status == "deferred"  # the promise is over, and was kept by the file
        totals = {"all": everybody.drain(), "RSA only": promised, "ECDSA only": ecdsa_only.drain()}
    print("RSA to ECDSA: " + "; ".join(f"{who}: {count}" for who, count in totals.items()))

    for who, count in totals.items():
        assert count.sent == count.submitted > 0, f"{who}: {count}"
        assert count.deferred == count.bounced == 0, f"{who}: {count}"
    assert lineage(installation, f"ecdsa.{mail.host}")["phase"] == "stable"
    gone = [one for event in installation.events() if event["event"] == "Retired" for one in event["details"]["remove"]]
    assert {one["data"] for one in gone} == {mail.pair.record.split()[-1]}


def with_rsa(dns_lab: DnsLab, mx_lab: MxLab, directory: Path) -> MailDomain:
    """A mail domain whose one certificate has an RSA key."""
    made = establish(dns_lab, mx_lab, directory, "b.example")
    mail = replace(made, pair=self_signed(made.host, key=rsa.generate_private_key(65537, 2048)))
    mail.pair.install(mail.chain_file)
    mail.postfix.reload()
    for owner in mail.owners:
        dns_lab.put_tlsa(owner, mail.pair.record)
    settle(dns_lab, mail, mail.pair.record)
    dns_lab.flush()
    return mail


@contextmanager
def knowing_only(kind: str, sender: SenderLab, mail: MailDomain, address: str) -> Iterator[SenderLab]:
    """A sending Postfix, DANE only, that takes certificates of one kind only."""
    more = _ONLY.format(not_known={"rsa": "aECDSA", "ecdsa": "aRSA"}[kind])
    other = sender.beside(mail.postfix.directory.parent, f"tx-{kind}", address=address, more=more)
    try:
        yield other
    finally:
        other.leave()


def configure_beside(installation: Installation, mail: MailDomain, file: Path) -> None:
    """A second lineage on the same services, with a file of its own that does not exist yet."""
    services = ", ".join(f'"{mail.host}:{port}"' for port in (25, 465, 587))
    section = _SECOND.format(file=file, postfix=mail.postfix.config_directory, host=mail.host, services=services)
    with installation.config.open("a") as config:
        config.write(section)


def leave(installation: Installation) -> None:
    """Say that the first lineage is to be given up."""
    text = installation.config.read_text()
    first = f'[lineage."{installation.name}"]\n'
    installation.config.write_text(text.replace(first, first + "leaving = true\n"))


def serve(mail: MailDomain, *files: Path) -> None:
    """What the operator does: name the files, reload."""
    named = f"smtpd_tls_chain_files={','.join(map(str, files))}"
    subprocess.run(["postconf", "-c", str(mail.postfix.config_directory), "-e", named], check=True)
    mail.postfix.reload()


def lineage(installation: Installation, name: str) -> dict[str, Any]:
    """What `status` says of one lineage."""
    return next(one for one in installation.statuses() if one["name"] == name)


def records(dns_lab: DnsLab, mail: MailDomain) -> set[str]:
    """Every record that some server has for some owner."""
    servers = (dns_lab.primary, dns_lab.secondary)
    return {record for server in servers for owner in mail.owners for record in dns_lab.records(server, owner) or ()}
