"""When an authority wants a certificate renewed: ACME Renewal Information (RFC 9773)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.certificates import certificates_in
from tlsa_manager.errors import BadInput
from tlsa_manager.issue import Advice
from tlsa_manager.issue.moments import moment
from tlsa_manager.issue.proofs import encoded
from tlsa_manager.issue.refusal import garbage, printable, refused

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from tlsa_manager.issue.authority import Authority
    from tlsa_manager.issue.wire import Answer

USUAL = 6 * 3600.0  # seconds until asked again, where the authority does not say (RFC 9773 §4.3.3)
SHORTEST, LONGEST = 60.0, 86400.0  # bounds of what it may say (§4.3.2: clients must set limits)


def identity(certificate: bytes) -> str:
    """Return what names a certificate (PEM) in ARI (§4.1): its authority's key and its serial; empty where it has no such key."""
    return _identity(_leaf(certificate))


def ask(authority: Authority, certificate: bytes, now: float) -> Advice | None:
    """Ask; None where the authority does not say, does not know the certificate, or it has expired (§4.3).

    Raises IssueTemporary, IssueError.
    """
    leaf = _leaf(certificate)
    name, base = _identity(leaf), authority.directory.renewal_info
    if not name or not base or leaf.not_valid_after_utc.timestamp() <= now:
        return None
    answer = authority.get(f"{base.rstrip('/')}/{name}")
    if 400 <= answer.status < 500 and answer.status not in {408, 425, 429}:
        return None
    if not answer.ok:
        raise refused(answer, "to say when the certificate should be renewed")
    return _advice(answer, now)


def _advice(answer: Answer, now: float) -> Advice:
    content = answer.content
    window = content.get("suggestedWindow")
    told = window if isinstance(window, dict) else {}
    try:
        start, end = moment(told.get("start")), moment(told.get("end"))
    except ValueError:
        raise garbage(answer.url, "no window for the renewal") from None
    if end <= start:
        raise garbage(answer.url, "a window for the renewal that ends before it begins")  # §4.2: as if it had not answered
    wanted = answer.retry_at - answer.at if answer.retry_at else USUAL
    return Advice(start, end, now + min(max(wanted, SHORTEST), LONGEST), printable(content.get("explanationURL"), 300))


def _leaf(certificate: bytes) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(certificates_in(certificate)[0])
    except (ValueError, TypeError, x509.InvalidVersion):
        raise BadInput("the certificate cannot be read", "look at it with: openssl x509 -noout -text -in FILE") from None


def _identity(leaf: Certificate) -> str:
    from cryptography import x509

    try:
        authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return ""
    if not authority:
        return ""
    serial = leaf.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")  # as DER has it, with room for the sign
    return f"{encoded(authority)}.{encoded(octets)}"
