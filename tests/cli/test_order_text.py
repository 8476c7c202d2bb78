"""What `status` says of orders: nothing that is not so, and what a person can do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from test_standing import KEY, NOW, calm

from tlsa_manager.cli.order_text import again, order_lines
from tlsa_manager.cli.when import clock
from tlsa_manager.order import Order
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover.facts import Facts, Failure
from tlsa_manager.rollover.renewal import ISSUE, SHOW

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation

DAY = 86400.0
HOST = "mx.example.org"
CALM = calm(KeyPolicy())
LINEAGE = replace(CALM.lineage, issuer="ca")
FAILED = {ISSUE: Failure(1, NOW - 10, "no")}


def certificate(origin: str) -> Generation:
    """A certificate with two months left of three."""
    found = CALM.facts.generations["old"]
    chain = replace(found.chain, not_after=NOW + 60 * DAY)
    return replace(found, names=(HOST,), origin=origin, not_before=NOW - 30 * DAY, chain=chain)


def known(origin: str, **more: object) -> Facts:
    """A lineage in service for long, with a certificate of such an origin."""
    return replace(CALM.facts, generations={"old": certificate(origin)}, since=NOW - DAY, **more)  # type: ignore[arg-type]


def told(facts: Facts) -> str:
    """The lines about orders, as one text."""
    return "\n".join(order_lines(LINEAGE, facts, NOW))


def tried(facts: Facts, step: str = ISSUE) -> str:
    """When it is tried again."""
    return again(step, facts.failures[step], LINEAGE, facts, NOW)


def test_a_certificate_that_another_program_brought_is_said_to_stay() -> None:
    """Until when, why then, and how one of the issuer comes earlier."""
    text = told(known("certbot"))
    assert text.startswith("the certificate in service is not of ca; one of ca is ordered ")
    assert text.endswith("(most of its life is over), or now: tlsa-manager issue mx.example.org")
    assert told(known("issuer.ca")).endswith(": most of its life is over")


def test_before_the_first_look_nobody_knows_what_is_in_service() -> None:
    """One is ordered by the next run only if that finds none."""
    assert told(Facts(HOST)) == "nobody has looked yet: without a certificate in service one of ca is ordered by the next run"
    assert "ordered by the next run: there is no certificate" in told(replace(Facts(HOST), since=NOW - 60))


def test_who_asked_for_another_key_is_told_how_it_comes_now() -> None:
    """It is not forgotten until the next renewal."""
    text = told(known("issuer.ca", key_due=True))
    assert text.startswith("somebody asked for another key: it comes with the next certificate, or now: tlsa-manager renew ")


@pytest.mark.parametrize(("origin", "words"), [("certbot", f"issue {HOST}"), ("issuer.ca", f"renew {HOST} --force")])
@pytest.mark.parametrize("step", [ISSUE, SHOW])
def test_what_only_a_person_asked_for_is_not_said_to_be_tried_again(origin: str, words: str, step: str) -> None:
    """Nothing is due for weeks; who wants it earlier says so once more."""
    text = tried(known(origin, failures={step: FAILED[ISSUE]}), step)
    assert text.startswith("not tried again by itself before ")
    assert text.endswith(f"; now: tlsa-manager {words}")


def test_what_is_due_is_tried_again() -> None:
    """At the moment that our patience names; when that has come, by the next run."""
    due = replace(Facts(HOST), since=NOW - DAY, failures=FAILED)
    assert tried(due) == f"tried again {clock(NOW - 10 + LINEAGE.policy.poll_interval, NOW)}"
    past = replace(due, failures={ISSUE: Failure(1, NOW - DAY, "no")})
    assert tried(past) == "tried again by the next run"
    order = Order("https://ca.example/dir", (HOST,), KEY.id, url="https://ca.example/order/1", at=NOW - 60)
    assert tried(known("certbot", failures=FAILED, order=order)).startswith("tried again ")


def test_without_an_issuer_nothing_is_tried_again() -> None:
    """It was taken out of the configuration after the failure."""
    facts = known("certbot", failures=FAILED)
    assert again(ISSUE, FAILED[ISSUE], CALM.lineage, facts, NOW) == f"not tried again by itself: tlsa-manager issue {HOST}"


def test_why_an_order_failed_is_told_by_one_line_only() -> None:
    """The line of the failure has it."""
    text = told(replace(Facts(HOST), since=NOW - DAY, failures=FAILED))
    assert text.startswith("the next certificate is ordered ")
    assert text.endswith(": there is no certificate yet")
