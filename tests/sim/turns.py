"""What a person does in a life besides bringing certificates: changes the configuration, or says that a key is stolen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.story import generation
from tlsa_manager.rollover import emergency
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.emergency import Way
from tlsa_manager.tlsa import Params

if TYPE_CHECKING:
    from sim.story import Story
    from tlsa_manager.lineage import Generation, Lineage

_MODES = {"next key": {"next_key": True}, "plain": {"next_key": False, "reuse": False}, "reuse": {"reuse": True}}
_PARAMS = {
    "sha-256": (Params(3, 1, 1),), "both digests": (Params(3, 1, 1), Params(3, 1, 2)), "sha-512": (Params(3, 1, 2),),
    "issuer": (Params(3, 1, 1), Params(2, 1, 1)),
}  # fmt: skip
TURNS = (*_MODES, *_PARAMS, "due", "stolen", "stolen, in haste", "next key stolen", "leave")


@dataclass(frozen=True)
class Turn:
    """When, what (one of TURNS), to which lineage."""

    at: float
    what: str
    lineage: int = 0


def take(story: Story, turn: Turn, newest: dict[str, str]) -> bool:
    """Do it; False = it cannot be done now, and is tried again. `newest`: the certificate each lineage shall end with."""
    lineage = story.lineages[turn.lineage % len(story.lineages)]
    if turn.what in _MODES:
        _configure(story, lineage.name, keys=replace(lineage.keys, **_MODES[turn.what]))
    elif turn.what in _PARAMS:
        for one in story.lineages:
            _configure(story, one.name, params=_PARAMS[turn.what])
    elif turn.what == "leave":
        if len(story.lineages) > 1:
            _configure(story, story.lineages[1].name, leaving=True)
    elif turn.what == "due":
        story.say(ev.KeyDue(), lineage.name)
    elif turn.what == "next key stolen":
        _next_key_stolen(story, lineage, newest)
    elif not lineage.leaving:
        return _stolen(story, lineage, newest, haste="haste" in turn.what)
    return True


def take_out(story: Story) -> None:
    """Where a lineage leaves, and nothing of it is being swapped, the operator takes its certificate out of the server."""
    for one in story.lineages:
        facts = story.facts(one.name)
        if one.leaving and not (facts.deploying or facts.way_back or facts.previous):
            story.world.unread |= set(one.consumers)
            for place in [place for place in story.world.presented if place[2] == one.name]:
                del story.world.presented[place]


def given_up(story: Story, lineage: str) -> bool:
    """Whether a lineage has left."""
    return bool(story.happened(ev.Left, lineage))


def _configure(story: Story, name: str, **what: object) -> None:
    story.lineages = tuple(replace(one, **what) if one.name == name else one for one in story.lineages)  # type: ignore[arg-type]
    story.engine = story._engine()


def _next_key_stolen(story: Story, lineage: Lineage, newest: dict[str, str]) -> None:
    """The next key, and with it what came for it but is not in service."""
    facts = story.facts(lineage.name)
    if facts.standby is None or facts.deploying or facts.way_back:
        return
    latest = story.world.chains[newest[lineage.name]]
    story.say(ev.Compromised((facts.standby.spki_sha256,)), lineage.name)
    if latest.spki == facts.standby.spki_sha256:
        _replace(story, lineage, newest)


def _stolen(story: Story, lineage: Lineage, newest: dict[str, str], *, haste: bool) -> bool:
    """The keys in the server's file: what is on its way takes their place, or something new."""
    facts, now = story.facts(lineage.name), story.world.moment().wall
    if facts.deploying or facts.way_back or not facts.current:
        return False
    keys = tuple({one.spki for one in (facts.generation(facts.current), facts.generation(facts.previous)) if one})
    story.say(ev.Compromised(keys), lineage.name)
    facts = story.facts(lineage.name)
    hurried = haste and emergency.prospects(lineage, facts, now)[0].way is Way.AT_ONCE
    coming = emergency.coming(lineage, facts, now)
    if coming is None:
        coming = _replace(story, lineage, newest, hurried=hurried)
    elif facts.is_compromised(story.world.chains[newest[lineage.name]]):
        newest[lineage.name] = coming.id
    if hurried:
        story.world.excused.add(coming.spki)
        story.say(ev.Compromised((), coming.id), lineage.name)
    return True


def _replace(story: Story, lineage: Lineage, newest: dict[str, str], *, hurried: bool = False) -> Generation:
    """A certificate for the next key, or for a new one, takes the place of what is stolen."""
    facts = story.facts(lineage.name)
    name = f"replacement {len(story.memory.events)}"
    kind = story.world.chains[newest[lineage.name]].chain.kind
    key = facts.standby.id if facts.standby else f"{lineage.name} {name}"
    new = generation(name, kind=kind, key=key)
    story.keys[f"{lineage.name}/{name}"] = key
    if hurried:  # written down before the certificate is
        story.say(ev.Compromised((), f"{lineage.name}/{name}"), lineage.name)
    story.stage(new, lineage=lineage.name)
    newest[lineage.name] = f"{lineage.name}/{name}"
    return story.key(new, lineage.name)
