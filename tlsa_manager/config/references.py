"""What one section says about another: every name must exist, and one file has one writer."""

from __future__ import annotations

from os.path import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.config.mistake import Mistakes, Place
    from tlsa_manager.config.sections import Section
    from tlsa_manager.lineage import Lineage


def check_references(
    lineages: Mapping[str, tuple[Place, Lineage]],
    dns: set[str],
    consumer: set[str],
    consumers: Mapping[str, Section],
    mistakes: Mistakes,
) -> None:
    """Note names of sections that do not exist, and files that two lineages would write."""
    writers: dict[str, str] = {}
    for name, (place, lineage) in lineages.items():
        at = place.at("consumers")
        if lineage.dns not in dns:
            mistakes.unknown(place.at("dns"), lineage.dns, dns, f"there is no section [dns.{lineage.dns[:60]}]")
        if not lineage.consumers:
            mistakes.add(at, "is empty", "nobody would be given the certificate; name a [consumer.NAME]")
        for one in lineage.consumers:
            if one not in consumer:
                mistakes.unknown(at, one, consumer, f"there is no section [consumer.{one[:60]}]")
            file = _file(consumers.get(one))
            other = writers.setdefault(file, f"{name}: {one}")
            if file and other != f"{name}: {one}":
                mistakes.add(at, f"{one} writes {file}, and so does {other}", "give each its own file")


def _file(consumer: Section | None) -> str:
    """Return what a consumer writes: its option `file`, as every consumer of ours names it."""
    file = consumer.options.get("file") if consumer is not None else None
    return normpath(file) if isinstance(file, str) and file else ""
