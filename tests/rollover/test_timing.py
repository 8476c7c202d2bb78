"""The timing cases T1 to T22, through note, apply and decide with looks at exact moments.

k = 2, F = 7200, M = 600. The expected numbers are worked out here by hand, not by the functions under test.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim.bench import Bench
from sim.story import generation

from tlsa_manager.lineage import Lineage
from tlsa_manager.policy import Policy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import timing
from tlsa_manager.rollover.note import clock_step
from tlsa_manager.rollover.state import Phase, phase
from tlsa_manager.rollover.steps import Act, Deploy, Publish, Record, Retire, RollBack, Wait
from tlsa_manager.security import Security
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Witness
from tlsa_manager.tlsa import Tlsa

A, B, C = generation("a"), generation("b"), generation("c")
OLD, NEXT = A.chain.records(), B.chain.records()
BOTH = OLD | NEXT
MINUTE, HOUR, DAY = 60, 3600, 86400
POLICY = Policy(ttl_multiplier=2.0, cache_floor=7200.0, margin=600.0)
NONE = frozenset[Tlsa]()
OWNER = "_25._tcp.mx.example.org."


def bench(*services: str, ttl: int = HOUR, started: bool = True, standing: frozenset[Tlsa] = OLD) -> Bench:
    """A is current and has stood in DNS for ever; B was staged and its record sent at t0 = 0."""
    names = services or ("mx.example.org:25",)
    made = Bench(Lineage("one", tuple(Service.parse(one) for one in names), "dns", ("postfix",), policy=POLICY))
    made.happen(-DAY, ev.Adopted(A))
    made.present(A.chain)
    for owner in made.lineage.owners:
        made.serve(standing, ttl, owner=owner)
        if standing:
            made.happen(-DAY, ev.Publishing(owner, tuple(standing)))
    made.look(-1)
    if started:
        made.happen(0, ev.Staged(B))
        for owner in made.lineage.owners:
            made.happen(0, ev.Publishing(owner, tuple(NEXT)), ev.Published(owner, tuple(NEXT)))
    return made


def reasons(made: Bench) -> str:
    """Everything that is in the way."""
    assert isinstance(made.decision, Wait)
    return "; ".join([made.decision.why, *(one.reason for one in made.decision.blockers)])


def test_t1_two_ttls_and_the_margin_after_the_last_server_was_new() -> None:
    """TTL 3600, all servers new at 00:00:20: 02:10:20."""
    made = bench()
    made.serve(BOTH, HOUR)
    decision = made.look(20)
    assert isinstance(decision, Wait)
    assert decision.due == 2 * HOUR + 10 * MINUTE + 20
    assert phase(made.lineage, made.facts, 21) is Phase.WAITING
    assert made.swaps_at(2 * HOUR + 10 * MINUTE + 20)


def test_t2_the_slowest_server_starts_the_clock() -> None:
    """The same, but ns3 is new only at 06:00:00: 08:10:00."""
    made = bench()
    made.serve(OLD, HOUR, on=("ns3",))
    made.serve(BOTH, HOUR, on=("ns1", "ns2"))
    assert made.look(20).due is None  # type: ignore[union-attr]
    assert "ns3 (192.0.2.2) lacks 3 1 1" in reasons(made)
    assert not isinstance(made.look(6 * HOUR - 1), Act)
    made.serve(BOTH, HOUR, on=("ns3",))
    made.look(6 * HOUR)
    assert made.swaps_at(8 * HOUR + 10 * MINUTE)


def test_t3_the_ttl_of_the_authority_counts_and_not_what_a_recursor_has_left_of_it() -> None:
    """The recursor shows 117, the authority 14400: T_pub + 28800 + 600."""
    made = bench(ttl=14400)
    name = made.serve(BOTH, 14400)
    name.witness = Witness("192.0.2.53", validates=True, security=Security.SECURE, records=OLD)
    made.look(20)
    name.witness = Witness("192.0.2.53", validates=True, security=Security.SECURE, records=BOTH)
    assert made.swaps_at(20 + 28800 + 600)


def test_a_resolver_that_still_holds_the_old_set_holds_the_swap() -> None:
    """What our own validating resolver hands out is first-hand proof of a cache that is not ready, whatever the clock says."""
    made = bench(ttl=14400)
    name = made.serve(BOTH, 14400)
    name.witness = Witness("192.0.2.53", validates=True, security=Security.SECURE, records=OLD)
    made.look(20)
    assert not made.swaps_at(20 + 28800 + 600)


def test_t4_the_old_ttl_counts_and_not_the_new_one() -> None:
    """The old set had 86400, the new one 300: T_pub + 172800 + 600."""
    made = bench(ttl=DAY)
    made.serve(BOTH, 300)
    made.look(20)
    assert made.swaps_at(20 + 172800 + 600)


def test_t5_of_mixed_ttls_the_largest_counts_and_they_are_reported() -> None:
    """The old set had {300, 7200}: T_pub + 14400 + 600, and a warning."""
    made = bench(started=False)
    made.serve(OLD, 300, on=("ns1",))
    made.serve(OLD, 7200, on=("ns2",))
    made.look(-0.5)
    assert timing.mixed(one.ttl for one in made.facts.owners[OWNER].served) == (300, 7200)
    made.happen(0, ev.Staged(B))
    made.serve(BOTH, 300)
    made.look(20)
    assert made.swaps_at(20 + 14400 + 600)
    assert timing.mixed([300, 300]) == ()


def test_t6_a_first_set_of_current_and_next_needs_no_cache_wait() -> None:
    """No set before: both go out at once, then the swap; effective everywhere after the negative TTL."""
    made = bench(ttl=HOUR, started=False, standing=NONE)
    made.happen(0, ev.Staged(B))
    decision = made.look(0)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Publish)
    assert decision.step.add == BOTH
    made.happen(0, ev.Publishing(OWNER, tuple(BOTH)), ev.Published(OWNER, tuple(BOTH)))
    made.serve(BOTH, 300)
    decision = made.look(20)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Deploy)
    assert timing.effective_everywhere_at(20, 3600) == 20 + 3600


def test_t6_a_first_set_of_current_alone_is_waited_for_with_its_own_ttl() -> None:
    """{cur} was published alone with TTL 14400: the normal rule."""
    made = bench(started=False, standing=NONE)
    made.serve(OLD, 14400)
    made.look(10)
    made.happen(11, ev.Staged(B))
    made.serve(BOTH, 14400)
    made.look(20)
    assert made.swaps_at(20 + 28800 + 600)


def test_t7_a_small_ttl_does_not_shorten_the_wait_below_the_floor() -> None:
    """TTL 60: T_pub + 7200 + 600."""
    made = bench(ttl=60)
    made.serve(BOTH, 60)
    made.look(20)
    assert made.swaps_at(20 + 7200 + 600)


def test_t8_an_old_answer_restarts_the_clock() -> None:
    """New at 00:20, ns2 old again at 00:40, new from 00:45: the clock runs from 00:45."""
    made = bench()
    made.serve(BOTH, HOUR)
    made.look(20)
    made.serve(OLD, HOUR, on=("ns2",))
    assert made.look(40).due is None  # type: ignore[union-attr]
    made.serve(BOTH, HOUR, on=("ns2",))
    made.look(45)
    assert made.swaps_at(45 + 7200 + 600)


def test_t9_a_silent_server_is_never_ready_and_is_named() -> None:
    """ns4 times out since t0."""
    made = bench()
    made.serve(BOTH, HOUR)
    made.serve(None, 0, on=("ns4",))
    for moment in (20, 8000, 30 * DAY):
        decision = made.look(moment)
        assert isinstance(decision, Wait)
        assert decision.due is None
        assert "ns4 (192.0.2.2) does not answer" in reasons(made)


def alias(made: Bench, target: str) -> None:
    """The owner is an alias with TTL 86400."""
    made.names[OWNER].target = target
    made.names[OWNER].alias_ttl = DAY


def test_a_name_server_that_was_taken_out_is_asked_as_long_as_resolvers_remember_it() -> None:
    """ns2 never got the new set and is removed from the NS set (TTL 86400): T_pub is the end of that day, not the removal."""
    made = bench(ttl=HOUR)
    name = made.serve(BOTH, HOUR, on=("ns1",))
    name.ns_ttl = DAY
    made.look(20)
    del name.answers["ns2"]
    made.look(60)
    assert made.swaps_at(60 + DAY + 7200 + 600)


def test_t10_behind_an_alias_that_stays_only_the_ttl_of_the_target_counts() -> None:
    """CNAME TTL 86400 to a target of TTL 300 that changes: T_pub + 7200 + 600."""
    made = bench(ttl=300, started=False)
    alias(made, "tlsa.example.net.")
    made.look(-0.9)
    made.happen(0, ev.Staged(B))
    made.serve(BOTH, 300)
    made.look(20)
    assert made.swaps_at(20 + 7200 + 600)


@pytest.mark.parametrize("heard", [True, False])
def test_t11_when_the_alias_is_pointed_elsewhere_its_own_ttl_counts(heard: bool) -> None:  # noqa: FBT001
    """T_pub + 172800 + 600, also if a server was silent at that moment; and nothing is removed at the old target."""
    made = Bench(Lineage("one", (Service.parse("mx.example.org:25"),), "dns", ("postfix",), policy=POLICY))
    made.happen(-DAY, ev.Adopted(A), ev.Publishing("old.example.net.", tuple(OLD)))
    made.present(A.chain)
    made.serve(OLD, 300)
    alias(made, "old.example.net.")
    made.look(-1)
    made.happen(0, ev.Staged(B))
    made.serve(BOTH, 300)
    alias(made, "new.example.net.")
    if not heard:
        made.serve(None, 0, on=("ns2",))
        made.look(10)
        made.serve(BOTH, 300, on=("ns2",))
    decision = made.look(20)
    assert isinstance(decision, Wait)
    assert made.swaps_at(20 + 172800 + 600)
    assert made.facts.ours["old.example.net."] == OLD


def test_t12_the_latest_of_several_owners_decides() -> None:
    """:25 TTL 3600 new at 00:00:20, :587 TTL 300 new at 03:00:00: 05:10:00."""
    made = bench("mx.example.org:25", "mx.example.org:587")
    late = "_587._tcp.mx.example.org."
    made.serve(OLD, 300, owner=late)
    made.look(-0.5)
    made.serve(BOTH, HOUR)
    made.serve(BOTH, 300, on=("ns1",), owner=late)
    made.look(20)
    made.look(2 * HOUR + 10 * MINUTE + 20)
    assert "lacks 3 1 1" in reasons(made)
    made.serve(BOTH, 300, owner=late)
    made.look(3 * HOUR)
    assert made.swaps_at(5 * HOUR + 10 * MINUTE)


def test_t13_a_signature_that_ends_inside_the_wait_is_named_at_once_and_stops_the_swap() -> None:
    """RRSIG on ns1 ends 01:00:00 after t0, TTL 3600: reported from the first look on, no due moment, no swap."""
    made = bench()
    name = made.serve(BOTH, HOUR)
    name.signed_until["ns1"] = 3600.0
    decision = made.look(20)
    assert isinstance(decision, Wait)
    assert decision.due is None
    assert "the signatures of ns1 (192.0.2.0) end in 3580 s, before the wait does" in reasons(made)
    assert not isinstance(made.look(2 * HOUR + 10 * MINUTE + 20), Act)
    name.signed_until["ns1"] = 7820.0 + DAY - 1  # and at the swap there has to be a day left
    assert not isinstance(made.look(7820), Act)
    name.signed_until["ns1"] = 7820.0 + DAY
    assert isinstance(made.look(7820), Act)


def test_t14_a_clock_that_was_stepped_back_restarts_the_wait() -> None:
    """Two hours back at 01:00:00 of waiting: what counts is the first look after it."""
    assert clock_step((3600.0, "boot", 5000.0), (3600.0 - 7200 + 60, "boot", 5060.0)) == -7200.0
    made = bench()
    made.serve(BOTH, HOUR)
    made.look(20)
    made.happen(-3540, ev.ClockStepped(-7200.0))
    assert made.look(-3540).due == -3540 + 7200 + 600  # type: ignore[union-attr]
    assert made.swaps_at(-3540 + 7200 + 600)


def test_t14_a_clock_that_is_slewed_or_a_new_boot_is_no_step() -> None:
    """NTP may slew; after a boot only a clock behind the last look is known to be wrong."""
    assert clock_step(None, (1.0, "x", 1.0)) == 0.0
    assert clock_step((100.0, "x", 10.0), (161.0, "x", 70.0)) == 0.0
    assert clock_step((100.0, "x", 10.0), (1000.0, "y", 5.0)) == 0.0
    assert clock_step((100.0, "x", 10.0), (40.0, "y", 5.0)) == -60.0
    assert clock_step((100.0, "x", 10.0), (400.0, "x", 70.0)) == 240.0


def test_t15_a_third_key_in_the_middle_is_queued() -> None:
    """While B waits, C is staged: B stays next, the records of C are not wanted."""
    made = bench()
    made.serve(BOTH, HOUR)
    made.look(20)
    made.happen(30, ev.Staged(C))
    assert (made.facts.next, made.facts.queued) == ("b", "c")
    assert made.swaps_at(2 * HOUR + 10 * MINUTE + 20)


def swapped(*addresses: str) -> Bench:
    """The swap was done at 7820; these addresses present B, 192.0.2.3 cannot be reached."""
    made = bench()
    made.present(A.chain, at=("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    made.serve(BOTH, HOUR)
    made.look(20)
    assert isinstance(made.look(7820), Act)
    made.happen(7820, ev.Deploying("b", (A.chain.fingerprint,)), ev.Deployed("b"))
    made.present(B.chain, at=addresses)
    return made


def test_t16_one_host_of_three_cannot_be_reached_after_the_swap() -> None:
    """Not confirmed, nothing is retired; when the limit is over the former certificate is put back and the host named."""
    made = swapped("192.0.2.1", "192.0.2.2")
    made.present(Outcome.UNREACHABLE, at=("192.0.2.3",))
    decision = made.look(7830)
    assert isinstance(decision, Wait)
    assert "192.0.2.3" in reasons(made)
    assert phase(made.lineage, made.facts, 7830) is Phase.SWAPPING
    assert isinstance(made.look(7820 + POLICY.confirm_within - 1), Wait)
    decision = made.look(7820 + POLICY.confirm_within)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, RollBack)
    assert "192.0.2.3" in decision.why


def confirmed() -> Bench:
    """Every address presents B, at 7830."""
    made = swapped("192.0.2.1", "192.0.2.2", "192.0.2.3")
    decision = made.look(7830)
    assert decision == Record((ev.Confirmed("b"),), "every service presents the new certificate")
    made.happen(7830, ev.Confirmed("b"))
    return made


def test_t17_ten_minutes_after_the_swap_the_way_back_is_immediate() -> None:
    """Both digests are in every cache: no wait of any kind."""
    made = confirmed()
    made.look(7830 + 10 * MINUTE)
    made.happen(7830 + 10 * MINUTE, ev.RollingBack("a", "the operator asked for it"))
    decision = made.look(7830 + 10 * MINUTE)
    assert isinstance(decision, Act)
    assert decision.step == RollBack("a", "the operator asked for it", hold=True)


def test_t18_after_the_retirement_the_way_back_is_a_new_rollover() -> None:
    """R = max(2·TTL, 24 h) after the last service was new, the old record goes; then A waits as any new key does."""
    made = confirmed()
    assert not isinstance(made.look(7830 + DAY - 1), Act)
    decision = made.look(7830 + DAY)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Retire)
    assert decision.step.remove == OLD
    over = 7830 + DAY
    made.happen(over, ev.Retiring(OWNER, tuple(OLD)), ev.Retired(OWNER, tuple(OLD)))
    made.serve(NEXT, HOUR)
    made.look(over + 10)
    made.happen(over + 10, ev.Finished("a"), ev.Promoted("a"))
    decision = made.look(over + 20)
    assert isinstance(decision, Act)
    assert isinstance(decision.step, Publish)
    assert decision.step.add == OLD
    made.happen(over + 20, ev.Publishing(OWNER, tuple(OLD)), ev.Published(OWNER, tuple(OLD)))
    made.serve(BOTH, HOUR)
    made.look(over + 30)
    assert made.swaps_at(over + 30 + 7200 + 600)


def test_t19_the_predicted_deferral_of_an_emergency() -> None:
    """No standby, TTL 3600, new everywhere at 00:00:30: until 01:00:30, or 02:00:30 where caches raise TTLs."""
    assert timing.deferred_until(30, HOUR, POLICY) == (HOUR + 30, 2 * HOUR + 30)


def test_t20_a_short_lived_certificate_that_fits_but_closely_is_warned_of() -> None:
    """80 h left, TTL 86400, lag 5 min: 48 h 15 min are needed, 31 h 45 min spare."""
    assert timing.fit(80 * HOUR, 5 * MINUTE, DAY, POLICY) == (timing.Verdict.WARN, 31 * HOUR + 45 * MINUTE)
    assert timing.fit(80 * HOUR, 5 * MINUTE, HOUR, POLICY)[0] is timing.Verdict.FITS


def test_t21_a_ttl_that_no_short_lived_certificate_survives_is_an_error() -> None:
    """The same with TTL 172800: 96 h 15 min are more than 80 h."""
    assert timing.fit(80 * HOUR, 5 * MINUTE, 2 * DAY, POLICY) == (timing.Verdict.ERROR, -(16 * HOUR + 15 * MINUTE))


def test_t22_lowering_the_ttl_helps_rollovers_that_start_after_the_old_ttl_has_run_out() -> None:
    """86400 lowered to 3600 at 0: before 172800 + 600 the old TTL counts for what is published, afterwards the new one."""
    made = bench(ttl=DAY, started=False)
    made.serve(OLD, HOUR)
    made.look(0)
    early = replace(made.facts)
    made.happen(1000, ev.Staged(B))
    made.serve(BOTH, HOUR)
    made.look(1000)
    assert made.swaps_at(2 * DAY + 600), "the set with the old TTL has been gone since the TTL was lowered"
    made.facts = early
    made.serve(OLD, HOUR)
    made.look(2 * DAY + 600)
    made.happen(2 * DAY + 600, ev.Staged(B))
    made.serve(BOTH, HOUR)
    made.look(2 * DAY + 700)
    assert made.swaps_at(2 * DAY + 700 + 7200 + 600)


def test_a_validating_resolver_that_disagrees_holds_the_swap() -> None:
    """Our own chain of trust says secure, the second witness bogus: one of them is wrong, so nothing is swapped."""
    made = bench()
    made.serve(BOTH, HOUR)
    made.look(20)
    made.names[OWNER].witness = Witness("192.0.2.53", validates=True, security=Security.BOGUS, records=None, reason="EDE 6")
    assert not isinstance(made.look(7820), Act)
    assert "the resolver 192.0.2.53 calls" in reasons(made)
    made.names[OWNER].witness = Witness("192.0.2.53", validates=False)
    assert isinstance(made.look(7820), Act)
