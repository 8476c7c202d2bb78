"""The fault zoo, 102 to 110, and what else only a lineage's own machine can tell. Journal, store and configuration are real."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pki
import pytest
from lab.certificate import self_signed
from lab.daemon import run, until
from lab.installation import Installation
from lab.maildomain import PORTS, establish
from observe.strangers import context

from tlsa_manager import config, pem, wiring
from tlsa_manager.publish import conflict
from tlsa_manager.rollover import events as ev
from tlsa_manager.tlsa import owner_name
from zoo.zoo import absent, calm, digest, found

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab

    from tlsa_manager.diagnose.report import Report
    from zoo.zoo import Host, Zoo

_CONSUMER = """type = "command"
file = "{file}"
reload = ["/bin/true"]
"""
_BACKEND = """backend = "rfc2136"
server = "{primary}"
tsig-key-file = "{tsig}"
"""


@dataclass
class Home:
    """A lineage whose host is a stranger that presents what it is told to; program and files are as an administrator has them."""

    zoo: Zoo
    host: Host
    file: Path
    installation: Installation
    served: list[Any]

    @property
    def owners(self) -> tuple[str, ...]:
        """The TLSA owners of the three ports."""
        return tuple(owner_name(self.host.name, port) for port in PORTS)

    @property
    def house(self) -> wiring.House:
        """The installation from inside."""
        return wiring.house(config.load(self.installation.config))

    def present(self, chain: bytes, key: bytes) -> None:
        """Let the server present another certificate from now on."""
        self.served[0] = context(self.zoo.directory, (chain, key))

    def publish(self, *records: str) -> None:
        """Make these the records of all ports, on all name servers."""
        self.zoo.zone(
            *(line for owner in self.owners for line in (f"-{owner} TLSA", *(f"{owner} 3600 TLSA {one}" for one in records)))
        )

    def hook(self, chain: bytes, key: bytes) -> str:
        """Hand a certificate over, as an ACME client's hook does."""
        directory = self.file.parent
        (directory / "new.pem").write_bytes(chain)
        (directory / "new.key").touch(0o600)
        (directory / "new.key").write_bytes(key)
        words = ("--certificate", str(directory / "new.pem"), "--key", str(directory / "new.key"))
        return self.installation.command("hook", "files", "--lineage", self.host.name, *words)

    def check(self, **changes: object) -> Report:
        """Diagnose the lineage."""
        return self.zoo.check(self.host.name, config=config.load(self.installation.config), lineages=(self.host.name,), **changes)


def home_of(
    zoo: Zoo, dns_lab: DnsLab, directory: Path, *, backend: str = _BACKEND, consumer: str = _CONSUMER, kind: str = "ECDSA"
) -> Home:
    """Make a house in order: certificate in file, store and service, records published and adopted."""
    host = zoo.host(kind=kind)
    file = directory / "tls" / "mx.pem"
    file.parent.mkdir(mode=0o700)
    file.touch(0o600)
    file.write_bytes(host.key_pem + host.chain_pem)
    served = [context(zoo.directory, host.pair)]
    for port in PORTS:
        zoo.serve(host, settings=lambda _: served[0], port=port)
    mail = SimpleNamespace(host=host.name, chain_file=file, postfix=SimpleNamespace(config_directory="/nonexistent"))
    installation = Installation(directory, dns_lab, mail, backend=backend, consumer=consumer)  # type: ignore[arg-type]
    home = Home(zoo, host, file, installation, served)
    zoo.zone(f"{host.name}. 3600 A {host.address}")
    home.publish(host.record())
    installation.command("run")
    installation.command("records", host.name, "--adopt")
    return home


@pytest.fixture
def home(zoo: Zoo, dns_lab: DnsLab, tmp_path: Path) -> Home:
    """A house in order."""
    return home_of(zoo, dns_lab, tmp_path)


def test_a_house_in_order(home: Home) -> None:
    """Nothing is found."""
    calm(home.check())


def test_a_rollover_on_its_way(home: Home) -> None:
    """Current and next are published, the file holds the current one: no fault."""
    home.hook(*pki.pair(home.host.name))
    report = home.check()
    calm(report)
    absent(report, "F-LEFTOVER", "F-OLDCERT", "F-PARTIAL", "F-RETRACT")


def test_new_file_and_no_reload(home: Home) -> None:
    """F-OLDCERT: the file was replaced, the server goes on with the old certificate, both are published."""
    chain, key = pki.pair(home.host.name)
    second = home.zoo.host(name=home.host.name, pair=(chain, key), address=home.host.address)
    home.publish(home.host.record(), second.record())
    home.file.write_bytes(key + chain)
    one = found(home.check(), "F-OLDCERT", outcome="auth", severity="error")
    assert one.subject == str(home.file)


