"""What an operator should know although nothing is wrong now: sentences for `status`, computed from the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import lifespan, renewal, restraint, succession, timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.lineage import Lineage
    from tlsa_manager.rollover.facts import Facts


SIGNED_BY_ITSELF = (
    "it is signed by itself: senders with DANE accept that under 3 1 1; MTA-STS senders defer their mail, and mail programs warn"
    " or refuse, so no policy of MTA-STS should be published for its hosts"
)


def advice(lineage: Lineage, facts: Facts, now: float) -> tuple[str, ...]:
    """Return the sentences, most urgent first. `now`: seconds since 1970."""
    return (
        *_short_life(lineage, facts, now), *_put_off(facts, now), *_no_better(lineage, facts, now),
        *_next_key(lineage, facts), *_mixed_ttl(lineage, facts),
        *_not_known_yet(lineage, facts, now), *_signed_by_itself(lineage, facts),
    )  # fmt: skip


def waiting(lineage: Lineage, facts: Facts, now: float) -> str:
    """Say that the waiting of the rollover that goes on, or would begin now, does not fit or hardly fits; empty where it does.

    `now`: seconds since 1970. What is too late for this renewal comes with the way out for the next one (standards T20, T21).
    """
    return next(_time_left(lineage, facts, now), "")


def room(lineage: Lineage, facts: Facts, now: float) -> str:
    """Say whether the waiting fits, also where it does; empty where no certificate is in service."""
    found = lifespan.now_left(lineage, facts, now)
    if found is None or found.verdict is not timing.Verdict.FITS or found.left <= 0:
        return waiting(lineage, facts, now)
    if not found.needed:
        return "nothing has to be waited for: every cache knows the key"
    return f"the waiting, {_hours(found.needed)}, fits into the {_hours(found.left)} that the certificate in service has left"


def too_short(lineage: Lineage, facts: Facts, now: float) -> str:
    """Say early that at the next renewal the waiting will not fit, or hardly, and name the way out; empty where it will fit."""
    found = lifespan.next_time(lineage, facts, now)
    if found is None or found.verdict is timing.Verdict.FITS or found.left <= 0:
        return ""
    enough = "more than" if found.verdict is timing.Verdict.ERROR else "more than half of"
    return (
        f"the certificate is usually renewed {_hours(found.left)} before it expires, and a rollover takes "
        f"{_hours(found.needed)}, {enough} that; before then {way_out(lineage, facts, found.left)}"
    )


def way_out(lineage: Lineage, facts: Facts, left: float) -> str:
    """How renewals can do with less waiting. `left`: the life that there is for it, seconds."""
    ttl = lifespan.longest_ttl(lineage, facts)
    always = "let none be needed: next-key = true, or reuse-key = true and a client that keeps the key (certbot: --reuse-key)"
    if lifespan.whole_wait(0, lineage) > left:
        return f"{always}; to lower the TTL of the TLSA records would not be enough"
    effect = _hours(timing.cache_wait(ttl, lineage.policy))
    return f"lower the TTL of the TLSA records, {ttl} s (that helps rollovers that begin {effect} later), or {always}"


def _time_left(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """Whether the rollover fits into what is left of the certificate that is still in service (standards §2.9, short-lived)."""
    found = lifespan.now_left(lineage, facts, now)
    if found is None:
        return
    left, needed = _hours(found.left), _hours(found.needed)
    effect = "DANE does not mind, but MTA-STS senders and mail programs do"
    if found.left <= 0:
        yield f"the certificate in service has expired: {effect}"
    elif found.verdict is timing.Verdict.ERROR:
        yield (
            f"the certificate in service expires in {left}, and a rollover takes {needed}: {effect}; "
            f"next time {way_out(lineage, facts, found.left)}"
        )
    elif found.verdict is timing.Verdict.WARN:
        yield f"the certificate in service expires in {left}, and a rollover takes {needed}: little time is to spare"


def _short_life(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """What is too late for this certificate; else what will be at the next renewal, while it can be mended."""
    found = lifespan.now_left(lineage, facts, now)
    late = found is not None and found.verdict is timing.Verdict.ERROR
    if text := (not late and too_short(lineage, facts, now)) or waiting(lineage, facts, now):
        yield text


def _put_off(facts: Facts, now: float) -> Iterator[str]:
    """An authority does not want to be asked before the certificate has ended: its word is not obeyed so long."""
    failure, current = facts.failures.get(renewal.ISSUE), facts.generation(facts.current)
    if failure is None or current is None or not now < current.chain.not_after < failure.until:
        return
    until = restraint.obeyed_until(failure, facts)
    when = f"in {_hours(until - now)}" if until > now else "by one of the next runs"
    yield (
        f"the authority does not want to be asked for another {_hours(failure.until - now)}, and the certificate in service"
        f" expires in {_hours(current.chain.not_after - now)}; it is asked again {when} all the same; if it refuses then, name"
        " another issuer"
    )


def _no_better(lineage: Lineage, facts: Facts, now: float) -> Iterator[str]:
    """Where it would be ordered with every run, something is wrong with a clock, an authority or a plugin."""
    late = renewal.too_soon(lineage, facts, now)
    if late is not None:
        yield (
            f"{lineage.issuer} has just made a certificate, and another one is wanted already: {late.why}; it is ordered in"
            f" {_hours(late.at - now)}, not with every run; look at the clock of this host, and at what {lineage.issuer} makes"
        )


def _next_key(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """What is different with the next key than its owner may think: it is published, so it is not thrown away silently."""
    key, current = facts.standby, facts.generation(facts.current)
    if key is None or lineage.leaving:
        return
    wanted = succession.key_type(lineage, facts)
    if key.type != wanted and not succession.is_of_former_type(lineage, facts):  # else the next run makes another
        yield (
            f"the next key is {key.type or key.kind}, made before {wanted} was wanted: the next renewal still uses it, the"
            f" one after it {wanted}; to have another now: tlsa-manager next-key {lineage.name} --replace REASON"
        )
    if current is not None and key.kind != current.chain.kind and key.kind not in lineage.keys.accept:
        yield (
            f"the next key is {key.kind}, and the one in service {current.chain.kind}: the next certificate will be held, since"
            f" senders that speak only {current.chain.kind} could not connect;"
            f' if that is intended: accept-key-type = ["{key.kind}"]'
        )
    late = sorted(str(one) for one in lineage.params if one.usage != 2 and (one.usage, one.selector) != (3, 1))
    if late and succession.keeps_next(lineage, facts):
        yield f"params has {', '.join(late)}, known only with the certificate: in spite of the next key every renewal waits"


def _signed_by_itself(lineage: Lineage, facts: Facts) -> Iterator[str]:
    """What nobody vouches for is enough for DANE only (RFC 7672 §3.1.1, RFC 8461 §4.1)."""
    current = facts.generation(facts.current)
    if lineage.issuer == renewal.SELF_SIGNED or (current is not None and current.origin in renewal.BY_ITSELF):
        yield f"of its certificate: {SIGNED_BY_ITSELF}"


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
