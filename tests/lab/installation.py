"""tlsa-manager set up for a mail domain of the lab, as an administrator would: configuration, hook, and a timer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from lab.hierarchy import DnsLab
    from lab.maildomain import MailDomain

HOOK = Path(__file__).parents[2] / "hooks" / "certbot"
TIMING = {
    "ttl": "2s", "cache-floor": "5s", "margin": "2s", "rollback-window": "3s", "poll-interval": "1s", "check-interval": "5s",
    "confirm-within": "15s", "signature-margin": "1h",
}  # fmt: skip
_BACKEND = """backend = "rfc2136"
server = "{primary}"
tsig-key-file = "{tsig}"
"""
_CONSUMER = """type = "postfix"
file = "{file}"
config-directory = "{postfix}"
"""
_CONFIG = """
[defaults]
resolver = ["{resolver}"]
trust-anchor = "{anchor}"
directory = "{directory}"

[timing]
{timing}

[dns.primary]
{backend}

[consumer.postfix]
{consumer}

[lineage."{host}"]
services = [{services}]
dns = "primary"
consumers = ["postfix"]
"""


class Installation:
    """One configured tlsa-manager; commands run as processes of their own, as cron and certbot run them."""

    def __init__(
        self, directory: Path, dns_lab: DnsLab, mail: MailDomain, *, timing: dict[str, str] | None = None,
        backend: str = _BACKEND, consumer: str = _CONSUMER,
    ) -> None:  # fmt: skip
        self.name = mail.host
        self.timing = {**TIMING, **(timing or {})}
        self.config = directory / "tlsa-manager" / "config.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            _CONFIG.format(
                resolver=dns_lab.resolver, anchor=dns_lab.anchor, directory=directory / "state", host=mail.host,
                backend=backend.format(primary=dns_lab.primary, tsig=dns_lab.tsig_key_file),
                consumer=consumer.format(file=mail.chain_file, postfix=mail.postfix.config_directory),
                services=", ".join(f'"{mail.host}:{port}"' for port in (25, 465, 587)),
                timing="\n".join(f'{key} = "{value}"' for key, value in self.timing.items()),
            )
        )  # fmt: skip
        program = directory / "tlsa-manager" / "program"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tlsa_manager "$@"\n')
        program.chmod(0o755)
        self.environment = {"TLSA_MANAGER": str(program), "TLSA_MANAGER_CONFIG": str(self.config)}
        self.hook = str(HOOK)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tlsa_manager", *words], env={**os.environ, **self.environment}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def command(self, *words: str, code: int = 0) -> str:
        """Run a command to its end and return all it said; another exit code than expected fails the test."""
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == code, f"{' '.join(words)} ended with {process.returncode}:\n{said}"
        return said

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says of the lineage."""
        return self.statuses()[0]

    def statuses(self) -> list[dict[str, Any]]:
        """Return what `status --json` says of all lineages."""
        said, _ = self.start("status", "--json").communicate(timeout=60)
        found: list[dict[str, Any]] = json.loads(said)["lineages"]
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return the journal, oldest first."""
        found: list[dict[str, Any]] = json.loads(self.command("history", "--json"))["events"]
        return found


class Timer:
    """Calls `tlsa-manager run` again and again, as systemd's timer does: never two at once, a pause in between."""

    def __init__(self, installation: Installation, *, every: float = 1.0) -> None:
        self._installation, self._every = installation, every
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="timer", daemon=True)
        self.said: list[str] = []
        self.codes: list[int] = []

    def __enter__(self) -> Self:
        """Start to call."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        """Stop after the call that is running."""
        self._ends.set()
        self._thread.join(120)

    def _tick(self) -> None:
        while not self._ends.wait(self._every):
            process = self._installation.start("run")
            said, _ = process.communicate(timeout=120)
            self.codes.append(process.returncode)
            self.said.append(said)
