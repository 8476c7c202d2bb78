"""A lineage that comes to services which another one serves already: its file is written when every cache knows its record."""

from __future__ import annotations

from dataclasses import replace

from sim.story import POLICY, SERVICES, Story, generation

from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import safety
from tlsa_manager.rollover.joining import join
from tlsa_manager.rollover.steps import Install

TWO = (
    Lineage("rsa", SERVICES, "dns", ("postfix",), policy=POLICY),
    Lineage("ecdsa", SERVICES, "dns", ("second",), policy=POLICY),
)
NEW = "ecdsa/new"


def joining() -> Story:
    """RSA in service, ECDSA staged, its file read by nobody."""
    story = Story(lineages=TWO)
    story.begin(generation("old", kind="RSA"), lineage="rsa")
    story.world.unread.add("second")
    story.stage(generation("new"), lineage="ecdsa")
    story.run()
    return story


def asks(story: Story) -> bool:
    """Whether a person is asked to have the file read."""
    plan = story.memory.plan("ecdsa")
    return plan is not None and bool(plan.remedy) and "nothing reads it yet" in plan.why


def written(story: Story) -> bool:
    return bool(story.happened(ev.Installed, "ecdsa"))


def test_the_file_is_written_when_every_cache_knows_it_and_then_read() -> None:
    """Not before; until the server reads it nothing else happens; then it is in service, and both kinds keep their records."""
    story = joining()
    assert not written(story)
    published = story.world.now
    story.until(asks, within=20_000)
    assert written(story)
    assert story.world.now - published >= max(2 * story.fate.ttl, POLICY.cache_floor)
    assert story.facts("ecdsa").current == ""
    story.world.unread.clear()
    story.present(generation("new"), "ecdsa")
    story.until(lambda one: one.facts("ecdsa").current == NEW, within=20_000)
    both = {*generation("old", kind="RSA").records(TWO[0].params), *generation("new").records(TWO[1].params)}
    assert both <= story.world.standing(TWO[0].owners[0])


def test_the_veto_lets_a_file_be_written_only_while_nothing_reads_it() -> None:
    """Where the server reads it, to write it is to swap."""
    story = joining()
    story.until(asks, within=20_000)
    scene = story.engine.scene("ecdsa")
    assert safety.veto(Install(NEW, "second"), scene) == ""
    read = {name: replace(view, configured=True) for name, view in scene.snapshot.files.items()}
    assert safety.veto(Install(NEW, "second"), replace(scene, snapshot=replace(scene.snapshot, files=read)))


def test_where_no_other_lineage_serves_nothing_is_written_ahead() -> None:
    """A first certificate of all is not beside anything."""
    story = joining()
    story.until(asks, within=20_000)
    assert join(replace(story.engine.scene("ecdsa"), neighbours=())) is None
