"""How long checking takes: `python tests/bench/bench_check.py [HOSTS [TURNS]]` prints tables; exit code 1 = a bar is missed.

A thousand mail domains in signed zones of their own, behind relays that delay each packet by 10 ms; real BIND, Unbound, Postfix.
Beside `check --list`, quick and full, run posttls-finger (Postfix) one by one and through `xargs -P 32`, in turns, each with
Unbound's cache emptied before. Then a single `check HOST:25` beside hash-slinger's `tlsa --verify`, without delays.
Needs root and what the lab needs (tests/run.sh installs it).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.thousand import Thousand, domain
from lab import namespace, programs
from lab.certificate import self_signed
from lab.hierarchy import DnsLab
from lab.receiver import MxLab

import tlsa_manager

HOSTS, TURNS, DELAY = 1000, 1, 0.010
SINGLE_TURNS = 9
QUICK_BAR = 1.0  # times posttls-finger through xargs -P 32
FULL_BAR = 3.0
MEMORY_BAR = 300.0  # MB
SINGLE_BAR = 0.5  # seconds


@dataclass(frozen=True)
class Taken:
    """What one run took: seconds by the clock and of the processor, the largest memory in MB, and what it asked of the world."""

    passed: float
    worked: float
    memory: float
    queries: int = 0
    connections: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


def main(hosts: int, turns: int) -> int:
    """Measure, print, and return the exit code."""
    programs.widen_path()
    namespace.enter()
    if refusal := namespace.refusal():
        sys.exit(f"cannot run here: {refusal}")
    directory = Path(tempfile.mkdtemp(prefix="tlsa-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    directory.chmod(0o755)
    lab, mail = DnsLab(directory), MxLab(directory)
    try:
        lab.start()
        pair = self_signed("mx.example")
        file = directory / "chain.pem"
        file.touch(0o600)
        file.write_bytes(pair.combined)
        mail.receiver(file, domains=("a.example",))
        return measure(lab, directory, hosts, turns, pair.record.split()[-1])
    finally:
        mail.stop()
        lab.stop()
        namespace.evict()
        shutil.rmtree(directory)


def measure(lab: DnsLab, directory: Path, hosts: int, turns: int, digest: str) -> int:
    """Run the candidates in turns. Modules are compiled before, as they are when a package is installed."""
    subprocess.run((sys.executable, "-m", "compileall", "-q", str(Path(tlsa_manager.__file__).parent)), check=True)
    thousand = Thousand(lab, hosts, digest, "127.25.0.1", DELAY)
    try:
        thousand.start()
        times = contest(lab, directory, thousand, turns)
    finally:
        thousand.stop()
    good = tell_many(times, hosts)
    return 0 if tell_single(lab, directory, digest) and good else 1


def contest(lab: DnsLab, directory: Path, thousand: Thousand, turns: int) -> dict[str, list[Taken]]:
    """Let each candidate check all domains, with an empty resolver each time."""
    listed = directory / "domains"
    listed.write_text("".join(f"{domain(number)}\n" for number in range(thousand.count)))
    finger = "posttls-finger -c -l dane -L summary"
    check = (sys.executable, "-m", "tlsa_manager", "check", "--list", str(listed), "--format", "jsonl",
             "--resolver", lab.resolver, "--trust-anchor", str(lab.anchor))  # fmt: skip
    candidates = {
        "posttls-finger, xargs -P 32": ("sh", "-c", f"xargs -P 32 -n 1 {finger} <{listed}"),
        "check --quick": (*check, "--quick"),
        "check": check,
        "posttls-finger, one by one": ("sh", "-c", f"xargs -n 1 {finger} <{listed}"),
    }
    times: dict[str, list[Taken]] = {name: [] for name in candidates}
    for turn in range(turns):
        for name, argv in candidates.items():
            if turn and name.endswith("one by one"):
                continue  # once tells enough: it only waits
            lab.flush()
            thousand.counters.reset()
            output = directory / f"{turn}-{len(times[name])}-{name[:9]}.out"
            taken = run(argv, output)
            counters = thousand.counters
            queries, connections = counters.queries.value, counters.connections.value
            times[name].append(Taken(taken.passed, taken.worked, taken.memory, queries, connections, counters.by_type()))
            verify(name, output, thousand.count)
            print(f"{name}: {taken.passed:.1f} s", file=sys.stderr, flush=True)
    return times


def verify(name: str, output: Path, count: int) -> None:
    """A candidate that did not see every server authenticated has not done its work."""
    text = output.read_text()
    mark = '"kind": "domain", "outcome": "auth"' if name.startswith("check") else "Verified TLS connection established"
    seen = text.count(mark)
    if seen < count:
        sys.exit(f"{name} authenticated only {seen} of {count}; see its output:\n{text[:2000]}")


def run(argv: tuple[str, ...], output: Path) -> Taken:
    """Run a command to its end, watching the memory of it and its children."""
    began, worked = time.monotonic(), children()
    with output.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        watch = Watch(process.pid)
        process.wait()
    passed = time.monotonic() - began
    return Taken(passed, children() - worked, watch.stop())


def children() -> float:
    """Return the processor seconds of all processes that were waited for."""
    times = os.times()
    return times.children_user + times.children_system


class Watch:
    """Looks ten times a second at how much memory a session's processes have in all."""

    def __init__(self, session: int) -> None:
        self._session, self._most, self._ends = session, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the most that was seen, in MB."""
        self._ends.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._ends.wait(0.1):
            self._most = max(self._most, sum(self._size(int(one.name)) for one in Path("/proc").iterdir() if one.name.isdigit()))

    def _size(self, pid: int) -> float:
        try:
            if os.getsid(pid) != self._session:
                return 0.0
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tell_many(times: dict[str, list[Taken]], hosts: int) -> bool:
    """Print the table of the thousand, and each bar and whether it is met."""
    rival = middle(times["posttls-finger, xargs -P 32"])
    print(
        f"{f'{hosts} mail domains':<32}{'seconds':>9}{'ratio':>7}{'processor':>11}{'memory':>9}{'queries':>9}{'handshakes':>12}"
    )
    for name, taken in times.items():
        one = taken[0]
        each = f"{one.queries / hosts:>9.1f}{one.connections / hosts:>12.1f}"
        worked = statistics.median(t.worked for t in taken)
        memory = max(t.memory for t in taken)
        print(f"{name:<32}{middle(taken):>9.1f}{middle(taken) / rival:>6.2f}x{worked:>9.1f} s{memory:>6.0f} MB{each}")
    for name in ("check --quick", "check"):
        kinds = ", ".join(f"{kind} {count / hosts:.1f}" for kind, count in times[name][0].kinds.items())
        print(f"questions of {name}, and of the resolver for it, each host: {kinds}")
    quick, full = middle(times["check --quick"]) / rival, middle(times["check"]) / rival
    memory = max(one.memory for name in ("check --quick", "check") for one in times[name])
    return tell_bars(
        (f"--quick takes {quick:.2f} times what xargs -P 32 takes; the bar is {QUICK_BAR:g}", quick <= QUICK_BAR),
        (f"everything takes {full:.2f} times what xargs -P 32 takes; the bar is {FULL_BAR:g}", full <= FULL_BAR),
        (f"{memory:.0f} MB of memory; the bar is {MEMORY_BAR:g}", memory <= MEMORY_BAR),
    )


def tell_single(lab: DnsLab, directory: Path, digest: str) -> bool:
    """Measure one service beside hash-slinger; print the table and the bars."""
    host = lab.fresh_name("single")
    lab.put_tlsa(f"_25._tcp.{host}", f"3 1 1 {digest}", ttl=3600)
    check = (sys.executable, "-m", "tlsa_manager", "check", f"{host}:25", "--resolver", lab.resolver)
    candidates = {
        "check HOST:25": (*check, "--trust-anchor", str(lab.anchor)),
        "check --quick HOST:25": (*check, "--trust-anchor", str(lab.anchor), "--quick"),
    }
    if shutil.which("tlsa"):
        rootkey = ("--rootkey", str(lab.anchor_dnskey))
        candidates["tlsa --verify (hash-slinger)"] = ("tlsa", "--verify", "--port", "25", "--starttls", "smtp", *rootkey, host)
    times: dict[str, list[Taken]] = {name: [] for name in candidates}
    output = directory / "single.out"
    for _ in range(SINGLE_TURNS):
        for name, argv in candidates.items():
            times[name].append(run(argv, output))
    print(f"\n{f'one service, {SINGLE_TURNS} turns':<32}{'median':>10}{'fastest':>10}")
    for name, taken in times.items():
        print(f"{name:<32}{middle(taken) * 1000:>7.0f} ms{min(one.passed for one in taken) * 1000:>7.0f} ms")
    alone = min(one.passed for one in times["check HOST:25"])
    bars = [(f"check HOST:25 takes {alone:.2f} s; the bar is {SINGLE_BAR:g} s", alone <= SINGLE_BAR)]
    if "tlsa --verify (hash-slinger)" in times:
        ratio = middle(times["check HOST:25"]) / middle(times["tlsa --verify (hash-slinger)"])
        bars.append((f"check HOST:25 takes {ratio:.2f} times what hash-slinger takes; the bar is 1", ratio <= 1))
    return tell_bars(*bars)


def tell_bars(*bars: tuple[str, bool]) -> bool:
    """Print each bar and whether it is met."""
    for text, good in bars:
        print(f"{'met   ' if good else 'MISSED'} {text}")
    return all(good for _, good in bars)


def middle(taken: list[Taken]) -> float:
    """Return the median time that passed."""
    return statistics.median(one.passed for one in taken)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(given[0] if given else HOSTS, given[1] if len(given) > 1 else TURNS))
