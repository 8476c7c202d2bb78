"""Owners that are aliases (RFC 7671 §7), at real servers: one record elsewhere for all ports, and what can be wrong there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import MailDomain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

DANE = "_dane-of-the-lab"


@pytest.fixture
def aliased(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> Iterator[Callable[[str], MailDomain]]:
    """Make a mail host whose owner names are aliases of one name, at which nothing stands; no owner has ever had a record."""
    names: list[str] = []

    def make(target: str) -> MailDomain:
        host = f"{dns_lab.fresh_name('aliased')}"
        pair = self_signed(host)
        chain_file = tmp_path / "tls" / "mx.pem"
        pair.install(chain_file)
        mail = MailDomain("a.example", host, chain_file, pair, mx_lab.receiver(chain_file, hostname=host))
        names.extend(mail.owners)
        dns_lab.update("".join(f"update add {owner} 2 CNAME {target}\n" for owner in mail.owners))
        everywhere = (dns_lab.primary, dns_lab.secondary)
        until(
            lambda: all(dns_lab.records(at, mail.owners[-1], "CNAME") for at in everywhere),
            "the aliases are everywhere",
            timeout=15,
        )
        dns_lab.flush()
        return mail

    yield make
    dns_lab.update("".join(f"update delete {name}\n" for name in names))


def test_first_set_up_and_a_rollover(dns_lab: DnsLab, aliased: Callable[[str], MailDomain], tmp_path: Path) -> None:
    """The alias exists, its target does not: the record is published there, in the other zone, once for all ports, and rolled."""
    target = f"{DANE}.b.example."
    mail = aliased(target)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    assert dns_lab.records(dns_lab.primary, target) == {mail.pair.record}
    said = installation.command("status")
    for owner in mail.owners:
        assert f"{owner} -> {target}: an alias; its records are written at {target}" in said
    (place,) = installation.status()["targets"]
    assert (place["name"], place["zone"], place["owners"]) == (target, "b.example.", list(mail.owners))
    (shown,) = json.loads(installation.command("records", "--format", "json"))["targets"]
    assert (shown["name"], set(shown["owners"])) == (target, set(mail.owners))
    checked = installation.start("check", f"{mail.host}:25").communicate(timeout=60)[0]
    assert f"alias: {mail.owners[0]} -> {target}" in " ".join(checked.split())
    told = json.loads(installation.start("check", "--json", f"{mail.host}:25").communicate(timeout=60)[0])
    assert {(one["owner"], *one["alias"]) for one in told["targets"][0]["services"]} == {(mail.owners[0], target)}

    new = self_signed(mail.host)
    file = tmp_path / "new.pem"
    new.install(file)
    with Timer(installation):
        installation.command("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))
        until(lambda: dns_lab.records(dns_lab.primary, target) == {mail.pair.record, new.record}, "both stand there", timeout=30)
        until(lambda: dns_lab.records(dns_lab.primary, target) == {new.record}, "the old one is gone", timeout=90, every=1.0)
        until(lambda: installation.status()["phase"] == "stable", "the rollover is over", timeout=30, every=1.0)
    assert all(dns_lab.records(dns_lab.primary, owner, "CNAME") == {target} for owner in mail.owners)
    text = installation.command("records", "export", "--format", "octodns")
    assert '"_dane-of-the-lab":' in text
    assert text.count("type: TLSA") == 1
    dns_lab.update(f"update delete {target}")


def test_into_an_unsigned_zone(dns_lab: DnsLab, aliased: Callable[[str], MailDomain], tmp_path: Path) -> None:
    """Every zone on the way has to be signed: nothing is swapped, the zone that is not is named, and the check says so."""
    target = f"{DANE}.insecure.example."
    mail = aliased(target)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    new = self_signed(mail.host)
    file = tmp_path / "new.pem"
    new.install(file)
    installation.command("hook", "files", "--lineage", installation.name, "--certificate", str(file), "--key", str(file))
    installation.command("run")
    status = installation.status()
    reasons = " ".join(one["reason"] for one in status["blockers"])
    assert "insecure.example" in reasons, reasons
    assert mail.chain_file.read_bytes() != file.read_bytes()
    checked = installation.start("check", f"{mail.host}:25").communicate(timeout=60)[0]
    assert "insecure.example" in checked
    refused = installation.command("records", "export", code=75)
    assert "valid signatures" in refused


def test_to_where_the_backend_may_not_write(dns_lab: DnsLab, aliased: Callable[[str], MailDomain], tmp_path: Path) -> None:
    """The alias leads out of what the server has: the target is named, nothing is published anywhere, and what to do is told."""
    target = f"{DANE}.example."
    mail = aliased(target)
    installation = Installation(tmp_path, dns_lab, mail)
    assert f"publish {target} failed" in installation.command("run", code=1)
    said = installation.start("status").communicate(timeout=60)[0]
    assert f"{mail.owners[0]} -> {target}" in said
    assert f"that name is in question since {mail.owners[0]} is an alias that leads there" in said
    assert "does not serve the zone of" in said
    assert not dns_lab.records(dns_lab.primary, mail.owners[0], "TLSA")
