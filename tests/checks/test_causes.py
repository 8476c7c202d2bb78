"""Outages with a cause that is easily mistaken, each with the one finding that is critical, and remedies that end them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from checks.chance import BOGUS, INSECURE, SECURE, Mail, shown
from checks.made import HOST, NOW, codes, finding, hashed, presented, right
from checks.places import GOOD, ZONE, answer, case, lookup, unknown
from checks.test_laws import lines, ways
from checks.test_server import met, seen
from tlsa_manager.checks import examine
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import judge
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Conversation, Outcome, OwnerView, Presentation
from tlsa_manager.surroundings import Alias
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.checks.case import Case

WRONG = hashed(b"of another key")
GOOD_CHAIN, OTHER, STRANGER, EXPIRED, _ALONE, _SHORT, RSA = range(7)


def mail(*records: Tlsa, chain: int = GOOD_CHAIN, rsa: bool = False) -> Mail:
    return Mail(((frozenset(records), SECURE),) * 2, (shown()[chain],), shown()[RSA] if rsa else ())


def critical(one: Mail) -> list[str]:
    return sorted({each.code for each in examine(one.case()) if each.severity is Severity.CRITICAL})


def followed(one: Mail, code: str) -> Mail:
    """Return the mail after the remedies of one code, the first of two ways where there are two."""
    steps = [lines(each.remedy.partition("; or ")[0]) for each in examine(one.case()) if each.code == code]
    assert steps
    publish, remove = (frozenset[Tlsa]().union(*parts) for parts in zip(*steps, strict=True))
    return one.changed(publish, remove)


def anchor(params: str = "2 1 1") -> Tlsa:
    return right(params, place=1)


# What is critical


@pytest.mark.parametrize(("chain", "code"), [(EXPIRED, "F-TAEXP"), (STRANGER, "F-TANAME")])
def test_a_mistake_beside_an_anchor_that_does_not_help(chain: int, code: str) -> None:
    """The anchor is sent, and dates or names are wrong: that is critical. The mistaken record is not said to be saved by it."""
    one = mail(hashed(shown()[chain][0]), anchor(), chain=chain)
    assert one.case().outcome is Delivery.DEFER
    assert critical(one) == [code]
    mistake = finding(one.case(), "F-SEL01")
    assert mistake.severity is Severity.ERROR
    assert "held back all the same" in mistake.consequence
    assert followed(one, code).case().outcome is Delivery.AUTH


def test_two_mistakes_are_one_outage() -> None:
    """Of two records that are wrong in different ways one is the critical cause, and the other an error."""
    one = mail(hashed(b""), Tlsa(2, 1, 1, right().data))
    assert len(critical(one)) == 1
    assert sorted(codes(one.case())[code] for code in ("F-EMPTY", "F-EEASCA")) == ["critical", "error"]


@pytest.mark.parametrize(
    ("first", "second", "state", "expected"),
    [
        ({WRONG}, {hashed(b"x")}, SECURE, ["F-STALE"]),
        ({WRONG}, set(), SECURE, ["F-STALE"]),
        ({right()}, {WRONG}, SECURE, ["F-SECSYNC"]),
        ({right()}, {hashed(b"x", "3 1 2")}, SECURE, ["F-AGILITY"]),
        ({right()}, {WRONG}, BOGUS, ["F-SIGBAD"]),
        ({right()}, {WRONG}, INSECURE, []),
        ({WRONG}, {WRONG}, INSECURE, ["F-STALE"]),
        ({WRONG}, {right()}, INSECURE, ["F-STALE"]),
    ],
)
def test_servers_that_differ(first: set[Tlsa], second: set[Tlsa], state: tuple[object, object], expected: list[str]) -> None:
    """Servers that differ are the cause only where all records together would do; what an unsigned server says saves nobody."""
    one = Mail(((frozenset(first), SECURE), (frozenset(second), state)), (presented(),))  # type: ignore[arg-type]  states of chance
    assert critical(one) == expected
    assert (one.case().outcome is Delivery.DEFER) == bool(expected)
    assert ("F-SECSYNC" in codes(one.case())) == (first != second)


def test_a_silent_server_beside_a_bogus_one() -> None:
    """Resolvers go on from a server that is away; the one that answers wrongly is what holds mail back."""
    silent = unknown(Cause.SILENT, n=2, serial=None)
    made = case(answer(GOOD, Security.BOGUS, cause=Cause.SIGNATURE_BAD, reason="bad"), silent)
    found = codes(made)
    assert (found["F-SIGBAD"], found["F-NSDOWN"]) == ("critical", "warning")


@pytest.mark.parametrize("alias", [False, True])
def test_one_host_of_two_without_an_address(*, alias: bool) -> None:
    """Senders go on to the next: an error. Where it is the only one nothing arrives: critical."""
    aliases = (Alias("gone.example.org.", "nowhere.example.org.", ZONE, Security.SECURE),) if alias else ()
    gone = [lookup("gone.example.org.", kind, aliases=aliases) for kind in ("A", "AAAA")]
    code = "F-CNAME-DANGLE" if alias else "F-NOHOST"
    both = lookup("example.org.", "MX", f"10 {HOST}.", "20 gone.example.org.")
    alone = lookup("example.org.", "MX", "20 gone.example.org.")
    made = case(answer(), target="example.org", lookups=(both, *gone))
    assert (made.outcome, codes(made)[code]) == (Delivery.AUTH, "error")
    made = case(answer(), target="example.org", lookups=(alone, *gone))
    assert (made.outcome, codes(made)[code]) == (Delivery.DEFER, "critical")


# Two base domains


BEHIND, OWN = "_25._tcp.host.example.org.", f"_25._tcp.{HOST}."


def two_bases(behind: Tlsa, own: Tlsa) -> Case:
    """Make the case of a host that is an alias, with records at both names."""
    target = "host.example.org."
    alias = (Alias(HOST + ".", target, ZONE, Security.SECURE, 300),)
    addresses = [
        lookup(HOST + ".", kind, *values, aliases=alias, target=target) for kind, values in (("A", ["192.0.2.1"]), ("AAAA", []))
    ]
    view = OwnerView(BEHIND, BEHIND, ZONE, NOW, (answer(frozenset({behind})),))
    return case(answer(frozenset({own})), lookups=addresses, owners=(view,))


def test_the_set_that_matches_is_kept() -> None:
    """The records at the name behind the alias count. Where those at the alias match instead they are to be kept: critical."""
    made = two_bases(WRONG, right())
    one = finding(made, "F-CNAME-BASE")
    assert made.outcome is Delivery.DEFER
    assert [code for code, severity in codes(made).items() if severity == "critical"] == ["F-CNAME-BASE"]
    assert f"Keep the records at {OWN}; remove those at {BEHIND}" in one.remedy
    made = two_bases(right(), WRONG)
    one = finding(made, "F-CNAME-BASE")
    assert (made.outcome, one.severity) == (Delivery.AUTH, Severity.ERROR)
    assert f"Keep the records at {BEHIND}; remove those at {OWN}" in one.remedy


def test_neither_set_matches() -> None:
    """Nothing is to be removed before one of them is right."""
    made = two_bases(WRONG, hashed(b"x"))
    one = finding(made, "F-CNAME-BASE")
    assert one.remedy.startswith(f"Publish the right records at {BEHIND}")
    assert one.severity is Severity.ERROR
    assert codes(made)["F-STALE"] == "critical"


# Remedies


@pytest.mark.parametrize("code", ["F-STALE", "F-ALGDIFF", "F-TYPO", "F-CAASEE", "F-EMPTY", "F-SEL01", "F-TAEXP", "F-TANAME"])
def test_both_digests_are_published(code: str) -> None:
    """Where SHA-512 stands beside SHA-256 senders with agility go by it alone: the remedy gives both."""
    digest = right().data
    old = [hashed(b"old"), hashed(b"old", "3 1 2")]
    one = {
        "F-STALE": mail(*old),
        "F-ALGDIFF": mail(right(), right("3 1 2"), rsa=True),
        "F-TYPO": mail(old[1], Tlsa(3, 1, 1, ("0" if digest[0] != "0" else "1") + digest[1:])),
        "F-CAASEE": mail(old[1], Tlsa(3, 1, 1, anchor().data)),
        "F-EMPTY": mail(hashed(b""), hashed(b"", "3 1 2")),
        "F-SEL01": mail(hashed(presented()[0]), hashed(presented()[0], "3 1 2")),
        "F-TAEXP": mail(*old, anchor(), chain=EXPIRED),
        "F-TANAME": mail(*old, anchor(), chain=STRANGER),
    }[code]
    assert critical(one) == [code]
    publish = [line for each in examine(one.case()) if each.code == code for line in lines(each.remedy)[0]]
    assert {1, 2} <= {line.matching for line in publish}
    assert one.changed(frozenset(publish), frozenset()).case().outcome is Delivery.AUTH


def test_the_form_that_works_is_kept() -> None:
    """Of one digest under two labels the one that senders use stays."""
    one = mail(Tlsa(0, 1, 1, anchor().data), anchor())
    assert f"keep: _25._tcp.{HOST}. 3600 IN TLSA {anchor()}" in finding(one.case(), "F-DUP").remedy
    assert followed(one, "F-DUP").case().outcome is Delivery.AUTH


@pytest.mark.parametrize(
    ("code", "records", "rsa"),
    [
        ("F-DUP", ("3 1 1", "3 0 1", "old"), False),
        ("F-FULL", ("3 1 0", "old"), False),
        ("F-30ACME", ("3 0 1", "old"), False),
        ("F-COMBO", ("3 1 1", "RSA"), True),
    ],
)
def test_what_is_needed_is_not_removed_before_its_successor_stands(code: str, records: tuple[str, ...], *, rsa: bool) -> None:
    """A record that alone matches, or matches for senders with agility or for one kind of key, goes last or not at all."""
    chain = presented(days=(-30, 60))
    made = {"old": hashed(b"old", "3 1 2"), "RSA": right("3 0 1", presented("RSA"))}
    wanted = frozenset(made[word] if word in made else right(word, chain) for word in records)
    one = Mail(((wanted, SECURE),) * 2, (chain,), presented("RSA") if rsa else ())
    assert one.case().outcome is Delivery.AUTH
    found = list(ways(each for each in examine(one.case()) if each.code == code))
    assert found
    for words, publish, remove in found:
        assert one.changed(publish, remove).case().outcome is Delivery.AUTH, words


# How TLS begins


def test_connections_that_fail_at_times() -> None:
    """One connection in two that breaks off, or is refused, is mail that waits: critical, and never nothing."""
    good, broken = seen("192.0.2.1", "any", presented()), Presentation("192.0.2.1", "any", Outcome.FAILED, reason="reset")
    made = met(case(answer()), good, broken)
    assert (made.outcome, codes(made)["F-454"]) == (Delivery.DEFER, "critical")
    refused = Presentation("192.0.2.1", "any", Outcome.UNREACHABLE, reason="refused", refused=True)
    made = met(case(answer()), good, refused)
    assert (made.outcome, codes(made)["F-UNREACH"]) == (Delivery.DEFER, "critical")


def test_a_server_that_talks_to_nobody() -> None:
    """What defers all mail is critical: a greeting with an error, or the only address refusing connections."""
    said = (Conversation("192.0.2.1", "554 go away"),)
    made = met(case(answer()), Presentation("192.0.2.1", "any", Outcome.FAILED, reason="554"), conversations=said)
    assert (made.outcome, codes(made)["F-UNREACH"]) == (Delivery.DEFER, "critical")
    refused = Presentation("192.0.2.1", "any", Outcome.UNREACHABLE, reason="refused", refused=True)
    made = met(case(answer()), refused)
    assert (made.outcome, codes(made)["F-UNREACH"]) == (Delivery.DEFER, "critical")
    made = met(case(answer()), refused, seen("192.0.2.2", "any", presented()))
    assert (made.outcome, codes(made)["F-UNREACH"]) == (Delivery.AUTH, "warning")


def test_mail_that_is_forwarded_is_accepted() -> None:
    """251 takes the recipient as 250 does (RFC 5321 §3.4)."""
    said = (Conversation("192.0.2.1", offers=(True,), plain=251, plain_said="2.1.5 will forward"),)
    assert codes(met(case(answer()), seen("192.0.2.1", "any", presented()), conversations=said))["F-PLAIN"] == "notice"


def test_a_service_that_is_vouched_for() -> None:
    """With probe = false nothing is seen: that is told."""
    made = case(answer())
    (stop,) = made.route.stops
    service = Service(stop.service.host, 25, "smtp", (), probe=False)
    route = replace(made.route, stops=(replace(stop, service=service),))
    snapshot = replace(made.snapshot, services={})
    vouched = replace(made, route=route, snapshot=snapshot, verdicts=judge(route, snapshot))
    assert codes(vouched)["F-VOUCHED"] == "notice"
    assert "F-VOUCHED" not in codes(made)
