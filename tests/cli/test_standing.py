"""What `status` says of a step that failed: once, with when it is tried again, what to do, and what mail does meanwhile."""

from __future__ import annotations

from dataclasses import replace

from tlsa_manager.chain import Chain, Digests
from tlsa_manager.cli.key_text import how_far
from tlsa_manager.cli.standing import lines, summary, value
from tlsa_manager.cli.when import clock
from tlsa_manager.lineage import Generation, Key, Lineage
from tlsa_manager.order import Order, Token
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover.ahead import Ahead
from tlsa_manager.rollover.facts import CachedSet, Facts, Failure, Hold, OwnerFacts
from tlsa_manager.rollover.plan import NEWS, Plan
from tlsa_manager.rollover.state import Phase, Spread
from tlsa_manager.rollover.steps import Blocker
from tlsa_manager.service import Service
from tlsa_manager.wiring import Standing

NOW = 1_800_000_000.0
REFUSED = "the server does not accept the key (BADKEY), so nothing was changed"
HINT = "give the server the same key file:\n    update-policy { grant ours. name x TLSA; };"


def standing() -> Standing:
    lineage = Lineage("mx.example.org", (Service("mx.example.org", 25, "smtp"),), "dns", ("postfix",))
    chain = Chain((Digests("aa", "aa", "aa", "aa"),), "ECDSA")
    found = tuple(Generation(name, chain) for name in ("old", "new"))
    facts = replace(
        Facts("mx.example.org"), generations={one.id: one for one in found}, current="old", next="new",
        failures={"publish x": Failure(1, NOW, REFUSED, HINT)},
    )  # fmt: skip
    blockers = (Blocker("publish x", f"publish x failed: {REFUSED}"), Blocker("x", "ns1 lacks the record"))
    plan = Plan(NOW + 60, f"publish x failed: {REFUSED} (and 1 more)", "", blockers, None, (NOW, "", 0.0))
    return Standing(lineage, facts, Phase.PUBLISHING, plan)


def test_a_failure_is_told_once_with_its_next_attempt_and_remedy() -> None:
    """No sentence twice; a remedy of several lines is indented; it is said that mail goes on."""
    text = "\n".join(line for line, _ in lines(standing(), NOW))
    assert text.count(REFUSED) == 1, text
    assert text.count("update-policy") == 1
    assert "publish x failed once; tried again" in text
    assert "(in 1 min)" in text
    assert "until then the current certificate stays in service" in text
    assert all(line.startswith("  ") for line in text.splitlines()[1:])


def test_the_timer_s_log_has_the_remedy_in_one_line() -> None:
    """A log line is a line."""
    text, _ = summary(standing())
    assert "to do: give the server the same key file:" in text
    assert "\n" not in text


def test_a_remedy_stands_beside_its_cause() -> None:
    """Where something else is waited for than what failed, one line names the failure before its remedy; two have one each."""
    before = standing()
    waits = replace(before, plan=Plan(NOW + 60, "pdns.key is open to others", "", (), None, (NOW, "", 0.0)))
    text, _ = summary(waits)
    assert f"pdns.key is open to others; publish x failed: {REFUSED}; to do: give the server" in text
    two = {"publish y": Failure(1, NOW - 9, "the zone is frozen", "thaw it"), **before.facts.failures}
    waits = replace(waits, facts=replace(before.facts, failures=two))
    shown = said(waits).splitlines()
    for reason, remedy in ((REFUSED, "to do: give the server"), ("the zone is frozen", "to do: thaw it")):
        cause = next(number for number, line in enumerate(shown) if reason in line)
        assert remedy in shown[cause + 1], shown
    assert (
        "is frozen; to do: thaw it"
        in summary(replace(waits, plan=Plan(NOW, "publish y: the zone is frozen", "", (), None, (NOW, "", 0.0))))[0]
    )


