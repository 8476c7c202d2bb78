"""The forecast is the engine's own word: it swaps and retires when the rules say, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.forecast import SUPPOSED, Forecast, foresee
from tlsa_manager.lineage import Generation, Key, Lineage
from tlsa_manager.policy import DAY, HOUR, MINUTE, KeyPolicy, Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.service import Service

NOW = 1_800_000_000.0
MX = Lineage("mx", (Service.parse("mx.example.org:25"), Service.parse("mx.example.org:465")), "ns1", ("postfix",))


def generation(name: str, kind: str = "ECDSA") -> Generation:
    """Make a generation out of its name."""
    return Generation(name, Chain((Digests.of(name.encode(), name.encode() + b" key"),), kind))


def folded(*events: ev.Event, lineage: Lineage = MX, at: float = NOW - 30 * DAY) -> Facts:
    """Fold events that happened long ago."""
    facts = Facts(lineage.name)
    for event in events:
        facts = apply(facts, event, at)
    return facts


def published(one: Generation, ttl: int, lineage: Lineage = MX) -> list[ev.Event]:
    """Say that the records of a generation stand at every owner, and are ours."""
    records = tuple(sorted(one.records(lineage.params)))
    return [
        event
        for owner in lineage.owners
        for event in (
            ev.RecordsAdopted(owner, records),
            ev.Seen(owner, owner, NOW - 30 * DAY, (ev.ServedSet(records, ttl),), complete=True),
        )
    ]


def when(forecast: Forecast, kind: type) -> float:
    """When the first event of a kind would happen, seconds from now."""
    return next(turn.at for turn in forecast.turns if isinstance(turn.event, kind)) - NOW


@pytest.mark.parametrize("ttl", [60, 3600, 86400])
def test_a_stable_lineage_is_told_what_a_renewal_would_bring(ttl: int) -> None:
    """Publish now; swap after max(2·TTL, 2 h) + 10 min; remove after max(2·TTL, 24 h); then it is over."""
    old = generation("old")
    forecast = foresee({"mx": MX}, {"mx": folded(ev.Adopted(old), *published(old, ttl))}, "mx", NOW)
    assert forecast.supposed
    assert not forecast.stop
    wait = max(2 * ttl, 2 * HOUR) + 10 * MINUTE
    assert when(forecast, ev.Published) == pytest.approx(0, abs=1)
    assert when(forecast, ev.Deployed) == pytest.approx(wait, abs=5)
    assert when(forecast, ev.Retired) - when(forecast, ev.Confirmed) == pytest.approx(max(2 * ttl, DAY), abs=5)
    assert isinstance(forecast.turns[-1].event, ev.Finished)
    assert any(isinstance(turn.event, ev.Deployed) and turn.event.generation == SUPPOSED for turn in forecast.turns)
    assert any(turn.event is None and turn.due for turn in forecast.turns)


def test_no_name_server_is_taken_out_by_a_forecast() -> None:
    """What was served until now ends with the next look, not when resolvers forget the servers: they stay in the forecast.

    So it is where every wait has just begun again, or a next key was just replaced.
    """
    old, gone = generation("old"), generation("gone")
    facts = folded(ev.Adopted(old))
    for owner in MX.owners:
        for records in ((*old.records(MX.params), *gone.records(MX.params)), tuple(old.records(MX.params))):
            sets = (ev.ServedSet(tuple(sorted(records)), 60),)
            seen = ev.Seen(owner, owner, NOW - 60, sets, complete=True, addresses=("192.0.2.53", "192.0.2.54"), ns_ttl=86400)
            facts = apply(facts, seen, NOW - 60)
    facts = apply(facts, ev.Unwatched(5000.0), NOW - 1)
    forecast = foresee({"mx": MX}, {"mx": facts}, "mx", NOW)
    assert when(forecast, ev.Deployed) == pytest.approx(2 * HOUR + 10 * MINUTE, abs=5)
    assert not any("taken out" in turn.why for turn in forecast.turns)


def test_a_rollover_in_the_middle_goes_on_from_where_it_is() -> None:
    """What caches hold already is remembered: the swap comes when they have forgotten it."""
    old, new = generation("old"), generation("new")
    facts = folded(ev.Adopted(old), *published(old, 3600))
    facts = apply(facts, ev.Staged(new), NOW - HOUR)
    both = tuple(sorted(old.records(MX.params) | new.records(MX.params)))
    for owner in MX.owners:
        facts = apply(facts, ev.Published(owner, tuple(new.records(MX.params))), NOW - HOUR)
        seen = ev.Seen(owner, owner, NOW - HOUR, (ev.ServedSet(both, 3600),), complete=True)
        facts = apply(facts, seen, NOW - HOUR)
    forecast = foresee({"mx": MX}, {"mx": facts}, "mx", NOW)
    assert not forecast.supposed
    assert when(forecast, ev.Deployed) == pytest.approx(HOUR + 10 * MINUTE, abs=5)


def test_a_held_lineage_says_what_a_person_has_to_do() -> None:
    """No timeline can be given; the remedy can."""
    old, new = generation("old"), generation("new", "RSA")
    facts = folded(ev.Adopted(old), *published(old, 3600), ev.Staged(new, "the kind of key changed", "rollover start"))
    forecast = foresee({"mx": MX}, {"mx": facts}, "mx", NOW)
    assert forecast.stop
    assert not any(isinstance(turn.event, ev.Deployed) for turn in forecast.turns)


def test_the_timing_of_the_lineage_is_obeyed() -> None:
    """A laboratory's seconds as well as a week."""
    quick = Lineage("mx", MX.services, "ns1", ("postfix",), policy=Policy(cache_floor=4, margin=1, rollback_window=3))
    old = generation("old")
    forecast = foresee({"mx": quick}, {"mx": folded(ev.Adopted(old), *published(old, 2, quick))}, "mx", NOW)
    assert when(forecast, ev.Deployed) == pytest.approx(5, abs=1)
    assert when(forecast, ev.Finished) == pytest.approx(9, abs=2)


