"""Records that match nothing because of what was put into them: every reading that explains the data (F-SEL01 ... F-EEASCA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import FAULTS, Fault, check
from tlsa_manager.checks.mending import replace
from tlsa_manager.checks.records.readings import readings
from tlsa_manager.checks.spot import spots
from tlsa_manager.checks.telling import brief, computed, evidence
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.records.readings import Reading
    from tlsa_manager.checks.spot import Spot
    from tlsa_manager.tlsa import Tlsa

_DEFER = "DANE senders match no record and hold the mail back. Senders with MTA-STS, and mail programs, do not notice."
_COMPUTE = "Publish the right record beside it, wait until every name server answers it, then remove the wrong one."
_UNUSABLE = (
    "DANE senders ignore the record. If it is the only one they force TLS but know no more who answers: that is no protection."
)

SEL01 = Fault(
    code="F-SEL01",
    title="digest of the certificate under a label that says public key",
    severity=Severity.CRITICAL,
    story=(
        "Somebody hashed the whole certificate and labelled it with selector 1. Many old how-tos do it so. The label "
        "says that the data is made of the public key alone, so nothing matches."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
SEL10 = Fault(
    code="F-SEL10",
    title="digest of the public key under a label that says certificate",
    severity=Severity.CRITICAL,
    story="The public key was hashed, and the record was labelled with selector 0, which means the whole certificate.",
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
MT12 = Fault(
    code="F-MT12",
    title="the matching type does not fit the data",
    severity=Severity.CRITICAL,
    story=(
        "The data is a SHA-512 digest labelled as SHA-256, or the other way round, or a digest where the label "
        "promises the thing itself. A digest of the wrong length makes the record unusable."
    ),
    consequence=_UNUSABLE + " Where the label asks for the thing itself they match nothing and hold the mail back.",
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.3",
)
PEM = Fault(
    code="F-PEM",
    title="digest of the certificate's PEM text",
    severity=Severity.CRITICAL,
    story=(
        "The file was hashed as it is, with sha256sum cert.pem for instance. A digest for TLSA is made of DER, the "
        "bytes that the text stands for."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
PEMKEY = Fault(
    code="F-PEMKEY",
    title="digest of the public key's PEM or base64 text",
    severity=Severity.CRITICAL,
    story=("The output of openssl pkey -pubout was hashed as text, without openssl pkey -pubin -outform DER in between."),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
EMPTY = Fault(
    code="F-EMPTY",
    title="digest of nothing",
    severity=Severity.CRITICAL,
    story=(
        "The program before the digest in the pipe failed and its output was empty: openssl rsa with an elliptic key,"
        " a file that is not there. The value e3b0c442... is SHA-256 of no bytes, cf83e135... is SHA-512 of none."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.3",
)
CSR = Fault(
    code="F-CSR",
    title="digest of the certificate request or of the private key",
    severity=Severity.CRITICAL,
    story=(
        "The wrong file was hashed: the request (CSR) or the private key instead of the certificate. The digest of a "
        "private key tells nobody the key."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
RSAKEY = Fault(
    code="F-RSAKEY",
    title="digest of the bare key inside the SubjectPublicKeyInfo",
    severity=Severity.CRITICAL,
    story=(
        "The inner key was hashed: PKCS#1 RSAPublicKey, the point of the elliptic curve, the modulus. Selector 1 "
        "means the whole SubjectPublicKeyInfo, which names the algorithm, too."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.2",
)
SHA1 = Fault(
    code="F-SHA1",
    title="SHA-1 fingerprint",
    severity=Severity.CRITICAL,
    story="A fingerprint of 20 bytes was copied from a certificate viewer. There is no matching type for SHA-1.",
    consequence=_UNUSABLE,
    remedy=_COMPUTE + " Compute it with: tlsa-manager digest CERTIFICATE",
    reference="RFC 6698 §2.1.3",
)
LEN = Fault(
    code="F-LEN",
    title="digest of a wrong length",
    severity=Severity.CRITICAL,
    story="The data was cut off, or something was added: web forms and database columns that are too short do it.",
    consequence=_UNUSABLE,
    remedy=_COMPUTE + " Read it back afterwards with: tlsa-manager check",
    reference="RFC 6698 §2.1.3, §4.1",
)
ODD = Fault(
    code="F-ODD",
    title="malformed data: an odd number of digits, no hexadecimal, or none",
    severity=Severity.ERROR,
    story=(
        "Hexadecimal comes in pairs of digits. Where one is lost, or another character got in, a provider's interface"
        " refuses the record, or makes it even with a zero and so moves all digits, or publishes a record without "
        "data."
    ),
    consequence=(
        "A record that is refused protects nothing. One that was made even matches nothing: DANE senders hold the "
        "mail back. Without data it is ignored."
    ),
    remedy=_COMPUTE + " Read it back afterwards with: tlsa-manager check",
    reference="RFC 6698 §2.2",
)
B64 = Fault(
    code="F-B64",
    title="text where the bytes of a digest belong",
    severity=Severity.CRITICAL,
    story=(
        "The provider's form takes hexadecimal and was given base64, PEM, or hexadecimal that had been encoded "
        "already; or an interface that wants bytes was given text."
    ),
    consequence=_UNUSABLE + " Where the label asks for the thing itself they match nothing and hold the mail back.",
    remedy=_COMPUTE + " Read it back afterwards with: tlsa-manager check",
    reference="RFC 6698 §2.2",
)
TYPO = Fault(
    code="F-TYPO",
    title="a few digits of the digest are wrong",
    severity=Severity.CRITICAL,
    story="The digest was typed, or read from a screen or from paper.",
    consequence=_DEFER,
    remedy=_COMPUTE + " Copy it, or let a program publish it.",
    reference="RFC 6698 §4.1",
)
CAASEE = Fault(
    code="F-CAASEE",
    title="digest of an issuer's certificate under a usage that means the server's own",
    severity=Severity.CRITICAL,
    story=(
        "The wrong certificate of the chain file was hashed: usages 3 and 1 mean the server's own certificate, usages"
        " 2 and 0 an issuer's."
    ),
    consequence=_DEFER,
    remedy=_COMPUTE + " Whoever means the issuer gives the record usage 2, and then names and dates count, too.",
    reference="RFC 6698 §2.1.1",
)
EEASCA = Fault(
    code="F-EEASCA",
    title="digest of the server's own certificate under a usage that means an issuer",
    severity=Severity.CRITICAL,
    story=(
        "The server's own certificate or key was hashed and labelled with usage 2 (or 0), which means a certificate "
        "authority above it."
    ),
    consequence="Most senders look for usage 2 among the issuers only, find nothing and hold the mail back.",
    remedy=_COMPUTE + " For the server's own certificate it is usage 3.",
    reference="RFC 6698 §2.1.1, RFC 7671 §5.2",
)


@check(SEL01, SEL10, MT12, PEM, PEMKEY, EMPTY, CSR, RSAKEY, SHA1, LEN, ODD, B64, TYPO, CAASEE, EEASCA)
def misread(case: Case) -> Iterator[Finding]:
    """Explain every record that matches nothing, if one of the readings fits it."""
    for spot in spots(case):
        found = readings(spot, case)
        causes = [reading.code for record, reading in found.items() if record in spot.usable()]
        for record, reading in found.items():
            yield told(spot, record, reading, is_cause=reading.code == next(iter(causes), ""))


def told(spot: Spot, record: Tlsa, reading: Reading, *, is_cause: bool) -> Finding:
    """Make the finding of a reading. `is_cause`: of several kinds of mistakes at an owner one alone is told as the cause."""
    severity, remedy = weight(spot, record, is_cause=is_cause), replace(spot, record)
    if reading.code == CAASEE.code:
        remedy += f"; if the issuer is meant, the record is: 2 {record.selector} {record.matching} {record.data}"
    return FAULTS[reading.code].at(
        spot.owner,
        f"the data of the record {brief(record)} is {reading.what}",
        severity=severity,
        consequence=consequence(spot, record, severity),
        remedy=remedy,
        evidence=evidence(spot, record) | ({"computed": str(reading.wanted)} if reading.wanted else computed(spot)),
    )


def weight(spot: Spot, record: Tlsa, *, is_cause: bool) -> Severity:
    """How bad a record without a match is: critical only where mail is held back for it, since a second record may save it."""
    if is_cause and spot.mismatched and record in spot.usable():
        return Severity.CRITICAL
    return Severity.WARNING if spot.selected and not spot.deferred else Severity.ERROR


def consequence(spot: Spot, record: Tlsa, severity: Severity) -> str:
    """Say what a record without a match does to mail at this owner."""
    if severity is Severity.CRITICAL:
        return _DEFER
    if severity is Severity.WARNING:
        return "Nothing is held back, because another record matches. This one protects nothing; the next may be as wrong."
    if spot.selected:
        return "The record protects nothing. Mail is held back all the same, although another record is of what is presented."
    if record not in spot.usable():
        return "DANE senders ignore the record, and no other one matches: nobody authenticates the server by it."
    if spot.deferred:
        return "The record matches nothing either, as the others that senders use here: they hold the mail back."
    return "The record protects nothing. Where DNSSEC makes senders use it they match nothing and hold the mail back."
