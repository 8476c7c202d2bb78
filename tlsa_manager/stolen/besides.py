"""What no program does for a person whose key was stolen: revoke, restart, say it for every lineage."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Protocol

from tlsa_manager.errors import StateError
from tlsa_manager.rollover import renewal, succession

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.journal import Journal
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.store import Store

RESTART = (
    "let the mail server forget its session tickets, which the thief may have too: once the new key serves, restart it instead"
    " of reloading it (Postfix: postfix stop; postfix start)"
)


class Home(Protocol):
    """What is needed of the house."""

    config: Config

    @property
    def journal(self) -> Journal:
        """The memory."""

    @property
    def store(self) -> Store:
        """Keys and certificates."""


def besides(home: Home, lineage: Lineage, stolen: Collection[str], now: float) -> Iterator[str]:
    """What no program does for a person."""
    facts = home.journal.facts(lineage.name)
    if facts.standby is not None and facts.standby.spki_sha256 not in stolen:
        yield f"was {home.store.directory} open to the thief, too, where the next key is kept? Then --discard-next"
    yield from revocations(home, lineage, stolen, now)
    yield RESTART
    yield from same_key(home, lineage, stolen)
    anchored = sorted({name for one in home.config.lineages.values() for name in _anchors(one, home.journal.facts(one.name))})
    if anchored:
        yield (
            f"records of usage 2 stand at {', '.join(anchored)}: there the stolen certificate matches until it expires, whatever"
            " its own record; leave 3 1 1 alone in `params`, and take foreign ones out (RFC 7672 §4)"
        )
    if has_authority(lineage):
        yield (
            f"a certificate of {lineage.issuer} for the same key is ordered by itself, by the run after the swap, and waits for"
            f" no cache; to have it ordered at once then: tlsa-manager renew {lineage.name}"
        )
    elif not lineage.issuer and not signed_by_itself(home, lineage, facts.generation(facts.current)):
        yield (
            "let the ACME client make a new key at the next renewal (certbot: --force-renewal, not --reuse-key): the hook refuses"
            " the stolen one"
        )


def _anchors(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """The owners where a record of usage 2 stands, or shall."""
    wanted = any(one.usage == 2 for one in lineage.params)
    for name in lineage.owners:
        known = facts.owners.get(name)
        if wanted or (known and any(one.usage == 2 for cached in known.served for one in cached.records)):
            yield name


def has_authority(lineage: Lineage) -> bool:
    """Whether certificates are ordered at an authority."""
    return bool(lineage.issuer) and lineage.issuer != succession.SELF_SIGNED


def signed_by_itself(home: Home, lineage: Lineage, generation: Generation | None) -> bool:
    """Whether no authority vouches for a certificate, so that nobody can revoke it; also where it cannot be read."""
    if generation is None or not generation.ours:
        return True
    try:
        return home.store.read(lineage.name, generation.id).signed_by_itself
    except StateError:
        return True


def revocations(home: Home, lineage: Lineage, keys: Collection[str], now: float) -> Iterator[str]:
    """The key itself may ask for it, whoever ordered the certificate (RFC 8555 §7.6). One line a certificate that is valid."""
    for each in _commands(home, lineage, keys, now):
        yield f"revoke the certificate at its authority (no such program here? copy the two files to a host that has it): {each}"


def same_key(home: Home, lineage: Lineage, keys: Collection[str]) -> Iterator[str]:
    """The other lineages that use a stolen key, or will."""
    for other in home.config.lineages.values():
        if other.name != lineage.name and set(keys) & _keys_of(home.journal.facts(other.name)):
            yield f"{other.name} has the same key: tlsa-manager rollover emergency {other.name}"


def _commands(home: Home, lineage: Lineage, keys: Collection[str], now: float) -> Iterator[str]:
    seen: set[str] = set()
    for one in home.journal.facts(lineage.name).generations.values():
        expired = 0 < one.chain.not_after <= now
        if one.spki in keys and not expired and one.chain.fingerprint not in seen and not signed_by_itself(home, lineage, one):
            seen.add(one.chain.fingerprint)
            yield _command(home, lineage, one)


def _command(home: Home, lineage: Lineage, one: Generation) -> str:
    """The command, as it is to be typed."""
    files = home.store.path(lineage.name, one.id)
    section = home.config.issuers.get(one.origin.removeprefix(renewal.ORIGIN)) if one.origin.startswith(renewal.ORIGIN) else None
    options = section.options if section else {}
    trust, server = options.get("ca-bundle"), options.get("directory")
    command = (
        f"certbot revoke --cert-path {shlex.quote(f'{files}/fullchain.pem')} --key-path {shlex.quote(f'{files}/privkey.pem')}"
        f" --reason keycompromise --no-delete-after-revoke"
    )
    if server:
        command += f" --server {shlex.quote(str(server))}"
    if trust:
        command = f"REQUESTS_CA_BUNDLE={shlex.quote(str(trust))} {command}"
    return command if server else f"{command} (if its authority is not Let's Encrypt: and --server with its directory)"


def _keys_of(facts: Facts) -> set[str]:
    """The keys that a lineage uses or will use."""
    names = (facts.current, facts.next, facts.queued, facts.previous)
    keys = {one.spki for one in (facts.generation(name) for name in names) if one}
    return keys | ({facts.standby.spki_sha256} if facts.standby else set())
