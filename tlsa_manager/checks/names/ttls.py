"""How long records, and their absence, are remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding

HOUR, DAY = 3600, 86400
TINY, NEGATIVE = 300, 3 * HOUR  # RFC 2308 §5: one to three hours are sensible for an absence

LONG = Fault(
    code="F-TTLLONG",
    title="TLSA records with a long TTL",
    severity=Severity.WARNING,
    story="Resolvers may keep the records for as long as their TTL says.",
    consequence=(
        "A rollover has to wait twice that long. In an emergency, when a key has leaked or was lost, senders go by the old "
        "records for that long, and the mail is kept."
    ),
    remedy="Set the TTL to 3600, well before the next rollover: the old one goes on counting for as long as it says.",
    reference="RFC 7671 §8.1, §13",
)
SHORT = Fault(
    code="F-TTLTINY",
    title="TLSA records with a very short TTL",
    severity=Severity.NOTICE,
    story="A TTL below five minutes makes resolvers ask all the time.",
    consequence=(
        "A rollover is not faster for it: some resolvers keep every record for an hour or more, so it waits two hours anyway."
    ),
    remedy="Set the TTL to 3600; something between 1800 and 3600 is usual.",
    reference="RFC 7671 §13",
)
MIXED = Fault(
    code="F-TTLMIX",
    title="the TTL of the TLSA records is not the same everywhere",
    severity=Severity.WARNING,
    story="The servers give different TTLs for one set of records: not all have the newest version, or one changes them.",
    consequence="How long senders go by a set depends on the server that was asked. A rollover has to wait for the longest.",
    remedy="Publish all records of a name with one TTL, and let all servers fetch the zone.",
    reference="RFC 2181 §5.2",
)
ABSENT = Fault(
    code="F-NEGLONG",
    title="the absence of records is remembered for long",
    severity=Severity.NOTICE,
    story="The last number of the SOA record, and its TTL, say for how long resolvers may remember that there is nothing.",
    consequence=(
        "A first TLSA record is not seen by everybody before that time is over. Nothing is lost: until then it is as without."
    ),
    remedy="Set the minimum of the SOA record to 3600 before the first TLSA record is published.",
    reference="RFC 2308 §5",
)


@check(LONG, SHORT)
def too_long_or_short(case: Case) -> Iterator[Finding]:
    """Find TTLs that make an emergency last, or that bring nothing."""
    for view in on_the_way(case):
        ttls = [one.ttl for one in view.answers if one.records]
        if not ttls:
            continue
        longest = max(*ttls, view.alias_ttl)
        seen = {"TTL": f"{longest} s", "wanted": "3600 s"}
        if longest > HOUR:
            severity = Severity.WARNING if longest > DAY else Severity.NOTICE
            alias = f" (its alias {view.alias_ttl} s)" if view.alias_ttl else ""
            message = f"the TLSA records of {view.owner} may be kept for {_time(longest)}{alias}"
            remedy = LONG.remedy.replace("the TTL", f"the TTL of {view.target} TLSA", 1)
            yield LONG.at(view.owner, message, severity=severity, remedy=remedy, evidence=seen)
        elif max(ttls) < TINY:
            remedy = SHORT.remedy.replace("the TTL", f"the TTL of {view.target} TLSA", 1)
            message = f"the TLSA records of {view.owner} have a TTL of {max(ttls)} s"
            yield SHORT.at(view.owner, message, remedy=remedy, evidence=seen)


@check(MIXED)
def not_the_same(case: Case) -> Iterator[Finding]:
    """Find TTLs that differ from server to server."""
    for view in on_the_way(case):
        ttls = {one.place: one.ttl for one in view.answers if one.records}
        if len(set(ttls.values())) > 1:
            told = ", ".join(f"{place} {ttl} s" for place, ttl in ttls.items())
            yield MIXED.at(view.owner, f"the servers give different TTLs for TLSA of {view.owner}: {told}", evidence=_texts(ttls))


@check(ABSENT)
def absence_remembered(case: Case) -> Iterator[Finding]:
    """Find signed zones whose negative answers live for hours; elsewhere a first record would change nothing."""
    for name in dict.fromkeys(view.zone for view in on_the_way(case)):
        zone = case.snapshot.zones.get(name)
        if zone is not None and zone.signed and zone.negative_ttl > NEGATIVE:
            message = f"{name} lets resolvers remember for {_time(zone.negative_ttl)} that a record is absent"
            yield ABSENT.at(name, message, evidence={"seconds": str(zone.negative_ttl), "wanted": f"{NEGATIVE} at most"})


def _time(seconds: int) -> str:
    return f"{seconds / DAY:g} days" if seconds >= 2 * DAY else f"{seconds / HOUR:.3g} hours"


def _texts(ttls: dict[str, int]) -> dict[str, str]:
    return {place: f"{ttl} s" for place, ttl in ttls.items()}
