"""Pebble behind a gate, and an issuer of the configuration that goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from issue.gate import Gate
from tlsa_manager.issue import Issuer, open_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.pebble import Pebble


class Opens(Protocol):
    """Makes an issuer of the gate, or of another directory, with further options (`eab_kid` for `eab-kid`)."""

    def __call__(self, **options: object) -> Issuer:
        """Make it."""


@pytest.fixture
def gate(pebble: Pebble, tmp_path: Path) -> Iterator[Gate]:
    """Stand in front of Pebble for this test."""
    with Gate(pebble, tmp_path) as gate:
        yield gate


@pytest.fixture
def issuer(gate: Gate, tmp_path: Path) -> Opens:
    """Make issuers whose accounts are kept in `tmp_path / "state"`."""

    def opens(**options: object) -> Issuer:
        usual = {"directory": gate.url, "ca-bundle": str(gate.ca_file), "agree-to-terms": True, "timeout": "20s"}
        given = usual | {name.replace("_", "-"): value for name, value in options.items()}
        return open_issuer("lab", "acme", given, tmp_path / "state")

    return opens
