"""What stands against the configuration on this host: files, modes, what consumers read. No network."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tlsa_manager.errors import ConfigError, TlsaManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlsa_manager.config import Config


def problems(config: Config) -> tuple[str, ...]:
    """Return what has to be put right before a rollover can work, one sentence each with its remedy."""
    return (
        *(line for file in config.files for line in _open_to_others(file)),
        *_anchor(config.trust_anchor),
        *_directory(config.directory),
        *_backends(config),
        *_consumers(config),
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
    from tlsa_manager.publish import open_backend

    for name, section in config.dns.items():
        try:
            open_backend(name, section.kind, section.options)
        except TlsaManagerError as error:
            yield from _lines(error)


def _consumers(config: Config) -> Iterator[str]:
    from tlsa_manager.deploy import open_consumer

    for name, section in config.consumers.items():
        try:
            view = open_consumer(name, section.kind, section.options).look()
        except TlsaManagerError as error:
            yield from _lines(error)
            continue
        yield from (f"consumer.{name}: {problem}" for problem in view.problems)


def _lines(error: TlsaManagerError) -> Iterator[str]:
    for line in error.mistakes if isinstance(error, ConfigError) and error.mistakes else (error.message,):
        yield f"{line}; {error.hint}" if error.hint else line
