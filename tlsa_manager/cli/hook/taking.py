"""What all hooks do: read, find the lineage, hand over to the house, say what happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.flat import flat
from tlsa_manager.cli.leaving import end_at_once
from tlsa_manager.errors import ConfigError
from tlsa_manager.handover import content, handed_over, lineage_of

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.cli.voice import Voice
    from tlsa_manager.config import Config


def take_over(
    voice: Voice, certificate: Path, key: Path | None, *, origin: str, asked: str = "", directory: str = "", named: bool = False
) -> None:
    """Take a certificate and key into the store of their lineage. Raises TlsaManagerError; then nothing was kept.

    `key` None, or a file that is not there or has another key: the certificate may be for a key of ours. `named`: a person named
    the file of the key, so it has to be one.
    """
    config = _configuration(voice, certificate)
    chain_pem = content(certificate, "certificate")
    lineage = lineage_of(config, chain_pem, asked=asked, directory=directory)
    if lineage is None:
        text = f"{certificate} names the hosts of no configured lineage, so it is left alone"
        voice.answer({"lineage": None, "taken": False, "why": text}, flat(text))
        return
    from tlsa_manager.wiring import house

    home = house(config)
    taken = handed_over(lambda chain, own: home.stage(lineage.name, chain, own, origin), certificate, key, named=named)
    unfinished = home.is_publishing
    later = "; publishing takes longer than a client should wait: the next tlsa-manager run goes on with it" if unfinished else ""
    value = {
        "lineage": lineage.name,
        "taken": True,
        "generation": taken.id,
        "known": taken.known,
        "hold": taken.hold,
        "remedy": taken.remedy,
        "notes": list(taken.notes),
        "outlook": taken.outlook,
        "ready": taken.ready,
        "publishing": unfinished,
    }
    voice.answer(value, f"{lineage.name}: {taken}{later}")
    if home.is_publishing:  # servers that do not answer take their time, and the client waits for us
        end_at_once()


def _configuration(voice: Voice, certificate: Path) -> Config:
    """Load the configuration; without one nobody knows where to keep anything, and the client will not call again."""
    try:
        return voice.config()
    except ConfigError as error:
        message = f"{error.message}: {certificate} was not taken over, and the mail server keeps the certificate it has"
        raise ConfigError(message, f"{error.hint}; then run the hook again, nobody else will", error.mistakes) from None
