"""What is exported: everything that may stand there now, and nothing that a run has not asked for; unknown is never absent."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pki import pair

from tlsa_manager.keys import load_pair
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.service import Service
from tlsa_manager.tlsa import DANE_EE_SPKI_SHA256, Tlsa
from tlsa_manager.verbs.exported import exported, sharers

if TYPE_CHECKING:
    from tlsa_manager.rollover.events import Event
    from tlsa_manager.tlsa import RRset

HOST = "mx.example.org"
OWNER = "_25._tcp.mx.example.org."
AT = time.time()
FOREIGN = Tlsa.parse("2 1 1 " + "f" * 64)


def lineage(name: str = "mx", *services: str) -> Lineage:
    return Lineage(name, tuple(Service.parse(one) for one in services or (f"{HOST}:25",)), Policy())


def generation(number: int) -> Generation:
    chain, key = pair(HOST)
    return Generation(f"g{number}", load_pair(chain, key).chain, names=(HOST,))


OLD, NEW, OTHER = (generation(number) for number in range(3))


def record(one: Generation) -> Tlsa:
    (found,) = one.records((DANE_EE_SPKI_SHA256,))
    return found


def seen(*records: Tlsa, owner: str = OWNER, target: str = "", complete: bool = True, ttl: int = 600) -> ev.Seen:
    zone = (target or owner).partition(".")[2] if target else "example.org."
    return ev.Seen(owner, target or owner, AT, (ev.ServedSet(records, ttl),), complete, zone=zone)


def facts(*events: Event, name: str = "mx") -> Facts:
    known = Facts(name)
    for event in events:
        known = apply(known, event, AT)
    return known


def one(*shares: tuple[Lineage, Facts], zone: str = "") -> tuple[RRset, RRset, RRset]:
    """What is exported, what of it is ours, and what is asked to go, where there is one name."""
    (found,) = exported(shares, [shares[0][0].name], zone)
    assert not found.problem
    return found.set.records, found.set.own, found.set.gone


def rollover() -> list[tuple[Event, set[Tlsa]]]:
    """A rollover by hand, event by event, with what is exported after each; DNS is changed some time after it was asked for."""
    old, new = record(OLD), record(NEW)
    both = {old, new, FOREIGN}
    return [
        (ev.Adopted(OLD), set()),
        (seen(old, FOREIGN), {old, FOREIGN}),
        (ev.RecordsAdopted(OWNER, (old,)), {old, FOREIGN}),
        (ev.Staged(NEW), {old, FOREIGN}),  # wanted: whether it may be added is decided by a run
        (ev.Publishing(OWNER, (new,)), both),
        (ev.Published(OWNER, (new,), asked=True), both),
        (seen(old, new, FOREIGN), both),
        (ev.Deploying(NEW.id), both),
        (ev.Deployed(NEW.id), both),
        (ev.Confirmed(NEW.id), both),
        (ev.Retiring(OWNER, (old,)), both),  # nobody was asked yet
        (ev.Retired(OWNER, (old,), asked=True), {new, FOREIGN}),
        (seen(new, FOREIGN), {new, FOREIGN}),
        (ev.Retired(OWNER, (old,), proven=True), {new, FOREIGN}),
        (ev.Finished(OLD.id), {new, FOREIGN}),
    ]


def test_at_every_moment_of_a_rollover() -> None:
    """Ours when it was asked for, the old one until its removal was asked for, foreign records always."""
    known: list[Event] = []
    for event, wanted in rollover():
        known.append(event)
        (found,) = exported([(lineage(), facts(*known))], ["mx"])
        assert (found.set.records if not found.problem else frozenset()) == wanted, event
    assert found.set.ttl == 600


def test_what_is_wanted_and_not_asked_for_yet_is_told() -> None:
    """A run may find that it must not be added at all: then what is presented would have no match."""
    known = facts(seen(), ev.Staged(NEW))
    (found,) = exported([(lineage(), known)], ["mx"])
    assert (found.set.records, found.pending) == (frozenset(), {record(NEW)})
    assert found.set.ttl == Policy().ttl


def test_a_record_that_is_wanted_again_is_not_asked_to_go() -> None:
    """After the way back the old record stays, whoever was asked to remove it."""
    old = record(OLD)
    known = facts(ev.Adopted(OLD), ev.RecordsAdopted(OWNER, (old,)), seen(old), ev.Retired(OWNER, (old,), asked=True))
    assert one((lineage(), known)) == ({old}, {old}, frozenset())


def test_what_was_given_up_and_never_published_is_not() -> None:
    """An aborted rollover leaves a record that is ours, wanted by nobody and nowhere: it is not brought back."""
    old, new = record(OLD), record(NEW)
    known = facts(ev.Adopted(OLD), seen(old), ev.Staged(NEW), ev.Publishing(OWNER, (new,)), ev.Aborted(NEW.id))
    assert one((lineage(), known))[0] == {old}
    assert one((lineage(), apply(known, seen(old, new), AT)))[0] == {old, new}, "it was published after all: a run removes it"


@pytest.mark.parametrize("known", [(), (seen(FOREIGN, complete=False),), (seen(FOREIGN), seen(complete=False))])
def test_unknown_is_not_absent(known: tuple[Event, ...]) -> None:
    """Not looked at, or one server silent or unsigned: the name is told with its reason, and must not be used."""
    (found,) = exported([(lineage(), facts(ev.Adopted(OLD), *known))], ["mx"])
    assert found.problem
    assert OWNER in found.problem


def test_lineages_that_share_a_name_are_exported_together() -> None:
    """RSA beside ECDSA: asking for one gives the records of both, and what one wants the other cannot remove."""
    rsa, ecdsa = record(OLD), record(OTHER)
    mine = facts(ev.Adopted(OLD), seen(rsa, ecdsa), ev.Publishing(OWNER, (rsa,)), ev.Retired(OWNER, (ecdsa,), asked=True))
    theirs = facts(ev.Adopted(OTHER), seen(rsa, ecdsa), ev.Publishing(OWNER, (ecdsa,)), name="ecdsa")
    shares = ((lineage(), mine), (lineage("ecdsa"), theirs), (lineage("far", "far.example.org:25"), Facts("far")))
    assert one(*shares) == ({rsa, ecdsa}, {rsa, ecdsa}, frozenset())
    assert sharers(shares, ["mx"]) == ("mx", "ecdsa")
    (found,) = exported(shares, ["mx"])
    assert found.lineages == ("mx", "ecdsa")


def test_several_owners_that_lead_to_one_name_are_one() -> None:
    """Aliases: one set, at the name where they lead, in its zone, with all of them named."""
    target, owners = "_dane.example.net.", (OWNER, "_465._tcp.mx.example.org.")
    known = facts(ev.Adopted(OLD), *(seen(record(OLD), owner=owner, target=target) for owner in owners))
    both = lineage("mx", f"{HOST}:25", f"{HOST}:465")
    (found,) = exported([(both, known)], ["mx"])
    assert (found.set.name, found.set.zone, set(found.set.owners)) == (target, "example.net.", set(owners))
    one_silent = apply(known, seen(owner=owners[1], target=target, complete=False), AT)
    (found,) = exported([(both, one_silent)], ["mx"])
    assert owners[1] in found.problem


def test_only_the_names_in_a_zone() -> None:
    """Where it is known, the zone of a name counts; where it is not, the word of who asks."""
    known = facts(ev.Adopted(OLD), seen(record(OLD)))
    assert exported([(lineage(), known)], ["mx"], "org.") == ()
    assert exported([(lineage(), known)], ["mx"], "example.net.") == ()
    owner = replace(known.owners[OWNER], zone="")
    (found,) = exported([(lineage(), replace(known, owners={OWNER: owner}))], ["mx"], "mx.example.org.")
    assert found.set.zone == "mx.example.org."
