"""What a kind of record is made of, and whether it will be right after the next renewal (F-30ACME, F-COMBO)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.mending import add, clear, later, records_of, remove
from tlsa_manager.checks.records.leaf import Leaf, leaf
from tlsa_manager.checks.records.readings import explained
from tlsa_manager.checks.spot import spots
from tlsa_manager.checks.telling import computed, evidence, listed
from tlsa_manager.finding import Finding, Severity
from tlsa_manager.rollover.law import gaps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Params, Tlsa


ACME_CLIENTS = {"certbot", "dehydrated", "acme.sh", "lego", "uacme"}
SHORT = 100 * 86400.0  # seconds: what public authorities give by ACME, 90 days and less
ACME30 = Fault(
    code="F-30ACME",
    title="record of the whole certificate, and the certificate is renewed by a program",
    severity=Severity.ERROR,
    story=(
        "A 3 0 x record is made of the whole certificate, so every renewal makes it wrong, even with the same key. "
        "ACME clients renew every few weeks, and nobody is there to change the record first."
    ),
    consequence="Until the renewal none. From then on senders match nothing and hold the mail back.",
    remedy=(
        "Publish a 3 1 1 record beside it, wait two TTLs, remove the 3 0 x record, and renew with the same key or "
        "through tlsa-manager."
    ),
    reference="RFC 7671 §5.1, §8.1",
)

COMBO = Fault(
    code="F-COMBO",
    title="a kind of record of which none matches what is presented",
    severity=Severity.WARNING,
    story=(
        "For each usage, selector and matching type that is published at least one record has to match what is "
        "presented now. For one of them there are only records of former or coming keys."
    ),
    consequence=(
        "Senders of mail deliver, because a record of another kind matches. Clients that know that kind only, or "
        "prefer it, do not."
    ),
    remedy="Publish the current key with that label, too, or remove the records with it.",
    reference="RFC 7671 §8",
)


@check(ACME30)
def breaks_at_renewal(case: Case) -> Iterator[Finding]:
    """A record of the whole certificate, where a program soon replaces the certificate."""
    for spot in spots(case):
        for certificate in dict.fromkeys(chain[0] for chain in spot.certificates):
            one = leaf(certificate)
            records = [each for each in sorted(spot.usable()) if (each.usage, each.selector) == (3, 0) and spot.selects(each)]
            if one is None or not records or not _automatic(one, case):
                continue
            survives = any(each.selector == 1 and spot.selects(each) for each in spot.usable())
            message = f"{listed(records)} will match no more when the certificate is renewed: {_renewal(one, case.now)}"
            yield ACME30.at(
                spot.owner,
                message,
                severity=Severity.WARNING if survives else None,
                remedy=later(spot, records),
                evidence=evidence(spot, records[0]) | computed(spot),
            )
            break


@check(COMBO)
def kinds_without_match(case: Case) -> Iterator[Finding]:
    """A usage, selector and matching type without a match, beside others that have one (RFC 7671 §8).

    Left to others: what a reading explains, and algorithms that differ within one usage and selector (F-AGILITY).
    """
    for spot in spots(case):
        for params in sorted(_lacking(spot)):
            records = sorted(one for one in spot.usable() if one.params == params)
            if not any(explained(one, spot, case) for one in records):
                yield COMBO.at(
                    spot.owner,
                    f"no {params} record matches all that is presented, though records of another kind do",
                    remedy=_complete_or_clear(spot, params, records),
                    evidence=evidence(spot, records[0]) | computed(spot),
                )


def _automatic(one: Leaf, case: Case) -> bool:
    """Whether a program renews the certificate: it has brought it, or nobody else would renew so often."""
    if case.household is not None:
        current = case.household.facts.generation(case.household.facts.current)
        if current is not None and current.origin in ACME_CLIENTS:
            return True
    return not one.self_signed and one.lifetime <= SHORT


def _renewal(one: Leaf, now: float) -> str:
    """Estimate when: ACME clients do it after two thirds of the time."""
    if one.not_after <= now:
        return f"any day now, since it ended on {_day(one.not_after)}"
    return f"about {_day(max(now, one.not_before + one.lifetime * 2 / 3))}, at the latest {_day(one.not_after)}"


def _day(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).date().isoformat()


def _lacking(spot: Spot) -> set[Params]:
    """Return the labels without a match for some chain that records of another usage or selector match."""
    found: set[Params] = set()
    for chain in () if spot.mismatched else spot.chains:
        families = {(one.usage, one.selector) for one in spot.usable() if chain.matches(one)}
        if families:
            found |= {one for one in gaps(spot.usable(), chain, smtp=spot.smtp) if (one.usage, one.selector) not in families}
    return found


def _complete_or_clear(spot: Spot, params: Params, records: list[Tlsa]) -> str:
    """Say how to give the label a match, or how to be rid of it."""
    new = records_of(spot.chains, [params]) if params.usage == 3 and params.matching else ()
    first, instead = add(spot, new), remove(spot, *(one for one in records if not spot.selects(one)))
    return f"{first}; or {instead}" if first and instead else first or clear(spot, *records)
