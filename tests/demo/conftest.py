"""The demo's world, for tests of what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlsa_manager.demo.certificates import CertificateAuthority
from tlsa_manager.demo.installation import write_private
from tlsa_manager.demo.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlsa_manager.keys import Pair


@pytest.fixture
def pair() -> Pair:
    return CertificateAuthority().renew()


@pytest.fixture
def world(tmp_path: Path, pair: Pair) -> Iterator[World]:
    """All servers, with a certificate in use and no TLSA record yet."""
    write_private(tmp_path / "mx.pem", pair.combined)
    with World(tmp_path / "mx.pem") as world:
        yield world
