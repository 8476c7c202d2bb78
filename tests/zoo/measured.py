"""The real program as a process with bounds: what it said, how it ended, and how much memory it ever had."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pki

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.zoo import Zoo

MEMORY = 2 << 30  # bytes of address space; threads and libraries reserve much more than they use
LONG = 120  # seconds until a run counts as one that never ends
_PARENT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
child = os.posix_spawn(sys.executable, [sys.executable, "-m", "tlsa_manager", *sys.argv[3:]], os.environ)
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    print(used.ru_maxrss, file=file)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""  # a small process of its own: the peak of a child is never less than that of who has made it


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `peak`: kilobytes."""

    code: int
    out: str
    err: str
    peak: int

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return msgspec.json.decode(self.out)


@dataclass(frozen=True, slots=True)
class Program:
    """Runs `tlsa-manager WORDS...` without any configuration."""

    directory: Path

    def __call__(self, *words: str | bytes | Path, stdin: bytes = b"") -> Run:
        """Run it within its bounds, and wait for its end. What it says must be fit for any terminal."""
        peak = self.directory / "peak"
        argv = [sys.executable, "-c", _PARENT, str(peak), str(MEMORY), *words]
        environment = {**os.environ, "TLSA_MANAGER_CONFIG": str(self.directory / "no-config.toml")}
        done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=LONG, check=False)
        run = Run(done.returncode, done.stdout.decode(), done.stderr.decode(), int(peak.read_text()))
        clean(run.out)
        clean(run.err)
        assert "Traceback" not in run.err, run.err[-3000:]
        return run


def lab_options(zoo: Zoo) -> tuple[str, ...]:
    """Return the options that let the program look at the lab, without much patience."""
    roots = zoo.directory / "roots.pem"
    roots.write_bytes(pki.authority().root.public_bytes(pki.PEM))
    look = ("--resolver", zoo.lab.resolver, "--trust-anchor", str(zoo.lab.anchor), "--ca-file", str(roots))
    return (*look, "--timeout", "1")


def clean(text: str) -> None:
    """Assert that nothing in a text steers a terminal, and that no stranger has begun a line of it."""
    steers = {one for one in text if unicodedata.category(one)[0] == "C"} - {"\n"}
    assert not steers, f"{[hex(ord(one)) for one in steers]}: {text[:2000]!r}"
    assert not [line for line in text.splitlines() if line.startswith("INJECTED")], text[:2000]
