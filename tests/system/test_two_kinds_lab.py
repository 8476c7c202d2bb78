"""RSA and ECDSA side by side on one Postfix: two lineages, one owner, each rolled without hurting the other."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import PORTS, establish
from lab.stream import Stream

from tlsa_manager.observe.live import services
from tlsa_manager.service import Service

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab

_SECOND = """
[consumer.rsa]
type = "postfix"
file = "{file}"
config-directory = "{postfix}"

[lineage."rsa.{host}"]
services = [{services}]
dns = "primary"
consumers = ["rsa"]
"""


def test_each_lineage_rolls_and_keeps_the_records_of_the_other(
    dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path
) -> None:
    """With both kinds in service each kind is rolled; both keys are in TLSA all the time, and no mail is deferred."""
    mail = establish(dns_lab, mx_lab, tmp_path, "b.example")
    first_rsa = self_signed(mail.host, key=rsa.generate_private_key(65537, 2048))
    rsa_file = mail.chain_file.with_name("rsa.pem")
    first_rsa.install(rsa_file)
    for owner in mail.owners:
        dns_lab.put_tlsa(owner, mail.pair.record, first_rsa.record)
    configuration = str(mail.postfix.config_directory)
    subprocess.run(["postconf", "-c", configuration, "-e", f"smtpd_tls_chain_files={mail.chain_file},{rsa_file}"], check=True)
    mail.postfix.reload()
    installation = Installation(tmp_path, dns_lab, mail)
    services = ", ".join(f'"{mail.host}:{port}"' for port in (25, 465, 587))
    with installation.config.open("a") as file:
        file.write(_SECOND.format(file=rsa_file, postfix=configuration, host=mail.host, services=services))
    installation.command("run")
    installation.command("records", "--adopt")
    sender_lab.flush()
    with Timer(installation), Stream(sender_lab, mail.domain) as stream:
        for name, old, pair in (
            (f"rsa.{mail.host}", first_rsa, self_signed(mail.host, key=rsa.generate_private_key(65537, 2048))),
            (mail.host, mail.pair, self_signed(mail.host)),
        ):
            pair.install(tmp_path / "new.pem")
            new = str(tmp_path / "new.pem")
            installation.command("hook", "files", "--lineage", name, "--certificate", new, "--key", new)
            until(lambda old=old: old.record not in _records(dns_lab, mail.owners), f"{name} is rolled", timeout=90, every=1.0)
            assert pair.record in _records(dns_lab, mail.owners)
    totals = stream.drain()
    print(f"RSA and ECDSA rolled: {totals}")

    assert totals.deferred == totals.bounced == 0, str(totals)
    assert len(_records(dns_lab, mail.owners)) == 2
    assert [one["phase"] for one in installation.statuses()] == ["stable", "stable"]
    shown = by_kind(dns_lab, mail.host)
    assert len(shown) == 6, "a client that knows one kind only was shown nothing"
    currents = {one["current"]["kind"].lower(): one["current"]["spki"] for one in installation.statuses()}
    for (_, client), spki in shown.items():
        assert spki == currents[client]


def by_kind(dns_lab: DnsLab, host: str) -> dict[tuple[str, str], str]:
    """The keys that the clients of each kind are shown on each port."""
    views = services([Service.parse(f"{host}:{port}") for port in PORTS], repeats=1, resolver=(dns_lab.resolver,))
    return {
        (name, one.client): one.chain.leaf.spki_sha256
        for name, view in views.items() for one in view.presentations if one.chain and one.client in ("rsa", "ecdsa")
    }  # fmt: skip


def _records(dns_lab: DnsLab, owners: tuple[str, ...]) -> set[str]:
    """Every record that some server has for some owner."""
    servers = (dns_lab.primary, dns_lab.secondary)
    return {record for server in servers for owner in owners for record in dns_lab.records(server, owner) or ()}