def test_new_file_no_reload_and_the_old_record_gone(home: Home) -> None:
    """F-OLDCERT: records were changed along with the file, and only the server was not."""
    chain, key = pki.pair(home.host.name)
    second = home.zoo.host(name=home.host.name, pair=(chain, key), address=home.host.address)
    home.house.stage(home.host.name, chain, key, "test", insist=True)
    home.house.journal.append(home.host.name, ev.Retiring(home.owners[0], ()), time.time())
    home.publish(second.record())
    home.file.write_bytes(key + chain)
    report = home.check()
    assert {one.code for one in report.findings if str(one.severity) == "critical"} <= {"F-OLDCERT", "F-RETRACT", "F-PARTIAL"}
    assert str(report.outcome) == "defer"


def test_renewed_behind_the_program(home: Home) -> None:
    """F-STALE: file and server have a key that nobody published and the journal does not know."""
    chain, key = pki.pair(home.host.name)
    home.file.write_bytes(key + chain)
    home.present(chain, key)
    found(home.check(), "F-STALE", outcome="defer")


def test_the_file_is_an_acme_clients(zoo: Zoo, dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """F-HOOK: main.cf of a real Postfix names a file in the directory of an ACME client."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    theirs = tmp_path / ".acme.sh" / mail.host / "combined.pem"
    theirs.parent.mkdir(parents=True)
    shutil.copy(mail.chain_file, theirs)
    run("postconf", "-c", str(mail.postfix.config_directory), "-e", f"smtpd_tls_chain_files = {theirs}")
    mail.postfix.reload()
    report = zoo.check(mail.host, config=config.load(installation.config), lineages=(mail.host,))
    one = found(report, "F-HOOK", outcome="auth", severity="error")
    assert str(theirs) in one.message
    assert "postconf" in one.remedy


def test_key_of_another_certificate(zoo: Zoo, dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """F-KEYMISMATCH: a real Postfix cannot load such a file, and so goes without TLS."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    mail.chain_file.write_bytes(self_signed(mail.host).key + mail.pair.certificate)
    mail.postfix.reload()
    report = zoo.check(mail.host, config=config.load(installation.config), lineages=(mail.host,))
    found(report, "F-KEYMISMATCH", outcome="defer")


@pytest.mark.parametrize("order", ["key last", "two keys", "issuer first"])
def test_parts_in_the_wrong_order(zoo: Zoo, dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path, order: str) -> None:
    """F-ORDER: a real Postfix refuses a file with its parts in the wrong order."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    chain, key = pki.pair(mail.host)
    issuer = pki.authority().certificate.public_bytes(pki.PEM)
    leaf = chain.removesuffix(issuer)
    mail.chain_file.write_bytes(
        {"key last": chain + key, "two keys": key + key + chain, "issuer first": key + issuer + leaf}[order]
    )
    mail.postfix.reload()
    report = zoo.check(mail.host, config=config.load(installation.config), lineages=(mail.host,))
    found(report, "F-ORDER", outcome="defer")


def test_others_can_read_the_key(home: Home) -> None:
    """F-PERM: the file of the mail server, and a key in the store."""
    home.file.chmod(0o644)
    (key, *_) = (home.installation.config.parents[1] / "state" / "lineages").glob("*/*/privkey.pem")
    key.chmod(0o640)
    report = home.check()
    found(report, "F-PERM", outcome="auth", severity="error")
    assert {one.subject for one in report.findings if one.code == "F-PERM"} == {str(home.file), str(key)}
    assert all("chmod" in one.remedy for one in report.findings if one.code == "F-PERM")


def test_others_can_read_the_way_into_dns(home: Home, tmp_path: Path) -> None:
    """F-TSIGFILE: the TSIG key was copied with the usual mode."""
    copied = tmp_path / "tsig.key"
    shutil.copy(home.zoo.lab.tsig_key_file, copied)
    copied.chmod(0o644)
    text = home.installation.config.read_text()
    home.installation.config.write_text(text.replace(str(home.zoo.lab.tsig_key_file), str(copied)))
    one = found(home.check(), "F-TSIGFILE", outcome="auth", severity="error")
    assert one.remedy == f"chmod 600 {copied}"


def test_a_token_in_a_command_line(zoo: Zoo, dns_lab: DnsLab, tmp_path: Path) -> None:
    """F-TSIGFILE: everybody can see it with ps; the finding does not show it."""
    home = home_of(zoo, dns_lab, tmp_path)
    program = tmp_path / "provider"
    program.write_text('#!/bin/sh\nread request\necho \'{"schema": 1, "records": null}\'\n')
    program.chmod(0o755)
    text = home.installation.config.read_text()
    begin, end = text.index("[dns.primary]"), text.index("[consumer.postfix]")
    section = f'[dns.primary]\nbackend = "exec"\ncommand = ["{program}", "--api-token", "hunter2hunter2"]\n\n'
    home.installation.config.write_text(text[:begin] + section + text[end:])
    one = found(home.check(), "F-TSIGFILE", outcome="auth", severity="error")
    assert "hunter2" not in repr(one)


def test_the_clock_was_moved(home: Home) -> None:
    """F-SKEW: since the last look somebody moved the clock by two hours."""
    journal, name = home.house.journal, home.host.name
    plan = journal.plan(name)
    assert plan is not None
    wall, boot, uptime = plan.looked
    journal.facts(name)
    journal.keep_plan(name, replace(plan, looked=(wall - 7200, boot, uptime)))
    one = found(home.check(), "F-SKEW", outcome="auth", severity="warning")
    assert "+7200 seconds" in one.message


def test_the_clock_is_wrong(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-SKEW: the primary says that its clock and ours differ (BADTIME), and by how much."""
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 1200)
    one = found(home.check(), "F-SKEW", outcome="auth", severity="error")
    assert "BADTIME" in one.message


