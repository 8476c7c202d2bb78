"""`config init`: a first file, never over another one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import BadInput, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Command, name="init", short_help="Write a first file from what is found on this host.")
@click.option("--stdout", "show", is_flag=True, help="Print it instead of writing it.")
@click.option("--offline", is_flag=True, help="Do not ask DNS whose the zone of this host is, nor a name server here.")
@click.option("--resolver", metavar="ADDRESS", default="", help="Ask this resolver; else the one that the system uses.")
@click.pass_context
def command(context: click.Context, show: bool, offline: bool, resolver: str) -> None:  # noqa: FBT001  click gives flags so
    """Write a first configuration from what is found on this host: mail servers, certbot's certificates, a name server or a
    TSIG key; and from who serves the zone of this host, as DNS says. A file that exists is never touched. Every key is
    explained beside it.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.config.first import first_file
    from tlsa_manager.config.found import UNKNOWN, look
    from tlsa_manager.resolver import address_problem

    voice = voice_of(context)
    if resolver and (problem := address_problem(resolver)):
        raise UsageError(f"--resolver: {problem}", "write ADDRESS or ADDRESS#PORT")
    found = look()
    if not offline and found.host != UNKNOWN:
        from tlsa_manager.config.listening import asked
        from tlsa_manager.observe.delegation import delegation

        found = asked(replace(found, delegation=delegation(found.host, resolver)))  # a few seconds at most
    text = first_file(found)
    if show:
        voice.answer({"text": text}, text.rstrip())
        return
    _write(voice.config_file, text)
    voice.answer(
        {"file": str(voice.config_file)},
        f"{voice.config_file} is written; look through it, then: tlsa-manager --config {voice.config_file} config check",
    )


def _write(file: Path, text: str) -> None:
    """Create the file, closed to others from its first byte. Raises BadInput where there is one."""
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BadInput(f"{file} exists already, and is left as it is", "name another with --config, or use --stdout") from None
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}", "run as root, or name another with --config") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        file.unlink(missing_ok=True)
        raise
