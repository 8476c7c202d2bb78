"""What `run` would not put into service now is not cleared: every phase of a lineage, against the rules themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from judging import NEW, OLD, SMTP, answered, ask, candidate, ee, seen
from sender.papers import AT, ISSUER, leaf

from tlsa_manager.certificates import chain_of
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.preflight.clearance import Word
from tlsa_manager.preflight.turn import in_service
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.decide import decide
from tlsa_manager.rollover.facts import Facts, Hold, WayBack, apply
from tlsa_manager.rollover.steps import Act, Deploy, RollBack
from tlsa_manager.snapshot import FileView

if TYPE_CHECKING:
    from tlsa_manager.rollover.scene import Scene

OTHER = (leaf(key="other").der(), ISSUER.der())
CHAINS = {"cur": OLD, "next": NEW, "other": OTHER}
GENERATIONS = {name: Generation(name, chain_of(one)) for name, one in CHAINS.items()}
HELD = Hold("the key may be stolen", "tlsa-manager rollover start mx", AT)
SWAPPING = Facts("mx", current="cur", next="next", deploying=True, since=AT)
SAFE, UNSAFE = Word.SAFE, Word.UNSAFE
PHASES = {  # the facts; what is presented; the answers for cur, next, other
    "stable": (Facts("mx", current="cur"), "cur", (SAFE, SAFE, SAFE)),
    "next": (Facts("mx", current="cur", next="next"), "cur", (SAFE, SAFE, UNSAFE)),
    "held": (Facts("mx", current="cur", hold=HELD), "cur", (SAFE, UNSAFE, UNSAFE)),
    "next held": (Facts("mx", current="cur", next="next", hold=HELD), "cur", (SAFE, UNSAFE, UNSAFE)),
    "doubts": (Facts("mx", current="cur", next="next", hold=replace(HELD, generation="next")), "cur", (SAFE, UNSAFE, UNSAFE)),
    "held and overtaken": (Facts("mx", current="cur", next="next", hold=HELD), "next", (UNSAFE, SAFE, UNSAFE)),
    "swapping": (SWAPPING, "cur", (SAFE, SAFE, UNSAFE)),
    "way back": (replace(SWAPPING, way_back=WayBack("cur", "", hold=False)), "next", (SAFE, UNSAFE, UNSAFE)),
    "swapped": (Facts("mx", current="next", previous="cur", confirmed_at=AT), "next", (UNSAFE, SAFE, UNSAFE)),
    "retiring": (Facts("mx", current="next", previous="cur", confirmed_at=AT, retiring=True), "next", (UNSAFE, SAFE, UNSAFE)),
    "queued": (Facts("mx", current="next", previous="cur", confirmed_at=AT, queued="other"), "next", (UNSAFE, SAFE, UNSAFE)),
}  # fmt: skip


def world(phase: str) -> Scene:
    """Return a scene in a phase, where every set that a cache may hold matches every chain."""
    facts, presented, _ = PHASES[phase]
    scene = seen((answered(ee(*CHAINS.values())),), CHAINS[presented], since=0.0)
    file = FileView("postfix", "/etc/mx.pem", GENERATIONS[presented].chain.fingerprint, configured=True)
    return replace(
        scene,
        lineage=Lineage("mx", (SMTP,), consumers=("postfix",)),
        facts=replace(facts, owners=scene.facts.owners, generations=GENERATIONS),
        snapshot=replace(scene.snapshot, files={"postfix": file}),
    )


def run_would(scene: Scene, name: str) -> bool:
    """Whether the next act of `run` would put this generation into service, were it handed over now."""
    new = GENERATIONS[name]
    known = {one.id for one in (scene.current, scene.next, scene.previous) if one}
    fresh = replace(scene.facts, generations={key: one for key, one in GENERATIONS.items() if key in known})
    facts = scene.facts if name in known else apply(fresh, ev.Staged(new), AT)
    decision = decide(replace(scene, facts=facts))
    step = decision.step if isinstance(decision, Act) else None
    return isinstance(step, Deploy | RollBack) and step.generation == name


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("number", range(3), ids=list(CHAINS))
def test_no_phase_clears_what_run_would_not_do(phase: str, number: int) -> None:
    """Safe is what every service presents already, and what `run` would deploy; all else waits, with a reason and a remedy."""
    scene, name = world(phase), list(CHAINS)[number]
    found = ask(scene, candidate(*CHAINS[name]))
    assert found.word is PHASES[phase][2][number], found.reasons
    assert found.word is not SAFE or in_service(scene, GENERATIONS[name].chain) or run_would(scene, name)
    assert all(one.message and one.remedy for one in found.reasons)


def test_another_certificate_of_the_same_key_waits_for_the_swap_that_is_under_way() -> None:
    """Its record is there, and no sender would mind: run would still prove the one before, and take this one for a stranger."""
    again = (leaf(key="new", days=(-1, 300)).der(), ISSUER.der())
    assert ask(world("next"), candidate(*again)).word is SAFE
    assert ask(world("swapping"), candidate(*again)).word is UNSAFE
    assert ask(world("swapped"), candidate(*again)).word is UNSAFE


def test_the_hold_is_told() -> None:
    """With its reason, and with what ends it."""
    (reason,) = ask(world("held"), candidate(*NEW)).reasons
    assert HELD.reason in reason.message
    assert reason.remedy == HELD.remedy
