"""How a server is told to read its files anew: by systemd where systemd runs it, else in the server's own way.

What the administrator says wins over both. systemd runs a server when it runs this host (`sd_booted(3)`: /run/systemd/system
exists) and one of the server's units is active there; what was started by hand, or in a container, is told directly.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlsa_manager.deploy import process
from tlsa_manager.disk import read_plain
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verb = Literal["reload", "restart"]

_BOOTED = Path("/run/systemd/system")
_RUNNING = {"active", "reloading", "refreshing"}


def tell(
    units: Sequence[str], own: Callable[[], None], timeout: float, *, given: Sequence[str] = (), verb: Verb = "reload"
) -> None:
    """Have a server read its files anew. `units`: as systemd may call it, the closest first; `own`: its own way.

    `given`: the administrator's words, which win. `timeout` in seconds, for each command. Raises DeployError.
    """
    words = choose(verb, given, "" if given else active(units, timeout))
    if words:
        process.run(words, timeout, at_terminal=bool(given))
    else:
        own()


def choose(verb: Verb, given: Sequence[str], unit: str) -> tuple[str, ...]:
    """Return the command, empty for the server's own way: what the administrator says, else the unit's. Pure."""
    return tuple(given) or (("systemctl", verb, unit) if unit else ())


def active(units: Sequence[str], timeout: float) -> str:
    """Return the first of these units that systemd runs here, empty when it runs none or cannot be asked."""
    if not units or not _BOOTED.is_dir():
        return ""
    try:
        said = process.run(("systemctl", "show", "--property=ActiveState", "--value", "--", *units), timeout)
    except DeployError:  # no systemctl in this container, or no bus: the server's own way fails loudly if it is the wrong one
        return ""
    states = said.split()  # one for each unit, in order; inactive for one that does not exist
    return next((unit for unit, state in zip(units, states, strict=False) if state in _RUNNING), "")


def hang_up(pid_file: Path, programs: Sequence[str], *, number: int = signal.SIGHUP) -> None:
    """Send a signal to the process that a pid file names, if it runs one of these programs. Raises DeployError.

    A pid file outlives a crash, and its number may be somebody else's by now, who would be killed by a SIGHUP.
    """
    try:
        pid = int(read_plain(pid_file, 1 << 20).split()[0])
        running = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()  # exe needs CAP_SYS_PTRACE
    except (OSError, ValueError, IndexError):
        raise DeployError(f"{programs[0]} does not run: {pid_file} names no process", "start it, and run again") from None
    if running not in {one[:15] for one in programs}:  # the kernel keeps no more of a name, proc(5)
        message = f"{programs[0]} does not run: {pid_file} names process {pid}, which is {running[:60]}"
        raise DeployError(message, "start it, and run again; the file is left of one that crashed")
    try:
        os.kill(pid, number)
    except OSError as error:
        raise DeployError(f"process {pid} ({running}) cannot be told: {error.strerror}", "run as root") from None