def test_somebody_else_changes_the_records(home: Home) -> None:
    """F-CONCUR: a change was refused because the set was another one by then."""
    owner = home.owners[0]
    home.house.journal.append(
        home.host.name, ev.Failed(f"publish {owner}", conflict(owner).message, conflict(owner).hint), time.time()
    )
    one = found(home.check(), "F-CONCUR", outcome="auth", severity="error")
    assert one.subject == owner


_HOLD = """
import sys, time
from tlsa_manager import config, pem, wiring
house = wiring.house(config.load(sys.argv[1]))
with house.journal.lease(sys.argv[2]):
    print("held", flush=True)
    time.sleep(300)
"""


def test_a_run_that_hangs(home: Home) -> None:
    """F-CONCUR: a process holds the lease, lives, and was not heard for an hour; its number is told."""
    words = [sys.executable, "-c", _HOLD, str(home.installation.config), home.host.name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            found(home.check(), "F-CONCUR", outcome="auth", severity="notice")
            connection = sqlite3.connect(home.installation.config.parents[1] / "state" / "state.db")
            with connection:
                connection.execute("UPDATE leases SET until = until - 3600")
            connection.close()
            one = found(home.check(), "F-CONCUR", outcome="auth", severity="error")
            assert f"process {process.pid}" in one.message
        finally:
            process.kill()


def test_a_change_that_took_the_other_record_along(home: Home) -> None:
    """F-PARTIAL: the next record went in, and the interface replaced the whole set by it."""
    chain, key = pki.pair(home.host.name)
    second = home.zoo.host(name=home.host.name, pair=(chain, key), address=home.host.address)
    home.hook(chain, key)
    home.publish(second.record())
    one = found(home.check(), "F-PARTIAL", outcome="defer")
    assert home.host.record() in one.remedy


def test_a_change_of_which_half_went_through(home: Home) -> None:
    """F-PARTIAL: at one of three names the next record is missing again; nobody is hit."""
    home.hook(*pki.pair(home.host.name))
    home.zoo.zone(f"-{home.owners[1]} TLSA", f"{home.owners[1]} 3600 TLSA {home.host.record()}")
    one = found(home.check(), "F-PARTIAL", outcome="auth", severity="error")
    assert one.subject == home.owners[1]


def test_the_record_in_service_was_removed(home: Home) -> None:
    """F-RETRACT: the record that the presented key needs was replaced by somebody's other one."""
    home.publish("3 1 1 " + "ab" * 32)
    one = found(home.check(), "F-RETRACT", outcome="defer")
    assert home.host.record() in one.remedy


def test_all_records_were_removed(home: Home) -> None:
    """F-RETRACT: without any record mail goes on, without protection."""
    home.publish()
    found(home.check(), "F-RETRACT", outcome="opportunistic", severity="error")


def test_the_journal_is_damaged(home: Home) -> None:
    """F-STATE: half of it was overwritten; the check goes on all the same."""
    state = home.installation.config.parents[1] / "state" / "state.db"
    for file in state.parent.glob("state.db*"):
        file.unlink()
    state.touch(0o600)
    state.write_bytes(b"half written " * 1000)
    found(home.check(), "F-STATE", outcome="auth", severity="error")


def test_the_journal_is_older_than_the_world(home: Home) -> None:
    """F-STATE: a backup was restored, and meanwhile the key was rolled."""
    chain, key = pki.pair(home.host.name)
    second = home.zoo.host(name=home.host.name, pair=(chain, key), address=home.host.address)
    home.present(chain, key)
    home.file.write_bytes(key + chain)
    home.publish(home.host.record(), second.record())
    found(home.check(), "F-STATE", outcome="auth", severity="error")


def test_the_store_lost_a_key(home: Home) -> None:
    """F-STATE: the generation in service is not in the store any more."""
    shutil.rmtree(home.installation.config.parents[1] / "state" / "lineages")
    found(home.check(), "F-STATE", outcome="auth", severity="error")


_HIDDEN = """#!/bin/sh
# A hidden primary: it takes every change and remembers it, and nothing ever reaches the name servers.
request=$(cat)
exec {python} - "$1" "$request" <<'END'
import json, pathlib, sys
kept = pathlib.Path("{kept}")
request = json.loads(sys.argv[2])
known = json.loads(kept.read_text()) if kept.exists() else {{}}
target = request["target"]
records = known.get(target, ["{record}"])
if sys.argv[1] == "change":
    records = sorted((set(records) | set(request["add"])) - set(request["remove"]))
    known[target] = records
    kept.write_text(json.dumps(known))
    print(json.dumps({{"schema": 1, "state": "done", "message": "ok"}}))
else:
    print(json.dumps({{"schema": 1, "records": records, "ttl": 3600}}))
END
"""


def test_nothing_goes_out_behind_a_hidden_primary(home: Home, tmp_path: Path) -> None:
    """F-RESIGN: the primary has the next record, the name servers do not, and the wait for them is long over."""
    program = tmp_path / "hidden"
    program.write_text(_HIDDEN.format(python=sys.executable, kept=tmp_path / "kept.json", record=home.host.record()))
    program.chmod(0o755)
    text = home.installation.config.read_text()
    begin, end = text.index("[dns.primary]"), text.index("[consumer.postfix]")
    section = f'[dns.primary]\nbackend = "exec"\ncommand = ["{program}"]\n\n'
    home.installation.config.write_text(text[:begin] + section + text[end:])
    home.hook(*pki.pair(home.host.name))
    home.installation.start("run").wait(60)
    margin = float(home.installation.timing["margin"].rstrip("s"))
    until(lambda: _sent_long_ago(home, margin), "the margin is over", timeout=30)
    found(home.check(), "F-RESIGN", outcome="auth", severity="error")


def _sent_long_ago(home: Home, margin: float) -> bool:
    facts = home.house.journal.facts(home.host.name)
    return bool(facts.sent) and all(one.at + margin < time.time() for one in facts.sent.values())


def test_a_renewal_changed_the_kind_of_key(zoo: Zoo, dns_lab: DnsLab, tmp_path: Path) -> None:
    """F-KEYTYPE: an ECDSA certificate is on its way to where an RSA one is; what is in service is not touched yet."""
    home = home_of(zoo, dns_lab, tmp_path, kind="RSA")
    home.hook(*pki.pair(home.host.name))
    one = found(home.check(), "F-KEYTYPE", outcome="auth", severity="error")
    assert "RSA to ECDSA" in one.message


def test_nobody_else_can_read_what_the_test_made(home: Home) -> None:
    """The house of these tests is closed, so that F-PERM is not found by accident."""
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    assert json.loads(home.installation.command("status", "--json"))["lineages"]


def test_a_real_postfix_looked_at_thoroughly(zoo: Zoo, dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """All ports of a Postfix as Debian ships it, with old versions, weak suites and plain text tried: nothing above notice."""
    mail = establish(dns_lab, mx_lab, tmp_path, dns_lab.zone)
    installation = Installation(tmp_path, dns_lab, mail)
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    report = zoo.check(mail.host, config=config.load(installation.config), lineages=(mail.host,), thorough=True)
    print("\n".join(f"{one.code} {one.severity} {one.subject}: {one.message}" for one in report.findings))
    calm(report)


def test_the_digest_of_a_private_key(home: Home) -> None:
    """F-CSR: beside the right record somebody published what sha256sum says of a key file; only this machine can tell."""
    (file, *_) = (home.installation.config.parents[1] / "state" / "lineages").glob("*/*/privkey.pem")
    for data, words in (
        (file.read_bytes(), "the file privkey.pem"),
        (pki_der(file.read_bytes()), "the private key in privkey.pem"),
    ):
        home.publish(home.host.record(), digest(data))
        one = found(home.check(), "F-CSR", outcome="auth", severity="warning")
        assert words in one.message


def pki_der(key_pem: bytes) -> bytes:
    """Return a private key as DER."""
    (block,) = pem.blocks(key_pem, "key")
    return block.content
