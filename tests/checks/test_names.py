"""Checks of names on cases made by hand, and the questions that they need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.made import HOST, NOW, codes, finding, right
from checks.places import GOOD, INSECURE, OWNER, SECURE, ZONE, answer, case, lookup, unknown
from tlsa_manager.checks.questions import questions
from tlsa_manager.household import Household
from tlsa_manager.lineage import Lineage
from tlsa_manager.rollover.facts import Facts, Sent
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Cause
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.service import Service
from tlsa_manager.snapshot import OwnerView
from tlsa_manager.surroundings import Alias
from tlsa_manager.target import Target
from tlsa_manager.tlsa import Tlsa

NONE = frozenset[Tlsa]()
OTHER = Tlsa.parse("3 1 1 " + "ab" * 32)
BARE = answer(NONE, exists=False)
MX = lookup("example.org.", "MX", f"10 {HOST}.")


def view(name: str, *answers: object) -> OwnerView:
    return OwnerView(name, name, ZONE, NOW, answers)  # type: ignore[arg-type]  the test knows what it gives


def home(**facts: object) -> Household:
    lineage = Lineage("home", (Service.parse(f"{HOST}:25"),))
    return Household(lineage, Facts("home", **facts), Phase.STABLE)  # type: ignore[arg-type]  handed through


def asked(*answers: object, target: str = f"{HOST}:25", thorough: bool = False, **more: object) -> set[tuple[str, str]]:
    made = case(*answers, target=target, **more)  # type: ignore[arg-type]  handed through
    return set(questions(made.route, made.snapshot, made.target, thorough=thorough))


def test_few_questions_where_all_is_well() -> None:
    """Three for a host with records, one more for its domain."""
    beside = {(f"_tcp.{HOST}.", "A"), (f"_99999._tcp.{HOST}.", "TLSA"), (f"*.{HOST}.", "TLSA")}
    assert asked(answer()) == beside
    assert asked(answer(), target="example.org", lookups=(MX,)) == beside | {("_smtp._tls.example.org.", "TXT")}
    assert (f"_smtp._tls.{HOST}.", "TXT") in asked(answer(), thorough=True)


def test_wrong_names_only_where_records_are_missed() -> None:
    """Where a signed host has none; not where the zone is unsigned or nothing is known, unless all is wanted."""
    wrong = (f"25._tcp.{HOST}.", "TLSA")
    assert wrong in asked(BARE)
    assert (f"{OWNER}{ZONE}", "TLSA") in asked(BARE)
    assert ("_25._tcp.example.org.", "TLSA") in asked(BARE, target="example.org", lookups=(MX,))
    assert wrong not in asked(answer())
    assert wrong not in asked(answer(NONE, INSECURE, cause=Cause.NO_DS))
    assert wrong in asked(answer(NONE, INSECURE, cause=Cause.NO_DS), thorough=True)
    assert wrong not in asked(unknown(Cause.SILENT))
    assert wrong not in asked(BARE, unknown(Cause.SILENT, n=2))  # that one may have them


def test_no_questions_about_names_that_are_only_names() -> None:
    """Where the operator tells the address the name need not be one of DNS."""
    made = case(answer())
    stop = made.route.stops[0]
    stranger = replace(stop, service=replace(stop.service, connect=("127.0.0.1",)))
    assert not questions(replace(made.route, stops=(stranger,)), made.snapshot, Target.parse(f"{HOST}:25"), thorough=True)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("_25._tcp.example.org.", "F-NAME-DOM"),
        (f"25._tcp.{HOST}.", "F-NAME-US"),
        (f"{OWNER}{ZONE}", "F-NAME-US"),
        (f"_465._tcp.{HOST}.", "F-PORT"),
    ],
)
def test_records_elsewhere_are_told_instead_of_none(name: str, code: str) -> None:
    """The code that knows more speaks, and the general one is silent; a wildcard's answer is no record put there."""
    there = lookup(name, "TLSA", str(right()))
    made = case(BARE, target="example.org", lookups=(MX, there))
    found = codes(made)
    assert code in found
    assert "F-NOTLSA" not in found
    assert "critical" not in found.values()
    by_wildcard = replace(there, wildcard="*.example.org.")
    if code != "F-PORT":
        assert codes(case(BARE, target="example.org", lookups=(MX, by_wildcard)))["F-NOTLSA"] == "warning"


