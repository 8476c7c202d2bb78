"""One configuration from several files: each key and each named section may be written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsa_manager.config.mistake import Mistakes, Place, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.config.read import Document

PLAIN = ("defaults", "timing")
NAMED = ("dns", "consumer", "issuer", "lineage")


class Sections:
    """The sections of all files, with the place of each."""

    def __init__(self, documents: list[Document], mistakes: Mistakes) -> None:
        """Note sections that are unknown, or no tables."""
        self._documents = documents
        self._mistakes = mistakes
        for document in documents:
            place = Place(document.file)
            unknown_keys(document.table, (*PLAIN, *NAMED), place, mistakes)
            for name in (*PLAIN, *NAMED):
                if name in document.table and not isinstance(document.table[name], dict):
                    mistakes.add(place.at(name), f"is not a section; write it as [{name}{'' if name in PLAIN else '.NAME'}]")

    def plain(self, name: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Give the keys of `[defaults]` or `[timing]` file by file, each key only where it stands first."""
        first: dict[str, Place] = {}
        for document in self._documents:
            place, table = Place(document.file, (name,)), document.table.get(name)
            if not isinstance(table, dict):
                continue
            for key in table:
                if key in first:
                    self._mistakes.add(place.at(key), f"stands in {first[key].file} too", "keep one of them")
            yield place, {key: value for key, value in table.items() if key not in first}
            first |= {key: place for key in table if key not in first}

    def named(self, name: str) -> Iterator[tuple[str, Place, dict[str, Any]]]:
        """Give the sections `[name.X]` of all files as X, place, table."""
        first: dict[str, Place] = {}
        for document in self._documents:
            tables = document.table.get(name)
            for key, table in tables.items() if isinstance(tables, dict) else ():
                place = Place(document.file, (name, key))
                if key in first:
                    self._mistakes.add(place, f"stands in {first[key].file} too", "keep one of them")
                elif not isinstance(table, dict):
                    self._mistakes.add(place, f"is not a section; write it as [{name}.NAME]")
                else:
                    yield key, place, table
                first.setdefault(key, place)

    def names(self, name: str) -> set[str]:
        """All X of `[name.X]`, whether or not the section is right."""
        tables = (document.table.get(name) for document in self._documents)
        return {key for table in tables if isinstance(table, dict) for key in table}
