"""Whether the waiting of a rollover fits into a certificate's life: into what is left of it now, and at the next renewal.

A certificate of 160 hours is renewed when 80 are left; what does not fit can be mended while it is known early (standards §2.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.policy import DAY
from tlsa_manager.rollover import succession, timing
from tlsa_manager.rollover.state import due_by_time, ready_at
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts

SHORT_LIFE = 10 * DAY  # certificates that live no longer are renewed at half of their life, others at two thirds (certbot 4)


@dataclass(frozen=True, slots=True)
class Room:
    """What the waiting takes (`needed`), what the certificate has `left` then, both in seconds, and whether that will do."""

    verdict: timing.Verdict
    needed: float
    left: float


def now_left(lineage: Lineage, facts: Facts, now: float) -> Room | None:
    """Judge the rollover that goes on, or one that began now. None: there is no certificate, or the swap has been begun."""
    return _room(lineage, facts, now, now)


def next_time(lineage: Lineage, facts: Facts, now: float) -> Room | None:
    """Judge a rollover that begins at the next renewal, as far as the certificate's life tells when that is."""
    at = renewed_at(facts)
    if at is None or facts.next or facts.queued or lineage.leaving:
        return None
    return _room(lineage, facts, now, max(now, at))


def renewed_at(facts: Facts) -> float | None:
    """When the certificate in service is usually renewed: as planned here, else as ACME clients do. None = not known."""
    current = facts.generation(facts.current)
    if current is None or not current.chain.not_after:
        return None
    if facts.renewal is not None and facts.renewal.generation == current.id:
        return facts.renewal.at
    if not current.not_before:
        return None
    return current.chain.not_after - usual_slack(current.chain.not_after - current.not_before)


def usual_slack(life: float) -> float:
    """How long before its end a certificate that lives so long is renewed, seconds: 90 d -> 30 d, 45 d -> 15 d, 160 h -> 80 h."""
    return life / (2 if life <= SHORT_LIFE else 3)


def longest_ttl(lineage: Lineage, facts: Facts) -> int:
    """The TTL that the waiting is reckoned from: the largest that caches were given, seconds."""
    return max((one.ttl for owner in facts.owners.values() for one in owner.sets), default=lineage.policy.ttl)


def whole_wait(ttl: int, lineage: Lineage) -> float:
    """What a rollover to a key that nobody knows yet takes, seconds: until the last server has it, then W and M."""
    return lineage.policy.poll_interval + timing.cache_wait(ttl, lineage.policy) + lineage.policy.margin


def _room(lineage: Lineage, facts: Facts, now: float, at: float) -> Room | None:
    """Judge a rollover at a moment from `now` on."""
    current = facts.generation(facts.current)
    if current is None or not current.chain.not_after or facts.deploying or facts.previous or facts.way_back:
        return None
    needed, left = _needed(lineage, facts, now, at), current.chain.not_after - at
    return Room(timing.verdict(needed, left), needed, left)


def _needed(lineage: Lineage, facts: Facts, now: float, at: float) -> float:
    """How long a certificate that is there `at` a moment has to wait for caches: for a known key not at all."""
    whole = whole_wait(longest_ttl(lineage, facts), lineage)
    if facts.next:
        due = due_by_time(lineage, facts)
        return max(0.0, due - at) if due is not None else whole
    if any(one.usage == 3 and one.selector == 0 for one in lineage.params):  # the record changes with every certificate
        return whole
    if not succession.renews_key(lineage, facts, at):
        return 0.0
    ahead = succession.prepublished(lineage, facts)
    if not ahead:
        return whole
    ready = ready_at(lineage, facts, ahead, now)
    return max(0.0, (ready if ready is not None else now + whole) - at)
