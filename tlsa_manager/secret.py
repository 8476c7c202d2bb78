"""Read a secret from a file that nobody else can read (L8). The text is never shown, not even its beginning."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tlsa_manager.errors import ConfigError

LARGEST = 65536  # no key or token comes near it


def read_secret(path: str, where: str, power: str) -> str:
    """Return the content of a secret file. `where`: section and option; `power`: what whoever knows it can do; for the message.

    The file must be a regular file of root or of the user who runs this, and closed to group and others. What systemd
    hands over (`LoadCredential=`) may be readable by its group: there the group bits are the mask of an access list
    (systemd.exec(5)). Raises ConfigError.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold us up
    except OSError as error:
        raise _mistake(where, f"{path} cannot be read: {error.strerror}", _access_hint(path)) from None
    try:
        _check(path, os.fstat(handle), where, power)  # of what was opened, not of what may stand there a moment later
        content = os.read(handle, LARGEST + 1)
    finally:
        os.close(handle)
    try:
        if len(content) <= LARGEST:
            return content.decode("utf-8")
    except UnicodeDecodeError:
        pass  # the same answer as for a file that is too large: it is something else
    raise _mistake(where, f"{path} is not a key file: not text, or larger than 64 KiB", "give the right file")


def _check(path: str, status: os.stat_result, where: str, power: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _mistake(where, f"{path} is not a regular file", "give the file that holds the secret")
    if status.st_uid not in {0, os.geteuid()}:
        hint = f"chown root {path}"
        raise _mistake(where, f"{path} belongs to another user (uid {status.st_uid}), who can read and change the secret", hint)
    forbidden = stat.S_IRWXG | stat.S_IRWXO
    if _from_systemd(path):
        forbidden = stat.S_IWGRP | stat.S_IRWXO
    if status.st_mode & forbidden:
        mode = stat.filemode(status.st_mode)[1:]
        raise _mistake(
            where,
            f"{path} is open to others ({mode}): whoever reads the secret {power}",
            f"chmod 600 {path}; if other users can log in here, make a new secret as well",
        )


def _from_systemd(path: str) -> bool:
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(directory) and Path(path).parent == Path(directory)


def _access_hint(path: str) -> str:
    return f"check that {path} exists and that the user who runs tlsa-manager (uid {os.geteuid()}) may read it"


def _mistake(where: str, message: str, hint: str) -> ConfigError:
    line = f"{where}: {message}"
    return ConfigError(line, hint, (line,))
