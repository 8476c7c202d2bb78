"""The view of owners that could not be looked at. Needs nothing heavy: it is used where the eyes themselves cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.security import Cause
from tlsa_manager.snapshot import OwnerView

if TYPE_CHECKING:
    from collections.abc import Iterable


def blind(names: Iterable[str], problem: str, at: float, cause: Cause = Cause.LOST) -> dict[str, OwnerView]:
    """Return views in which nothing is known, for every name and with the reason. `at`: seconds since 1970.

    For a caller that may not stop where the eyes cannot be opened at all (ConfigError, BadInput), as in the middle of a swap:
    unknown is never absent, so whatever was cached before stays cached, and what needs a look waits.
    """
    return {name: OwnerView(name, name, "", at, problem=problem, cause=cause) for name in names}
