"""A lineage's own machine: its journal, its clock, and who else is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.moments import day, length
from tlsa_manager.finding import Severity
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.household import Household

LONG = 600.0  # seconds without a word after which a living process is taken to hang
STATE = Fault(
    code="F-STATE",
    title="the journal or the store does not know the world as it is",
    severity=Severity.ERROR,
    story=(
        "The journal cannot be read, or it was restored from a backup and is older than what is in service, or files of "
        "generations or keys that it names are missing. tlsa-manager then knows too little to swap or to remove anything."
    ),
    consequence="Mail is delivered as before. The next rollover waits for somebody to look.",
    remedy=(
        "Look with tlsa-manager status, then: tlsa-manager run begins anew from what it finds in service, and tlsa-manager "
        "records --adopt takes over what is published."
    ),
    reference="",
)
CONCUR = Fault(
    code="F-CONCUR",
    title="somebody else works on the same records, or a run hangs",
    severity=Severity.ERROR,
    story=(
        "A change was refused because the records were no longer what it was planned from: another program, or a person, changes "
        "them too. Or a process of tlsa-manager holds the lease of the lineage and does not get on."
    ),
    consequence="Nothing was written, so mail is delivered as before; but the rollover does not go on.",
    remedy="Let one program alone manage these records. See who it is in the log of the DNS server; a hanging run may be ended.",
    reference="RFC 2136 §3.2",
)
SKEW = Fault(
    code="F-SKEW",
    title="the clock of this machine is wrong",
    severity=Severity.ERROR,
    story="The clock was moved, or is far from the clocks of others: no time service runs, or the machine slept.",
    consequence=(
        "Waits for caches are measured with this clock, so a swap might come too early; tlsa-manager begins a wait anew when it "
        "notices a step. Signatures seem expired or not valid yet, and the DNS server refuses updates (BADTIME)."
    ),
    remedy="Keep the clock right: timedatectl set-ntp true (or chrony); compare with: date -u",
    reference="RFC 8945 §5.2.3, RFC 4035 §5.3.1",
)


@check(STATE)
def memory(case: Case) -> Iterator[Finding]:
    """Find out whether the journal can be read, has its files, and knows what is in service."""
    home = case.household
    if home is None:
        return
    for problem, remedy in home.trouble:
        yield STATE.at(home.lineage.name, problem, remedy=remedy)
    yield from _missing(home)
    if not home.trouble:
        yield from _unknown_in_service(case, home)


def _missing(home: Household) -> Iterator[Finding]:
    """What the journal names and the store has not."""
    name, key = home.lineage.name, home.facts.standby.id if home.facts.standby else ""
    generations = [one for one in home.missing if one != key]
    if generations:
        remedy = "restore them from a backup; or renew the certificate, so that there is a key again whose file is here"
        message = f"the store does not have generation {', '.join(generations)}, which the journal needs"
        yield STATE.at(name, message, remedy=remedy)
    if key in home.missing:
        remedy = f"restore it from a backup; or have another one made: tlsa-manager next-key {name} --replace 'it was lost'"
        message = f"the store does not have the next key, {key}, which the next certificate is to be for"
        yield STATE.at(name, message, remedy=remedy)


@check(CONCUR)
def others_at_work(case: Case) -> Iterator[Finding]:
    """Find changes that were refused because somebody else made one, and processes that hold the lease."""
    home = case.household
    if home is None:
        return
    for step, failure in home.facts.failures.items():
        if "changed between reading and writing" in failure.reason:
            times = f"{failure.count} times" if failure.count > 1 else "once"
            yield CONCUR.at(step.partition(" ")[2], f"{failure.reason} ({times}, last at {day(failure.at)})", remedy=failure.hint)
    if home.holder is not None:
        quiet = case.now - home.holder.heard
        who = f"process {home.holder.pid} on {home.holder.host}"
        yield CONCUR.at(
            home.lineage.name,
            f"{who} is working on it" + (f", and was last heard {length(quiet)} ago" if quiet > LONG else ""),
            severity=Severity.ERROR if quiet > LONG else Severity.NOTICE,
            consequence="" if quiet > LONG else "Nothing: one process works at a time, and the others wait.",
            remedy=f"if it hangs: kill {home.holder.pid}; the next run goes on where it stopped" if quiet > LONG else "wait",
        )


@check(SKEW)
def clock(case: Case) -> Iterator[Finding]:
    """Find out from what was measured whether this machine's clock is wrong. With a small error nothing here can be measured."""
    subject = "the clock of this machine"
    word = next((held.reason for held in case.snapshot.held.values() if "BADTIME" in held.reason), "")
    if word:
        yield SKEW.at(subject, word.partition("; ")[0])
    elif root := _root_dates(case):
        yield SKEW.at(subject, f"the signatures of the root zone itself {root} by it, on every server")
    home = case.household
    if home is not None and home.clock_step:
        yield SKEW.at(subject, f"it was moved by {home.clock_step:+.0f} seconds since the last look", severity=Severity.WARNING)
    elif home is not None and home.steps:
        at, seconds = home.steps[-1]
        message = f"it was moved by {seconds:+.0f} seconds, noticed at {day(at)}; waits were begun anew"
        yield SKEW.at(subject, message, severity=Severity.WARNING)


def _root_dates(case: Case) -> str:
    """Say what is wrong with the dates of the root's signatures: if the root itself is wrong everywhere, the clock is."""
    answers = [answer for view in case.snapshot.owners.values() for answer in view.answers]
    bogus = [one for one in answers if one.security is Security.BOGUS and one.broken_zone == "."]
    if not bogus or len(bogus) != len(answers):
        return ""
    words = {Cause.SIGNATURE_FUTURE: "are not valid yet", Cause.SIGNATURE_EXPIRED: "have expired"}
    return words.get(bogus[0].cause, "") if len({one.cause for one in bogus}) == 1 else ""


def _unknown_in_service(case: Case, home: Household) -> Iterator[Finding]:
    """Somebody rolled over without the journal: what is presented has its record in DNS, and the journal knows nothing of it."""
    if not home.facts.generations:
        return
    known = {one.chain.leaf.spki_sha256 for one in home.facts.generations.values()}
    for meeting in meetings(case):
        for seen in meeting.shown("any"):
            strange = seen.chain is not None and seen.chain.leaf.spki_sha256 not in known
            if strange and meeting.fits(seen) and seen.chain is not None and not _neighbours(home, seen.chain.kind):
                yield STATE.at(
                    meeting.verdict.service,
                    "a key is presented, and published, that the journal does not know: it is older than the world, or another "
                    "program rolled the key",
                    evidence={"presented": str(next(iter(seen.chain.records())))},
                )
                return


def _neighbours(home: Household, kind: str) -> bool:
    """Whether a certificate of this kind belongs to another lineage: two lineages, RSA and ECDSA, may share services."""
    current = home.facts.generation(home.facts.current)
    return current is not None and current.chain.kind != kind
