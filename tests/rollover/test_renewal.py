"""When a certificate is ordered: by its life, by its authority's word, by its key, by what the configuration asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim.bench import Bench
from sim.story import generation

from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.order import Order, Renewal
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover import renewal
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.rollover.steps import Wait
from tlsa_manager.service import Service

HOST = "mx.example.org"
DAY = 86400.0
NOW = 1_000_000_000.0
LINEAGE = Lineage("one", (Service.parse(f"{HOST}:25"),), "dns", ("postfix",), issuer="le")


def certificate(
    name: str = "a", *, days: tuple[float, float] = (-1, 89), names: tuple[str, ...] = (HOST,), origin: str = "issuer.le"
) -> Generation:
    """Make a certificate with a key of its own for each name; `days` of its validity are relative to NOW."""
    made = generation(name)
    chain = replace(made.chain, not_after=NOW + days[1] * DAY)
    return replace(made, chain=chain, names=names, origin=origin, not_before=NOW + days[0] * DAY)


def after(*events: ev.Event, at: float = NOW - 10) -> Facts:
    """Return what is known after these events."""
    facts = Facts("one")
    for event in events:
        facts = apply(facts, event, at)
    return facts


def in_days(due: renewal.Due | None) -> float:
    """How many days from NOW on."""
    assert due is not None
    return round((due.at - NOW) / DAY, 6)


def test_without_a_certificate_one_is_ordered_at_once() -> None:
    """And never where nobody issues any."""
    assert renewal.due(LINEAGE, after(), NOW) == renewal.Due(NOW, "there is no certificate yet")
    assert renewal.due(replace(LINEAGE, issuer=""), after(), NOW) is None
    assert renewal.due(replace(LINEAGE, leaving=True), after(), NOW) is None


@pytest.mark.parametrize(
    ("days", "expected"), [((-1, 89), 59), ((-10, 80), 50), ((0, 10), 5), ((0, 6.66), 3.33), ((0, 10.5), 7), ((-89, 1), -29)]
)
def test_a_certificate_is_renewed_at_two_thirds_of_its_life(days: tuple[float, float], expected: float) -> None:
    """At half of it where it lives ten days or less."""
    facts = after(ev.Adopted(certificate(days=days)))
    assert in_days(renewal.due(LINEAGE, facts, NOW)) == pytest.approx(expected, abs=1e-4)


def test_a_certificate_of_unknown_age_is_renewed_a_month_before_its_end() -> None:
    """A third of the usual ninety days; and one whose end nobody knows is not judged by its life."""
    unknown = replace(certificate(), not_before=0.0)
    assert in_days(renewal.due(LINEAGE, after(ev.Adopted(unknown)), NOW)) == 59
    endless = replace(unknown, chain=replace(unknown.chain, not_after=0.0))
    assert renewal.due(LINEAGE, after(ev.Adopted(endless)), NOW) is None


def test_what_is_on_its_way_counts_and_not_what_is_in_service() -> None:
    """While the successor waits for caches nothing is ordered, however old the certificate in service is."""
    old, new = certificate(days=(-89, 1)), certificate("b")
    facts = after(ev.Adopted(old), ev.Staged(new))
    assert in_days(renewal.due(LINEAGE, facts, NOW)) == 59
    held = after(ev.Adopted(old), ev.Staged(new, "the kind of key changed"))
    assert in_days(renewal.due(LINEAGE, held, NOW)) == 59, "a person decides; another certificate would be held, too"
    waited = after(ev.Adopted(old), ev.Staged(certificate("b", days=(-62, 28))))
    assert in_days(renewal.due(LINEAGE, waited, NOW)) == -2, "what waited for most of its life is replaced"


@pytest.mark.parametrize(
    "events", [(ev.Deploying("b"),), (ev.Deploying("b"), ev.Deployed("b")), (ev.RollingBack("a", "why"),)], ids=str
)
def test_nothing_is_ordered_while_a_swap_is_being_proven(events: tuple[ev.Event, ...]) -> None:
    """One change at a time (RFC 7671 §8.4)."""
    facts = after(ev.Adopted(certificate(days=(-89, 1))), ev.Staged(certificate("b", names=())), *events)
    assert renewal.due(LINEAGE, facts, NOW) is None
    assert renewal.asked_for(LINEAGE, facts, NOW, take_over=True, insist=True) is None
    assert renewal.barred(LINEAGE, facts) == "a swap is being proven"


def test_a_stolen_key_that_is_being_replaced_is_not_disturbed() -> None:
    """And a stolen key that nothing replaces yet is followed by another at once."""
    a, b = certificate(), certificate("b")
    stolen = ev.Compromised((a.spki,))
    assert in_days(renewal.due(LINEAGE, after(ev.Adopted(a), stolen), NOW)) == 0
    assert renewal.due(LINEAGE, after(ev.Adopted(a), ev.Staged(b), replace(stolen, at_once=b.id)), NOW) is None


@pytest.mark.parametrize(
    ("names", "wanted", "lacking"),
    [
        ((HOST,), (), ""),
        (("MX.example.org.",), (), ""),
        (("*.example.org",), (), ""),
        (("*.example.org",), ("example.org",), "example.org"),
        ((HOST,), ("*.example.org",), "*.example.org"),
        ((HOST, "*.example.org"), ("*.example.org", "a.example.org"), ""),
        (("*.example.org",), ("a.b.example.org",), "a.b.example.org"),
        (("other.example.org", HOST), ("one.example.org", "two.example.org"), "one.example.org, two.example.org"),
    ],
)
def test_names_that_the_certificate_lacks_are_ordered_at_once(
    names: tuple[str, ...], wanted: tuple[str, ...], lacking: str
) -> None:
    """A wildcard stands for one whole label."""
    lineage, facts = replace(LINEAGE, names=wanted), after(ev.Adopted(certificate(names=names)))
    due = renewal.due(lineage, facts, NOW)
    assert due is not None
    assert due == renewal.Due(NOW, f"the certificate does not name {lacking}") if lacking else due.at > NOW


@pytest.mark.parametrize(
    ("origin", "issuer", "at_once"),
    [
        ("issuer.le", "le", False), ("issuer.other", "le", True), ("self-signed", "le", True), ("new key", "le", True),
        ("certbot", "le", False), ("found at /etc/x.pem", "le", False), ("found in the store", "le", False),
        ("self-signed", "self-signed", False), ("new key", "self-signed", False), ("issuer.le", "self-signed", True),
        ("certbot", "self-signed", False),
    ],
)  # fmt: skip
def test_another_issuer_in_the_configuration_is_asked_at_once(origin: str, issuer: str, at_once: bool) -> None:  # noqa: FBT001
    """What others brought is followed when most of its life is over."""
    facts = after(ev.Adopted(certificate(origin=origin)))
    due = renewal.due(replace(LINEAGE, issuer=issuer), facts, NOW)
    assert in_days(due) == (0 if at_once else 59)


def test_an_order_that_was_begun_is_gone_on_with() -> None:
    """Whatever else is due or not, until it is over."""
    order = Order("https://ca/dir", (HOST,), "k", url="https://ca/order/1")
    facts = after(ev.Adopted(certificate()), ev.Ordering(replace(order, url="")))
    assert in_days(renewal.due(LINEAGE, facts, NOW)) == 0
    facts = apply(facts, ev.Ordered(order), NOW)
    assert in_days(renewal.due(LINEAGE, facts, NOW)) == 0
    assert in_days(renewal.due(LINEAGE, apply(facts, ev.OrderEnded(order.url), NOW), NOW)) == 59


def test_a_key_has_a_schedule_of_its_own() -> None:
    """A young certificate is followed by one for the next key; not twice."""
    kept = replace(LINEAGE, keys=KeyPolicy(reuse=True, lifetime=30 * DAY))
    facts = after(ev.Adopted(certificate()), at=NOW - 10 * DAY)
    assert renewal.due(kept, facts, NOW) == renewal.Due(NOW + 20 * DAY, "its key has served as long as it may")
    with_next = apply(facts, ev.Staged(certificate("b")), NOW)
    assert in_days(renewal.due(kept, with_next, NOW)) == 59
    reuse = replace(LINEAGE, keys=KeyPolicy(reuse=True))
    assert in_days(renewal.due(reuse, facts, NOW)) == 59
    assert in_days(renewal.due(reuse, apply(facts, ev.KeyDue(), NOW), NOW)) == 59, "at the next renewal, not now"


def test_failures_wait_ten_times_as_long_each_time() -> None:
    """A minute, ten, a hundred, then a day; and never before the authority allows it."""
    facts, waits = after(), []
    for _ in range(6):
        facts = apply(facts, ev.Failed("issue", "no"), NOW)
        due = renewal.due(LINEAGE, facts, NOW)
        assert due is not None
        waits.append(due.at - NOW)
    assert waits == [60, 600, 6000, 60000, DAY, DAY]
    assert "the latest attempt failed: no" in due.why
    limited = apply(after(), ev.Failed("issue", "no", until=NOW + 7777), NOW)
    assert renewal.due(LINEAGE, limited, NOW) == replace(due, at=NOW + 7777)


def got(*, days: tuple[float, float] = (-80, 10), count: int = 1, every: float = 3600.0, hold: str = "") -> Facts:
    """Return what is known when the last of so many certificates has just come, a moment apart each, and is due already."""
    facts = after()
    for number in range(count):
        at = NOW - (count - 1 - number) * every
        made = certificate(f"a{number}", days=days, names=(HOST,))
        facts = apply(facts, ev.Staged(made, hold), at)
        facts = apply(facts, ev.OrderEnded("", "", "issuer.le", (HOST,)), at)
    return facts


@pytest.mark.parametrize(
    ("days", "count", "hours"),
    [
        ((-80, 10), 1, 24), ((-5, 1), 1, 14.4), ((-5, 1), 2, 24), ((-0.1, 0.02), 1, 1), ((-0.1, 0.02), 2, 2),
        ((-0.1, 0.02), 3, 4), ((-0.1, 0.02), 9, 24), ((-90, -1), 1, 24), ((-0.1, 0.4), 1, 3.6), ((0, 90), 1, 24 * 60),
    ],
)  # fmt: skip
def test_what_is_due_when_it_comes_is_followed_late(days: tuple[float, float], count: int, hours: float) -> None:
    """A tenth of its life later, an hour at least; twice as long each time, at most a day. One that came in time is as before."""
    due = renewal.due(LINEAGE, got(days=days, count=count), NOW)
    assert due is not None
    assert (due.at - NOW) / 3600 == pytest.approx(hours, abs=0.01)


def test_certificates_that_come_days_apart_are_counted_from_one() -> None:
    """And what a person did, or another key that is needed, is a new beginning."""
    assert in_days(renewal.due(LINEAGE, got(days=(-5, 1), count=3, every=2.5 * DAY), NOW)) == pytest.approx(0.6)
    facts = got()
    assert in_days(renewal.asked_for(LINEAGE, facts, NOW, take_over=False, insist=False)) == pytest.approx(-20)
    assert in_days(renewal.due(replace(LINEAGE, names=("new.example.org",)), facts, NOW)) == 0
    assert in_days(renewal.due(replace(LINEAGE, issuer="other"), facts, NOW)) == 0
    stolen = apply(facts, ev.Compromised((certificate("a0").spki,)), NOW)
    assert in_days(renewal.due(LINEAGE, stolen, NOW)) == 0
    for event in (ev.Released(), ev.KeyDue(), ev.Aborted("b"), ev.Aborted(facts.next)):
        due = renewal.due(LINEAGE, apply(facts, event, NOW), NOW)
        assert due is not None
        assert (due.at <= NOW) is (event != ev.Aborted("b")), event
    brought = apply(facts, ev.Staged(certificate("z", days=(-80, 10), origin="certbot")), NOW)
    assert in_days(renewal.due(LINEAGE, brought, NOW)) == pytest.approx(-20)
    order = Order("https://ca/dir", (HOST,), "k", url="https://ca/order/1")
    assert in_days(renewal.due(LINEAGE, apply(facts, ev.Ordered(order), NOW), NOW)) == 0, "what was begun is gone on with"
    assert in_days(renewal.due(LINEAGE, facts, NOW - 5 * DAY)) < 0, "the clock was set back"


def test_the_clock_takes_the_wait_with_it() -> None:
    """A day stays a day when somebody sets the clock."""
    facts = apply(got(), ev.ClockStepped(-300 * DAY), NOW - 300 * DAY)
    due = renewal.due(LINEAGE, facts, NOW - 300 * DAY + 60)
    assert due is not None
    assert facts.obtained is not None
    assert facts.obtained.at == NOW - 300 * DAY


def test_what_is_held_is_not_ordered_again() -> None:
    """Another one would be held, too; until a person has looked, or it is no more what is asked for."""
    facts = got(hold="its kind of key is another")
    for moment in (NOW, NOW + 5 * DAY, NOW + 500 * DAY):
        assert renewal.due(LINEAGE, facts, moment) is None
    assert in_days(renewal.asked_for(LINEAGE, facts, NOW, take_over=False, insist=True)) == 0
    assert in_days(renewal.due(LINEAGE, apply(facts, ev.Released(), NOW), NOW)) < 0
    assert in_days(renewal.due(replace(LINEAGE, names=("new.example.org",)), facts, NOW)) == 0


def test_the_word_of_the_authority_counts_for_a_day_or_half_of_the_life() -> None:
    """Trouble of its own: a day. A limit: half of what the certificate in service had left, all of it where there is none."""
    facts = after(ev.Adopted(certificate(days=(-61, 29))))
    trouble, limit = ev.Failed("issue", "no", until=NOW + 31 * DAY), ev.Failed("issue", "no", until=NOW + 31 * DAY, limited=True)
    assert in_days(renewal.due(LINEAGE, apply(facts, trouble, NOW), NOW)) == 1
    assert in_days(renewal.due(LINEAGE, apply(facts, limit, NOW), NOW)) == 14.5
    assert in_days(renewal.due(LINEAGE, apply(facts, replace(limit, until=NOW + 7 * DAY), NOW), NOW)) == 7
    assert in_days(renewal.due(LINEAGE, apply(after(), limit, NOW), NOW)) == 31
    ended = after(ev.Adopted(certificate(days=(-91, -1))))
    assert in_days(renewal.due(LINEAGE, apply(ended, limit, NOW), NOW)) == pytest.approx(1 / 24, abs=1e-4)


def test_a_proof_that_is_not_everywhere_is_looked_for_sooner() -> None:
    """No authority counts it: twice as long each time, at most an hour. Whichever failed, its own patience counts."""
    facts, waits = after(), []
    for _ in range(8):
        facts = apply(facts, ev.Failed("prove the names", "ns2 lacks it"), NOW)
        due = renewal.due(LINEAGE, facts, NOW)
        assert due is not None
        waits.append(due.at - NOW)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert "ns2 lacks it" in due.why
    both = apply(apply(after(), ev.Failed("issue", "no"), NOW), ev.Failed("prove the names", "ns2 lacks it"), NOW + 50)
    assert renewal.due(LINEAGE, both, NOW) == replace(due, at=NOW + 110)
    refused = apply(facts, ev.Failed("issue", "no"), NOW)
    assert list(refused.failures) == ["issue"], "then it was proven, or not even asked for"
    assert not apply(facts, ev.OrderEnded("", "it is too old"), NOW).failures


def test_an_order_that_is_gone_on_with_keeps_its_proofs() -> None:
    """One that has a name at an authority, where somebody asks it again."""
    order = Order("https://ca/dir", (HOST,), "k", url="https://ca/order/1")
    facts = after(ev.Ordered(order))
    assert renewal.goes_on(LINEAGE, facts)
    assert not renewal.goes_on(LINEAGE, after())
    assert not renewal.goes_on(LINEAGE, after(ev.Ordering(replace(order, url=""))))
    for change in ({"issuer": ""}, {"issuer": "self-signed"}, {"leaving": True}):
        assert not renewal.goes_on(replace(LINEAGE, **change), facts)  # type: ignore[arg-type]  by name


def test_who_asks_overrides_our_patience_but_not_the_word_of_the_authority() -> None:
    """Unless somebody insists."""

    def asked(facts: Facts, *, insist: bool = False, take_over: bool = False) -> renewal.Due | None:
        return renewal.asked_for(LINEAGE, facts, NOW, take_over=take_over, insist=insist)

    failed = apply(after(), ev.Failed("issue", "no"), NOW)
    assert in_days(asked(failed)) == 0
    limited = apply(after(), ev.Failed("issue", "too many", until=NOW + DAY), NOW)
    assert asked(limited) == renewal.Due(NOW + DAY, "the authority does not want to be asked earlier: too many")
    assert in_days(asked(limited, insist=True)) == 0
    young = after(ev.Adopted(certificate()))
    assert (in_days(asked(young)), in_days(asked(young, take_over=True)), in_days(asked(young, insist=True))) == (59, 59, 0)
    brought = after(ev.Adopted(certificate(origin="certbot")))
    assert (in_days(asked(brought)), in_days(asked(brought, take_over=True))) == (59, 0)


def test_the_moment_in_the_window_is_chosen_once() -> None:
    """By chance, anywhere in it; asked again it stays while it is inside, and moves when the window does (RFC 9773 §4.2)."""
    one = certificate()
    window = (NOW + 10 * DAY, NOW + 20 * DAY)
    first = renewal.chosen(one, window, None, chance=0.25, ask_again=NOW + DAY)
    assert first == Renewal(one.id, NOW + 12.5 * DAY, "its authority asks for it", NOW + DAY)
    again = renewal.chosen(one, window, first, chance=0.9, ask_again=NOW + 2 * DAY, why="see https://ca/incident")
    assert (again.at, again.ask_again) == (first.at, NOW + 2 * DAY)
    assert again.why == "its authority asks for it: see https://ca/incident"
    moved = renewal.chosen(one, (NOW - 2 * DAY, NOW - DAY), again, chance=0.5, ask_again=NOW)
    assert moved.at == NOW - 1.5 * DAY, "a window that is over is now"
    other = renewal.chosen(certificate("b"), window, first, chance=0.9, ask_again=NOW)
    assert other.at == NOW + 19 * DAY, "another certificate has a moment of its own"
    assert renewal.chosen(one, (NOW + 88 * DAY, NOW + 89 * DAY), None, chance=0.0, ask_again=NOW).at == NOW + 80 * DAY


def test_the_planned_moment_counts_for_its_certificate_only() -> None:
    """The next one is judged by its own life until its authority was asked."""
    one, two = certificate(), certificate("b", days=(0, 90))
    facts = after(ev.Adopted(one), ev.RenewalPlanned(Renewal(one.id, NOW + 5 * DAY, "asked")))
    assert renewal.due(LINEAGE, facts, NOW) == renewal.Due(NOW + 5 * DAY, "asked")
    assert in_days(renewal.due(LINEAGE, apply(facts, ev.Staged(two), NOW), NOW)) == 60


def test_the_authority_is_asked_about_its_own_certificate_in_service() -> None:
    """At first, then whenever it said; never about what it did not make, or what is replaced already."""
    one = certificate()
    facts = after(ev.Adopted(one))
    assert renewal.asks(LINEAGE, facts, NOW)
    planned = apply(facts, ev.RenewalPlanned(Renewal(one.id, NOW + 5 * DAY, "asked", NOW + DAY)), NOW)
    assert [renewal.asks(LINEAGE, planned, at) for at in (NOW, NOW + DAY - 1, NOW + DAY)] == [False, False, True]
    assert not renewal.asks(LINEAGE, apply(facts, ev.Staged(certificate("b")), NOW), NOW)
    assert not renewal.asks(LINEAGE, after(), NOW)
    assert not renewal.asks(LINEAGE, after(ev.Adopted(certificate(origin="certbot"))), NOW)
    assert not renewal.asks(replace(LINEAGE, issuer="self-signed"), after(ev.Adopted(certificate(origin="self-signed"))), NOW)


def test_an_order_that_failed_does_not_have_the_lineage_looked_at_more_often() -> None:
    """It is in the way of nothing; `status` tells of it by itself."""
    made = Bench(replace(LINEAGE, consumers=(), keys=KeyPolicy(next_key=False)))
    one = certificate()
    made.happen(-DAY, ev.Adopted(one))
    made.present(one.chain)
    made.serve(one.chain.records(), 3600, owner=LINEAGE.owners[0])
    made.look(0)
    calm = made.decision
    made.happen(1, ev.Failed("issue", "no"), ev.Failed("remove the proofs", "no"))
    made.look(0)
    assert made.decision == calm
    assert isinstance(calm, Wait)
    assert calm.until == made.lineage.policy.check_interval
