"""Whether Exim's daemon would still be root after a SIGHUP: if not, it cannot listen on port 25 again, and mail stays away.

It gave up root's rights when it had its ports, and starts anew as Exim's user: root again only as a program that is set-uid, and
with `-C FILE` only where FILE is in the list that was named when Exim was built (spec.txt §5.2, TRUSTED_CONFIG_LIST). Measured
with 4.96: the ports are gone, and it takes a start by hand to have them back.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.deploy import process, running
from tlsa_manager.deploy.text import Texts
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlsa_manager.deploy.exim.answers import Configuration

_TRUSTED = re.compile(r'^TRUSTED_CONFIG_LIST: "(.+)"$', re.MULTILINE)


def loss(configuration: Configuration, words: Sequence[str], timeout: float) -> str:
    """Say why a SIGHUP would end in an Exim that hears nobody, with what to do; empty if it would not, or none runs.

    `words`: how Exim is asked. Raises DeployError where it says nothing of itself.
    """
    daemon = running.status(configuration.pid_file)
    if not daemon or daemon.get("Uid", "0").split()[0] == "0":
        return ""
    place = Path("/proc", daemon["Pid"])
    root = place / "root"
    if not os.access(root / "etc", os.X_OK):  # takes CAP_SYS_PTRACE; without it, it is taken to see what we see
        root = Path("/")
    given = _given(place)
    why = _no_root(daemon, root, configuration.program) or (_distrusted(given, root, words, timeout) if given else "")
    return f"a SIGHUP would take its ports from Exim, and no mail would come in: {why}" if why else ""


def _given(place: Path) -> str:
    """Return what its daemon was given as `-C`, empty where it was not, or that cannot be told."""
    try:
        words = (place / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    found = [following if word == "-C" else word[2:] for word, following in zip(words, [*words[1:], ""], strict=True)
             if word.startswith("-C")]  # fmt: skip
    return found[-1] if found else ""


def _no_root(daemon: dict[str, str], root: Path, program: str) -> str:
    """Say why the program that it starts anew would not be root's."""
    if daemon.get("NoNewPrivs") == "1":
        return "it runs where nothing becomes root (NoNewPrivs in /proc/PID/status); say how it is restarted: the option reload"
    try:
        file = root / program.lstrip("/")
        found, mounted = file.stat(), os.statvfs(file)
    except OSError:
        return f"{program}, which it would start (exim_path), is not there; correct exim_path, or give the option reload"
    if found.st_uid == 0 and found.st_mode & stat.S_ISUID and not mounted.f_flag & os.ST_NOSUID:
        return ""
    return f"{program}, which it would start, is not set-uid root; chmod u+s {program}, or give the option reload"


def _distrusted(given: str, root: Path, words: Sequence[str], timeout: float) -> str:
    """Say why Exim would not trust what it was given as `-C`, names with colons between."""
    said = _TRUSTED.search(process.run((*words, "-d", "-bV"), timeout))
    if not said:
        return f"it runs with -C {given}, and was built to trust no such file; say how it is restarted: the option reload"
    file = root / said[1].lstrip("/")
    try:
        trusted, distrust = set(_lines(file)), _distrust(file)
    except (OSError, DeployError):
        trusted, distrust = set(), ""
    if distrust:
        return f"{said[1]} lists what it may run with, but {distrust}; chown root:root {said[1]}; chmod 644 {said[1]}"
    if missing := [one for one in map(str.strip, given.split(":")) if one and one not in trusted]:
        line = " ".join(missing)
        return f"it runs with -C {given}, which {said[1]} does not list; add the line {line} there, or give the option reload"
    return ""


def _lines(file: Path) -> Iterator[str]:
    return (line.lstrip() for line in Texts("").read(file).split("\n"))


def _distrust(file: Path) -> str:
    """Say why Exim does not believe the list itself: it is root's alone to write."""
    found = file.stat()
    if found.st_uid:
        return f"it is not root's (uid {found.st_uid})"
    if found.st_mode & stat.S_IWOTH or (found.st_gid and found.st_mode & stat.S_IWGRP):
        return f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""
