"""The process that a server's pid file names: as whom it runs, and what it does with a signal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy.access import reader
from tlsa_manager.disk import read_plain

if TYPE_CHECKING:
    from tlsa_manager.deploy.access import Reader


def user(pid_file: Path, program: str) -> Reader | None:
    """Return as whom the server runs; None where it does not run, or its number has no name here."""
    found = status(pid_file)
    if found.get("Name") != program[:15]:  # the kernel keeps no more of it, proc(5)
        return None
    return reader(found.get("Uid", "?").split()[0])


def heeds(pid_file: Path, number: int) -> bool:
    """Whether the process has a handler for a signal: most signals end one that has none. False where there is no process."""
    caught = int(status(pid_file).get("SigCgt", "0"), 16)
    return bool(caught >> (number - 1) & 1)


def status(pid_file: Path) -> dict[str, str]:
    """Return the lines of /proc/PID/status by name (proc(5)); empty where there is no such process."""
    try:
        pid = int(read_plain(pid_file, 1 << 20).split()[0])
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError, IndexError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
