"""The `[defaults]` section: resolvers, trust anchor, and where things are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.config.lineages import fields
from tlsa_manager.config.tables import DefaultsTable
from tlsa_manager.resolver import address_problem
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tlsa_manager.config.mistake import Mistakes, Place

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Defaults:
    """`[defaults]` with every path absolute."""

    resolver: tuple[str, ...]
    trust_anchor: str | None
    state: str
    directory: Path
    authority_port: int


def defaults(tables: Iterable[tuple[Place, dict[str, Any]]], base: Path, mistakes: Mistakes) -> Defaults:
    """Read [defaults] from all files; paths are relative to `base`, a directory."""
    given: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for place, table in tables:
        found = fields(DefaultsTable, table, place, mistakes)
        given |= found
        places |= {name: place.at(name.replace("_", "-")) for name in found}
    usual = DefaultsTable(**given)
    if "resolver" in places:
        _check_resolvers(usual.resolver, places["resolver"], mistakes)
    for name in ("directory", "trust_anchor", "state"):
        if name in places and (not given[name] or "\0" in given[name]):
            mistakes.add(places[name], "is not a path", "leave it out, or write an absolute path")
    directory = base / usual.directory
    anchor = str(base / usual.trust_anchor) if usual.trust_anchor else None
    return Defaults(usual.resolver, anchor, _state(usual, base, places, mistakes), directory, usual.authority_port)


def _check_resolvers(resolvers: tuple[str, ...], place: Place, mistakes: Mistakes) -> None:
    if not resolvers:
        mistakes.add(place, "is empty", "name a validating resolver, best one on this host: 127.0.0.1")
    for resolver in resolvers:
        if problem := address_problem(resolver):
            mistakes.add(place, problem, "write 127.0.0.1, ::1 or 192.0.2.1#5353; a name would need a resolver to be found")


def _state(usual: DefaultsTable, base: Path, places: dict[str, Place], mistakes: Mistakes) -> str:
    """Return the journal as `sqlite:////absolute/path`; three slashes and a name are relative to the configuration."""
    if usual.state is None:
        return f"{_SQLITE}{base / usual.directory / 'state.db'}"
    if not usual.state.startswith(_SQLITE) or usual.state == _SQLITE:
        mistakes.add(places["state"], f"{usual.state[:80]!r} is not a journal", "write sqlite:////var/lib/tlsa-manager/state.db")
    return f"{_SQLITE}{base / usual.state.removeprefix(_SQLITE)}"
