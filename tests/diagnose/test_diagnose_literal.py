"""An address as a target: nobody is asked for its name, and the address itself is looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tlsa_manager.diagnose.one import diagnose_one
from tlsa_manager.diagnose.settings import Settings
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.snapshot import ServiceView
from tlsa_manager.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlsa_manager.service import Service


class Asked:
    """Eyes that note what they are asked, and see nothing."""

    def __init__(self) -> None:
        """Nothing has been asked."""
        self.names: list[object] = []
        self.places: list[tuple[str, ...]] = []

    async def owners(self, names: Iterable[str]) -> dict[str, object]:
        """Note names."""
        self.names += names
        return {}

    async def look_up(self, asked: Iterable[object]) -> dict[object, object]:
        """Note questions."""
        self.names += asked
        return {}

    async def zones(self, names: Iterable[str]) -> dict[str, object]:
        """Note names."""
        self.names += names
        return {}

    async def look(self, service: Service, addresses: Sequence[str], **_: object) -> ServiceView:
        """Note addresses."""
        self.places.append(tuple(addresses))
        return ServiceView(str(service), 0.0)


@pytest.mark.parametrize(("text", "address"), [("192.0.2.1:25", "192.0.2.1"), ("[2001:db8::1]:25", "2001:db8::1")])
def test_an_address_is_not_looked_up(text: str, address: str) -> None:
    """RFC 7672 §2.2: DANE does not apply to an address; mail goes there, so it is looked at, and DNS is not asked."""
    eyes = Asked()
    report = asyncio.run(diagnose_one(Target.parse(text), eyes, eyes, Settings()))  # type: ignore[arg-type]  a double
    assert (report.outcome, report.exit_code) == (Delivery.OPPORTUNISTIC, 0)
    assert "is an address" in report.why
    assert eyes.names == []
    assert eyes.places == [(address,)]
