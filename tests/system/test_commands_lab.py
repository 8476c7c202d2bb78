"""The operator's commands on real servers: BIND on both sides, Postfix, nsupdate."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed
from lab.daemon import until
from lab.installation import Installation, Timer
from lab.maildomain import MailDomain, establish

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

FOREIGN = "2 1 1 " + "ab" * 32


@pytest.fixture
def mail(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> MailDomain:
    """A mail domain in working order, whose certificate and records tlsa-manager does not know yet."""
    return establish(dns_lab, mx_lab, tmp_path, "a.example")


@pytest.fixture
def installation(dns_lab: DnsLab, mail: MailDomain, tmp_path: Path) -> Installation:
    """tlsa-manager for that domain, with a way back that stays open for as long as the test needs it."""
    return Installation(tmp_path, dns_lab, mail, timing={"rollback-window": "60s"})


def renewed(installation: Installation, directory: Path) -> str:
    """Bring a new certificate by `rollover start`, and return its record."""
    pair = self_signed(installation.name)
    file = directory / "new.pem"
    pair.install(file)
    installation.command("rollover", "start", installation.name, "--certificate", str(file), "--key", str(file))
    return pair.record


def test_from_the_first_run_to_the_way_back(
    dns_lab: DnsLab, mail: MailDomain, installation: Installation, tmp_path: Path
) -> None:
    """Check, adopt, foresee, start, swap by the timer, and back at once: each command says what is true of the servers."""
    owner = mail.owners[0]
    assert "no mistakes" in installation.command("config", "check")

    assert "it is the current certificate" in installation.command("run")
    assert "published by somebody else" in installation.command("records")
    installation.command("records", "--adopt")
    assert "somebody else" not in installation.command("records")

    plan = json.loads(installation.command("rollover", "plan", mail.host, "--json"))
    assert next(turn["event"] for turn in plan["turns"] if turn["event"] in {"Deployed", "Retired", "Finished"}) == "Deployed"
    assert dns_lab.records(dns_lab.primary, owner) == {mail.pair.record}

    new = renewed(installation, tmp_path)
    assert dns_lab.records(dns_lab.primary, owner) == {mail.pair.record, new}
    assert "caches may hold" in installation.command("status")

    with Timer(installation):
        until(lambda: installation.status()["phase"] == "swapped", "the swap", timeout=60)
    assert new.split()[-1] == installation.status()["current"]["spki"]

    said = installation.command("rollover", "back", mail.host)
    assert "put back at once" in said
    assert installation.status()["current"]["spki"] == mail.pair.record.split()[-1]
    said = installation.command("status", code=1)
    assert (said.count("held since"), said.count("the operator asked for it")) == (1, 1)  # each is told once
    assert dns_lab.records(dns_lab.primary, owner) == {mail.pair.record, new}


def test_foreign_records_are_shown_and_kept(
    dns_lab: DnsLab, mail: MailDomain, installation: Installation, tmp_path: Path
) -> None:
    """Somebody's own 2 1 1 stands beside ours: it is called foreign, exported with ours, and adopted only by its name."""
    owner = mail.owners[0]
    dns_lab.update(f"update add {owner} 2 TLSA {FOREIGN}\nsend\n")
    until(lambda: FOREIGN in (dns_lab.records(dns_lab.secondary, owner) or ()), "the secondary has it", timeout=10)
    installation.command("run")
    assert f"{FOREIGN}  foreign: stays as it is" in installation.command("records", "--look")
    zone = installation.command("records", "--format", "zone")
    assert f"{owner} 2 IN TLSA {FOREIGN}" in zone
    assert f"{owner} 2 IN TLSA {mail.pair.record}" in zone
    assert "there is nothing to adopt" not in installation.command("records", "--adopt")
    assert "foreign" in installation.command("records")
    installation.command("records", "--adopt-foreign", FOREIGN, mail.host)
    assert "surplus" in installation.command("records")
    known = {one["name"]: one["spread"] for one in json.loads(installation.command("records", "--json"))["targets"]}
    assert known[owner].keys() == {FOREIGN, mail.pair.record}
    assert known[owner][mail.pair.record] == "omnipresent"


def test_what_is_exported_for_nsupdate_is_obeyed_by_nsupdate(
    dns_lab: DnsLab, mail: MailDomain, installation: Installation, tmp_path: Path
) -> None:
    """A record that got lost is in the script; BIND takes it, and nothing is missing any more."""
    owner = mail.owners[0]
    installation.command("run")
    dns_lab.update(f"update delete {owner} TLSA\nsend\n")
    until(lambda: not dns_lab.records(dns_lab.secondary, owner), "it is lost", timeout=10)
    script = installation.command("records", "--look", "--format", "nsupdate")
    assert script == f"update add {owner} 2 TLSA {mail.pair.record}\nsend\n"
    done = subprocess.run(
        ["nsupdate", "-k", str(dns_lab.tsig_key_file)],
        input=f"server {dns_lab.primary}\n{script}",
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert dns_lab.records(dns_lab.primary, owner) == {mail.pair.record}
