"""What stands against the configuration on this host: files, modes, what consumers read. No network."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.config import issuers
from tlsa_manager.config.shared import disagreements
from tlsa_manager.errors import ConfigError, TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage


def problems(config: Config) -> tuple[str, ...]:
    """Return what has to be put right before a rollover can work, one sentence each with its remedy."""
    return (
        *(line for file in config.files for line in _open_to_others(file)),
        *_anchor(config.trust_anchor),
        *_directory(config.directory),
        *_backends(config),
        *_consumers(config),
        *issuers.problems(config),
        *disagreements(config),
        *(line for lineage in config.lineages.values() for line in _watched(lineage)),
    )


def _open_to_others(file: Path) -> Iterator[str]:
    """Whoever writes the configuration chooses the commands that run as root."""
    if file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"{file}: can be written by others, who could have any command run as root; chmod 600 {file}"


def _anchor(anchor: str | None) -> Iterator[str]:
    if anchor is not None and not os.access(anchor, os.R_OK):
        yield f"defaults.trust-anchor: {anchor} cannot be read; apt install dns-root-data, or leave the key out"


def _directory(directory: Path) -> Iterator[str]:
    """Look whether the directory is closed to others, or can be made."""
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    if not nearest.is_dir():
        yield f"defaults.directory: {nearest} is not a directory; name another"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield f"defaults.directory: {nearest} cannot be written by this user (uid {os.geteuid()}); run as the user of the service"
    elif nearest == directory and directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"defaults.directory: {directory} can be written by others; chmod 700 {directory}"


def _backends(config: Config) -> Iterator[str]:
    from tlsa_manager.publish import LocalBackend, open_backend

    for name, section in config.dns.items():
        try:
            backend = open_backend(name, section.kind, section.options)
        except TlsaManagerError as error:
            yield from _lines(error)
            continue
        yield from (f"dns.{name}: {problem}" for problem in (backend.problems() if isinstance(backend, LocalBackend) else ()))


def _consumers(config: Config) -> Iterator[str]:
    from tlsa_manager.deploy import open_consumer

    for name, section in config.consumers.items():
        try:
            view = open_consumer(name, section.kind, section.options).look()
        except TlsaManagerError as error:
            yield from _lines(error)
            continue
        yield from (f"consumer.{name}: {problem}" for problem in view.problems)


def _watched(lineage: Lineage) -> Iterator[str]:
    """Look at the files that a client without hooks rewrites."""
    for key, name in zip(("certificate", "key"), lineage.watch, strict=True):
        if name:
            yield from (f'lineage."{lineage.name}".watch.{key}: {name} {problem}' for problem in _readable(Path(name), key))


def _readable(file: Path, key: str) -> Iterator[str]:
    """Say what is wrong with a watched file: it need not be ours, but nobody else may know the key, or choose it."""
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError):
        return  # it is waited for, and there is a note
    if not stat.S_ISREG(mode):
        yield "is no file; name the file itself, no directory or pipe"
    elif not os.access(file, os.R_OK):
        yield f"cannot be read by this user (uid {os.geteuid()}); run as the user of the service"
    if key == "key" and mode & stat.S_IROTH:
        yield f"can be read by everybody on this host, so the key is no secret; chmod o= {file}, and have a new key made"
    elif mode & stat.S_IWOTH:
        yield f"can be written by everybody, who could choose what the mail server presents; chmod o-w {file}"


def _lines(error: TlsaManagerError) -> Iterator[str]:
    for line in error.mistakes if isinstance(error, ConfigError) and error.mistakes else (error.message,):
        yield f"{line}; {error.hint}" if error.hint else line
