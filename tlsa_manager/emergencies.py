"""A key that somebody else has: what can be done, what each way costs, what is to be done besides; and doing it.

First it is looked and said, then it is done: `foresee` changes nothing, `act` journals that the keys are known to somebody else,
takes their records over, and stages a certificate for another key. Everything after that is the engine's: it goes on after a
crash, and keeps the safety law.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import Busy
from tlsa_manager.rollover import emergency, succession, timing
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.emergency import Way
from tlsa_manager.rollover.facts import apply
from tlsa_manager.stolen.aftermath import matching
from tlsa_manager.stolen.besides import besides, signed_by_itself
from tlsa_manager.stolen.obstacles import in_the_way, losses, refuse, refuse_anchors
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.journal import Entry
    from tlsa_manager.lineage import Generation, Lineage
    from tlsa_manager.rollover.emergency import Prospect
    from tlsa_manager.rollover.facts import Facts
    from tlsa_manager.rollover.scene import Scene
    from tlsa_manager.tlsa import RRset
    from tlsa_manager.wiring import House

PATIENCE = 30.0  # seconds for which somebody else may be at work on the lineage, before it is told without a look
_MEASURED = 5  # publications, the latest ones, that tell how long the next one will take


@dataclass(frozen=True, slots=True)
class Prognosis:
    """What an emergency would do and cost. `stolen`: SHA-256 of the keys that are declared compromised, each with what it is.

    `coming`: the certificate on its way that takes the place, None = one is made; `replacement`: the same in words; `ways`: those
    that are open, best first; `lag`: how long the slowest of the latest publications took until every server had it, seconds,
    None = there was none; `taken_over`: records of the stolen keys that somebody else has published, by their name;
    `in_the_way`: what has to end first, whoever ends it; `losses`: what is lost besides mail of senders with DANE; `besides`:
    what a person has to do in addition.
    """

    lineage: Lineage
    stolen: tuple[tuple[str, str], ...]
    chosen: Prospect
    ways: tuple[Prospect, ...]
    coming: Generation | None
    replacement: str
    lag: float | None
    taken_over: tuple[tuple[str, RRset], ...]
    in_the_way: tuple[str, ...]
    losses: tuple[str, ...]
    besides: tuple[str, ...]
    at: float

    @property
    def keys(self) -> tuple[str, ...]:
        """The stolen keys alone."""
        return tuple(key for key, _ in self.stolen)


def foresee(home: House, name: str, *, wait: bool = False, discard_next: bool = False) -> Prognosis:
    """Look, and say what would happen. `wait`: keep every cache valid, whatever the thief does meanwhile.

    Raises Unsafe where nothing is in service, a swap is being proven, or no swap could follow.
    """
    lineage = home.lineage(name)
    refuse(lineage, home.journal.facts(name))
    scene, facts = _looked(home, lineage)
    now = clock.now()
    refuse(lineage, facts)
    stolen = tuple(_stolen(facts, discard_next=discard_next))
    keys = tuple(key for key, _ in stolen)
    after = _declared(facts, keys, now) if scene is None else _once_heard(_declared(facts, keys, now))
    coming = emergency.coming(lineage, after, now)
    refuse_anchors(lineage, after, coming)
    vouched = not signed_by_itself(home, lineage, facts.generation(facts.current))
    lag = publication_lag(home.journal.entries(name))
    ways = emergency.prospects(lineage, after, now, lag or 0.0)
    chosen = next((one for one in ways if one.way is Way.WAIT), ways[0]) if wait else ways[0]
    return Prognosis(
        lineage,
        stolen,
        chosen,
        ways,
        coming,
        _replacement(lineage, after, coming),
        lag,
        tuple(_others(facts, keys, scene)) if scene else (),
        tuple(in_the_way(lineage, facts, scene)),
        tuple(losses(lineage, after, coming, vouched=vouched)),
        tuple(besides(home, lineage, keys, now)),
        now,
    )


def act(home: House, prognosis: Prognosis) -> str:
    """Do it: the keys are known to somebody else from now on, and another key is on its way. Returns a sentence.

    Which generation waits for no cache is journalled before the generation itself is: after a crash in between the next run
    finds it in the store, and it is still in a hurry.
    """
    from tlsa_manager.keys import self_signed

    name, lineage, stolen, now = prognosis.lineage.name, prognosis.lineage, prognosis.keys, clock.now()
    for event in _beforehand(home.journal.facts(name), stolen):
        home.journal.append(name, event, now)
    for target, records in prognosis.taken_over:
        home.journal.append(name, ev.RecordsAdopted(target, tuple(sorted(records))), now)
    hurried = prognosis.chosen.way is Way.AT_ONCE
    if (coming := prognosis.coming) is not None:
        home.journal.append(name, ev.Compromised(stolen, coming.id if hurried else ""), now)
        return f"generation {coming.id}, which is on its way already, takes the place of the stolen key"
    pair = self_signed(lineage.hosts, home.next_key(name))
    made = home.store.put(name, pair, succession.MAKESHIFT)
    home.journal.append(name, ev.Compromised(stolen, made.id if hurried else ""), now)
    return str(home.stage(name, pair.chain_pem, pair.key_pem, succession.MAKESHIFT, insist=True, accept_kind=True))


def publication_lag(entries: Iterable[Entry]) -> float | None:
    """How long the slowest of the latest publications took until every server had it, seconds; None = there was none."""
    waiting: dict[str, tuple[float, RRset]] = {}
    lags: list[float] = []
    for entry in entries:
        match entry.event:
            case ev.Published(target, add, asked=False):
                waiting[target] = (entry.at, frozenset(add))
            case ev.Retiring(target, remove) if target in waiting and waiting[target][1] & frozenset(remove):
                del waiting[target]
            case ev.ClockStepped() | ev.Unwatched():
                waiting = {}
            case ev.Seen(target=target, at=at, sets=sets, complete=True) if sets and target in waiting:
                sent, records = waiting[target]
                if all(records <= frozenset(one.records) for one in sets):
                    lags.append(max(at - sent, 0.0))
                    del waiting[target]
            case _:
                pass
    return max(lags[-_MEASURED:], default=None)


def _looked(home: House, lineage: Lineage) -> tuple[Scene | None, Facts]:
    """What is known after a look; where somebody else is at work all the time, what that one has seen last."""
    ends = clock.monotonic() + PATIENCE
    while True:
        try:
            scene = home.look(lineage.name)
        except Busy:
            if clock.monotonic() >= ends:
                return None, _stale(home, lineage)
            clock.sleep(0.25)
        else:
            return scene, scene.facts


def _stale(home: House, lineage: Lineage) -> Facts:
    """The facts without a look: what nobody watched for long counts for nothing (L1)."""
    facts, plan, now = home.journal.facts(lineage.name), home.journal.plan(lineage.name), clock.now()
    late = now - plan.wake_at if plan else 0.0
    return apply(facts, ev.Unwatched(late), now) if late > timing.unwatched_after(lineage.policy) else facts


def _once_heard(facts: Facts) -> Facts:
    """What will be known when every server answers again, and none has anything new: what is said is good from then on."""
    return replace(facts, owners={name: replace(one, complete=True) for name, one in facts.owners.items()})


def _beforehand(facts: Facts, stolen: tuple[str, ...]) -> Iterator[ev.Event]:
    """What ends before the other key comes: a certificate that was taken back, and bars what follows; a stolen next key."""
    if facts.hold is not None and not facts.hold.generation and facts.next:
        yield ev.Aborted(facts.next)
    elif facts.hold is not None and not facts.hold.generation:
        yield ev.Released()
    if facts.standby is not None and facts.standby.spki_sha256 in stolen:
        yield ev.Compromised((facts.standby.spki_sha256,))


def _declared(facts: Facts, stolen: tuple[str, ...], now: float) -> Facts:
    """The facts as they are when it is said."""
    for event in (*_beforehand(facts, stolen), ev.Compromised(stolen)):
        facts = apply(facts, event, now)
    return facts


def _stolen(facts: Facts, *, discard_next: bool) -> Iterator[tuple[str, str]]:
    """The keys that lay in the server's file: the one in service, and the former one while the way back is open."""
    current, previous = facts.generation(facts.current), facts.generation(facts.previous)
    if current is not None:
        yield current.spki, "the key in service"
    if previous is not None and (current is None or previous.spki != current.spki):
        yield previous.spki, "the former key, to which the way back was open"
    if discard_next and facts.standby is not None:
        yield facts.standby.spki_sha256, "the next key"


def _others(facts: Facts, stolen: tuple[str, ...], scene: Scene) -> Iterator[tuple[str, RRset]]:
    """The records of the stolen keys that stand there and that nobody has told us to remove."""
    for target, owners in scene.targets().items():
        standing = {record for owner in owners for records in scene.standing(target, owner) for record in records}
        found = matching(facts, stolen, standing) - facts.ours.get(target, frozenset())
        if found:
            yield target, found


def _replacement(lineage: Lineage, facts: Facts, coming: Generation | None) -> str:
    """What takes the place of the stolen key."""
    if coming is not None:
        return f"the certificate that is on its way already, {coming.id}"
    if facts.standby is None:
        return "a new key, made now, with a certificate signed by itself"
    published = "published already" if succession.prepublished(lineage, facts) else "not published yet"
    return f"the next key, {published}, with a certificate signed by itself"
