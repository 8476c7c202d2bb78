"""What an operator should know although nothing is wrong now: sentences for `status`, computed from the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts


def advice(lineage: Lineage, facts: Facts, now: float) -> tuple[str, ...]:
    """Return the sentences, most urgent first. `now`: seconds since 1970."""
    return (*_time_left(lineage, facts, now), *_mixed_ttl(lineage, facts), *_not_known_yet(lineage, facts, now))


def _time_left(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """Whether the rollover fits into what is left of the certificate that is still in service (standards §2.9, short-lived)."""
    current = facts.generation(facts.current)
    if current is None or not current.chain.not_after or facts.deploying or facts.previous:
        return
    ttls = [one.ttl for owner in facts.owners.values() for one in owner.sets]
    left = current.chain.not_after - now
    verdict, spare = timing.fit(left, lineage.policy.poll_interval, max(ttls, default=lineage.policy.ttl), lineage.policy)
    if verdict is timing.Verdict.FITS:
        return
    needed = _hours(left - spare)
    effect = "DANE does not mind, but MTA-STS senders and mail programs do"
    if left <= 0:
        yield f"the certificate in service has expired: {effect}"
    elif verdict is timing.Verdict.ERROR:
        yield (
            f"the certificate in service expires in {_hours(left)}, and a rollover takes {needed}: {effect}; "
            "next time lower the TTL of the TLSA records first, renew earlier, or reuse the key"
        )
    else:
        yield f"the certificate in service expires in {_hours(left)}, and a rollover takes {needed}: little time is to spare"


def _mixed_ttl(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """One RRset has one TTL (RFC 2181 §5.2)."""
    for name in lineage.owners:
        owner = facts.owners.get(name)
        ttls = timing.mixed(one.ttl for one in owner.served if one.records) if owner else ()
        if ttls:
            yield f"{name} is handed out with several TTLs ({', '.join(map(str, ttls))} s); the largest counts (RFC 2181 §5.2)"


def _not_known_yet(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """After a first publication cached denials run out: nothing fails until then, but not every sender uses DANE yet."""
    for name in lineage.owners:
        owner = facts.owners.get(name)
        for one in owner.sets if owner else ():
            known = timing.effective_everywhere_at(one.gone_since, one.ttl) if one.gone_since is not None else 0.0
            if not one.records and known > now:
                yield f"some senders may not know the records of {name} for another {_hours(known - now)}; they deliver as before"


def _hours(seconds: float) -> str:
    """A duration as people say it."""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.1f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
