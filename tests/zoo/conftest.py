"""The zoo as a fixture: for each test fresh names and addresses in the lab that all share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from zoo.zoo import Zoo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab


@pytest.fixture
def zoo(dns_lab: DnsLab, tmp_path: Path) -> Iterator[Zoo]:
    """Open the zoo for one test; all its servers end with the test."""
    with contextlib.ExitStack() as stack:
        yield Zoo(dns_lab, tmp_path, stack)
