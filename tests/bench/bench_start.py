"""How long the program takes to start: `python tests/bench/bench_start.py [TURNS]` prints a table; 1 = a bar is missed.

Everything is a process of its own, from the environment of the interpreter that runs this; the candidates take turns, so that
whatever else the machine does meets all of them. For ratios the median counts, for seconds the fastest: other load only adds.
hash-slinger (Debian package) is compared with when it is installed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki

from tlsa_manager import config as configuration
from tlsa_manager import keys
from tlsa_manager.clock import moment
from tlsa_manager.journal import Journal
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.plan import Plan
from tlsa_manager.store import Store

HOST = "mx.example.org"
TURNS = 15
VERSION_BAR = 5.0  # times a Python that does nothing
IDLE_BAR = 0.3  # seconds
CONFIG = """
[defaults]
resolver = ["127.0.0.1"]
directory = "{directory}/state"

[dns.primary]
backend = "rfc2136"
server = "127.0.0.1"
tsig-key-file = "{directory}/tsig.key"

[consumer.postfix]
type = "postfix"
file = "{directory}/mx.pem"
config-directory = "/etc/postfix"

[lineage."{host}"]
services = ["{host}:25", "{host}:465", "{host}:587"]
dns = "primary"
consumers = ["postfix"]
"""


@dataclass(frozen=True)
class Taken:
    """What one run took, in seconds: by the clock on the wall, and of the processor."""

    passed: float
    worked: float


@dataclass(frozen=True)
class Candidate:
    """A command that takes part."""

    name: str
    argv: tuple[str, ...]


def main(turns: int) -> int:
    """Measure, print, and return the exit code."""
    with tempfile.TemporaryDirectory() as directory:
        times = measure(candidates(Path(directory)), turns)
    nothing = middle(times["python -c pass"])
    print(f"{f'{turns} turns':<32}{'median':>10}{'fastest':>10}{'processor':>11}{'ratio':>8}")
    for name, taken in times.items():
        worked = statistics.median(one.worked for one in taken)
        columns = f"{middle(taken) * 1000:>7.0f} ms{fastest(taken) * 1000:>7.0f} ms{worked * 1000:>8.0f} ms"
        print(f"{name:<32}{columns}{middle(taken) / nothing:>7.1f}x")
    return 0 if met(times) else 1


def met(times: dict[str, list[Taken]]) -> bool:
    """Print each bar and whether it is met."""
    start = middle(times["tlsa-manager --version"]) / middle(times["python -c pass"])
    idle = fastest(times["tlsa-manager run, nothing due"])
    bars = [
        (f"--version takes {start:.1f} times an empty Python; the bar is {VERSION_BAR:g}", start <= VERSION_BAR),
        (f"an idle run takes {idle:.2f} s; the bar is {IDLE_BAR:g} s", idle <= IDLE_BAR),
    ]
    if "tlsa --create (hash-slinger)" in times:
        ratio = middle(times["tlsa-manager digest"]) / middle(times["tlsa --create (hash-slinger)"])
        bars.append((f"digest takes {ratio:.2f} times what hash-slinger takes; the bar is 1", ratio <= 1))
    for text, good in bars:
        print(f"{'met   ' if good else 'MISSED'} {text}")
    return all(good for _, good in bars)


def middle(taken: list[Taken]) -> float:
    """Return the median time that passed."""
    return statistics.median(one.passed for one in taken)


def fastest(taken: list[Taken]) -> float:
    """Return the shortest time that passed."""
    return min(one.passed for one in taken)


def candidates(directory: Path) -> list[Candidate]:
    """Make what they need, and return them."""
    chain, key = pki.pair(HOST)
    (directory / "cert.pem").write_bytes(chain)
    config = installation(directory, keys.load_pair(chain, key))
    script = Path(sys.executable).with_name("tlsa-manager")
    program = (str(script),) if script.exists() else (sys.executable, "-m", "tlsa_manager")
    found = [
        Candidate("python -c pass", (sys.executable, "-c", "pass")),
        Candidate("tlsa-manager --version", (*program, "--version")),
        Candidate("tlsa-manager run, nothing due", (*program, "--config", str(config), "run")),
        Candidate("tlsa-manager status", (*program, "--config", str(config), "status")),
        Candidate("tlsa-manager digest", (*program, "digest", "--service", f"{HOST}:25", str(directory / "cert.pem"))),
    ]
    if slinger := shutil.which("tlsa"):
        words = ("--create", "--usage", "3", "--selector", "1", "--mtype", "1", "--port", "25", "--certificate")
        found.append(Candidate("tlsa --create (hash-slinger)", (slinger, *words, str(directory / "cert.pem"), HOST)))
    else:
        print("hash-slinger is not installed: nothing to compare digest with")
    return found


def installation(directory: Path, pair: keys.Pair) -> Path:
    """Make an installation with one lineage in service, looked at a moment ago, and nothing due for a day; return its file."""
    (directory / "tsig.key").write_text('key "bench." { algorithm hmac-sha256; secret "YmVuY2g="; };\n')
    (directory / "tsig.key").chmod(0o600)
    file = directory / "config.toml"
    file.write_text(CONFIG.format(directory=directory, host=HOST))
    read = configuration.load(file)
    lineage = read.lineages[HOST]
    generation = Store(read.directory).put(HOST, pair, "bench")
    journal = Journal(Path(read.state.removeprefix("sqlite:///")))
    now = moment()
    records = tuple(sorted(generation.records(lineage.params)))
    journal.append(HOST, ev.Staged(generation), now.wall)
    journal.append(HOST, ev.Adopted(generation), now.wall)
    for owner in lineage.owners:
        journal.append(HOST, ev.RecordsAdopted(owner, records), now.wall)
        journal.append(HOST, ev.Seen(owner, owner, now.wall, (ev.ServedSet(records, 3600),), complete=True), now.wall)
    looked = (now.wall, now.boot, now.uptime)
    journal.facts(HOST)  # a plan knows the events that were read
    journal.keep_plan(HOST, Plan(now.wall + 86400, "all is well", "", (), None, looked))
    return file


def measure(taking_part: list[Candidate], turns: int) -> dict[str, list[Taken]]:
    """Let them take turns; the first turn warms the caches and does not count. A candidate that fails ends the bench."""
    times: dict[str, list[Taken]] = {one.name: [] for one in taking_part}
    for turn in range(turns + 1):
        for one in taking_part:
            taken = run(one)
            if turn:
                times[one.name].append(taken)
    return times


def run(one: Candidate) -> Taken:
    """Run a candidate once, to its end."""
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(one.argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        passed = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{one.name} ended with {process.returncode}: {said.read().decode()}")
    return Taken(passed, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TURNS))
