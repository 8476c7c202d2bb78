"""Proofs that take longer than anybody waits: a secondary that is away, a person who comes later, and kill -9 in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until

if TYPE_CHECKING:
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.pebble import Pebble

PATIENCE = 2.0  # seconds, in place of five minutes
IMPATIENT = f"""
import sys
from tlsa_manager import proof
proof.TIMEOUT = {PATIENCE}
from tlsa_manager.__main__ import main
sys.exit(main())
"""
CONFIG = """
[defaults]
resolver = ["{resolver}"]
trust-anchor = "{anchor}"
directory = "{directory}/state"
[timing]
ttl = "1s"
cache-floor = "1s"
margin = "200ms"
rollback-window = "500ms"
poll-interval = "200ms"
check-interval = "2s"
confirm-within = "5s"
signature-margin = "1h"
[dns.primary]
{backend}
[consumer.server]
type = "command"
file = "{directory}/mx.pem"
reload = ["/bin/true"]
[issuer.pebble]
type = "acme"
directory = "{pebble.directory_url}"
ca-bundle = "{pebble.ca_file}"
agree-to-terms = true
[lineage."{host}"]
services = [{{ at = "{host}:25", probe = false }}]
dns = "primary"
consumers = ["server"]
issuer = "pebble"
"""
BY_PROGRAM = """backend = "rfc2136"
server = "{0.primary}"
tsig-key-file = "{0.tsig_key_file}"
"""


class Program:
    """The program with one lineage, in a hurry; each command is a process."""

    def __init__(self, directory: Path, dns_lab: DnsLab, pebble: Pebble, backend: str) -> None:
        self.host = dns_lab.fresh_name()
        self.proof = f"_acme-challenge.{self.host}."
        self._lab, self._config = dns_lab, directory / "config.toml"
        self._config.write_text(
            CONFIG.format(
                resolver=dns_lab.resolver,
                anchor=dns_lab.anchor,
                directory=directory,
                backend=backend,
                pebble=pebble,
                host=self.host,
            )
        )
        self._config.chmod(0o600)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, *words], env={**os.environ, "TLSA_MANAGER_CONFIG": str(self._config)},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def command(self, *words: str, code: int | None = 0) -> str:
        """Run a command to its end; `code`: how it has to end, None = in any way."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert code is None or process.returncode == code, f"{' '.join(words)} ended with {process.returncode}:\n{said}"
        return said

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        found: dict[str, Any] = json.loads(self.command("status", "--json", code=None))["lineages"][0]
        return found

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of all events of a kind."""
        found = json.loads(self.command("history", "--json"))["events"]
        return [one["details"] for one in found if one["event"] == kind]

    def at_primary(self) -> set[str] | None:
        """Return the proofs that stand at the primary."""
        return self._lab.records(self._lab.primary, self.proof, "TXT")


def one_order_and_nothing_left(program: Program, dns_lab: DnsLab) -> None:
    """One order, one token, one certificate, and neither in DNS nor on the list anything of it."""
    assert len(program.events("Ordered")) == len(program.events("Proving")) == len(program.events("Proved")) == 1
    assert [one["reason"] for one in program.events("OrderEnded")] == [""]
    (staged,) = program.events("Staged")
    assert staged["generation"]["origin"] == "issuer.pebble"
    assert (program.status()["order"], program.status()["proofs"]) == (None, [])
    assert program.proof not in dns_lab.zone_names(dns_lab.zone)


def test_a_secondary_that_is_away_longer_than_anybody_waits(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> None:
    """Runs in between neither remove the proof nor order again; when it is back the same order leads to the certificate."""
    program = Program(tmp_path, dns_lab, pebble, BY_PROGRAM.format(dns_lab))
    with dns_lab.without_secondary("address"):
        said = program.command("issue", program.host, code=75)
        assert dns_lab.secondary in said
        stands = program.at_primary()
        assert stands is not None
        assert len(stands) == 1
        url = program.status()["order"]["url"]
        for turn in range(2, 5):
            if turn == 3:
                program.command("renew", program.host, code=75)
            else:
                until(lambda turn=turn: _failures(program) >= turn, "the timer tries again", timeout=60, every=0.3)
            assert program.at_primary() == stands
        text = program.command("status", code=None)
        assert f"({dns_lab.secondary})" in text
        assert "prove the names" in text
        _kill_amid(program)
        assert program.at_primary() == stands
        assert program.status()["order"]["url"] == url
    until(lambda: _has_come(program, "renew", program.host), "the certificate comes", timeout=90, every=1.0)
    assert program.events("Ordered")[0]["order"]["url"] == url
    one_order_and_nothing_left(program, dns_lab)


def test_a_person_adds_the_proof_hours_later(dns_lab: DnsLab, pebble: Pebble, tmp_path: Path) -> None:
    """`status` names the record; when it stands everywhere the order goes on, and when it is gone again nothing is asked for."""
    program = Program(tmp_path, dns_lab, pebble, 'backend = "manual"')
    said = program.command("issue", program.host, code=75)
    assert "Add this TXT record" in said
    assert "note: " in program.command("config", "check")
    (proof,) = program.status()["proofs"]
    for _ in range(2):
        assert program.status()["proofs"] == [proof], "the same record each time"
        text = program.command("status", code=None)
        assert f'{program.proof} 60 IN TXT "{proof["value"]}"' in text
        assert "Remove this TXT record" not in program.command("run", code=None)
    dns_lab.update(f'update add {proof["name"]} 1 TXT "{proof["value"]}"')
    until(lambda: _has_come(program, "run"), "the timer goes on", timeout=90, every=1.0)
    assert program.at_primary() == {f'"{proof["value"]}"'}, "a person is asked to remove it"
    program.command("run", code=None)
    assert proof["value"] in program.command("status", code=None)
    dns_lab.update(f'update delete {proof["name"]} TXT "{proof["value"]}"')
    until(lambda: _is_seen(program), "that it is gone is seen", timeout=60, every=1.0)
    one_order_and_nothing_left(program, dns_lab)


def _has_come(program: Program, *words: str) -> bool:
    program.command(*words, code=None)
    return bool(program.events("Staged"))


def _is_seen(program: Program) -> bool:
    program.command("run", code=None)
    return bool(program.events("Proved"))


def _failures(program: Program) -> int:
    program.command("run", code=None)
    return max((one["count"] for one in program.status()["failures"] if one["step"] == "prove the names"), default=0)


def _kill_amid(program: Program) -> None:
    """Kill it while it waits for the secondary."""
    process = program.start("renew", program.host)
    assert process.stdout is not None
    for line in process.stdout:
        if "waiting until every name server answers" in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    else:
        pytest.fail("it never waited")
    process.communicate(timeout=30)