def test_two_lineages_on_the_same_services() -> None:
    """The other one's key stays published and presented."""
    rsa, ecdsa = generation("rsa", "RSA"), generation("ecdsa")
    twin = Lineage("twin", MX.services, "ns1", ("other",))
    records = tuple(sorted(rsa.records(MX.params) | ecdsa.records(MX.params)))
    seen = [ev.Seen(owner, owner, NOW - DAY, (ev.ServedSet(records, 60),), complete=True) for owner in MX.owners]
    known = {
        "mx": folded(
            ev.Adopted(ecdsa), *(ev.RecordsAdopted(owner, tuple(ecdsa.records(MX.params))) for owner in MX.owners), *seen
        ),
        "twin": folded(ev.Adopted(rsa), *seen, lineage=twin),
    }
    forecast = foresee({"mx": MX, "twin": twin}, known, "mx", NOW)
    assert isinstance(forecast.turns[-1].event, ev.Finished)
    removed = {record for turn in forecast.turns if isinstance(turn.event, ev.Retired) for record in turn.event.remove}
    assert removed == ecdsa.records(MX.params)


def with_next_key(old: Generation, lineage: Lineage, *, known_since: float = NOW - 20 * DAY) -> Facts:
    """A lineage with a next key beside the current one."""
    key = Key("k", *(generation("next").chain.leaf.spki_sha256, generation("next").chain.leaf.spki_sha512), "ECDSA")
    facts = folded(ev.Adopted(old), *published(old, 3600), ev.Prepared(key), lineage=lineage)
    both = tuple(sorted(old.records(lineage.params) | key.records(lineage.params)))
    for owner in lineage.owners:
        facts = apply(facts, ev.RecordsAdopted(owner, both), known_since)
        facts = apply(facts, ev.Seen(owner, owner, known_since, (ev.ServedSet(both, 3600),), complete=True), known_since)
    return facts


def test_a_next_key_that_every_cache_knows_needs_no_waiting() -> None:
    """The supposed renewal is for the next key: in service at once; then another next key is made and published."""
    lineage = replace(MX, keys=KeyPolicy(next_key=True))
    forecast = foresee({"mx": lineage}, {"mx": with_next_key(generation("old"), lineage)}, "mx", NOW)
    assert forecast.supposed
    assert when(forecast, ev.Deployed) == pytest.approx(0, abs=5)
    assert when(forecast, ev.Prepared) == pytest.approx(0, abs=10)


def test_a_next_key_published_a_moment_ago_is_waited_for() -> None:
    """What is left of its wait, and no more."""
    lineage = replace(MX, keys=KeyPolicy(next_key=True))
    facts = with_next_key(generation("old"), lineage, known_since=NOW - HOUR)
    forecast = foresee({"mx": lineage}, {"mx": facts}, "mx", NOW)
    assert when(forecast, ev.Deployed) == pytest.approx(HOUR + 10 * MINUTE, abs=5)


def test_a_renewal_that_keeps_the_key_needs_no_waiting_and_no_record() -> None:
    """reuse-key: the record stands already; nothing is published, and nothing removed."""
    lineage = replace(MX, keys=KeyPolicy(reuse=True))
    old = generation("old")
    forecast = foresee({"mx": lineage}, {"mx": folded(ev.Adopted(old), *published(old, 3600))}, "mx", NOW)
    assert when(forecast, ev.Deployed) == pytest.approx(0, abs=5)
    assert not any(isinstance(turn.event, (ev.Published, ev.Retired)) for turn in forecast.turns)


def test_a_key_that_is_due_is_waited_for_although_keys_are_reused() -> None:
    """key-lifetime is over, and there is no next key: the whole wait."""
    lineage = replace(MX, keys=KeyPolicy(reuse=True, lifetime=10 * DAY))
    old = generation("old")
    forecast = foresee({"mx": lineage}, {"mx": folded(ev.Adopted(old), *published(old, 3600))}, "mx", NOW)
    assert when(forecast, ev.Deployed) == pytest.approx(2 * HOUR + 10 * MINUTE, abs=5)
