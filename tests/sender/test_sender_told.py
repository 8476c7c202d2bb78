"""Two base domains, several name servers: which answers some sender comes to, and that the worst of them counts."""

from __future__ import annotations

import dataclasses
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from papers import AT, HOST, ISSUER, STOP, leaf, record, seen

from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery, Verdict
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.sender.told import asked, in_use
from tlsa_manager.snapshot import Answer, OwnerView, ServiceView, Snapshot

if TYPE_CHECKING:
    from tlsa_manager.tlsa import RRset

EXPANDED, ORIGINAL = "_25._tcp.host.example.net.", f"_25._tcp.{HOST}."
HERE = dataclasses.replace(STOP, owners=(EXPANDED, ORIGINAL), names=("host.example.net", "example.org"))
GOOD, WRONG = record("3 1 1", leaf().der()), record("3 1 1", leaf(key="other").der())
NONE: RRset = frozenset()
INSECURE, BOGUS = Security.INSECURE, Security.BOGUS


def said(*records: object, security: Security = Security.SECURE, number: int = 1) -> Answer:
    """Describe what one name server says."""
    return Answer(f"ns{number}.", "192.0.2.53", frozenset(records), security=security, reason="told")  # type: ignore[arg-type]


def silent() -> Answer:
    """Describe a name server that does not answer."""
    return Answer("ns9.", "192.0.2.59", None, reason="is silent", cause=Cause.SILENT)


def views(expanded: tuple[Answer, ...], original: tuple[Answer, ...]) -> dict[str, OwnerView]:
    """Describe both owners."""
    both = ((EXPANDED, expanded), (ORIGINAL, original))
    return {name: OwnerView(name, name, "example.org.", AT, answers) for name, answers in both}


def verdict(expanded: tuple[Answer, ...], original: tuple[Answer, ...]) -> Verdict:
    """Judge one service that presents the certificate of GOOD."""
    services = {str(STOP.service): ServiceView(str(STOP.service), AT, (seen(leaf().der()),))}
    (found,) = judge(Route((HERE,)), Snapshot(AT, views(expanded, original), services=services))
    return found


@pytest.mark.parametrize(
    ("expanded", "original", "outcome", "owner"),
    [
        ((said(GOOD),), (said(WRONG),), Delivery.AUTH, EXPANDED),  # nobody comes to the other
        ((said(WRONG),), (said(GOOD),), Delivery.DEFER, EXPANDED),
        ((said(GOOD, security=INSECURE),), (said(WRONG),), Delivery.DEFER, ORIGINAL),  # unsigned records bind nobody
        ((said(WRONG, security=INSECURE),), (said(GOOD),), Delivery.AUTH, ORIGINAL),
        ((said(), silent()), (said(WRONG),), Delivery.DEFER, ORIGINAL),  # resolvers ask the server that answers
        ((said(), silent()), (said(GOOD),), Delivery.AUTH, ORIGINAL),
        ((silent(),), (said(GOOD),), Delivery.DEFER, EXPANDED),  # a failure is no absence
        ((said(security=BOGUS),), (said(GOOD),), Delivery.DEFER, EXPANDED),
        ((said(GOOD), said(number=2)), (said(WRONG),), Delivery.DEFER, ORIGINAL),  # who asked ns2 goes on
        ((said(GOOD), said(number=2)), (said(GOOD),), Delivery.AUTH, EXPANDED),
        ((said(GOOD), said(number=2)), (said(),), Delivery.OPPORTUNISTIC, EXPANDED),
        ((said(GOOD), said(number=2)), (said(GOOD), said(WRONG, number=2)), Delivery.DEFER, ORIGINAL),
        ((said(WRONG), said(number=2)), (said(GOOD),), Delivery.DEFER, EXPANDED),
        ((said(),), (silent(),), Delivery.DEFER, ORIGINAL),
        ((said(),), (said(),), Delivery.OPPORTUNISTIC, ORIGINAL),
        ((said(GOOD, security=INSECURE),), (said(),), Delivery.OPPORTUNISTIC, EXPANDED),
        ((said(),), (said(GOOD, security=INSECURE),), Delivery.OPPORTUNISTIC, ORIGINAL),
    ],
)
def test_every_combination_is_some_sender(
    expanded: tuple[Answer, ...], original: tuple[Answer, ...], outcome: Delivery, owner: str
) -> None:
    """The first base domain with signed records counts, for each answer that a sender may get; the verdict names who decided."""
    for first in permutations(expanded):
        for second in permutations(original):
            found = verdict(first, second)
            assert (found.outcome, found.owner) == (outcome, owner)


def test_the_base_domain_in_use() -> None:
    """Signed records at the expanded name win; none there, or unsigned ones: the original name; a failure there is no absence."""
    cases = {
        ((said(GOOD),), (said(GOOD),)): EXPANDED,
        ((said(),), (said(GOOD),)): ORIGINAL,
        ((said(GOOD, security=INSECURE),), (said(GOOD),)): ORIGINAL,
        ((said(GOOD, security=INSECURE),), (said(),)): EXPANDED,
        ((said(), silent()), (said(),)): ORIGINAL,
        ((silent(),), (said(GOOD),)): EXPANDED,
        ((said(GOOD), said(number=2)), (said(GOOD),)): EXPANDED,
        ((said(),), (said(),)): ORIGINAL,
    }
    for (expanded, original), owner in cases.items():
        assert in_use(HERE, views(expanded, original)) == owner
    assert in_use(Stop(STOP.service, HOST), {}) == ""


def test_which_owners_are_asked_for() -> None:
    """The original name is asked for as soon as one server lets a sender go on."""
    assert asked(HERE, views((said(GOOD),), (said(GOOD),))) == (EXPANDED,)
    assert asked(HERE, views((silent(),), (said(GOOD),))) == (EXPANDED,)
    assert asked(HERE, views((said(GOOD), said(number=2)), (said(GOOD),))) == (EXPANDED, ORIGINAL)


@pytest.mark.parametrize(
    ("name", "expanded", "original"),
    [
        ("host.example.net", Delivery.AUTH, Delivery.DEFER),
        (HOST, Delivery.DEFER, Delivery.AUTH),
        ("example.org", Delivery.AUTH, Delivery.AUTH),
    ],
)
def test_names_go_by_the_base_domain_in_use(name: str, expanded: Delivery, original: Delivery) -> None:
    """RFC 7672 §3.2.2: with usage 2 the certificate has the name of the base domain in use, or the mail domain's."""
    chain = (leaf(name).der(), ISSUER.der())
    anchor = said(record("2 1 1", chain[1]))
    services = {str(STOP.service): ServiceView(str(STOP.service), AT, (seen(*chain),))}
    for answers, outcome in ((((anchor,), (said(),)), expanded), (((said(),), (anchor,)), original)):
        (found,) = judge(Route((HERE,)), Snapshot(AT, views(*answers), services=services))
        assert found.outcome is outcome
        assert found.records[0].matches is (outcome is Delivery.AUTH)
