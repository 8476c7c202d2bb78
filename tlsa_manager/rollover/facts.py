"""What is known of a lineage: the fold of its events. `apply` cannot fail, and looks at nothing but its arguments."""

from __future__ import annotations

from dataclasses import field, replace
from functools import singledispatch
from typing import TYPE_CHECKING

from tlsa_manager.rollover import events as ev
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from tlsa_manager.lineage import Generation, Key
    from tlsa_manager.order import Order, Renewal, Token
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.tlsa import RRset


_FAST = 2 * 86400.0  # seconds
_TRIED_AT_ONCE = ("publish ", "retire ", "install ", "import ", "prepare")  # swaps go back, orders have limits


@dataclass(frozen=True, slots=True)
class CachedSet:
    """An RRset that some cache may still hold.

    `ttl`: seconds; the same records with another TTL are another set.
    `gone_since`: no server has handed it out since then; None = one may still.
    """

    records: RRset
    ttl: int
    gone_since: float | None = None


@dataclass(frozen=True, slots=True)
class OwnerFacts:
    """What caches may hold of one owner. `complete`: whether the latest poll round heard every server, all signed.

    `since`: the first such round; what was handed out before it nobody knows. -inf: there was no set, so nothing can be cached.
    `addresses`: the servers; `ns_ttl`: the largest TTL with which they were named. `asked_until`: until then resolvers may ask a
    server that was taken out of the NS set, and be given what it had last. `zone`: where the target lies, empty = not known;
    `via`: the aliases between owner and target.
    """

    target: str
    sets: tuple[CachedSet, ...] = ()
    complete: bool = False
    alias_ttl: int = 0
    seen_at: float = 0.0
    since: float | None = None
    addresses: tuple[str, ...] = ()
    ns_ttl: int = 0
    asked_until: float = float("-inf")
    zone: str = ""
    via: tuple[str, ...] = ()

    @property
    def served(self) -> tuple[CachedSet, ...]:
        """The sets that some server hands out, as far as is known."""
        return tuple(one for one in self.sets if one.gone_since is None)


@dataclass(frozen=True, slots=True)
class Sent:
    """A change that a backend took, or a person was asked for: which records, when.

    `numbers`: of what is not known to be in force on all servers of the backend yet.
    """

    records: RRset
    at: float
    asked: bool = False
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed `count` times in a row, last at `at`."""

    count: int
    at: float
    reason: str
    hint: str = ""
    until: float = 0.0  # not before this moment, by the word of whoever refused it
    limited: bool = False  # they were asked too often


@dataclass(frozen=True, slots=True)
class Obtained:
    """The latest certificate that was ordered: from whom, for which names, when it came.

    `count`: of those that came one after the other within two days, for the same names. Forgotten when things have changed so
    much that another certificate is something else.
    """

    origin: str
    names: frozenset[str]
    at: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a lineage waits for a person, since when, and what the person can do.

    `generation`: the one it is about, so that another generation is not held by it; empty = the lineage.
    `accept`: the kind of key that the person has to accept by name; empty = a word to go on is enough.
    """

    reason: str
    remedy: str
    at: float
    generation: str = ""
    accept: str = ""


@dataclass(frozen=True, slots=True)
class WayBack:
    """The consumers are being given the former generation again, for the `tries`-th time."""

    generation: str
    reason: str
    hold: bool
    done_at: float | None = None
    tries: int = 1


