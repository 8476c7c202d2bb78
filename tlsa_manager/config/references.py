"""What one section says about another: every name must exist, and one file has one writer."""

from __future__ import annotations

from os.path import normpath
from typing import TYPE_CHECKING

from tlsa_manager.issue import SELF_SIGNED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.config.merge import Sections
    from tlsa_manager.config.mistake import Mistakes, Place
    from tlsa_manager.config.sections import Section
    from tlsa_manager.lineage import Lineage


def check_names(table: Mapping[str, object], place: Place, sections: Sections, mistakes: Mistakes) -> None:
    """Note names of sections that do not exist, in the table of a lineage, whatever else is wrong with it."""
    consumers, consumer = table.get("consumers"), sections.names("consumer")
    for key, known in (("dns", sections.names("dns")), ("issuer", {*sections.names("issuer"), SELF_SIGNED})):
        named = table.get(key)
        if isinstance(named, str) and named not in known:
            mistakes.unknown(place.at(key), named, known, f"there is no section [{key}.{named[:60]}]")
    for one in consumers if isinstance(consumers, list) else ():
        if isinstance(one, str) and one not in consumer:
            mistakes.unknown(place.at("consumers"), one, consumer, f"there is no section [consumer.{one[:60]}]")


def check_references(lineages: Mapping[str, tuple[Place, Lineage]], consumers: Mapping[str, Section], mistakes: Mistakes) -> None:
    """Note lineages that nobody would be given, and files that two lineages would write."""
    writers: dict[str, str] = {}
    ours = {file: one for one, section in consumers.items() if (file := _file(section))}
    for name, (place, lineage) in lineages.items():
        _check_watched(lineage, place.at("watch"), ours, mistakes)
        at = place.at("consumers")
        if not lineage.consumers:
            mistakes.add(at, "is empty", "nobody would be given the certificate; name a [consumer.NAME]")
        for one in lineage.consumers:
            file = _file(consumers.get(one))
            other = writers.setdefault(file, f"{name}: {one}")
            if file and other != f"{name}: {one}":
                mistakes.add(at, f"{one} writes {file}, and so does {other}", "give each its own file")


def _check_watched(lineage: Lineage, place: Place, ours: Mapping[str, str], mistakes: Mistakes) -> None:
    """Note a file to be taken over from somebody that we write ourselves. `ours`: such files, each with its consumer."""
    for key, file in zip(("certificate", "key"), lineage.watch, strict=True):
        if consumer := ours.get(normpath(file)) if file else None:
            what = f"{file} is what this program writes itself, for consumer {consumer}: nothing new would ever come"
            mistakes.add(place.at(key), what, "name the file that the ACME client writes")


def _file(consumer: Section | None) -> str:
    """Return what a consumer writes: its option `file`, as every consumer of ours names it."""
    file = consumer.options.get("file") if consumer is not None else None
    return normpath(file) if isinstance(file, str) and file else ""
