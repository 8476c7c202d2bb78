"""The keys that servers present: too weak, too old, or the same for things that are not the same (F-WEAKKEY ... F-OLDKEY)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.records.leaf import Leaf, leaf
from tlsa_manager.checks.spot import presented
from tlsa_manager.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.service import Service

RSA_BITS, CURVE_BITS = 2048, 224  # NIST SP 800-131A; OpenSSL's security level 2 refuses less
YEAR = 365 * 86400.0
OLD = 2 * YEAR

WEAKKEY = Fault(
    code="F-WEAKKEY",
    title="the server's key is too short",
    severity=Severity.ERROR,
    story="The key was made long ago, or by a program with old defaults. RSA keys need 2048 bits today.",
    consequence=(
        "Senders whose TLS library asks for security level 2 (Debian's and Red Hat's default) refuse the handshake: "
        "no TLS, and with TLSA records no delivery."
    ),
    remedy="Make a new key and roll over to it: tlsa-manager rollover start NAME --new-key",
    reference="RFC 9325 §4.5, RFC 6698 §4.1",
)
KEYREUSE = Fault(
    code="F-KEYREUSE",
    title="one key for services that are not the same",
    severity=Severity.WARNING,
    story=(
        "One certificate is used for everything on a machine or in a domain. With usage 3 clients do not look at "
        "names, so only the key tells one service from another."
    ),
    consequence=(
        "An attacker on the way can lead connections for one service to the other, and clients take it for the right one."
    ),
    remedy="Give services that do different things keys of their own: a lineage each.",
    reference="RFC 7671 §5.1, RFC 7672 §2.2.3",
)
OLDKEY = Fault(
    code="F-OLDKEY",
    title="the key has been in use for years",
    severity=Severity.NOTICE,
    story="Certificates were renewed with the same key, or one certificate is good for many years.",
    consequence="Nothing for mail now. The longer a key is in use, the more backups and hands it has been in.",
    remedy="Roll over to a new one when it suits you: tlsa-manager rollover start NAME --new-key",
    reference="RFC 7671 §8.1",
)

_PURPOSES = {443: "web", 80: "web", 853: "DNS", 5223: "chat", 5270: "chat", 465: "mail", 993: "mail", 995: "mail"}
_BY_PROTOCOL = {"xmpp-client": "chat", "xmpp-server": "chat", "tls": ""}


@check(WEAKKEY)
def short_keys(case: Case) -> Iterator[Finding]:
    """RSA under 2048 bits, elliptic curves under 224."""
    for service, address, one in _leaves(case):
        if 0 < one.bits < {"RSA": RSA_BITS, "ECDSA": CURVE_BITS}.get(one.kind, 0):
            message = f"{address} presents an {one.kind} key of {one.bits} bits"
            measured = {"service": str(service), "address": address, "bits": str(one.bits)}
            yield WEAKKEY.at(str(service), message, evidence=measured)


@check(KEYREUSE)
def shared_keys(case: Case) -> Iterator[Finding]:
    """The same key for mail and for something else. Hosts of one mail domain, and mail ports of a host, do the same thing.

    On one host it is a notice: who can lead connections astray there has the machine anyway.
    """
    users: dict[str, dict[Service, str]] = defaultdict(dict)
    for service, shown in presented(case):
        if shown.chain:
            users[shown.chain.leaf.spki_sha256][service] = purpose(service)
    for key, services in users.items():
        if len(set(services.values())) > 1:
            names = ", ".join(f"{service} ({what})" for service, what in services.items())
            apart = len({one.host for one in services}) > 1
            yield KEYREUSE.at(
                str(case.target),
                f"one key serves {names}",
                severity=Severity.WARNING if apart else Severity.NOTICE,
                evidence={"services": names, "SHA-256 of the public key": key},
            )


@check(OLDKEY)
def old_keys(case: Case) -> Iterator[Finding]:
    """A certificate that began more than two years ago is of a key that is at least as old."""
    for service, address, one in _leaves(case):
        age = case.now - one.not_before
        if age > OLD:
            message = f"the certificate at {address} began {age / YEAR:.1f} years ago, and its key is at least as old"
            yield OLDKEY.at(
                str(service), message, evidence={"service": str(service), "address": address, "years": f"{age / YEAR:.1f}"}
            )


def purpose(service: Service) -> str:
    """Return what a service is for, as far as protocol and port tell: mail, web, chat..."""
    by_protocol = _BY_PROTOCOL.get(service.protocol, "mail")
    return by_protocol or _PURPOSES.get(service.port, f"port {service.port}")


def _leaves(case: Case) -> Iterator[tuple[Service, str, Leaf]]:
    """Give every leaf, once for each service and address."""
    seen: set[tuple[Service, str, bytes]] = set()
    for service, shown in presented(case):
        for certificate in shown.certificates[:1]:
            one = leaf(certificate)
            if one is not None and (service, shown.address, certificate) not in seen:
                seen.add((service, shown.address, certificate))
                yield service, shown.address, one
