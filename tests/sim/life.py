"""A life: a story in which renewals arrive at given moments, faults happen, a person lets held ones go on, and all ends well."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sim.story import POLICY, SERVICES, Story, generation
from sim.turns import Turn, given_up, take, take_out
from tlsa_manager.lineage import Lineage
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import succession
from tlsa_manager.rollover.state import Phase
from tlsa_manager.tlsa import Params, Tlsa

if TYPE_CHECKING:
    from sim.fate import Fate
    from tlsa_manager.lineage import Generation

KINDS = ("ECDSA", "RSA")
BOUND = 25_000.0  # seconds after the last fault and the last renewal; a rollover takes some 1500 with the longest TTL


@dataclass(frozen=True)
class Renewal:
    """A certificate arrives: when, for which lineage, for which key.

    A `new` one, that of the `current` certificate, of the `latest` one to arrive, or the `next` key that stands ready.
    """

    at: float
    lineage: int = 0
    key: str = "new"


@dataclass(frozen=True)
class Setting:
    """What is there at the beginning."""

    lineages: int = 1
    owners: int = 2
    addresses: int = 1
    foreign: frozenset[Tlsa] = frozenset()
    readable: bool = True
    keys: KeyPolicy = field(default_factory=KeyPolicy)


@dataclass
class Report:
    """What a life came to."""

    story: Story
    rollovers: int
    released: int


def foreign(name: str) -> frozenset[Tlsa]:
    """Records that are not ours and break nothing: of the issuer, of a key that nobody has, of an unusable kind."""
    issuer = generation("any").chain.certificates[1].record(Params(2, 1, 1))
    table = {"issuer": {issuer}, "stale": {Tlsa(3, 1, 1, "cd" * 32)}, "pkix": {Tlsa(1, 1, 1, "ef" * 32)}}
    return frozenset(table.get(name, set()))


def live(fate: Fate, setting: Setting, renewals: tuple[Renewal, ...], turns: tuple[Turn, ...] = ()) -> Report:
    """Live through it; AssertionError if anything is not as it should be."""
    if not setting.readable:  # a provider that numbers its changes can be read
        fate = replace(fate, servers=tuple(one for one in fate.servers if not one.hidden))
    story = _begin(fate, setting)
    newest = {one.name: f"{one.name}/0" for one in story.lineages}
    pending, persons = sorted(renewals, key=lambda one: one.at), sorted(turns, key=lambda one: one.at)
    released, count = 0, 0
    end = story.world.now + max([one.at for one in (*renewals, *turns)], default=0.0) + BOUND
    while pending or persons or not all(_settled(story, name, wanted) for name, wanted in newest.items()):
        assert story.world.now < end, "it never ends:\n" + story.tell()
        while pending and story.world.start + pending[0].at <= story.world.now:
            count += 1
            _arrive(story, pending.pop(0), newest, count)
        if persons and story.world.start + persons[0].at <= story.world.now and take(story, persons[0], newest):
            persons.pop(0)
        story.step()
        take_out(story)
        if story.runs % 7 == 0:
            _again(story)
        released += sum(_release(story, one) for one in story.lineages)
    check(story, setting, newest)
    rollovers = len([one for one in story.memory.events if isinstance(one[2], ev.Confirmed)])
    return Report(story, rollovers, released)


def check(story: Story, setting: Setting, newest: dict[str, str]) -> None:
    """What holds of every life, at its end and all along."""
    assert story.vetoes() == [], story.vetoes()
    for (_, before), (_, after) in zip(story.world.versions, story.world.versions[1:], strict=False):
        for owner in story.world.owners:
            assert before[owner] <= after[owner] or after[owner] <= before[owner], "a change added and removed at once"
            assert setting.foreign <= after[owner], "a foreign record was touched"
    story.until(lambda one: all(one.world.standing(owner) == _wanted(one, setting, newest) for owner in one.world.owners))
    story.wait(400)
    for owner in story.world.owners:
        standing = story.world.standing(owner)
        assert standing == _wanted(story, setting, newest), f"at the end of the day {owner} holds something else"
    for place, chain in story.world.presented.items():
        assert chain == story.world.chains[newest[place[2]]].chain, f"{place} presents something else"


def _wanted(story: Story, setting: Setting, newest: dict[str, str]) -> frozenset[Tlsa]:
    """What stands at the end: of each lineage that is not given up the newest certificate's records, and the next key's."""
    wanted = set(setting.foreign)
    for one in story.lineages:
        if given_up(story, one.name):
            continue
        standby = story.facts(one.name).standby
        wanted |= story.world.chains[newest[one.name]].chain.records(one.params)
        wanted |= standby.records(one.params) if standby and succession.keeps_next(one, story.facts(one.name)) else set()
    return frozenset(wanted)


def _arrive(story: Story, renewal: Renewal, newest: dict[str, str], count: int) -> None:
    """A certificate is handed over; one for a key that somebody else has is no use, and what was there stays the newest."""
    lineage = story.lineages[renewal.lineage % len(story.lineages)]
    if lineage.leaving:
        return
    new = _renew(story, lineage, renewal, newest[lineage.name], count)
    story.stage(new, lineage=lineage.name)
    if not story.facts(lineage.name).is_compromised(new):
        newest[lineage.name] = f"{lineage.name}/{new.id}"


def _begin(fate: Fate, setting: Setting) -> Story:
    names = ("one", "two")[: setting.lineages]
    lineages = tuple(
        Lineage(name, SERVICES[: setting.owners], "dns", (f"file-{name}",), policy=POLICY, keys=setting.keys) for name in names
    )
    story = Story(fate, lineages=lineages, addresses=setting.addresses)
    story.world.readable = setting.readable
    story.stands(setting.foreign)
    for kind, lineage in zip(KINDS, lineages, strict=False):
        story.begin(generation("0", kind=kind, key=f"{lineage.name} 0"), lineage=lineage.name)
    story.run()
    return story


def _renew(story: Story, lineage: Lineage, renewal: Renewal, latest: str, count: int) -> Generation:
    facts = story.facts(lineage.name)
    current = next((key for key, one in story.world.chains.items() if key == facts.current), latest)
    ahead = facts.standby.id if facts.standby else f"{lineage.name} {count}"
    keys = {"next": ahead, "new": f"{lineage.name} {count}", "current": _key(story, current), "latest": _key(story, latest)}
    kind = story.world.chains[latest].chain.kind
    story.keys[f"{lineage.name}/{count}"] = keys[renewal.key]
    return generation(str(count), kind=kind, key=keys[renewal.key])


def _key(story: Story, name: str) -> str:
    return story.keys.get(name, name.replace("/", " "))


def _settled(story: Story, lineage: str, newest: str) -> bool:
    facts = story.facts(lineage)
    one = next(one for one in story.lineages if one.name == lineage)
    if one.leaving:
        return given_up(story, lineage)
    if succession.keeps_next(one, facts) and facts.standby is None:
        return False
    return facts.current == newest and not (facts.previous or facts.next or facts.queued or facts.way_back)


def _release(story: Story, lineage: Lineage) -> bool:
    """A person looks after what is held: the former certificate is back everywhere, and it may go on."""
    if story.phase(lineage.name) is not Phase.HELD:
        return False
    facts = story.facts(lineage.name)
    if facts.is_compromised(facts.generation(facts.next)):
        story.say(ev.Aborted(facts.next), lineage.name)
        return True
    former = facts.generation(facts.current)
    assert former is not None
    presented = [chain for place, chain in story.world.presented.items() if place[2] == lineage.name]
    assert all(chain == former.chain for chain in presented), "held, but the former certificate is not back"
    assert all(story.world.files[name] == former.id for name in lineage.consumers)
    story.say(ev.Released(), lineage.name)
    return True


def _again(story: Story) -> None:
    """To run again at once changes nothing; what another lineage has just done is news for one that ran before it."""
    for _ in range(1 + 2 * len(story.lineages)):
        before, sends, deploys = len(story.memory.events), story.world.sends, story.world.deploys
        story.run()
        new = story.memory.events[before:]
        if story.died or (not new and (sends, deploys) == (story.world.sends, story.world.deploys)):
            return
    raise AssertionError(f"it does not come to rest: {new}")
