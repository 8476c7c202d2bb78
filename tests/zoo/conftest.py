"""The zoo as a fixture: for each test fresh names and addresses in the lab that all share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from zoo.yard import Yard
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


@pytest.fixture(scope="session")
def _servers_of_the_yard(dns_lab: DnsLab) -> Iterator[Yard]:
    yard = Yard(dns_lab, dns_lab.dir / "yard")
    try:
        yard.start()
        yield yard
    finally:
        yard.stop()


@pytest.fixture
def yard(_servers_of_the_yard: Yard, zoo: Zoo) -> Yard:
    """Open the yard, where zones grow that are wrong in one way each, for this visit."""
    return _servers_of_the_yard.open_for(zoo)
