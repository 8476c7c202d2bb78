"""What stands against the issuers of the configuration on this host: files, modes, what can never be proven. No network."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tlsa_manager.disk import distrust
from tlsa_manager.errors import ConfigError, TlsaManagerError
from tlsa_manager.issue import SELF_SIGNED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlsa_manager.config import Config, Section
    from tlsa_manager.lineage import Lineage

ACME = "acme"
_BY_HAND = "manual"
_POWER = "can order certificates at your expense"


def problems(config: Config) -> Iterator[str]:
    """Yield what has to be put right before certificates can be ordered, one sentence each with its remedy."""
    for name, section in config.issuers.items():
        yield from _cannot_be_made(config, name, section)
        if section.kind == ACME:
            yield from _account(name, section)
    yield from _accounts(config.directory / "accounts")
    for lineage in config.lineages.values():
        if lineage.issuer and lineage.issuer != SELF_SIGNED:
            yield from _unprovable(config, lineage)


def notes(config: Config) -> Iterator[str]:
    """Yield what works, and means work for somebody."""
    for lineage in config.lineages.values():
        issuer = config.issuers.get(lineage.issuer)
        by_hand = lineage.dns in config.dns and config.dns[lineage.dns].kind == _BY_HAND
        if issuer and issuer.kind == ACME and issuer.options.get("challenge") != "http-01" and by_hand:
            yield (
                f'lineage."{lineage.name}".dns: {lineage.dns} asks a person to add TXT records for every certificate,'
                " and to remove them; status names them, and the order waits until they are there, for days if need be;"
                f' challenge = "http-01" in [issuer.{lineage.issuer}] asks nobody'
            )


def _cannot_be_made(config: Config, name: str, section: Section) -> Iterator[str]:
    from tlsa_manager.issue import open_issuer

    try:
        open_issuer(name, section.kind, section.options, config.directory)
    except TlsaManagerError as error:
        for line in error.mistakes if isinstance(error, ConfigError) and error.mistakes else (error.message,):
            yield f"{line}; {error.hint}" if error.hint else line


def _account(name: str, section: Section) -> Iterator[str]:
    """What an authority wants of whoever makes an account."""
    where, options = f"issuer.{name}", section.options
    if not options.get("agree-to-terms"):
        yield (
            f"{where}.agree-to-terms: is not true, and most authorities make no account without; "
            "read the authority's terms of service, then set agree-to-terms = true"
        )
    if file := options.get("eab-key-file"):
        from tlsa_manager.secret import read_secret

        try:
            read_secret(str(file), f"{where}.eab-key-file", _POWER)
        except ConfigError as error:
            yield f"{error.message}; {error.hint}"
    if bundle := options.get("ca-bundle"):
        yield from _bundle(f"{where}.ca-bundle", str(bundle))
    if (root := options.get("webroot")) and not os.access(str(root), os.W_OK | os.X_OK):
        yield f"{where}.webroot: {root} is no directory that can be written here; make it, or name what the web server shows"


def _bundle(where: str, file: str) -> Iterator[str]:
    """Whether there are certificates in the file that shall vouch for the authority."""
    import ssl

    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        yield f"{where}: {file} has no certificates in PEM form; name the file with the authority's root, or leave the key out"
    except OSError as error:
        yield f"{where}: {file} cannot be read ({error.strerror}); name the file with the authority's root, or leave the key out"


def _accounts(directory: Path) -> Iterator[str]:
    """Look whether the accounts and their keys are ours alone."""
    for place in (directory, *(sorted(directory.iterdir()) if directory.is_dir() else ())):
        found = _status(place)
        if found is not None and (why := distrust(found)):
            yield f"{place}: {why}, who could order certificates for your names; chown root {place}; chmod 700 {place}"
        key = _status(place / "key.pem")
        if key is not None and key.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"{place}/key.pem: is open to others: whoever reads it {_POWER}; chmod 600 {place}/key.pem"


def _unprovable(config: Config, lineage: Lineage) -> Iterator[str]:
    """Whether its names can be proven the way that is configured."""
    options, where = config.issuers[lineage.issuer].options, f'lineage."{lineage.name}"'
    wild = [name for name in lineage.hosts if name.startswith("*.")]
    if options.get("challenge") == "http-01" and wild:
        yield (
            f"{where}.names: {', '.join(wild)} cannot be proven over HTTP (RFC 8555 §8.3); "
            f'set challenge = "dns-01" in [issuer.{lineage.issuer}], or leave it out'
        )


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None
