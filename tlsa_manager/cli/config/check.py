"""`config check`: every mistake at once, in the files and on the host; at the DNS backends, where somebody wants that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tlsa_manager.cli.command import Command
from tlsa_manager.cli.voice import voice_of
from tlsa_manager.errors import EXIT_CONFIG, EXIT_OK, ConfigError, StateError

if TYPE_CHECKING:
    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config
    from tlsa_manager.verbs.answering import Answered


@click.command(cls=Command, name="check", short_help="Tell every mistake, in the file and on the host.")
@click.option("--ask-dns", is_flag=True, help="Also ask each DNS backend for the records, with its credentials. Changes nothing.")
@click.pass_context
def command(context: click.Context, ask_dns: bool) -> int:  # noqa: FBT001  click gives flags so
    """Tell every mistake in the configuration, each with file and key; then what stands against it on this host: secrets
    that are missing or open to others, a consumer that does not read its file. Exit code 78 if there is any. What works, and
    is unusual, is a note. Nothing is asked of the network, and no credential is tried, without --ask-dns.
    """  # noqa: D205  click makes paragraphs of it
    from tlsa_manager.config.host import problems
    from tlsa_manager.config.notes import notes
    from tlsa_manager.verbs.answering import aliases

    voice = voice_of(context)
    config = _read(voice)
    asked = _asked(config) if ask_dns else []
    found = [*problems(config), *(str(one) for one in asked if one.failed)]
    noted = [*notes(config, aliases(config)), *_abandoned(config)]
    value = {"ok": not found, "files": [str(file) for file in config.files], "problems": found, "notes": noted}
    answers = [str(one) for one in asked if not one.failed]
    text = "\n".join((*(found or [_fine(config)]), *answers, *(f"note: {one}" for one in noted)))
    backends = {"backends": [asdict(one) for one in asked]} if ask_dns else {}
    voice.answer(value | {"lineages": list(config.lineages)} | backends, text)
    return EXIT_CONFIG if found else EXIT_OK


def _asked(config: Config) -> list[Answered]:
    from tlsa_manager.verbs.answering import answers

    return list(answers(config))


def _read(voice: Voice) -> Config:
    """Load the configuration. Raises ConfigError, whose hint is not the command that was just typed."""
    try:
        return voice.config()
    except ConfigError as error:
        if not error.mistakes:
            raise
        raise ConfigError(error.message, "correct what is named above, and check again", error.mistakes) from None


def _abandoned(config: Config) -> list[str]:
    """Lineages that the configuration names no more, with what they own; a journal that cannot be read is not its mistake."""
    from tlsa_manager.verbs.abandoned import abandoned_of

    with suppress(StateError, OSError):
        return [str(one) for one in abandoned_of(config)]
    return []


def _fine(config: Config) -> str:
    lineages = ", ".join(config.lineages) or "none yet"
    return f"{config.path}: no mistakes; lineages: {lineages}"
