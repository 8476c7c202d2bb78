"""A place for one server and its files, and key pairs to put there."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_numbers = itertools.count(1)


@pytest.fixture
def place(lab_dir: Path) -> Iterator[Path]:
    """Make a directory for one server and its files, with one for certificates in it."""
    directory = lab_dir / f"reader-{next(_numbers)}"
    (directory / "tls").mkdir(parents=True)
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def address() -> Callable[[], str]:
    """Return addresses that no other test has used."""
    return lambda: f"127.25.10.{next(_numbers)}"
