"""How seldom an authority is asked: after it refused, and after it made a certificate that is no better than the one before.

An authority counts orders and failures, and bars whoever has too many of them; but its word that it does not want to be asked
must not cost a certificate, and a certificate that is due for renewal when it comes must not have every run order another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlsa_manager.lineage import Generation
    from tlsa_manager.policy import Policy
    from tlsa_manager.rollover.facts import Facts, Failure, Obtained

HOUR, DAY = 3600.0, 86400.0
LONGEST_RETRY = DAY
SHORTEST = 600.0  # seconds between two certificates, however short they live


def order_again_at(failure: Failure, facts: Facts, policy: Policy) -> float:
    """When a failed order is tried again: after a poll interval, then ten times as long each time, at most a day.

    One that failed four times will hardly succeed within the hour. Not before the authority allows it (RFC 8555 §6.6).
    """
    patience = min(policy.poll_interval * 10.0 ** min(failure.count - 1, 6), LONGEST_RETRY)
    return max(obeyed_until(failure, facts), failure.at + patience)


def obeyed_until(failure: Failure, facts: Facts) -> float:
    """Until when the word of an authority counts that it does not want to be asked; 0 = it did not say.

    Trouble of its own: for a day at most, it cannot know how long that lasts. A limit: for half of what the certificate in
    service then had left, so that another half is left for the next one.
    """
    if not failure.limited:
        return min(failure.until, failure.at + LONGEST_RETRY)
    current = facts.generation(facts.current)
    if current is None or not current.chain.not_after:
        return failure.until
    return min(failure.until, failure.at + max((current.chain.not_after - failure.at) / 2, HOUR))


def soonest(obtained: Obtained, latest: Generation | None, usual: float | None) -> float:
    """When the certificate after the `latest` one is ordered at the soonest, seconds since 1970.

    A tenth of its life after it came, but an hour at least; twice as long each time that it was no better, at most a day. One
    that came in good time is renewed in good time: `usual` is when.
    """
    life = latest.chain.not_after - latest.not_before if latest and latest.not_before else 0.0
    again = obtained.at + min(max(life / 10, HOUR) * 2.0 ** min(obtained.count - 1, 10), DAY)
    return min(again, usual) if usual is not None and usual >= obtained.at + SHORTEST else again


def is_held(facts: Facts, latest: Generation | None) -> bool:
    """Whether a certificate waits for a person: another one would have to wait as well."""
    if latest is None or latest.id == facts.current:
        return False
    hold = facts.queued_hold if latest.id == facts.queued else facts.hold
    return hold is not None and hold.generation in ("", latest.id)