@dataclass(frozen=True, slots=True)
class KeyAge:
    """Since when a key was in service, and whether a person wanted it replaced."""

    since: float | None
    due: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one lineage. Generations by id.

    `current`: proven to be presented. `next`: on its way. `deploying`: the live files may already hold `next`.
    `previous`: was current before the swap, kept for the way back until `retiring`, when its records begin to go.
    `queued`: comes afterwards.
    `ours`: the records that this tool added or was told to adopt, by target.
    `unsure`: the records of additions that were begun, and whose outcome nobody has written down (yet), by target; `unheard`: the
    same of removals.
    `leaving`: the records whose removal was begun and that were not seen gone yet, by target. A key whose record is leaving
    waits: servers may still show the record from before the removal, and then lose it, even if it is published again.
    `standby`: the next key, ours, which no certificate in service uses yet. `handed_out`: clients take keys from us.
    `key_since`: when the key in service went there; `key_due`: a person wants it replaced; `former_key`: both, of the one before.
    `compromised`: SHA-256 of the public halves of keys that somebody else has; `at_once`: the generation that waits for no cache.
    `discarded`: likewise of next keys that were given up for good, unused: they never go into service.
    `vanished_at`: since when nothing presents a lineage that is to be given up; `retiring` then speaks of `current`. `left`: the
    generation that a lineage which was given up begins with if it is taken back.
    `order`: at the certificate authority; `tokens`: the TXT records that prove our names to it; `renewal`: when it is due;
    `obtained`: what came of the latest order that had a certificate.
    """

    lineage: str
    generations: Mapping[str, Generation] = field(default_factory=dict)
    current: str = ""
    next: str = ""
    queued: str = ""
    queued_hold: Hold | None = None  # the doubts that the queued generation came with
    previous: str = ""
    deploying: bool = False
    before: tuple[str, ...] = ()
    deployed_at: float | None = None
    confirmed_at: float | None = None
    retiring: bool = False
    way_back: WayBack | None = None
    hold: Hold | None = None
    owners: Mapping[str, OwnerFacts] = field(default_factory=dict)
    ours: Mapping[str, RRset] = field(default_factory=dict)
    sent: Mapping[str, Sent] = field(default_factory=dict)
    removing: Mapping[str, Sent] = field(default_factory=dict)
    leaving: Mapping[str, RRset] = field(default_factory=dict)
    unsure: Mapping[str, RRset] = field(default_factory=dict)
    unheard: Mapping[str, RRset] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    since: float = 0.0  # when the lineage entered what it is doing now
    standby: Key | None = None
    handed_out: bool = False
    key_since: float | None = None
    key_due: bool = False
    former_key: KeyAge | None = None
    compromised: frozenset[str] = frozenset()
    discarded: frozenset[str] = frozenset()
    at_once: str = ""
    vanished_at: float | None = None
    left: str = ""
    order: Order | None = None
    tokens: frozenset[Token] = frozenset()
    renewal: Renewal | None = None
    obtained: Obtained | None = None

    def generation(self, name: str) -> Generation | None:
        """The generation with this id, or None for the empty id."""
        return self.generations.get(name) if name else None

    def is_leaving(self, generation: Generation) -> bool:
        """Whether the records of this generation's leaf are on their way out of DNS; a record of former parameters is not all."""
        leaf = generation.chain.leaf
        for target, records in self.leaving.items():
            stays = self.ours.get(target, frozenset()) - records
            if any(leaf.matches(one) for one in records) and not any(leaf.matches(one) for one in stays):
                return True
        return False

    def is_compromised(self, generation: Generation | None) -> bool:
        """Whether somebody else has the key of this generation."""
        return generation is not None and generation.spki in self.compromised

    @property
    def is_going(self) -> bool:
        """Whether the records of a lineage that nothing presents any more have begun to go: that is finished in any case."""
        return self.vanished_at is not None and self.retiring

    def is_barred(self, generation: Generation | None) -> bool:
        """Whether the key of this generation must not go into service: somebody else has it, or it was given up for good."""
        return generation is not None and generation.spki in self.compromised | self.discarded


def apply(facts: Facts, event: Event, at: float) -> Facts:
    """Return what is known after `event`, which happened at `at` (seconds since 1970)."""
    return _apply(event, facts, at)


@singledispatch
def _apply(event: object, facts: Facts, at: float) -> Facts:  # noqa: ARG001  an event of a newer version changes nothing
    return facts


