"""Read a secret from where nobody else can read it (L8): a closed file, a credential of systemd, an environment variable.

The text is never shown, not even its beginning.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.option import Option, mistake

if TYPE_CHECKING:
    from tlsa_manager.option import Settings

LARGEST = 65536  # no key or token comes near it
_WAYS = ("file", "credential", "environment")


def secret_options(name: str, what: str) -> tuple[Option, Option, Option]:
    """Return the three options by which a section says where a secret is; exactly one of them is to be given."""
    return (
        Option(f"{name}-file", "file", f"a file with {what}, readable by its owner only", example=f"/etc/tlsa-manager/{name}"),
        Option(f"{name}-credential", "str", "or a credential that systemd hands over (LoadCredential=): its name", example=name),
        Option(f"{name}-environment", "str", "or an environment variable: its name", example=name.replace("-", "_").upper()),
    )


def secret_of(settings: Settings, name: str, power: str, *, lines: bool = False, required: bool = True) -> str:
    """Return the secret that a section names by one of `secret_options`; empty where none is named and none required.

    `power`: what whoever knows it can do; `lines`: whether it may have several, as a private key has. Raises ConfigError.
    """
    given = [way for way in _WAYS if settings.text(f"{name}-{way}")]
    where = f"{settings.section}.{name}-{given[0] if given else 'file'}"
    if len(given) > 1:
        raise mistake(where, f"there is {name}-{given[1]} too: say in one way where it is", "take the others out")
    if not given and required:
        raise mistake(where, "missing", f"name a file of mode 0600, or {name}-credential or {name}-environment instead")
    text = _text_of(settings.text(f"{name}-{given[0]}"), given[0], where, power).strip() if given else ""
    if given and (not text or not (lines or (text.isprintable() and text.isascii()))):
        hint = "put the secret there, and nothing else"
        raise mistake(where, "what stands there is empty, or not one line of plain text", hint)
    return text


def _text_of(named: str, way: str, where: str, power: str) -> str:
    """Read what one of the options names."""
    if way == "file":
        return read_secret(named, where, power)
    if way == "environment":
        if named not in os.environ:
            raise mistake(where, f"there is no environment variable {named[:60]!r}", "set it where tlsa-manager is started")
        return os.environ[named]
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory or "/" in named or named in {".", ".."}:
        hint = f"LoadCredential={named[:60]}:FILE in the unit; by hand use {where.rpartition('-')[0].rpartition('.')[2]}-file"
        raise mistake(where, f"systemd has handed over no credential {named[:60]!r}", hint)
    return read_secret(f"{directory}/{named}", where, power)


def read_secret(path: str, where: str, power: str) -> str:
    """Return the content of a secret file. `where`: section and option; `power`: what whoever knows it can do; for the message.

    The file must be a regular file of root or of the user who runs this, and closed to group and others. What systemd
    hands over (`LoadCredential=`) may be readable by its group: there the group bits are the mask of an access list
    (systemd.exec(5)). Raises ConfigError.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold us up
    except OSError as error:
        raise mistake(where, f"{path} cannot be read: {error.strerror}", _access_hint(path)) from None
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
    raise mistake(where, f"{path} is not a key file: not text, or larger than 64 KiB", "give the right file")


def _check(path: str, status: os.stat_result, where: str, power: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise mistake(where, f"{path} is not a regular file", "give the file that holds the secret")
    if status.st_uid not in {0, os.geteuid()}:
        hint = f"chown root {path}"
        raise mistake(where, f"{path} belongs to another user (uid {status.st_uid}), who can read and change the secret", hint)
    forbidden = stat.S_IRWXG | stat.S_IRWXO
    if _from_systemd(path):
        forbidden = stat.S_IWGRP | stat.S_IRWXO
    if status.st_mode & forbidden:
        mode = stat.filemode(status.st_mode)[1:]
        raise mistake(
            where,
            f"{path} is open to others ({mode}): whoever reads the secret {power}",
            f"chmod 600 {path}; if other users can log in here, make a new secret as well",
        )


def _from_systemd(path: str) -> bool:
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(directory) and Path(path).parent == Path(directory)


def _access_hint(path: str) -> str:
    return f"check that {path} exists and that the user who runs tlsa-manager (uid {os.geteuid()}) may read it"
