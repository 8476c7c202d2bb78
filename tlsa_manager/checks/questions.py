"""What the checks want to know besides, once the way to a target is known. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.sender.route import Route
    from tlsa_manager.snapshot import Snapshot
    from tlsa_manager.target import Target


def questions(route: Route, snapshot: Snapshot, target: Target, *, thorough: bool) -> frozenset[tuple[str, str]]:  # noqa: ARG001
    """Return further questions (name with final dot, type) that are to be asked side by side."""
    return frozenset()
