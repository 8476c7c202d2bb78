"""What works and is unusual: told by `config check`, for somebody to look at; no mistake. No network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.config import issuers
from tlsa_manager.config.duration import duration
from tlsa_manager.publish import warning_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlsa_manager.config import Config
    from tlsa_manager.lineage import Lineage

_OFTEN = 2 * 86400.0  # seconds; Let's Encrypt makes five certificates for the same names in seven days


def notes(config: Config, aliases: Mapping[tuple[str, str], str] | None = None) -> tuple[str, ...]:
    """Return what a person may want to know, one sentence each. `aliases`: where owners lead, by lineage and owner, if known."""
    warnings = ((name, warning_of(section.kind)) for name, section in config.dns.items())
    return (
        *(f"dns.{name}.backend: {warning}" for name, warning in warnings if warning),
        *issuers.notes(config),
        *(line for lineage in config.lineages.values() for line in _of(config, lineage, aliases or {})),
    )


def _of(config: Config, lineage: Lineage, aliases: Mapping[tuple[str, str], str]) -> Iterator[str]:
    where = f'lineage."{lineage.name}"'
    for key, name in zip(("certificate", "key"), lineage.watch, strict=True):
        if name and not _is_there(Path(name)):
            yield f"{where}.watch.{key}: {name} is not there, or out of reach; it is waited for, if that is its name"
    if lineage.watch[0] and lineage.issuer:
        yield (
            f"{where}.watch: certificates come from two sides, from files and from issuer {lineage.issuer}, each is put into"
            " service, and the next order comes when the newest is due; if that is not meant, take one of both out"
        )
    yield from _elsewhere(config, lineage, [aliases.get((lineage.name, one), one) for one in lineage.owners], where)
    if lineage.keys.lifetime:
        yield from _lifetime(config, lineage, f"{where}.key-lifetime")


def _elsewhere(config: Config, lineage: Lineage, targets: list[str], where: str) -> Iterator[str]:
    """Names outside of the zone that is all its backend changes. An alias may lead into it, as somebody who looks will see."""
    section, at = config.dns.get(lineage.dns), f"dns.{lineage.dns}"
    zone = str(section.options.get("zone") or "").strip(".").lower() if section else ""
    outside = [one for one in targets if not f".{one}".lower().endswith(f".{zone}.")] if zone else []
    if outside:
        more = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
        yield (
            f"{where}.services: {outside[0]}{more} is not inside zone {zone}, which is all that {at} changes: nothing could be"
            f" published, unless the name is an alias that leads into it; else correct {at}.zone, or take it out"
        )


def _lifetime(config: Config, lineage: Lineage, where: str) -> Iterator[str]:
    """A key that is due sooner than it is worth."""
    lifetime, policy = lineage.keys.lifetime, lineage.policy
    wait = max(policy.ttl_multiplier * policy.ttl, policy.cache_floor) + policy.margin
    if lifetime <= wait:
        yield (
            f"{where}: {duration(lifetime)} is no longer than a new record has to wait for caches ({duration(wait)}), so that"
            " every next key is due before it can be used, and the rollover never ends; 180d is plenty"
        )
    if lineage.issuer in config.issuers and lifetime < _OFTEN:
        yield (
            f"{where}: {duration(lifetime)} means a certificate of {lineage.issuer} each time, and authorities limit that (Let's"
            " Encrypt: five with the same names in seven days); 180d is plenty"
        )


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):
        return False