def test_what_fails_at_several_names_has_one_remedy() -> None:
    """Its lines are for one of the names, and say that the others want the same."""
    before = standing()
    two = {"publish y": Failure(1, NOW - 9, REFUSED, HINT.replace("name x", "name y")), **before.facts.failures}
    text = said(replace(before, facts=replace(before.facts, failures=two)))
    assert text.count("update-policy") == 1
    assert "publish y failed once" in text


def test_what_nobody_has_looked_at_is_in_no_phase() -> None:
    """A lineage without a run is not stable."""
    before = standing()
    unseen = replace(before, facts=Facts("mx.example.org"), phase=Phase.STABLE, plan=None)
    assert said(unseen).startswith("mx.example.org: not looked at yet\n")
    assert summary(unseen)[0] == "mx.example.org: not looked at yet"
    assert value(unseen)["why"] == "not looked at yet"


def said(standing: Standing) -> str:
    """All lines as one text."""
    return "\n".join(line for line, _ in lines(standing, NOW))


def calm(keys: KeyPolicy, **facts: object) -> Standing:
    """A lineage in peace, with what is known of its keys and orders besides."""
    before = standing()
    lineage = replace(before.lineage, keys=keys)
    known = replace(before.facts, next="", failures={}, **facts)  # type: ignore[arg-type]
    return replace(before, lineage=lineage, facts=known, phase=Phase.STABLE, plan=None, at=NOW)


KEY = Key("20270101T000000Z-bbbbbbbb", "bb" * 32, "bb" * 64, "ECDSA", "ecdsa-p256")


def test_a_next_key_that_every_cache_knows_is_ready() -> None:
    """Since when, and that a certificate for it needs no wait."""
    lineage = standing().lineage
    both = frozenset(KEY.records(lineage.params))
    former = CachedSet(frozenset(), 3600, gone_since=NOW - 9 * 3600)
    owners = {one: OwnerFacts(one, (CachedSet(both, 3600), former), complete=True, since=NOW - 1e6) for one in lineage.owners}
    found = calm(KeyPolicy(next_key=True), standby=KEY, owners=owners)
    assert "next key: 20270101T000000Z-bbbbbbbb (ecdsa-p256) 3 1 1 bbbbbbbbbbbbbbbb...; every cache knows its record" in said(
        found
    )
    assert "a certificate for it needs no wait\n" in said(found)
    told = value(found)["next_key"]
    assert (told["ready"], told["spread"], told["ahead"]) == (True, "omnipresent", True)


def test_a_next_key_on_its_way_to_the_caches_says_when_they_will_know_it() -> None:
    """One sentence after another, in words that need no dictionary."""
    found = Ahead(Spread.RUMOURED, NOW - 30, NOW + 6)
    assert how_far(found, NOW) == (
        f"its record was published {clock(NOW - 30, NOW)}; every cache will know it from {clock(NOW + 6, NOW)} on"
    )
    assert how_far(replace(found, usable_at=None), NOW).endswith(", but not every server is known to have it")
    assert how_far(Ahead(Spread.RUMOURED), NOW) == "not every server is known to have its record"


def test_the_key_of_a_certificate_on_its_way_is_not_told_twice() -> None:
    """Nor said to be not published ahead, a line after its records were."""
    coming = Generation("b", Chain((Digests("bb" * 32, "bb" * 64, KEY.spki_sha256, KEY.spki_sha512),), "ECDSA"))
    known = calm(KeyPolicy(next_key=False), standby=KEY)
    text = said(replace(known, facts=replace(known.facts, generations={"b": coming}, current="", next="b")))
    assert f"next key: {KEY.id}, for which the certificate is that is on its way" in text
    assert (text.count("bbbbbbbbbbbbbbbb..."), "not published ahead" in text) == (1, False)


def test_a_next_key_is_asked_for_and_not_there_yet() -> None:
    """The next run makes it; without a word for it nothing is said."""
    assert "next key: there is none yet; the next run makes one" in said(calm(KeyPolicy(next_key=True)))
    assert "next key" not in said(calm(KeyPolicy()))
    assert "not published ahead" in said(calm(KeyPolicy(next_key=False), standby=KEY))


