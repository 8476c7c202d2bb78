"""Zones that are signed and yet count as unsigned: no link from the parent, or algorithms that validators do not follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.dnssec.signatures import evidence, mend, subject, tell
from tlsa_manager.checks.doubts import by_zone, on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.surroundings import ZoneView

COMMON = frozenset({8, 10, 13, 14, 15})  # what every validator of today follows (IANA registry, RFC 9904)
OLD = frozenset({1, 3, 5, 6, 7, 12})
FEW_ITERATIONS = 100  # beyond, validators stop proving (RFC 9276 §3.2)

UNSIGNED = (
    "For senders the zone is unsigned: they do not act on its TLSA records, deliver as if there were none, and an attacker on "
    "the way can read or redirect the mail. Nothing is deferred."
)

NODS = Fault(
    code="F-NODS",
    title="the zone is signed, but its parent has no DS record for it",
    severity=Severity.ERROR,
    story="The zone's servers hand out keys and signatures, but nothing links them to the parent: the last step was forgotten.",
    consequence=UNSIGNED,
    remedy=(
        "First see that every TLSA record matches, since the DS record switches all of them on at once. Then have the DS record "
        "put into the parent zone by the registrar; it is what this prints: dig ZONE DNSKEY | dnssec-dsfromkey -2 -f - ZONE"
    ),
    reference="RFC 4035 §5.2, RFC 7672 §2.1.1",
)
ALGOLD = Fault(
    code="F-ALGOLD",
    title="the zone is signed with an algorithm that no longer counts",
    severity=Severity.ERROR,
    story="The keys or the DS records use SHA-1 or older, which validators have to treat as if the zone were not signed.",
    consequence=UNSIGNED + " Older validators still accept it, so it looks well from some places.",
    remedy=(
        "Roll the zone to ECDSA P-256 with SHA-256, algorithm 13 (RFC 6781 §4.1.4), with a DS record of digest type 2. Where "
        "only the DS record has digest type 1, add one of type 2: dnssec-dsfromkey -2 KEYFILE"
    ),
    reference="RFC 9904, RFC 9905",
)
ALGNEW = Fault(
    code="F-ALGNEW",
    title="the zone is signed with an algorithm that many validators do not know",
    severity=Severity.WARNING,
    story="The algorithm is new or rare. Validators that do not know it treat the zone as if it were not signed.",
    consequence="Some senders go by the TLSA records; for the others the zone is unsigned, and DANE does not protect their mail.",
    remedy="Sign with ECDSA P-256 with SHA-256, algorithm 13, which everybody knows (RFC 6781 §4.1.4 tells how to roll).",
    reference="RFC 4035 §5.2, RFC 9904",
)
OPTOUT = Fault(
    code="F-OPTOUT",
    title="the proof that a name is absent leaves room for unsigned names (NSEC3 opt-out)",
    severity=Severity.WARNING,
    story="The zone uses NSEC3 with opt-out, which is meant for registries with millions of unsigned delegations.",
    consequence=(
        "An answer that depends on such a proof counts as insecure: where there is no TLSA record an attacker could invent an "
        "unsigned name, and what a wildcard answers is not protected."
    ),
    remedy=(
        "Sign without opt-out (BIND: dnssec-policy { nsec3param iterations 0 optout no salt-length 0; }; dnssec-signzone without "
        "-A)."
    ),
    reference="RFC 5155 §6, RFC 7129 §5.1",
)
N3ITER = Fault(
    code="F-N3ITER",
    title="NSEC3 with extra iterations",
    severity=Severity.ERROR,
    story="Each proof of absence costs validators as many extra hashes. They protect nothing, and validators limit them.",
    consequence=(
        "Beyond 100 iterations validators take answers that need such a proof for unsigned, or refuse to answer at all, so DANE "
        "vanishes or mail is deferred. Smaller numbers may meet that fate: resolvers have been lowering their limits."
    ),
    remedy=(
        "Set the iterations to 0 and the salt to none (BIND: nsec3param iterations 0 optout no salt-length 0; or simply use "
        "NSEC)."
    ),
    reference="RFC 9276 §3.1-3.2",
)


@check(NODS)
def not_linked(case: Case) -> Iterator[Finding]:
    """Find zones that are signed without anybody knowing."""
    for zone, found in by_zone(case, Cause.NO_DS, fails=False):
        seen = case.snapshot.zones.get(zone)
        if seen is not None and seen.signed:
            algorithms = ", ".join(map(str, seen.algorithms))
            yield NODS.at(
                zone,
                f"{zone} is signed (algorithm {algorithms}), but its parent has no DS record for it",
                remedy=mend(NODS, zone),
                evidence=evidence(found) | {"algorithms": algorithms, "DS": "none"},
            )


@check(ALGOLD, ALGNEW)
def algorithms(case: Case) -> Iterator[Finding]:
    """Find algorithms that do not count, or not everywhere."""
    told = set()
    for zone, found in by_zone(case, Cause.OLD_ALGORITHM, fails=False):
        told.add(zone)
        seen = case.snapshot.zones.get(zone)
        fault = ALGNEW if seen is not None and _is_new(seen) else ALGOLD
        yield fault.at(zone, tell(found), evidence=evidence(found) | (_parameters(seen) if seen is not None else {}))
    for view in _zones(case):
        if view.ds and view.name not in told and _is_new(view):
            message = f"{view.name} is signed with algorithm {', '.join(map(str, view.algorithms))} only"
            yield ALGNEW.at(view.name, message, evidence=_parameters(view))


@check(OPTOUT)
def opted_out(case: Case) -> Iterator[Finding]:
    """Find answers that are insecure because of opt-out."""
    for zone, found in by_zone(case, Cause.OPT_OUT, fails=False):
        yield OPTOUT.at(subject(zone, found), tell(found), evidence=evidence(found))


@check(N3ITER)
def iterations(case: Case) -> Iterator[Finding]:
    """Find NSEC3 iterations."""
    told = set()
    for zone, found in by_zone(case, Cause.NSEC3_PARAMETERS, fails=False):
        told.add(zone)
        seen = case.snapshot.zones.get(zone)
        count = {"iterations": str(seen.iterations)} if seen is not None and seen.iterations is not None else {}
        yield N3ITER.at(zone, tell(found), evidence=evidence(found) | count)
    for view in _zones(case):
        if view.iterations and view.name not in told:
            severity = Severity.ERROR if view.iterations > FEW_ITERATIONS else Severity.WARNING
            message = f"{view.name} proves absence with {view.iterations} extra NSEC3 iterations"
            yield N3ITER.at(view.name, message, severity=severity, evidence={"iterations": str(view.iterations), "wanted": "0"})


def _zones(case: Case) -> Iterator[ZoneView]:
    """Yield the zones of the hosts and of the TLSA records."""
    names = [view.zone for view in on_the_way(case)]
    names += [
        found.zone for stop in case.route.stops for kind in ("A", "AAAA") if (found := case.lookup(stop.service.host, kind))
    ]
    mail = case.lookup(case.target.name, "MX")
    names += [mail.zone] if mail is not None else []
    return (case.snapshot.zones[name] for name in dict.fromkeys(names) if name in case.snapshot.zones)


def _is_new(zone: ZoneView) -> bool:
    """Whether no link of a zone is of a kind that everybody knows, and some are too new rather than too old."""
    linked = {algorithm for _, algorithm, _ in zone.ds} or set(zone.algorithms)
    return bool(linked) and not linked & COMMON and not linked <= OLD


def _parameters(zone: ZoneView) -> dict[str, str]:
    links = ", ".join(f"key tag {tag} algorithm {algorithm} digest {kind}" for tag, algorithm, kind in zone.ds)
    return {"algorithms": ", ".join(map(str, zone.algorithms)), "DS": links or "none"}
