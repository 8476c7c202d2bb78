"""Whose name servers these are: each backend of a provider says how theirs are called (`SERVERS`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tlsa_manager.publish import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection


def whose(servers: Collection[str]) -> str:
    """Return the kind of backend for a zone with these name servers (absolute names), empty where none is known.

    Where they are of several providers, a primary of one and secondaries of another for instance, nobody can tell.
    """
    kinds = {kind for kind, module in KINDS.items() if any(_is_of(server, module) for server in servers)}
    return kinds.pop() if len(kinds) == 1 else ""


def _is_of(server: str, module: str) -> bool:
    ends: tuple[str, ...] = getattr(import_module(module), "SERVERS", ())
    return f".{server.lower()}".endswith(tuple(f".{end.strip('.')}." for end in ends)) if ends else False