def test_when_the_key_in_service_is_replaced() -> None:
    """After its lifetime, when told, or at the next renewal because somebody asked."""
    since = NOW - 86400
    assert "stays over renewals until you say otherwise" in said(calm(KeyPolicy(reuse=True), key_since=since))
    lifetime = calm(KeyPolicy(reuse=True, lifetime=10 * 86400.0), key_since=since)
    assert "is replaced at the next renewal from" in said(lifetime)
    assert value(lifetime)["key"]["due"] == "2027-01-24T08:00:00.000Z"
    due = calm(KeyPolicy(reuse=True), key_since=since, key_due=True)
    assert "(1 d ago), and is replaced at the next renewal\n" in said(due)
    assert value(due)["key"]["at_renewal"] is True


def test_an_order_and_a_lineage_that_leaves() -> None:
    """What is going on besides a rollover."""
    order = Order("https://ca.example/dir", ("mx.example.org",), KEY.id, url="https://ca.example/order/1", at=NOW - 60)
    found = calm(KeyPolicy(), order=order, vanished_at=NOW - 3600)
    text = said(replace(found, lineage=replace(found.lineage, leaving=True)))
    assert "a certificate for mx.example.org is being ordered since" in text
    assert "https://ca.example/order/1" in text
    assert "to be given up: nothing presents it since" in text
    told = value(found)
    assert (told["order"]["url"], told["order"]["key"]) == ("https://ca.example/order/1", KEY.id)
    assert (told["order"]["expires"], told["proofs"]) == (None, [])


def test_what_an_order_waits_for() -> None:
    """The server that lacks a proof, or the record that a person has to add, and what to do, the latest trouble first."""
    order = Order("https://ca.example/dir", ("mx.example.org",), KEY.id, url="https://ca.example/order/1", at=NOW - 60)
    token = Token("_acme-challenge.mx.example.org.", "example.org.", "A" * 43)
    failures = {
        "issue": Failure(1, NOW - 900, "no", "ask"),
        "prove the names": Failure(2, NOW - 60, "ns2 lacks it", "Add it\nthere"),
    }
    found = calm(KeyPolicy(), order=order, tokens=frozenset({token}))
    lineage = replace(found.lineage, issuer="ca")
    found = replace(found, lineage=lineage, facts=replace(found.facts, failures=failures))
    text = said(found)
    assert f'_acme-challenge.mx.example.org. "{token.value}"' in text
    assert "prove the names failed 2 times: ns2 lacks it; tried again" in text
    assert "to do: Add it\n    there" in text
    assert value(found)["proofs"] == [{"name": token.target, "zone": token.zone, "value": token.value}]


def test_what_is_waited_for_is_told_once() -> None:
    """Where the plan names the first of several things, all are listed; a hold that the plan tells is not repeated."""
    before = standing()
    blockers = (Blocker("x", "ns1 lacks the record"), Blocker("y", "caches may hold the former set", until=NOW + 60))
    plan = Plan(NOW + 60, "caches may hold the former set (and 1 more)", "", blockers, None, (NOW, "", 0.0))
    text = said(replace(before, plan=plan, facts=replace(before.facts, failures={})))
    assert (text.count("caches may hold"), text.count("ns1 lacks")) == (1, 1), text
    held = Hold("the kind of key changed", "say so", NOW, "new")
    plan = Plan(NOW + 60, held.reason, held.remedy, (), None, (NOW, "", 0.0))
    text = said(replace(before, plan=plan, facts=replace(before.facts, failures={}, hold=held), phase=Phase.HELD))
    assert text.count(held.reason) == 1, text


def test_that_something_happened_since_the_latest_look_is_said_last() -> None:
    """It is no news for the first line, nor for the log."""
    found = calm(KeyPolicy())
    found = replace(found, plan=Plan(NOW, NEWS, "", (), None, (NOW, "", 0.0)))
    assert said(found).endswith("  " + NEWS)
    assert said(found).count(NEWS) == 1
    assert summary(found)[0] == "mx.example.org: stable"
