"""What becomes of a stolen key: until when it serves, where its record still stands, and what no program does for a person.

Told before an emergency is confirmed, and afterwards as long as it is of use. From the journal and the store; nothing is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import timing
from tlsa_manager.rollover.state import sets_without
from tlsa_manager.stolen.besides import RESTART, revocations, same_key
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tlsa_manager.journal import Entry
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.stolen.besides import Home
    from tlsa_manager.tlsa import RRset, Tlsa

REMEMBERED = 7 * 86400.0  # seconds for which a person is reminded


@dataclass(frozen=True, slots=True)
class Stolen:
    """One key that somebody else has. Moments in seconds since 1970. `key`: SHA-256 of its public half.

    `ended`: since when no service presents it, None = it is in service; `places`: the names in DNS where some server still hands
    out a record of it, those of them that are not ours to remove are `foreign`; `cached_until`: until when caches may hold one,
    None = nobody knows yet; `besides`: what a person has to do.
    """

    key: str
    declared: float
    ended: float | None
    places: tuple[str, ...] = ()
    foreign: tuple[tuple[str, Tlsa], ...] = ()
    cached_until: float | None = None
    besides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The stolen keys of a lineage; and, where no cache was waited for, what every server having the new record tells.

    `everywhere`: since when each has it; senders with an older set defer until `deferred_until`: conforming ones, and those
    behind resolvers that raise small TTLs.
    """

    stolen: tuple[Stolen, ...] = ()
    everywhere: float | None = None
    deferred_until: tuple[float, float] | None = None


def aftermath(home: Home, lineage: Lineage, now: float) -> Aftermath:
    """Say what is worth knowing after an emergency: for some days, and as long as a stolen key or its record is in use."""
    facts = home.journal.facts(lineage.name)
    if not facts.compromised:
        return Aftermath()
    found = tuple(_still_matter(home, lineage, facts, now))
    everywhere, deferred = _deferral(lineage, facts, now) if found else (None, None)
    return Aftermath(found, everywhere, deferred)


def matching(facts: Facts, keys: Collection[str], records: Iterable[Tlsa]) -> RRset:
    """The records of the leaves that have one of these keys: what an RRset promises a thief."""
    leaves = [one.chain.leaf for one in facts.generations.values() if one.spki in keys]

    def theirs(record: Tlsa) -> bool:
        alone = record.selector == 1 and record.matching == 1 and record.data in keys
        return record.usage in {1, 3} and (alone or any(leaf.matches(record) for leaf in leaves))

    return frozenset(one for one in records if theirs(one))


def _still_matter(home: Home, lineage: Lineage, facts: Facts, now: float) -> Iterator[Stolen]:
    for key, declared, served, ended in _fates(facts, home.journal.entries(lineage.name)):
        places, foreign = _places(lineage, facts, key)
        recent = now - (declared if ended is None else max(ended, declared)) < REMEMBERED
        if not (places or (served and (ended is None or recent))):
            continue
        besides = (*revocations(home, lineage, {key}, now), RESTART, *same_key(home, lineage, {key})) if served and recent else ()
        yield Stolen(
            key, declared, ended if served else declared, places, foreign, _cached_until(lineage, facts, key, now), besides
        )


def _fates(facts: Facts, entries: Iterable[Entry]) -> Iterator[tuple[str, float, bool, float | None]]:
    """Each stolen key: when it was declared, whether it ever served, and since when it serves no more."""
    declared: dict[str, float] = {}
    ended: dict[str, float] = {}
    serving = ""
    for entry in entries:
        match entry.event:
            case ev.Compromised(keys):
                declared = {**dict.fromkeys(keys, entry.at), **declared}
            case ev.Adopted(generation):
                serving = _follows(serving, generation.spki, ended, entry.at)
            case ev.Confirmed(name) | ev.Restored(name):
                one = facts.generation(name)
                serving = _follows(serving, one.spki if one else "", ended, entry.at)
            case ev.Left():
                serving = _follows(serving, "", ended, entry.at)
            case _:
                pass
    for key, at in declared.items():
        yield key, at, key == serving or key in ended, None if key == serving else ended.get(key)


def _follows(former: str, new: str, ended: dict[str, float], at: float) -> str:
    """Another key is in service: note since when the former one is not."""
    if former and former != new:
        ended[former] = at
    ended.pop(new, None)
    return new


def _places(lineage: Lineage, facts: Facts, key: str) -> tuple[tuple[str, ...], tuple[tuple[str, Tlsa], ...]]:
    """Where some server hands out a record of a key, and which of these records are not ours to remove."""
    places: dict[str, None] = {}
    foreign: dict[tuple[str, Tlsa], None] = {}
    for name in lineage.owners:
        known = facts.owners.get(name)
        for one in known.served if known else ():
            for record in sorted(matching(facts, {key}, one.records)):
                target = known.target if known else name
                places[target] = None
                if record not in facts.ours.get(target, frozenset()):
                    foreign[target, record] = None
    return tuple(places), tuple(foreign)


def _cached_until(lineage: Lineage, facts: Facts, key: str, now: float) -> float | None:
    """Until when some cache may hold a record of a key; the past where none can."""
    moments = [now]
    for name in lineage.owners:
        known = facts.owners.get(name)
        for one in known.sets if known else ():
            if matching(facts, {key}, one.records):
                ends = timing.forgotten_at(one, lineage.policy)
                if ends is None:
                    return None
                moments.append(ends - lineage.policy.margin)
    return max(moments)


def _deferral(lineage: Lineage, facts: Facts, now: float) -> tuple[float | None, tuple[float, float] | None]:
    """Since when every server has the new record, and until when senders that hold older sets defer; None = not known."""
    current = facts.generation(facts.current)
    new = facts.generation(facts.at_once) or (None if facts.is_compromised(current) else current)
    if new is None:
        return None, None
    gone: list[tuple[float, int]] = []
    for name in lineage.owners:
        known = facts.owners.get(name)
        if known is None or not known.complete:
            return None, None
        for one in sets_without(lineage, facts, name, new.records(lineage.params)):
            if one.gone_since is None:
                return None, None
            gone.append((one.gone_since, one.ttl))
    ends = [timing.deferred_until(since, ttl, lineage.policy) for since, ttl in gone]
    if not ends or max(one for _, one in ends) <= now:
        return None, None
    return max(since for since, _ in gone), (max(one for one, _ in ends), max(one for _, one in ends))
