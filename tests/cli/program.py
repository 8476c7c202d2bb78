"""The program as a user runs it: a process, its words, what it says and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return msgspec.json.decode(self.out)


@dataclass(frozen=True, slots=True)
class Say:
    """Runs `tlsa-manager WORDS...` with `config` as its configuration, unless the environment names another."""

    config: Path

    def __call__(self, *words: str | bytes | Path, stdin: bytes = b"", **environment: str) -> Ending:
        """Run it and wait for its end."""
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("TLSA_", "RENEWED_"))}
        usual |= {"TLSA_MANAGER_CONFIG": str(self.config)} | environment
        argv = [sys.executable, "-m", "tlsa_manager", *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, env=usual, timeout=60, check=False)
        return Ending(done.returncode, done.stdout.decode(), done.stderr.decode())
