"""What all hooks do: read, find the lineage, hand over to the house, say what happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.cli.leaving import end_at_once
from tlsa_manager.handover import content, lineage_of

if TYPE_CHECKING:
    from pathlib import Path

    from tlsa_manager.cli.voice import Voice


def take_over(voice: Voice, certificate: Path, key: Path, *, origin: str, asked: str = "", directory: str = "") -> None:
    """Take a certificate and key into the store of their lineage. Raises TlsaManagerError; then nothing was kept."""
    config = voice.config()
    chain_pem = content(certificate, "certificate")
    lineage = lineage_of(config, chain_pem, asked=asked, directory=directory)
    if lineage is None:
        text = f"{certificate} names the hosts of no configured lineage, so it is left alone"
        voice.answer({"lineage": None, "taken": False, "why": text}, text)
        return
    from tlsa_manager.wiring import house

    home = house(config)
    taken = home.stage(lineage.name, chain_pem, content(key, "private key"), origin)
    value = {
        "lineage": lineage.name,
        "taken": True,
        "generation": taken.id,
        "known": taken.known,
        "hold": taken.hold,
        "remedy": taken.remedy,
        "notes": list(taken.notes),
    }
    voice.answer(value, f"{lineage.name}: {taken}")
    if home.is_publishing:  # servers that do not answer take their time, and the client waits for us
        end_at_once()
