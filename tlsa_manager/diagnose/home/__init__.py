"""What is at home: the services of a configured lineage, and what this machine's own files and journal say about it."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tlsa_manager.target import Kind
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.config import Config
    from tlsa_manager.household import Household
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import FileView, Held, Snapshot
    from tlsa_manager.target import Target
    from tlsa_manager.wiring import House


@dataclass(frozen=True)
class Home:
    """What belongs to a lineage. Nothing is opened, asked or run before it is wanted; then it is kept."""

    house: House = field(repr=False)
    lineage: Lineage

    @property
    def services(self) -> tuple[Service, ...]:
        """What presents the certificate."""
        return self.lineage.services

    @cached_property
    def household(self) -> Household:
        """What journal, store, files and modes say. Nothing is raised for what is found there."""
        from tlsa_manager.diagnose.home.files import contents, digests, exposed
        from tlsa_manager.diagnose.home.memory import remembered

        return replace(
            remembered(self.house, self.lineage),
            digests=digests(self.house, self.lineage),
            contents=contents(self.house, self.lineage),
            exposed=exposed(self.house, self.lineage),
        )

    def beside(self, snapshot: Snapshot) -> Snapshot:
        """Put what was found at home beside what was seen outside: the consumers' files, and what the DNS backend has."""
        return replace(snapshot, files=self._files(), held=self._held(snapshot))

    def _files(self) -> dict[str, FileView]:
        return self.house.hands.files(self.lineage)

    def _held(self, snapshot: Snapshot) -> Mapping[str, Held]:
        views = (snapshot.owners.get(owner) for owner in self.lineage.owners)
        targets = dict.fromkeys(view.target or view.owner for view in views if view)
        return self.house.hands.held(self.lineage, targets)


def home_of(target: Target, config: Config | None) -> Home | None:
    """Look at home for a lineage; None for any other target. Raises BadInput for a lineage that is not configured."""
    if target.kind is not Kind.LINEAGE or config is None:
        return None
    from tlsa_manager.wiring import house

    home = house(config)
    return Home(home, home.lineage(target.name))
