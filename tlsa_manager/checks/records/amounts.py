"""How many records there are at an owner: too many, only one, one thing twice, some of nothing (F-DUP ... F-LEFTOVER)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import doubts
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.mending import clear, line, remove
from tlsa_manager.checks.records.readings import explained, former
from tlsa_manager.checks.spot import spots
from tlsa_manager.checks.telling import brief, evidence
from tlsa_manager.finding import Finding, Severity
from tlsa_manager.rollover.law import wanted
from tlsa_manager.security import Cause
from tlsa_manager.sender.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Tlsa

FEW, MOST = 8, 12  # Microsoft's senders and others take no more; the answer outgrows one UDP packet at about as many

DUP = Fault(
    code="F-DUP",
    title="the same thing listed twice",
    severity=Severity.NOTICE,
    story=(
        "DNS keeps a record only once, in however many spellings it was entered. What can still stand there twice is "
        "one key or certificate in several forms, such as 3 0 1 beside 3 1 1, or one digest under several labels, of "
        "which one at most is right."
    ),
    consequence="Nothing for mail: one match is enough. But every form has to be kept right at every renewal.",
    remedy="Keep 3 1 1 and remove the other forms.",
    reference="RFC 7671 §8",
)
MANY = Fault(
    code="F-MANY",
    title="too many records at one owner",
    severity=Severity.WARNING,
    story="Old records were never removed, or a certificate authority's keys were all listed one by one.",
    consequence=(
        "Some senders stop reading after a number of records, and a long answer needs TCP, which some networks block:"
        " there the lookup fails, and mail is held back."
    ),
    remedy="Keep the records of the current and of the next key, remove the others.",
    reference="RFC 7671 §10.1.1",
)
SINGLE = Fault(
    code="F-SINGLE",
    title="one record, no standby",
    severity=Severity.NOTICE,
    story="There is a record for the current key only. That is how it should be while no rollover is under way.",
    consequence=(
        "Nothing for mail now. If the key is lost or stolen, a new record needs a TTL and more to reach everybody, and mail "
        "waits that long."
    ),
    remedy=(
        "Publish the record of a standby key ahead, and keep that key in a safe place: tlsa-manager does with next-key = true in "
        "the lineage's configuration, and tlsa-manager next-key NAME gives the key to an ACME client"
    ),
    reference="RFC 7671 §8.1, RFC 6698 §A.4",
)
LEFTOVER = Fault(
    code="F-LEFTOVER",
    title="records of keys that nobody presents",
    severity=Severity.WARNING,
    story=(
        "Records were added at every renewal and never removed. The record of a next key, or of a standby key, is no leftover."
    ),
    consequence="Whoever has got hold of one of the old keys can pass for the server as long as its record stands there.",
    remedy="Find out whose keys they are, and remove those that nobody will present again.",
    reference="RFC 7671 §8.1",
)


@check(DUP)
def listed_twice(case: Case) -> Iterator[Finding]:
    """One leaf in several forms; one digest under several labels. SHA-256 beside SHA-512 of one selector is one form."""
    for spot in spots(case):
        twice = {f"the certificate presented is listed as {names}": rs for names, rs in _forms(spot)}
        twice |= {f"the digest {data[:12]}... is listed as {names}": rs for names, data, rs in _labels(spot)}
        for message, records in twice.items():
            works = {one for one in spot.usable() if spot.selects(one)}
            keep = min(records, key=lambda one: (one not in works, one.usage != 3, one.selector != 1, one.matching != 1))
            others = [one for one in records if one != keep]
            remedy = "; ".join(filter(None, [f"keep: {line(spot.target, spot.ttl, keep)}", clear(spot, *others)]))
            yield DUP.at(spot.owner, message, remedy=remedy, evidence=evidence(spot, others[0]))


@check(MANY)
def too_many(case: Case) -> Iterator[Finding]:
    """More than eight records, more than twelve, or more than resolvers take at all."""
    yield from _refused(case)
    for spot in spots(case):
        number = len(spot.records)
        if number > FEW:
            severity = Severity.ERROR if number > MOST else Severity.WARNING
            size = max((one.size for one in spot.view.answers), default=0)
            message = f"there are {number} records" + (f", in an answer of {size} octets" if size else "")
            idle = [one for one in sorted(spot.records) if not spot.selects(one)]
            gone = remove(spot, *idle)
            remedy = f"keep the records of the current and of the next key; {gone}" if gone else ""
            yield MANY.at(
                spot.owner, message, severity=severity, remedy=remedy, evidence={"owner": spot.target, "number": str(number)}
            )


@check(SINGLE)
def no_standby(case: Case) -> Iterator[Finding]:
    """One record that matches."""
    for spot in spots(case):
        if len(spot.records) == 1 and all(one.usage == 3 and spot.selects(one) for one in spot.records):
            (record,) = spot.records
            yield SINGLE.at(spot.owner, f"{brief(record)} is the only record", evidence=evidence(spot, record))


@check(LEFTOVER)
def left_over(case: Case) -> Iterator[Finding]:
    """Records of server keys that match nothing, beside some that match.

    Of a lineage it is known which keys are still to come and which are gone. Of others it is not, and nothing forbids a next
    and a standby key for each that is presented.
    """
    for spot in spots(case):
        if not any(map(spot.selects, spot.usable())):
            continue
        idle = [one for one in sorted(spot.usable()) if one.usage in {1, 3} and not spot.selects(one)]
        idle = [one for one in idle if explained(one, spot, case) is None and one not in _known(case, spot.target)]
        gone = [one for one in idle if former(one, case)]
        severity = _burden(spot, case, len(idle) - len(gone))
        if gone:
            yield _left(spot, case, gone, Severity.WARNING)
        if severity is not None:
            yield _left(spot, case, [one for one in idle if one not in gone], severity)


def _refused(case: Case) -> Iterator[Finding]:
    """Tell of answers with more records than resolvers take, whatever the type: the lookup fails."""
    found = {(one.name, one.rdtype): one for one in doubts(case) if one.cause is Cause.MANY}
    for (name, rdtype), one in found.items():
        yield MANY.at(
            name,
            f"{one.place} {one.reason}".strip(),
            severity=Severity.CRITICAL if case.outcome is Delivery.DEFER else Severity.ERROR,
            consequence=f"The {rdtype} lookup of senders fails, with BIND as their resolver for one, and mail is held back.",
            remedy="" if rdtype == "TLSA" else f"Remove {rdtype} records at {name} until a dozen are left at most.",
            evidence={"owner": name, "type": rdtype, "answer": one.reason},
        )


def _left(spot: Spot, case: Case, records: list[Tlsa], severity: Severity) -> Finding:
    named = [brief(one) + (f" (of the previous key {name})" if (name := former(one, case)) else "") for one in records[:6]]
    gone = remove(spot, *records[:12])
    return LEFTOVER.at(
        spot.owner,
        f"{len(records)} of {len(spot.records)} records match nothing that is presented: {', '.join(named)}",
        severity=severity,
        remedy=f"if nobody will present their keys again, {gone}{_or_adopt(case, records)}" if gone else "",
        evidence=evidence(spot, records[0]),
    )


def _or_adopt(case: Case, records: list[Tlsa]) -> str:
    """How the lineage is made to remove what was added by others, or is not known to be its own."""
    if case.household is None:
        return ""
    words = " ".join(f'--adopt-foreign "{one}"' for one in records[:12])
    return f"; or have it removed: tlsa-manager records {case.household.lineage.name} {words}"


def _burden(spot: Spot, case: Case, idle: int) -> Severity | None:
    """How bad so many records of unknown keys are, None for not at all.

    What a lineage does not know may belong to another kind of key that is presented beside its own. Who looked with one kind
    of client only has not seen the certificate for the other kind. Where the owner is an alias other servers may share it.
    """
    presented = len({chain.leaf.spki_sha256 for chain in spot.chains})
    if case.household is not None:
        return Severity.WARNING if idle > presented - 1 else None
    keys = presented if {one.client for one in spot.seen} - {"any"} else 2
    if idle > 3 * keys - presented and spot.target == spot.owner:
        return Severity.WARNING
    return Severity.NOTICE if idle > 2 * keys - presented else None


def _forms(spot: Spot) -> Iterator[tuple[str, list[Tlsa]]]:
    for chain in spot.chains:
        records = [one for one in sorted(spot.usable()) if one.usage in {1, 3} and chain.leaf.matches(one)]
        if len({(one.usage, one.selector, one.matching == 0) for one in records}) > 1:
            yield " and ".join(str(one.params) for one in records), records


def _labels(spot: Spot) -> Iterator[tuple[str, str, list[Tlsa]]]:
    by_data: dict[str, list[Tlsa]] = defaultdict(list)
    for one in sorted(spot.records):
        by_data[one.data].append(one)
    for data, records in by_data.items():
        if len(records) > 1:
            yield " and ".join(str(one.params) for one in records), data, records


def _known(case: Case, target: str) -> frozenset[Tlsa]:
    """The records that the lineage needs, and those at a name that are its own, which it removes when nothing needs them.

    It needs those of the current key, of the next, of the one to go back to.
    """
    home = case.household
    return wanted(home.lineage, home.facts) | home.facts.ours.get(target, frozenset()) if home else frozenset()