@_apply.register
def _(event: ev.Staged, facts: Facts, at: float) -> Facts:
    new = event.generation
    if new.id in facts.generations:
        return facts
    obtained = facts.obtained if facts.obtained and facts.obtained.origin == new.origin else None
    facts = replace(facts, generations={**facts.generations, new.id: new}, obtained=obtained)
    waiting = facts.generation(facts.next)
    swapping = facts.deploying or facts.way_back or facts.previous or facts.is_leaving(new)
    if facts.is_barred(new) and (swapping or waiting is not None or facts.queued):
        return facts  # it takes nobody's place; the history tells that it came
    same_key = waiting is not None and waiting.chain.leaf.spki_sha256 == new.chain.leaf.spki_sha256
    doubts = Hold(event.hold, event.remedy, at, new.id, event.accept) if event.hold else _barred(facts, new, at)
    if swapping or (waiting is not None and not same_key and facts.hold is None):
        return _in_a_hurry(replace(facts, queued=new.id, queued_hold=doubts))  # RFC 7671 §8.4: one change at a time
    standing = facts.hold if facts.hold and not facts.hold.generation else None
    stolen = facts.is_compromised(facts.generation(facts.current)) and not facts.is_barred(new)
    hurried = bool(facts.at_once) and facts.at_once == facts.next  # what takes the place of it cannot wait either
    at_once = new.id if hurried and (same_key or stolen) else facts.at_once
    # What was queued is older: its time is over.
    return _in_a_hurry(
        replace(facts, next=new.id, queued="", queued_hold=None, hold=doubts or standing, at_once=at_once, since=at)
    )


def _barred(facts: Facts, new: Generation, at: float) -> Hold | None:
    """Why a certificate for a key that somebody else has, or that was given up, is never put into service."""
    if not facts.is_barred(new):
        return None
    remedy = f"have it made for another key; give this one up: tlsa-manager rollover abort {facts.lineage}"
    stolen = facts.is_compromised(new)
    why = "somebody else has the key of the new certificate" if stolen else "the key of the new certificate was given up for good"
    return Hold(why, remedy, at, new.id)


def _in_a_hurry(facts: Facts) -> Facts:
    """Only what is still to come into service can be in a hurry; one that is not known yet is about to be staged."""
    given_up = facts.at_once in facts.generations and facts.at_once not in (facts.next, facts.queued)
    return replace(facts, at_once="") if given_up else facts


@_apply.register
def _(event: ev.Adopted, facts: Facts, at: float) -> Facts:
    name = event.generation.id
    known = {**facts.generations, name: event.generation}
    adopted = _in_service(replace(facts, generations=known), name, at)
    return replace(adopted, next="", hold=None) if facts.next == name else adopted


@_apply.register
def _(event: ev.Seen, facts: Facts, at: float) -> Facts:  # noqa: ARG001  the round's own time counts
    before = facts.owners.get(event.owner, OwnerFacts(event.target))
    moved = before.alias_ttl if before.target != event.target else 0  # an alias points elsewhere now: its TTL counts too
    served = {(frozenset(one.records), one.ttl) for one in event.sets}
    forgotten = {(frozenset(one.records), one.ttl) for one in event.forgotten}
    asked_until = _asked_until(before, event)
    kept = [_look_again(one, served, event, moved, asked_until) for one in before.sets if (one.records, one.ttl) not in forgotten]
    known = {(one.records, one.ttl) for one in kept}
    fresh = [CachedSet(records, ttl) for records, ttl in sorted(served, key=_order) if (records, ttl) not in known]
    since = before.since if before.target == event.target else None
    if since is None and event.complete:
        since = event.at if any(one.records for one in event.sets) else float("-inf")
    addresses = event.addresses if event.complete else tuple(sorted({*before.addresses, *event.addresses}))
    owner = OwnerFacts(
        event.target, tuple(kept + fresh), event.complete, event.alias_ttl, event.at, since,
        addresses, max(before.ns_ttl, event.ns_ttl), asked_until, event.zone, event.via,
    )  # fmt: skip
    return replace(facts, owners={**facts.owners, event.owner: owner})


def _asked_until(before: OwnerFacts, event: ev.Seen) -> float:
    """A server that was taken out of the NS set is asked as long as resolvers remember it."""
    taken_out = event.complete and before.target == event.target and set(before.addresses) - set(event.addresses)
    return max(before.asked_until, event.at + before.ns_ttl) if taken_out else before.asked_until


def _look_again(
    one: CachedSet, served: AbstractSet[tuple[RRset, int]], event: ev.Seen, moved: int, asked_until: float
) -> CachedSet:
    """Bring one set up to date: handed out (again), gone, or unknown because a server did not answer."""
    if one.gone_since is None and moved > one.ttl:
        one = replace(one, ttl=moved)
    if (one.records, one.ttl) in served or not event.complete:
        return replace(one, gone_since=None)  # a server that does not answer us may answer others with anything it ever had
    return replace(one, gone_since=max(event.at, asked_until)) if one.gone_since is None else one


