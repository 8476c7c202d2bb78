"""A lineage's own machine: files, modes, clock, journal, and what became of the records that it published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.certificate import ORDER
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.home_causes import is_own_record_gone, missing, served, unread
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.mending import line
from tlsa_manager.checks.moments import day, length
from tlsa_manager.finding import Severity
from tlsa_manager.rollover import law
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.household import Content, Household
    from tlsa_manager.tlsa import RRset

LONG = 600.0  # seconds without a word after which a living process is taken to hang

HOOK = Fault(
    code="F-HOOK",
    title="the mail server reads the files of the ACME client",
    severity=Severity.ERROR,
    story=(
        "The mail server's configuration names a file in the directory of certbot or another ACME client. The client replaces it "
        "at each renewal, so any restart, reboot or recycled process presents the new key, whether its record is published or "
        "not."
    ),
    consequence=(
        "Nothing until the next renewal with a new key. From then on senders that use DANE keep the mail, sooner or later by "
        "chance."
    ),
    remedy=(
        "Have the mail server read a file that only tlsa-manager writes, and let the ACME client's hook hand the certificate "
        "over."
    ),
    reference="RFC 7671 §8.1",
)
PERM = Fault(
    code="F-PERM",
    title="others can read or change a private key",
    severity=Severity.ERROR,
    story="A file with a private key, or the directory that it is in, is open to other users of this machine, or belongs to one.",
    consequence=(
        "Mail is delivered. But whoever reads the key can pose as the mail server, with DANE and all; whoever can write the "
        "directory can put another key into service. tlsa-manager refuses to write there."
    ),
    remedy="Close it (chmod 600 FILE, chmod 700 DIRECTORY, chown root). If others had access for real, roll to a new key.",
    reference="RFC 7671 §11",
)
TSIGFILE = Fault(
    code="F-TSIGFILE",
    title="others can read the key that changes DNS",
    severity=Severity.ERROR,
    story=(
        "The TSIG key or provider's token is in a file that other users can read, or stands in a command line, where all can see "
        "it."
    ),
    consequence=(
        "Mail is delivered. But whoever reads it can publish TLSA records for a key of his own and read all mail on the way."
    ),
    remedy="Close the file (chmod 600 FILE). If other users can log in here, make a new key as well.",
    reference="RFC 8945 §10",
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
PARTIAL = Fault(
    code="F-PARTIAL",
    title="a change of records went through in part only",
    severity=Severity.CRITICAL,
    story=(
        "The DNS backend took a change, and now a part of it is missing, or other records went away with it. Interfaces of "
        "providers that replace a whole set, or write one record after the other, do that when something breaks off."
    ),
    consequence="While the record of what is presented is missing, senders that use DANE keep the mail.",
    remedy="Publish the missing records at once: tlsa-manager run does, and tlsa-manager records NAME shows them.",
    reference="RFC 7671 §8",
)
RETRACT = Fault(
    code="F-RETRACT",
    title="the record of the key in service was removed",
    severity=Severity.CRITICAL,
    story=(
        "A record that tlsa-manager published, and that the key in service needs, is in DNS no more. Somebody or something "
        "removed it."
    ),
    consequence="Senders that use DANE keep the mail as soon as their caches have forgotten the old set.",
    remedy="Publish it again at once: tlsa-manager run does. Then find out what removed it (another program, a restored zone).",
    reference="RFC 7671 §8, RFC 7672 §4",
)
STATE = Fault(
    code="F-STATE",
    title="the journal or the store does not know the world as it is",
    severity=Severity.ERROR,
    story=(
        "The journal cannot be read, or it was restored from a backup and is older than what is in service, or files of "
        "generations that it names are missing. tlsa-manager then knows too little to swap or to remove anything."
    ),
    consequence="Mail is delivered as before. The next rollover waits for somebody to look.",
    remedy=(
        "Look with tlsa-manager status, then: tlsa-manager run begins anew from what it finds in service, and tlsa-manager "
        "records --adopt takes over what is published."
    ),
    reference="",
)
RESIGN = Fault(
    code="F-RESIGN",
    title="the primary has the new records, and no name server hands them out",
    severity=Severity.ERROR,
    story=(
        "The update went through at the primary, but what the world asks still has the old records: the signer behind a hidden "
        "primary stands still, secondaries are not notified, or transfers fail."
    ),
    consequence="Mail is delivered as before. The rollover waits, as it has to: the new key is not swapped in.",
    remedy="See why the zone does not go out: serial numbers (dig +nssearch ZONE), the signer's log, notify and transfers.",
    reference="RFC 7671 §8.1, RFC 1996",
)
OLDCERT = Fault(
    code="F-OLDCERT",
    title="the certificate on the disk is not the one that is presented",
    severity=Severity.ERROR,
    story="The file was replaced, and the server was not reloaded, or reads another file, or a copy of it (an indexed SNI map).",
    consequence=(
        "While records of both keys are published mail is delivered. With the removal of the old one senders that use DANE keep "
        "the mail; and the next restart swaps the key by chance."
    ),
    remedy="Reload the server (postfix reload), or have it read the file; then look again.",
    reference="RFC 7671 §8.1",
)
KEYMISMATCH = Fault(
    code="F-KEYMISMATCH",
    title="the private key and the certificate do not belong together",
    severity=Severity.CRITICAL,
    story=(
        "The file of the mail server holds the key of one certificate beside another certificate; mostly one of them is of a "
        "renewal later."
    ),
    consequence=(
        "A server that reads it goes without TLS (Postfix), or does not start. Senders that use DANE keep the mail, and so do "
        "MTA-STS senders while a policy says enforce."
    ),
    remedy="Put key and certificate of the same renewal there: tlsa-manager run installs the generation that is current.",
    reference="RFC 7672 §2.2",
)
FILE = Fault(
    code="F-FILE",
    title="the file of the mail server cannot be used for a swap",
    severity=Severity.ERROR,
    story=(
        "The mail server does not read the file that tlsa-manager writes, or the file cannot be written, or is not what it "
        "should be."
    ),
    consequence="Mail is delivered as before. A swap would have no effect, or fail.",
    remedy="Do what the message says; tlsa-manager config check tells whether it is enough.",
    reference="",
)


@check(HOOK, PERM, FILE)
def consumers_files(case: Case) -> Iterator[Finding]:
    """Tell what is wrong with the files that the mail servers read; each sentence has its remedy."""
    for file in case.snapshot.files.values():
        told = case.household.contents.get(file.consumer) if case.household else None
        for problem in file.problems:
            message, _, remedy = problem.partition("; ")
            if problem in file.from_acme:
                yield HOOK.at(file.path, message, remedy=remedy)
            elif problem in file.exposed:
                yield PERM.at(file.path, message, remedy=remedy)
            elif told is None or not (told.strangers or told.disorder) or not problem.startswith(f"{file.path}: "):
                yield FILE.at(file.path, message, remedy=remedy)


@check(PERM, TSIGFILE)
def exposed(case: Case) -> Iterator[Finding]:
    """Tell which keys and credentials others can get at."""
    for one in case.household.exposed if case.household else ():
        yield (TSIGFILE if one.credential else PERM).at(one.path, one.problem, remedy=one.command)


@check(KEYMISMATCH, ORDER)
def parts_of_a_file(case: Case) -> Iterator[Finding]:
    """Find files whose parts do not belong together, or stand in the wrong order."""
    for name, content in case.household.contents.items() if case.household else ():
        fatal = Severity.CRITICAL if _without_tls(case) else None
        if content.strangers:
            severity = fatal or Severity.ERROR
            yield KEYMISMATCH.at(content.path, f"{name}: {content.strangers}", severity=severity, evidence=_written(content))
        elif content.disorder:
            severity = fatal or Severity.WARNING  # some software does not mind
            yield ORDER.at(content.path, f"{name}: {content.disorder}", severity=severity, evidence=_written(content))


@check(OLDCERT)
def not_taken_up(case: Case) -> Iterator[Finding]:
    """Find certificates on the disk that nothing presents."""
    home = case.household
    for file in unread(case) if home else ():
        content = home.contents.get(file.consumer) if home else None
        deferred = any(one.unmatched() and one.deferred for one in meetings(case))
        since = f", for {length(case.now - content.modified)}" if content and content.modified else ""
        yield OLDCERT.at(
            file.path,
            f"{file.consumer}: what stands in the file is presented nowhere{since}",
            severity=Severity.CRITICAL if deferred else Severity.ERROR,
            evidence={"on the disk": file.fingerprint, **_presented(case)},
        )


@check(RETRACT, PARTIAL)
def records_gone(case: Case) -> Iterator[Finding]:
    """Find records of ours that are gone although something needs them: one cause for each owner."""
    home = case.household
    for owner in home.lineage.owners if home else ():
        gone, view = missing(case, owner), case.snapshot.owners.get(owner)
        if not gone or view is None or home is None:
            continue
        target = view.target or owner
        deferred = any(one.deferred and is_own_record_gone(one, case) for one in meetings(case) if one.verdict.owner == owner)
        current = _current_records(home)
        begun = bool(home.facts.next) and bool(served(view) & law.wanted(home.lineage, home.facts))
        fault = PARTIAL if begun or not gone & current else RETRACT
        lines = "; and: ".join(line(target, home.lineage.policy.ttl, one) for one in sorted(gone))
        yield fault.at(
            owner,
            f"no name server has {len(gone)} of the records that were published"
            + (", and something presented needs one of them" if deferred else ""),
            severity=Severity.CRITICAL if deferred else Severity.ERROR,
            remedy=f"publish: {lines} (tlsa-manager run {home.lineage.name} does), and find out what removed it",
            evidence={
                "missing": ", ".join(map(str, sorted(gone))),
                "served": ", ".join(map(str, sorted(served(view)))) or "none",
            },
        )


@check(RESIGN)
def stuck_behind_the_primary(case: Case) -> Iterator[Finding]:
    """Find records that the backend has had for a while, and that no authoritative server answers."""
    home = case.household
    for owner in home.lineage.owners if home else ():
        view = case.snapshot.owners.get(owner)
        held = case.snapshot.held.get((view.target or owner) if view else owner)
        sent = home.facts.sent.get((view.target or owner) if view else owner) if home else None
        if home is None or view is None or not view.complete or held is None or held.records is None or sent is None:
            continue
        late = (held.records & sent.records) - served(view)
        if late and case.now > sent.at + home.lineage.policy.margin:
            serials = sorted({str(one.serial) for one in view.answers if one.serial is not None})
            yield RESIGN.at(
                owner,
                f"{len(late)} records stand at the primary for {length(case.now - sent.at)}, and no name server answers them",
                evidence={"at the primary": ", ".join(map(str, sorted(late))), "serials": ", ".join(serials)},
            )


@check(STATE)
def memory(case: Case) -> Iterator[Finding]:
    """Find out whether the journal can be read, has its files, and knows what is in service."""
    home = case.household
    if home is None:
        return
    for problem, remedy in home.trouble:
        yield STATE.at(home.lineage.name, problem, remedy=remedy)
    if home.missing:
        names = ", ".join(home.missing)
        remedy = "restore them from a backup; or renew the certificate, so that there is a key again whose file is here"
        yield STATE.at(home.lineage.name, f"the store does not have generation {names}, which the journal needs", remedy=remedy)
    if not home.trouble:
        yield from _unknown_in_service(case, home)


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


def _current_records(home: Household) -> RRset:
    current = home.facts.generation(home.facts.current)
    return current.records(home.lineage.params) if current else frozenset()


def _without_tls(case: Case) -> bool:
    """Whether a service of the lineage does not come to TLS, and mail is deferred for it."""
    return any(one.deferred and not one.shown() for one in meetings(case))


def _written(content: Content) -> dict[str, str]:
    return {"written": day(content.modified)} if content.modified else {}


def _presented(case: Case) -> dict[str, str]:
    shown = {seen.chain.fingerprint: one.place for one in meetings(case) for seen in one.shown() if seen.chain}
    return {f"presented by {place}": fingerprint for fingerprint, place in shown.items()}
