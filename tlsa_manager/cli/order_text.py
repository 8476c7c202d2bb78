"""What is said of orders: which one is going on, when the next one comes and why then, what is tried again and when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.cli.when import clock
from tlsa_manager.rollover.renewal import ISSUE, SHOW, again_at, due, newest, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts, Failure


def order_lines(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """Say what is being ordered, or when the next certificate is ordered."""
    if facts.order:
        where = facts.order.url or facts.order.directory
        yield f"a certificate for {', '.join(facts.order.names)} is being ordered since {clock(facts.order.at, now)}: {where}"
        return
    wish = due(lineage, replace(facts, failures={}), now)  # what failed has a line of its own
    latest, tried = newest(facts), due(lineage, facts, now)
    if wish is None or tried is None:
        return
    if latest is None and not facts.since:
        yield f"nobody has looked yet: without a certificate in service one of {lineage.issuer} is ordered by the next run"
        return
    when = clock(tried.at, now) if tried.at > now else "by the next run"
    if facts.key_due and latest is not None and latest.id == facts.current and tried.at > now:
        yield f"somebody asked for another key: it comes with the next certificate, or now: tlsa-manager renew {lineage.name}"
    if why := not_of_issuer(lineage, facts, now):
        yield f"{why}; one of {lineage.issuer} is ordered {when} ({wish.why}), or now: tlsa-manager issue {lineage.name}"
    else:
        yield f"the next certificate is ordered {when}: {wish.why}"


def not_of_issuer(lineage: Lineage, facts: Facts, now: float) -> str:
    """Say that the newest certificate is not of the configured issuer, and stays for now; empty where it is or does not."""
    latest, wish = newest(facts), due(lineage, facts, now)
    if latest is None or wish is None or wish.at <= now or latest.origin == origin(lineage.issuer):
        return ""
    place = "in service" if latest.id == facts.current else "on its way"
    return f"the certificate {place} is not of {lineage.issuer}"


def again(step: str, failure: Failure, lineage: Lineage, facts: Facts, now: float) -> str:
    """Say when a step that failed is tried again; an order that nothing but a person asked for is not."""
    at = again_at(step, failure, facts, lineage.policy)
    if step in (ISSUE, SHOW):
        wish = due(lineage, facts, now)
        latest = newest(facts)
        young = latest is not None and latest.origin == origin(lineage.issuer) and not facts.key_due
        words = f"renew {lineage.name} --force" if young else f"issue {lineage.name}"
        if wish is None:
            return f"not tried again by itself: tlsa-manager {words}"
        if wish.at > max(at, now):
            return f"not tried again by itself before {clock(wish.at, now)}; now: tlsa-manager {words}"
        at = wish.at
    return f"tried again {clock(at, now) if at > now else 'by the next run'}"
