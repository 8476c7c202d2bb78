"""Text of strangers on one line: what a server said must not look like a line of ours."""

from __future__ import annotations

from tlsa_manager.cli.voice import printable


def flat(text: str) -> str:
    """Return text as one line that cannot steer a terminal: line breaks and tabs are written out."""
    return printable(text, "")
