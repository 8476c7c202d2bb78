"""What plugs in: ways to change DNS, software that reads certificates, issuers. Ours by a table, others' by entry points.

A kind is a module. Ours are imported when they are first used, so that a start pays only for what it needs.
"""

from __future__ import annotations

import importlib
from dataclasses import field
from typing import TYPE_CHECKING, Any

from tlsa_manager.errors import ConfigError
from tlsa_manager.option import suggestion
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of one thing. `what`: as people call it; `key`: of the configuration, which names the kind.

    `modules`: ours, by kind. `group`: of the entry points with which somebody else's package names its modules.
    """

    what: str
    key: str
    group: str
    modules: Mapping[str, str] = field(repr=False)

    def module(self, section: str, kind: str) -> Any:
        """Return the module of a kind that `section` of the configuration asks for. Raises ConfigError when there is none."""
        if kind in self.modules:
            return importlib.import_module(self.modules[kind])
        from importlib.metadata import entry_points  # slow, and only needed for what is not ours

        where = f"{section}.{self.key}"
        found = {point.name: point for point in entry_points(group=self.group)}
        if kind not in found:
            mistake = f"{where}: {kind[:60]!r} is not a kind of {self.what}{suggestion(kind, [*self.modules, *found])}"
            raise ConfigError(mistake, "correct it, or install the package that provides it", (mistake,))
        try:
            return found[kind].load()
        except (ImportError, AttributeError) as error:
            mistake = f"{where}: the package that provides {kind!r} cannot be loaded: {error}"
            raise ConfigError(mistake, "reinstall the package in the environment of tlsa-manager", (mistake,)) from error