def test_no_records_is_no_word_about_unknown_ones() -> None:
    """Where one server does not tell, nobody says that there are none."""
    assert "F-NOTLSA" in codes(case(BARE))
    assert "F-NOTLSA" not in codes(case(BARE, unknown(Cause.SILENT, n=2)))
    assert "F-NOTLSA" not in codes(case(BARE, answer(n=2)))


def test_all_hosts_or_some() -> None:
    """One finding for a domain without records; one for each host that is left out."""
    second = lookup("example.org.", "MX", f"10 {HOST}.", "20 mx2.example.org.")
    more = (second, lookup("mx2.example.org.", "A", "192.0.2.2"), lookup("mx2.example.org.", "AAAA"))
    other = view("_25._tcp.mx2.example.org.", answer(NONE, exists=False))
    none = case(BARE, target="example.org", lookups=more, owners=(other,))
    assert dict(finding(none, "F-NOTLSA").evidence)["asked"] == f"{OWNER} TLSA, _25._tcp.mx2.example.org. TLSA"
    some = codes(case(answer(), target="example.org", lookups=more, owners=(other,)))
    assert some["F-MXCOVER"] == "warning"
    assert "F-NOTLSA" not in some


def test_the_second_base_counts_where_the_first_has_nothing() -> None:
    """What is wrong at a name that no sender comes to is not told as if it were."""
    alias = Alias(HOST + ".", "real.example.org.", ZONE, SECURE)
    addresses = tuple(
        lookup(HOST + ".", kind, "192.0.2.1", aliases=(alias,), target="real.example.org.") for kind in ("A", "AAAA")
    )
    expanded = "_25._tcp.real.example.org."
    here = view(expanded, answer())
    broken = answer(GOOD, security=INSECURE.BOGUS, cause=Cause.SIGNATURE_BAD, reason="does not fit")
    made = case(broken, lookups=addresses, owners=(here,))
    assert made.outcome is Delivery.AUTH
    assert "critical" not in codes(made).values()
    nothing_there = case(broken, lookups=addresses, owners=(view(expanded, BARE),))
    assert nothing_there.outcome is Delivery.DEFER
    assert codes(nothing_there)["F-SIGBAD"] == "critical"


def test_aliases_of_records() -> None:
    """To another's zone: for a lineage a warning, since nobody here can publish there."""
    foreign: dict[str, object] = {"target": "_25._tcp.mx.provider.net.", "zone": "provider.net."}
    assert (
        codes(case(answer(), target="home", services=(f"{HOST}:25",), household=home(), seen_as=foreign))["F-FOREIGN"]
        == "warning"
    )
    own: dict[str, object] = {"target": f"tlsa.{ZONE}", "zone": ZONE}
    assert "F-FOREIGN" not in codes(case(answer(), target="home", services=(f"{HOST}:25",), household=home(), seen_as=own))


def test_records_that_were_sent_beside_an_alias() -> None:
    """Only what a backend took counts; what a person was asked for may still come."""
    alias: dict[str, object] = {"target": f"tlsa.{ZONE}"}
    services = (f"{HOST}:25",)
    for asked_for, expected in ((False, True), (True, False)):
        sent = home(sent={OWNER: Sent(frozenset({OTHER}), NOW, asked=asked_for)})
        assert (
            "F-CNAME-AND-TLSA" in codes(case(answer(), target="home", household=sent, services=services, seen_as=alias))
        ) is expected
    there = home(sent={OWNER: Sent(GOOD, NOW)})
    assert "F-CNAME-AND-TLSA" not in codes(case(answer(), target="home", household=there, services=services, seen_as=alias))


