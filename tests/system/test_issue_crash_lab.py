"""The bar of issuing: killed at any moment, again and again; no order is repeated, no key lost, no proof left behind."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until
from lab.pebble import Pebble

from tlsa_manager.keys import public_half
from tlsa_manager.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab

KILLS = 30
IN_A_ROW = 3  # kills before one may come to its end
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
backend = "rfc2136"
server = "{primary}"
tsig-key-file = "{tsig}"
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
names = ["*.{host}"]
dns = "primary"
consumers = ["server"]
issuer = "pebble"
"""


@pytest.fixture
def authority(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Pebble]:
    """An authority with a log of its own, in which its orders are counted."""
    made = Pebble(tmp_path / "pebble", dns_server=dns_lab.primary, address="127.14.0.3")
    made.start()
    yield made
    made.daemon.stop()


class Program:
    """The program with one lineage; each command is a process that can be killed."""

    def __init__(self, directory: Path, dns_lab: DnsLab, pebble: Pebble) -> None:
        self.host = dns_lab.fresh_name()
        self.directory = directory
        self._config = directory / "config.toml"
        self._config.write_text(
            CONFIG.format(
                resolver=dns_lab.resolver, anchor=dns_lab.anchor, directory=directory, primary=dns_lab.primary,
                tsig=dns_lab.tsig_key_file, pebble=pebble, host=self.host,
            )
        )  # fmt: skip
        self._config.chmod(0o600)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tlsa_manager", *words], env={**os.environ, "TLSA_MANAGER_CONFIG": str(self._config)},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def command(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert process.returncode in codes, f"{' '.join(words)} ended with {process.returncode}:\n{said}"
        return said

    def killed_after(self, seconds: float, *words: str) -> None:
        """Start a command and kill it."""
        process = self.start(*words)
        time.sleep(seconds)
        _kill(process)

    def killed_at_line(self, number: int, *words: str) -> None:
        """Start a command and kill it as soon as it has said so many lines."""
        process = self.start(*words)
        assert process.stdout is not None
        for _ in itertools.islice(process.stdout, number):
            pass
        _kill(process)

    def finish(self) -> None:
        """Run it until what was begun has come to its end."""
        until(self._ended, "the order is finished", timeout=60, every=0.3)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of all events of a kind."""
        found = json.loads(self.command("history", "--json"))["events"]
        return [one["details"] for one in found if one["event"] == kind]

    def _ended(self) -> bool:
        process = self.start("renew", self.host)
        said, _ = process.communicate(timeout=120)
        assert process.returncode in (0, 75), said  # 75: a swap is being proven
        return process.returncode == 0


def _kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def test_kill_9_at_thirty_moments_repeats_no_order_and_loses_no_key(dns_lab: DnsLab, authority: Pebble, tmp_path: Path) -> None:
    """At random times over all that an order takes, and right after each line that it says; then it goes on."""
    program = Program(tmp_path, dns_lab, authority)
    began = time.monotonic()
    said = program.command("issue", program.host)
    usual, lines = time.monotonic() - began, len(said.splitlines())
    print(said, f"took {usual:.2f} s")
    chance = random.Random(20261122)
    for turn in range(KILLS):
        if turn % 3 == 2:
            program.killed_at_line(chance.randint(1, lines), "renew", program.host, "--force")
        else:
            program.killed_after(chance.uniform(0.2, 1.1 * usual), "renew", program.host, "--force")
        if turn % IN_A_ROW == IN_A_ROW - 1:
            program.finish()
            until(lambda: "stable" in program.command("run", program.host), "the rollover is over", timeout=60, every=1.0)
    program.finish()

    log = authority.daemon.log.read_text()
    orders, issued = len(set(re.findall(r"Added order \"?([^\" ]+)", log))), len(re.findall(r"Issued certificate serial", log))
    staged = [one["generation"] for one in program.events("Staged")]
    print(f"killed {KILLS} times: {orders} orders, {issued} certificates, {len(staged)} of them staged")
    assert orders >= KILLS / IN_A_ROW
    assert orders == issued == len(staged), "an order was repeated, or its certificate lost"
    assert not [one for one in program.events("OrderEnded") if one["reason"]]

    store = Store(program.directory / "state")
    prepared = [one["key"] for one in program.events("Prepared")]
    assert not program.events("Discarded")
    for key in prepared:
        assert public_half(store.key(program.host, key["id"]), "").spki_sha256 == key["spki_sha256"]
    ahead = [one["spki_sha256"] for one in prepared]
    used = list(dict.fromkeys(one["chain"]["certificates"][0]["spki_sha256"] for one in staged))
    assert used == ahead[: len(used)], "each key that was published ahead is the one that was used, in turn"
    assert len(used) >= 3
    for one in staged:
        assert store.read(program.host, one["id"]).chain.leaf.spki_sha256 == one["chain"]["certificates"][0]["spki_sha256"]
    assert not [name for name in dns_lab.zone_names(dns_lab.zone) if name == f"_acme-challenge.{program.host}."]
