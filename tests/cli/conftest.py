"""What the tests of the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from program import Say

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Return the program, with a configuration that does not exist until the test writes it."""
    return Say(tmp_path / "config.toml")
