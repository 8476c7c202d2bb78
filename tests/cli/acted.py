"""The program with a diagnosis that is only acted: reports by the name of the target, no network. Also a script of its own.

`good...` is well, `weak...` has a warning, `bad...` defers, `dark...` cannot be told, `evil...` speaks to the terminal; `slow...`
takes its time, `halt...` never ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from program import Ending

from tlsa_manager.diagnose import many
from tlsa_manager.diagnose.report import Report
from tlsa_manager.finding import Finding, Severity
from tlsa_manager.security import Security
from tlsa_manager.sender.delivery import Delivery, Verdict, Weighed
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.diagnose.settings import Settings
    from tlsa_manager.target import Target

RECORD = Tlsa(3, 1, 1, "ab" * 32)
OTHER = Tlsa(3, 1, 1, "cd" * 32)
AT = 1_900_000_000.0
STALE = Finding(
    "F-STALE",
    Severity.CRITICAL,
    "_25._tcp.mx.example.org.",
    "no record matches what is presented",
    "DANE senders defer all mail",
    f"publish: _25._tcp.mx.example.org. 3600 IN TLSA {OTHER}",
    "RFC 7672 §2.2",
    (("published", str(RECORD)), ("computed", str(OTHER))),
)
LONG_TTL = Finding(
    "F-TTLLONG", Severity.WARNING, "_25._tcp.mx.example.org.", "the TTL is a week", "nothing now", "lower it", "RFC 7671 §8"
)
SINGLE = Finding(
    "F-SINGLE", Severity.NOTICE, "_25._tcp.mx.example.org.", "there is one record", "nothing", "nothing", "RFC 7671 §8.1"
)


NASTY = "\x1b]0;owned\x07 a|b\nDANE OK - \u202eall is well"
HOSTILE = Finding("F-BANNER", Severity.ERROR, NASTY, NASTY, NASTY, NASTY, "RFC 5321 §4.2", ((NASTY, NASTY),))


def argv(*words: object) -> list[str]:
    """Return the command line of the acted program."""
    return [sys.executable, __file__, *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of the acted program: no configuration, unless the test names one."""
    return {**os.environ, "TLSA_MANAGER_CONFIG": "/nonexistent/config.toml", **more}


def act(*words: object, stdin: bytes = b"", **more: str) -> Ending:
    """Run the acted program and wait for its end."""
    done = subprocess.run(argv(*words), input=stdin, capture_output=True, env=environment(**more), timeout=60, check=False)
    return Ending(done.returncode, done.stdout.decode(), done.stderr.decode())


def report(target: Target) -> Report:
    """Return the report that the name of a target asks for."""
    host = target.name.removeprefix("slow-").removeprefix("halt-")
    verdict = Verdict(
        "mx.example.org:25", "mx.example.org", "192.0.2.1", "_25._tcp.mx.example.org.", Delivery.AUTH, Security.SECURE
    )
    weighed = Weighed(RECORD, usable=True, matches=True, why="matches the leaf's public key")
    fine = replace(verdict, records=(weighed,), why="a TLSA record matches")
    if host.startswith("bad"):
        wrong = replace(weighed, matches=False, why="does not match the leaf's public key")
        why = "no TLSA record matches what is presented to modern clients"
        verdicts = (replace(verdict, outcome=Delivery.DEFER, records=(wrong,), why=why), replace(fine, address="192.0.2.2"))
        return Report(target, Delivery.DEFER, verdicts, (STALE, SINGLE), AT, 0.5, why)
    if host.startswith("dark"):
        return Report(target, Delivery.UNKNOWN, (), (), AT, 0.5, "the MX records could not be looked up from here")
    if host.startswith("evil"):
        said = replace(fine, why=NASTY, address=NASTY)
        return Report(target, Delivery.AUTH, (said,), (HOSTILE,), AT, 0.5, NASTY)
    findings = (LONG_TTL, SINGLE) if host.startswith("weak") else (SINGLE,)
    return Report(target, Delivery.AUTH, (fine,), findings, AT, 0.5, "a TLSA record matches")


def diagnose(
    targets: Iterable[Target], settings: Settings, *, config: Config | None = None, workers: int = 1
) -> Iterator[Report]:
    """Act as `many.diagnose` does."""
    for target in targets:
        if target.name.startswith("slow"):
            time.sleep(0.05)
        while target.name.startswith("halt"):
            time.sleep(0.05)
        yield report(target)


if __name__ == "__main__":
    many.diagnose = diagnose
    from tlsa_manager.__main__ import main

    sys.exit(main())