def _order(one: tuple[RRset, int]) -> tuple[list[str], int]:
    return sorted(map(str, one[0])), one[1]


def _measured_again(facts: Facts, at: float, moved: float = 0.0) -> dict[str, OwnerFacts]:
    """Every wait for caches begins again."""
    return {
        name: replace(
            owner, sets=tuple(replace(one, gone_since=None) for one in owner.sets), complete=False, since=None, seen_at=at,
            asked_until=owner.asked_until + moved,
        ) for name, owner in facts.owners.items()
    }  # fmt: skip


@_apply.register
def _(event: ev.Unwatched, facts: Facts, at: float) -> Facts:  # noqa: ARG001  however long it was
    return replace(facts, owners=_measured_again(facts, at))


@_apply.register
def _(event: ev.ClockStepped, facts: Facts, at: float) -> Facts:
    way = facts.way_back
    return replace(
        facts, owners=_measured_again(facts, at, event.seconds), failures={}, since=facts.since + event.seconds,
        deployed_at=_moved(facts.deployed_at, event, at), confirmed_at=_moved(facts.confirmed_at, event, at),
        way_back=replace(way, done_at=_moved(way.done_at, event, at)) if way else None,
        vanished_at=_moved(facts.vanished_at, event, at), key_since=_moved(facts.key_since, event, at),
        obtained=replace(facts.obtained, at=min(facts.obtained.at + event.seconds, at)) if facts.obtained else None,
    )  # fmt: skip


def _moved(moment: float | None, event: ev.ClockStepped, at: float) -> float | None:
    """Express a moment by the clock as it goes now, so that an hour stays an hour; what has been is never in the future.

    A process that dies right after it noticed the step leaves it to be noticed once more.
    """
    return None if moment is None else min(moment + event.seconds, at)


@_apply.register
def _(event: ev.Publishing, facts: Facts, at: float) -> Facts:  # noqa: ARG001  whatever becomes of it, it would be ours
    ours = facts.ours.get(event.target, frozenset()) | frozenset(event.add)
    removing = {name: one for name, one in facts.removing.items() if name != event.target or not one.records & ours}
    unsure = {**facts.unsure, event.target: facts.unsure.get(event.target, frozenset()) | frozenset(event.add)}
    return replace(facts, ours={**facts.ours, event.target: ours}, removing=removing, unsure=unsure)


@_apply.register
def _(event: ev.Published, facts: Facts, at: float) -> Facts:
    earlier = facts.sent.get(event.target)
    records = frozenset(event.add) | (earlier.records if earlier else frozenset())
    numbers = (*(earlier.numbers if earlier else ()), *filter(None, (event.number,)))
    sent = {**facts.sent, event.target: Sent(records, at, event.asked, numbers)}
    leaving = {**facts.leaving, event.target: facts.leaving.get(event.target, frozenset()) - frozenset(event.add)}
    unsure = {**facts.unsure, event.target: facts.unsure.get(event.target, frozenset()) - frozenset(event.add)}
    unheard = {**facts.unheard, event.target: facts.unheard.get(event.target, frozenset()) - frozenset(event.add)}
    return _succeeded(replace(facts, sent=sent, leaving=leaving, unsure=unsure, unheard=unheard), f"publish {event.target}")


@_apply.register
def _(event: ev.Settled, facts: Facts, at: float) -> Facts:  # noqa: ARG001  when it was seen, Seen tells
    earlier = facts.sent.get(event.target)
    if not event.numbers:
        facts = _succeeded(facts, f"publish {event.target}")
        return replace(facts, unsure={name: one for name, one in facts.unsure.items() if name != event.target})
    if earlier is None:
        return facts
    left = tuple(one for one in earlier.numbers if one not in event.numbers)
    return replace(facts, sent={**facts.sent, event.target: replace(earlier, numbers=left)})


