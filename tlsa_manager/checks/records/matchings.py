"""Matching types: the thing itself, SHA-512 alone, and algorithms that differ in keys (F-FULL ... F-AGILITY)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.mending import add, clear, fitting, later
from tlsa_manager.checks.spot import spots
from tlsa_manager.checks.telling import computed, evidence, listed
from tlsa_manager.checks.trial import fits, split_by_agility
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import RRset, Tlsa


FULL = Fault(
    code="F-FULL",
    title="the whole certificate or key in DNS (matching type 0)",
    severity=Severity.WARNING,
    story="The record holds the thing itself instead of a digest.",
    consequence=(
        "It works, but the answer is long: at a rollover there are two of them, and an answer that does not fit into "
        "one UDP packet fails with some resolvers."
    ),
    remedy="Publish a digest, best 3 1 1, beside it; wait two TTLs; then remove the record with matching type 0.",
    reference="RFC 7671 §10.1.2",
)

ONLY512 = Fault(
    code="F-512ONLY",
    title="only SHA-512 digests",
    severity=Severity.WARNING,
    story="All records have matching type 2. Every sender must know SHA-256; SHA-512 it only should know.",
    consequence=(
        "A sender that does not know SHA-512 ignores the records and sends without knowing who answers. SHA-256 is "
        "not the weaker choice: neither is broken."
    ),
    remedy="Replace them by records with matching type 1, best 3 1 1: all keys together, current and next.",
    reference="RFC 6698 §6, RFC 7671 §9",
)

AGILITY = Fault(
    code="F-AGILITY",
    title="the digest algorithms do not cover the same keys",
    severity=Severity.ERROR,
    story=(
        "There are SHA-256 and SHA-512 records with the same usage and selector, and they are not of the same keys. "
        "Senders with digest algorithm agility (Postfix is one) look at the strongest algorithm only."
    ),
    consequence=(
        "As soon as the server presents a key that only the weaker algorithm covers, senders with agility match "
        "nothing and hold the mail back, while others deliver."
    ),
    remedy="Remove all records of one of the two algorithms, or complete it.",
    reference="RFC 7671 §8.3, §9",
)


@check(FULL)
def whole(case: Case) -> Iterator[Finding]:
    """Matching type 0, where it matches: a thing that does not match is explained by a reading."""
    for spot in spots(case):
        records = [one for one in sorted(spot.records) if not one.flaw and one.matching == 0 and spot.selects(one)]
        if records:
            size = max(len(one.data) // 2 for one in records)
            message = f"{listed(records)} holds {size} bytes where a digest has 32"
            yield FULL.at(spot.owner, message, remedy=later(spot, records), evidence=evidence(spot, records[0]) | computed(spot))


@check(ONLY512)
def only_sha512(case: Case) -> Iterator[Finding]:
    """No record that every sender must be able to use."""
    for spot in spots(case):
        records = sorted(spot.usable())
        if records and all(one.matching == 2 for one in records):
            message = f"all usable records are SHA-512 digests ({listed(records)})"
            yield ONLY512.at(
                spot.owner, message, remedy=later(spot, records), evidence=evidence(spot, records[0]) | computed(spot)
            )


@check(AGILITY)
def digests_of_different_keys(case: Case) -> Iterator[Finding]:
    """SHA-256 and SHA-512 records of one usage and selector that are not of the same keys.

    Critical where senders with agility hold the mail back now. For records that match nothing only their number can tell.
    """
    for spot in (one for one in spots(case) if not one.mismatched):
        split = split_by_agility(spot)
        for (usage, selector), kinds in _families(spot).items():
            covered = {matching: _covered(spot, records) for matching, records in kinds.items() if matching}
            held = any(fits(spot, kinds.get(1, frozenset()), *met) for met in split)
            if len(covered) < 2 or (covered[1] == covered[2] and len(kinds[1]) == len(kinds[2]) and not held):
                continue
            severity = Severity.CRITICAL if held and spot.promised and spot.deferred else None
            yield AGILITY.at(
                spot.owner,
                f"{len(kinds[1])} records {usage} {selector} 1 match {_of(covered[1], spot)} presented, and"
                f" {len(kinds[2])} records {usage} {selector} 2 match {_of(covered[2], spot)}",
                severity=severity,
                remedy=_one_algorithm(spot, sorted(kinds[2]), whole=covered[1] >= covered[2]),
                evidence={"published": "; ".join(str(one) for one in sorted(kinds[1] | kinds[2])[:8])} | computed(spot),
            )


def _one_algorithm(spot: Spot, stronger: list[Tlsa], *, whole: bool) -> str:
    """Say how to keep SHA-256 alone, which every sender knows. `whole`: it covers all that SHA-512 does.

    Where something presented fits no record at all both are completed instead, as the finding about that says, too.
    """
    if any(not fits(spot, spot.usable(), *met) for met in spot.met):
        return add(spot, fitting(spot, spot.chains))
    return clear(spot, *stronger) if whole else later(spot, stronger)


def _families(spot: Spot) -> dict[tuple[int, int], dict[int, RRset]]:
    """Group the usable records by usage and selector, then by matching type."""
    found: dict[tuple[int, int], dict[int, RRset]] = defaultdict(dict)
    for one in spot.usable():
        kinds = found[one.usage, one.selector]
        kinds[one.matching] = kinds.get(one.matching, frozenset()) | {one}
    return found


def _covered(spot: Spot, records: RRset) -> frozenset[str]:
    """Return the fingerprints of the presented chains that some of these records are made of."""
    return frozenset(chain.fingerprint for chain in spot.chains if any(chain.matches(one) for one in records))


def _of(covered: frozenset[str], spot: Spot) -> str:
    total = len({chain.fingerprint for chain in spot.chains})
    return f"{len(covered)} of the {total} certificates" if total != 1 else ("the certificate" if covered else "nothing")