@pytest.mark.parametrize(
    ("ttls", "alias_ttl", "found"),
    [
        ((3600, 3600), 0, {}),
        ((3601, 3601), 0, {"F-TTLLONG": "notice"}),
        ((86400, 86400), 0, {"F-TTLLONG": "notice"}),
        ((86401, 86401), 0, {"F-TTLLONG": "warning"}),
        ((300, 300), 86401, {"F-TTLLONG": "warning"}),
        ((300, 300), 0, {}),
        ((299, 299), 0, {"F-TTLTINY": "notice"}),
        ((600, 3600), 0, {"F-TTLMIX": "warning"}),
    ],
)
def test_ttls(ttls: tuple[int, int], alias_ttl: int, found: dict[str, str]) -> None:
    """The limits, each from both sides."""
    made = case(*(answer(n=n, ttl=ttl) for n, ttl in enumerate(ttls, 1)), seen_as={"alias_ttl": alias_ttl})
    assert {code: severity for code, severity in codes(made).items() if "TTL" in code} == found


def test_host_names_that_are_empty_non_terminals() -> None:
    """NXDOMAIN at _tcp is a fault only where there is something below it."""
    denied = lookup(f"_tcp.{HOST}.", "A", exists=False)
    assert codes(case(answer(), lookups=(denied,)))["F-ENT"] == "critical"
    assert "F-ENT" not in codes(case(BARE, lookups=(denied,)))
    assert "F-ENT" not in codes(case(answer(), lookups=(replace(denied, exists=True),)))


def test_a_cut_at_the_host() -> None:
    """An error where records are wasted, a warning where there are none yet; nothing where the zone around is unsigned."""
    host = f"{HOST}."
    unsigned = {"security": INSECURE, "cause": Cause.NO_DS, "reason": "no DS", "broken_zone": host, "zone": host}
    addresses = tuple(lookup(host, kind, "192.0.2.1", **unsigned) for kind in ("A", "AAAA"))
    for records, severity in ((GOOD, "error"), (NONE, "warning")):
        made = case(
            answer(records, INSECURE, cause=Cause.NO_DS, broken_zone=host), target="example.org", lookups=(MX, *addresses)
        )
        assert codes(made)["F-AINSEC"] == severity
        assert "F-MXUNSIGNED" not in codes(made)
        assert made.outcome is Delivery.OPPORTUNISTIC
    around = replace(MX, security=INSECURE, cause=Cause.NO_DS, broken_zone=ZONE)
    made = case(answer(GOOD, INSECURE, cause=Cause.NO_DS, broken_zone=host), target="example.org", lookups=(around, *addresses))
    assert "F-AINSEC" not in codes(made)
    assert codes(made)["F-MXUNSIGNED"] == "error"


def test_an_unsigned_domain_with_a_signed_host() -> None:
    """Told where the domain is plainly unsigned, and its host has records; other causes have other codes."""
    for cause, expected in ((Cause.NO_DS, True), (Cause.RESOLVER, True), (Cause.OLD_ALGORITHM, False)):
        unsigned = replace(MX, security=INSECURE, cause=cause, broken_zone=ZONE)
        assert ("F-DOMUNSIGNED" in codes(case(answer(), target="example.org", lookups=(unsigned,)))) is expected
        assert "F-DOMUNSIGNED" not in codes(case(BARE, target="example.org", lookups=(unsigned,)))
    assert "F-DOMUNSIGNED" not in codes(case(answer(), target="example.org", lookups=(MX,)))


def test_services_of_a_lineage_without_records() -> None:
    """What has no records is told for itself: the services of a lineage are no ways to the same mail."""
    addresses = (lookup("imap.example.org.", "A", "192.0.2.2"), lookup("imap.example.org.", "AAAA"))
    other = view("_993._tcp.imap.example.org.", answer(NONE, exists=False))
    services = (f"{HOST}:25", "imap.example.org:993")
    found = codes(case(answer(), target="home", services=services, household=home(), lookups=addresses, owners=(other,)))
    assert found["F-NOTLSA"] == "warning"
    assert "F-MXCOVER" not in found


def test_an_alias_with_records_behind_it_is_well() -> None:
    """An alias is no fault."""
    found = codes(case(answer(), seen_as={"target": f"tlsa.{ZONE}"}))
    assert "F-CNAME-DANGLE" not in found
    assert codes(case(BARE, seen_as={"target": f"tlsa.{ZONE}"}))["F-CNAME-DANGLE"] == "error"
