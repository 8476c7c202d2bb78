"""A key that somebody else has: what can be done, what each way costs, what is to be done besides; and doing it.

First it is said, then it is done: `foresee` touches nothing, `act` journals that the keys are known to somebody else, and stages
a certificate for another key. Everything after that is the engine's: it goes on after a crash, and keeps the safety law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import Unsafe
from tlsa_manager.rollover import emergency, succession
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.emergency import Way
from tlsa_manager.rollover.facts import apply
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.emergency import Prospect
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.wiring import House


@dataclass(frozen=True, slots=True)
class Prognosis:
    """What an emergency would do and cost. `stolen`: SHA-256 of the public keys that are declared compromised.

    `replacement`: what takes the place; `ways`: those that are open, best first; `besides`: what a person has to do in addition.
    """

    lineage: Lineage
    stolen: tuple[str, ...]
    chosen: Prospect
    ways: tuple[Prospect, ...]
    replacement: str
    besides: tuple[str, ...]
    at: float


def foresee(home: House, name: str, *, wait: bool = False, discard_next: bool = False) -> Prognosis:
    """Say what would happen, from the journal alone. `wait`: keep every cache valid, whatever the thief does meanwhile.

    Raises Unsafe where nothing is in service, or a swap is being proven.
    """
    lineage, facts, now = home.lineage(name), home.journal.facts(name), clock.now()
    _refuse(lineage, facts)
    stolen = _stolen(facts, discard_next=discard_next)
    after = apply(facts, ev.Compromised(stolen), now)
    ways = emergency.prospects(lineage, after, now)
    chosen = next((one for one in ways if one.way is Way.WAIT), ways[0]) if wait else ways[0]
    return Prognosis(
        lineage, stolen, chosen, ways, _replacement(lineage, after, now), tuple(_besides(home, lineage, stolen)), now
    )


def act(home: House, prognosis: Prognosis) -> str:
    """Do it: the keys are known to somebody else from now on, and another key is on its way. Returns a sentence.

    Which generation waits for no cache is journalled before the generation itself is: after a crash in between the next run
    finds it in the store, and it is still in a hurry.
    """
    from tlsa_manager.keys import self_signed

    name, lineage, stolen = prognosis.lineage.name, prognosis.lineage, prognosis.stolen
    facts, now = home.journal.facts(name), clock.now()
    if facts.standby is not None and facts.standby.spki_sha256 in stolen:
        home.journal.append(name, ev.Compromised((facts.standby.spki_sha256,)), now)
    hurried = prognosis.chosen.way is Way.AT_ONCE
    coming = emergency.coming(lineage, apply(facts, ev.Compromised(stolen), now), now)
    if coming is not None:
        home.journal.append(name, ev.Compromised(stolen, coming.id if hurried else ""), now)
        return f"generation {coming.id}, which is on its way already, takes the place of the stolen key"
    pair = self_signed(lineage.hosts, home.next_key(name))
    made = home.store.put(name, pair, succession.MAKESHIFT)
    home.journal.append(name, ev.Compromised(stolen, made.id if hurried else ""), now)
    return str(home.stage(name, pair.chain_pem, pair.key_pem, succession.MAKESHIFT, insist=True))


def _refuse(lineage: Lineage, facts: Facts) -> None:
    if facts.deploying or facts.way_back:
        message = f"a swap of {lineage.name} is being proven at this moment; it is finished or taken back first"
        raise Unsafe(message, f"it takes some minutes at most: tlsa-manager run {lineage.name}; then say this once more")
    if facts.generation(facts.current) is None:
        message = f"nothing of {lineage.name} is known to be in service, so there is no key to replace"
        raise Unsafe(
            message, f"look first: tlsa-manager run {lineage.name}; or begin with a new key: tlsa-manager rollover start"
        )


def _stolen(facts: Facts, *, discard_next: bool) -> tuple[str, ...]:
    """The keys that lay in the server's file: the one in service, and the former one while the way back is open."""
    generations = (facts.generation(facts.current), facts.generation(facts.previous))
    keys = [one.spki for one in generations if one is not None]
    if discard_next and facts.standby is not None:
        keys.append(facts.standby.spki_sha256)
    return tuple(dict.fromkeys(keys))


def _replacement(lineage: Lineage, facts: Facts, now: float) -> str:
    """What takes the place of the stolen key."""
    coming = emergency.coming(lineage, facts, now)
    if coming is not None:
        return f"the certificate that is on its way already, {coming.id}"
    if facts.standby is None:
        return "a new key, made now, with a certificate signed by itself"
    published = "published already" if succession.prepublished(lineage, facts) else "not published yet"
    return f"the next key, {published}, with a certificate signed by itself"


def _besides(home: House, lineage: Lineage, stolen: tuple[str, ...]) -> Iterator[str]:
    """What no program does for a person."""
    standby = home.journal.facts(lineage.name).standby
    if standby is not None and standby.spki_sha256 not in stolen:
        yield f"was {home.store.directory} open to the thief, too, where the next key is kept? Then --discard-next"
    yield from _revocation(home, lineage)
    yield (
        "let the mail server forget its session tickets, which the thief may have too: restart it instead of reloading it"
        " (Postfix: postfix stop; postfix start)"
    )
    for other in home.config.lineages.values():
        if other.name != lineage.name and set(stolen) & _keys_of(home.journal.facts(other.name)):
            yield f"{other.name} has the same key: tlsa-manager rollover emergency {other.name}"
    anchored = sorted({name for one in home.config.lineages.values() for name in _anchored(one, home.journal.facts(one.name))})
    if anchored:
        yield (
            f"records of usage 2 stand at {', '.join(anchored)}: there the stolen certificate matches until it expires, whatever"
            " its own record; leave 3 1 1 alone in `params`, and take foreign ones out (RFC 7672 §4)"
        )
    if lineage.issuer and lineage.issuer != succession.SELF_SIGNED:
        yield f"a certificate of {lineage.issuer} for the same key follows by itself, without another wait: tlsa-manager renew"
    else:
        yield (
            "let the ACME client make a new key at the next renewal (certbot: --force-renewal, not --reuse-key): the hook refuses"
            " the stolen one. Until then mail programs and MTA-STS senders meet a certificate that is signed by itself"
        )


def _revocation(home: House, lineage: Lineage) -> Iterator[str]:
    """The key itself may ask for it, whoever ordered the certificate (RFC 8555 §7.6)."""
    current = home.journal.facts(lineage.name).current
    files = home.store.path(lineage.name, current)
    if (files / "fullchain.pem").exists() and not home.store.read(lineage.name, current).signed_by_itself:
        yield (
            "revoke the certificate at its authority, with that authority's directory as --server: certbot revoke"
            f" --cert-path {files}/fullchain.pem --key-path {files}/privkey.pem --reason keycompromise --no-delete-after-revoke"
        )


def _keys_of(facts: Facts) -> set[str]:
    """The keys that a lineage uses or will use."""
    names = (facts.current, facts.next, facts.queued, facts.previous)
    keys = {one.spki for one in (facts.generation(name) for name in names) if one}
    return keys | ({facts.standby.spki_sha256} if facts.standby else set())


def _anchored(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """The owners where a record of usage 2 stands, or shall."""
    wanted = any(one.usage == 2 for one in lineage.params)
    for name in lineage.owners:
        known = facts.owners.get(name)
        if wanted or (known and any(one.usage == 2 for cached in known.served for one in cached.records)):
            yield name