@_apply.register
def _(event: ev.RecordsAdopted, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    ours = facts.ours.get(event.target, frozenset()) | frozenset(event.records)
    return replace(facts, ours={**facts.ours, event.target: ours})


@_apply.register
def _(event: ev.Retiring, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    own = frozenset(event.remove) & facts.ours.get(event.target, frozenset())  # the others are a neighbour's
    leaving = facts.leaving.get(event.target, frozenset()) | own
    given_up = facts.current if facts.vanished_at is not None else ""
    former = facts.generation(facts.previous or given_up)  # once its record begins to go there is no way back at once
    retiring = former is not None and any(former.chain.matches(one) for one in event.remove)
    unheard = {**facts.unheard, event.target: facts.unheard.get(event.target, frozenset()) | own}
    return replace(
        facts, retiring=facts.retiring or retiring, leaving={**facts.leaving, event.target: leaving}, unheard=unheard
    )  # fmt: skip


@_apply.register
def _(event: ev.Retired, facts: Facts, at: float) -> Facts:
    gone = frozenset(event.remove)
    earlier = facts.sent.get(event.target)
    sent = {**facts.sent, event.target: replace(earlier, records=earlier.records - gone)} if earlier else facts.sent
    unsure = {**facts.unsure, event.target: facts.unsure.get(event.target, frozenset()) - gone}
    unheard = {**facts.unheard, event.target: facts.unheard.get(event.target, frozenset()) - gone}
    facts = _succeeded(replace(facts, sent=sent, unsure=unsure, unheard=unheard), f"retire {event.target}")
    if event.number:  # servers that never answer us may go on handing out the set from before the removal
        waits = facts.sent.get(event.target, Sent(frozenset(), at))
        facts = replace(facts, sent={**facts.sent, event.target: replace(waits, numbers=(*waits.numbers, event.number))})
    if not event.proven:  # until then they stay ours: a backend may say yes and not do it
        return replace(facts, removing={**facts.removing, event.target: Sent(gone, at, event.asked)})
    ours = facts.ours.get(event.target, frozenset()) - gone
    removing = {name: one for name, one in facts.removing.items() if name != event.target}
    leaving = {**facts.leaving, event.target: facts.leaving.get(event.target, frozenset()) - gone}
    return replace(facts, ours={**facts.ours, event.target: ours}, removing=removing, leaving=leaving)


@_apply.register
def _(event: ev.Deploying, facts: Facts, at: float) -> Facts:
    began = at if not facts.deploying else facts.since
    if facts.next not in ("", event.generation):  # staged while this was being decided: it comes afterwards
        doubts = facts.hold if facts.hold and facts.hold.generation == facts.next else None
        facts = replace(facts, queued=facts.next, queued_hold=doubts)
    return replace(facts, next=event.generation, deploying=True, before=event.before, deployed_at=None, since=began)


@_apply.register
def _(event: ev.Deployed, facts: Facts, at: float) -> Facts:  # noqa: ARG001  the intent names the generation
    return _succeeded(replace(facts, deployed_at=at), "deploy")


@_apply.register
def _(event: ev.Confirmed, facts: Facts, at: float) -> Facts:
    same = facts.current == event.generation
    return replace(
        _in_service(facts, event.generation, at), previous="" if same else facts.current, next="", deploying=False,
        confirmed_at=at, before=(), hold=None, at_once="", retiring=False,
    )  # fmt: skip


@_apply.register
def _(event: ev.RollingBack, facts: Facts, at: float) -> Facts:
    same = facts.way_back is not None and facts.way_back.generation == event.generation
    tries = facts.way_back.tries + 1 if facts.way_back and same else 1
    return replace(facts, way_back=WayBack(event.generation, event.reason, event.hold, tries=tries), since=at)


@_apply.register
def _(event: ev.RolledBack, facts: Facts, at: float) -> Facts:  # noqa: ARG001  the intent names the generation
    if facts.way_back is None:
        return facts
    return _succeeded(replace(facts, way_back=replace(facts.way_back, done_at=at)), "roll back")


@_apply.register
def _(event: ev.Restored, facts: Facts, at: float) -> Facts:
    way, undone = facts.way_back, facts.current != event.generation
    swapped = facts.next or (facts.current if undone else "")  # what came after the swap that is undone is newer
    swapped = "" if facts.is_barred(facts.generation(swapped)) else swapped
    reason, held = (way.reason, way.hold and bool(swapped)) if way else ("", False)
    hold = Hold(reason, f"mend the cause, then: tlsa-manager rollover start {facts.lineage}", at) if held else facts.hold
    former = facts.former_key if undone and event.generation == facts.previous else None
    facts = _in_service(facts, event.generation, at)
    if former is not None:
        facts = replace(facts, key_since=former.since, key_due=former.due or facts.key_due)
    return _in_a_hurry(replace(
        facts, next=swapped, previous="", deploying=False, deployed_at=None, confirmed_at=None, way_back=None, before=(),
        hold=hold, since=at, retiring=False, failures=_without(facts, "deploy", "roll back"),
    ))  # fmt: skip


@_apply.register
def _(event: ev.Finished, facts: Facts, at: float) -> Facts:  # noqa: ARG001  there is only one rollover
    return replace(facts, previous="", deployed_at=None, confirmed_at=None, retiring=False, since=at)


@_apply.register
def _(event: ev.Released, facts: Facts, at: float) -> Facts:  # noqa: ARG001  there is only one hold
    return replace(facts, hold=None, failures={}, since=at, obtained=None)


@_apply.register
def _(event: ev.Retried, facts: Facts, at: float) -> Facts:  # noqa: ARG001  it is about everything that failed
    """What failed is tried anew, but for what somebody has asked us to leave alone until later."""
    kept = {name: one for name, one in facts.failures.items() if one.until > at or not name.startswith(_TRIED_AT_ONCE)}
    return replace(facts, failures=kept)


@_apply.register
def _(event: ev.Aborted, facts: Facts, at: float) -> Facts:
    if facts.next != event.generation or facts.deploying:
        return facts
    failures = _without(facts, "deploy", "roll back")
    return _in_a_hurry(replace(facts, next="", hold=None, since=at, failures=failures, obtained=None))


@_apply.register
def _(event: ev.Promoted, facts: Facts, at: float) -> Facts:
    new = facts.generation(event.generation)
    if new is not None and facts.is_leaving(new):
        return replace(facts, queued=event.generation)
    doubts = facts.queued_hold if event.generation == facts.queued else None
    if new is not None and doubts is None:
        doubts = _barred(facts, new, at)
    if event.generation == facts.queued:
        facts = replace(facts, queued="", queued_hold=None)
    return _in_a_hurry(replace(facts, next=event.generation, hold=doubts or facts.hold, since=at))


@_apply.register
def _(event: ev.Failed, facts: Facts, at: float) -> Facts:
    count = facts.failures[event.step].count + 1 if event.step in facts.failures else 1
    others = _without(facts, *(("prove the names",) if event.step == "issue" else ()))  # then it was no more what was waited for
    failure = Failure(count, at, event.reason, event.hint, event.until, event.limited)
    return replace(facts, failures={**others, event.step: failure})


@_apply.register
def _(event: ev.Prepared, facts: Facts, at: float) -> Facts:  # noqa: ARG001  a key has no date before it is in service
    """The first one stays, it may be in a client's hands: of two that were made side by side the other is never used."""
    return _succeeded(replace(facts, standby=facts.standby or event.key), "prepare")


@_apply.register
def _(event: ev.HandedOut, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    return replace(facts, handed_out=True)


@_apply.register
def _(event: ev.Discarded, facts: Facts, at: float) -> Facts:
    key = facts.standby
    if key is None or key.id != event.key:
        return facts
    if event.reason == ev.ANOTHER_TYPE:
        return replace(facts, standby=None)
    return _in_a_hurry(_without_barred(replace(facts, standby=None, discarded=facts.discarded | {key.spki_sha256}), at))


@_apply.register
def _(event: ev.KeyDue, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    return replace(facts, key_due=True, obtained=None)


@_apply.register
def _(event: ev.Compromised, facts: Facts, at: float) -> Facts:
    keys = facts.compromised | frozenset(event.keys)
    standby = None if facts.standby and facts.standby.spki_sha256 in keys else facts.standby
    facts = _without_barred(replace(
        facts, compromised=keys, standby=standby, at_once=event.at_once or facts.at_once, obtained=None
    ), at)  # fmt: skip
    return _in_a_hurry(replace(facts, key_due=facts.key_due or facts.is_compromised(facts.generation(facts.current))))


def _without_barred(facts: Facts, at: float) -> Facts:
    """What is on its way with a key that must not be used goes no further; a swap that was begun is finished or taken back."""
    if facts.is_barred(facts.generation(facts.queued)):
        facts = replace(facts, queued="", queued_hold=None)
    if facts.deploying or facts.way_back or not facts.is_barred(facts.generation(facts.next)):
        return facts
    return replace(facts, next="", hold=None, since=at, failures=_without(facts, "deploy", "roll back"))


@_apply.register
def _(event: ev.Vanished, facts: Facts, at: float) -> Facts:  # noqa: ARG001  there is only one current generation
    return replace(facts, vanished_at=at, since=at)


@_apply.register
def _(event: ev.Reappeared, facts: Facts, at: float) -> Facts:  # noqa: ARG001  likewise
    return replace(facts, vanished_at=None, retiring=False, since=at)


@_apply.register
def _(event: ev.Left, facts: Facts, at: float) -> Facts:  # noqa: ARG001  likewise
    return replace(
        facts, current="", next="", queued="", queued_hold=None, hold=None, standby=None, at_once="", order=None, renewal=None,
        retiring=False, left=_newest_sound(facts), since=at,
    )  # fmt: skip


def _newest_sound(facts: Facts) -> str:
    """What a lineage that has left begins with if it is taken back: its newest certificate that nobody had doubts about."""
    table = ((facts.queued, facts.queued_hold), (facts.next, facts.hold), (facts.current, None))
    sound = (name for name, doubts in table if (one := facts.generation(name)) and one.ours and not doubts)
    return next(sound, "")


@_apply.register
def _(event: ev.Ordering, facts: Facts, at: float) -> Facts:
    return replace(facts, order=replace(event.order, at=at))


@_apply.register
def _(event: ev.Ordered, facts: Facts, at: float) -> Facts:
    began = facts.order.at if facts.order and facts.order.key == event.order.key else at
    return replace(facts, order=replace(event.order, at=began))


@_apply.register
def _(event: ev.OrderEnded, facts: Facts, at: float) -> Facts:
    ended = replace(facts, order=None) if facts.order and facts.order.url == event.url else facts
    ended = _succeeded(ended, "prove the names")  # the proofs of another order are others
    if event.reason:
        return ended
    return replace(_succeeded(ended, "issue"), obtained=_obtained(facts.obtained, event, at))


def _obtained(former: Obtained | None, event: ev.OrderEnded, at: float) -> Obtained | None:
    """Count the certificates that come fast."""
    if not event.origin:  # of a journal that did not tell yet
        return former
    new = Obtained(event.origin, frozenset(map(str.lower, event.names)), at)
    if former is None or (former.origin, former.names) != (new.origin, new.names) or at - former.at > _FAST:
        return new
    return replace(new, count=former.count + 1)


@_apply.register
def _(event: ev.Proving, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    return replace(facts, tokens=facts.tokens | {event.token})


@_apply.register
def _(event: ev.Proved, facts: Facts, at: float) -> Facts:  # noqa: ARG001  timeless
    return _succeeded(replace(facts, tokens=facts.tokens - {event.token}), "remove the proofs")


@_apply.register
def _(event: ev.RenewalPlanned, facts: Facts, at: float) -> Facts:  # noqa: ARG001  the plan names its own moment
    return replace(facts, renewal=event.renewal)


def _in_service(facts: Facts, name: str, at: float) -> Facts:
    """Make a generation the current one; the next key, if it is its key, is the next one no more."""
    new, former = facts.generation(name), facts.generation(facts.current)
    facts = replace(facts, current=name, since=at, vanished_at=None)
    if new is None:
        return facts
    if facts.standby is not None and facts.standby.spki_sha256 == new.spki:
        facts = replace(facts, standby=None)
    if former is not None and former.spki == new.spki:
        return facts
    return replace(facts, key_since=at, key_due=False, former_key=KeyAge(facts.key_since, facts.key_due))


def _succeeded(facts: Facts, step: str) -> Facts:
    return replace(facts, failures=_without(facts, step))


def _without(facts: Facts, *steps: str) -> dict[str, Failure]:
    """The failures that are left when these steps are over."""
    return {name: one for name, one in facts.failures.items() if name not in steps}
