"""A lineage's own machine: what its mail servers read, who can get at keys, what is on the disk and not on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.house.causes import unread
from tlsa_manager.checks.meeting import meetings
from tlsa_manager.checks.moments import day, length
from tlsa_manager.checks.servers.certificate import ORDER
from tlsa_manager.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.household import Content

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


def _without_tls(case: Case) -> bool:
    """Whether a service of the lineage does not come to TLS, and mail is deferred for it."""
    return any(one.deferred and not one.shown() for one in meetings(case))


def _written(content: Content) -> dict[str, str]:
    return {"written": day(content.modified)} if content.modified else {}


def _presented(case: Case) -> dict[str, str]:
    shown = {seen.chain.fingerprint: one.place for one in meetings(case) for seen in one.shown() if seen.chain}
    return {f"presented by {place}": fingerprint for fingerprint, place in shown.items()}
