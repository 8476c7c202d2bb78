"""The mail domain's own records: hosts that are none, hosts of others, and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import on_the_way
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.places import base_of, has_records
from tlsa_manager.finding import Severity
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.route import FAILED, exchanges, srv_targets
from tlsa_manager.target import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.surroundings import Lookup

IPMX = Fault(
    code="F-IPMX",
    title="an MX record that names no host",
    severity=Severity.NOTICE,
    story="The MX record holds an address instead of a name, or the single dot by which a domain says that it takes no mail.",
    consequence=(
        "DANE does not apply: there is no name at which TLSA records could be. Addresses in MX records are not allowed at all."
    ),
    remedy="Name a host in the MX record, and give it an address record. A domain that takes no mail needs nothing.",
    reference="RFC 7672 §2.2, RFC 5321 §5.1, RFC 7505",
)
FOREIGN = Fault(
    code="F-FOREIGN",
    title="the TLSA records are in the zone of somebody else",
    severity=Severity.WARNING,
    story="The name where senders look for TLSA records is in a zone that belongs to another, such as a mail provider.",
    consequence=(
        "Only the owner of that zone can publish there. A certificate that is changed here without it makes senders that use "
        "DANE keep the mail."
    ),
    remedy="Let who runs the host also publish its TLSA records, or make _25._tcp an alias into a zone of your own.",
    reference="RFC 7671 §6",
)
TLSRPT = Fault(
    code="F-TLSRPT",
    title="nobody asks senders for reports about TLS",
    severity=Severity.NOTICE,
    story="With one TXT record a domain asks senders to report every day how often TLS and DANE failed (TLSRPT).",
    consequence="When TLSA records stop matching, the first to notice is a person who misses mail.",
    remedy='Publish at _smtp._tls of the domain, and of the MX hosts: TXT "v=TLSRPTv1; rua=mailto:tls-reports@DOMAIN"',
    reference="RFC 8460 §3",
)
NOHOST = Fault(
    code="F-NOHOST",
    title="there is no such domain, or a host has no address",
    severity=Severity.CRITICAL,
    story="The MX or SRV record names a host that does not exist or has no address, or the domain itself does not exist.",
    consequence=(
        "No sender can deliver there, with DANE or without. Where other MX hosts work, mail goes to them, after a vain try."
    ),
    remedy="Give the host an address record, or take it out of the MX records; see whether the name is spelt rightly.",
    reference="RFC 5321 §5.1",
)


@check(IPMX)
def no_host_named(case: Case) -> Iterator[Finding]:
    """Find MX records with addresses, and null MX."""
    found = case.lookup(case.target.name, "MX")
    if case.target.kind is not Kind.DOMAIN or found is None:
        return
    mail = exchanges(found, case.target.name)
    if mail.null:
        yield IPMX.at(
            case.target.name,
            f"{case.target.name} takes no mail (null MX)",
            consequence="Mail to the domain is returned at once, as its owner wants it. DANE does not apply.",
            remedy="Nothing is to be done, unless the domain shall take mail.",
            evidence={"MX": "; ".join(found.records or ())},
        )
    for one in mail.odd:
        yield IPMX.at(
            case.target.name, f"the MX record of {case.target.name} names {one}, which is no host name", evidence={"MX": one}
        )


@check(FOREIGN)
def of_somebody_else(case: Case) -> Iterator[Finding]:
    """Find TLSA records that are in another's hands. For a mail domain it is only good to know."""
    for view in on_the_way(case):
        host, zone = base_of(view.owner) + ".", view.zone
        if case.target.kind is Kind.DOMAIN and has_records(view) and not _related(zone, case.target.name + "."):
            yield FOREIGN.at(
                view.owner,
                f"the TLSA records of {case.target.name} are in {zone}, the zone of its mail provider",
                severity=Severity.NOTICE,
                consequence="Its owner keeps certificate and records in step. That is how it should be, if both are in one hand.",
                remedy="Nothing is to be done, as long as the same people run the host and the zone.",
                evidence={"zone": zone, "host": host},
            )
        elif case.target.kind is Kind.LINEAGE and view.target != view.owner and not ("." + host).endswith("." + zone):
            yield FOREIGN.at(
                view.owner,
                f"{view.owner} is an alias for {view.target}, in the zone {zone}",
                evidence={"alias for": view.target, "zone": zone},
            )


@check(TLSRPT)
def no_reports(case: Case) -> Iterator[Finding]:
    """Find domains and hosts with TLSA records and without reports."""
    used = [view for view in on_the_way(case) if has_records(view)]
    names = [case.target.name] if case.target.kind is Kind.DOMAIN and used else []
    names += [base_of(view.owner) for view in used]
    for name in dict.fromkeys(names):
        found = case.lookup(f"_smtp._tls.{name}", "TXT")
        if found is not None and found.records is not None and not any("v=TLSRPTv1" in one for one in found.records):
            yield TLSRPT.at(
                f"_smtp._tls.{name}.",
                f"_smtp._tls.{name}. has no TLSRPT record",
                remedy=f'Publish: _smtp._tls.{name}. 3600 IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@{name}"',
                evidence={"asked": f"_smtp._tls.{name}. TXT", "found": "; ".join(found.records) or "nothing"},
            )


@check(NOHOST)
def nowhere_to_go(case: Case) -> Iterator[Finding]:
    """Find domains that do not exist, and hosts without address."""
    found = case.lookup(case.target.name, "SRV" if case.target.kind is Kind.SRV else "MX")
    if case.target.kind is Kind.SRV and found is not None and found.records == () and not srv_targets(found).null:
        yield NOHOST.at(
            case.target.name,
            f"{case.target.name} has no SRV record",
            severity=Severity.ERROR,
            consequence="Programs that go by SRV records find no server, so there is nothing that DANE could protect.",
            remedy=f"See whether the name is spelt rightly; if it is, publish: {case.target.name}. 3600 IN SRV 0 1 PORT HOST",
        )
    elif case.target.kind is Kind.DOMAIN and found is not None and _is_no_domain(case, found):
        yield NOHOST.at(
            case.target.name,
            f"{case.target.name} does not exist",
            consequence="No sender can deliver there, with DANE or without.",
            remedy=f"See whether the name is spelt rightly; if it is, ask who runs the zone above (dig {case.target.name} SOA).",
            evidence={"asked": f"{found.name} MX"},
        )
        return
    for stop in case.route.stops:
        if stop.outcome is Delivery.DEFER and _has_no_address(case, stop):
            asked = {"asked": f"{stop.service.host}. A, AAAA"}
            yield NOHOST.at(stop.host, f"{stop.host} has no address", severity=without_host(case), evidence=asked)


def _is_no_domain(case: Case, found: Lookup) -> bool:
    """Whether a mail domain is proven not to exist; an address in its place is no name that could."""
    return found.exists is False and found.security not in FAILED and case.outcome is not Delivery.OPPORTUNISTIC


def without_host(case: Case) -> Severity:
    """How bad it is that one host cannot be found: senders go on to another, if there is one."""
    return Severity.ERROR if any(one.reached for one in case.verdicts) else Severity.CRITICAL


def _has_no_address(case: Case, stop: Stop) -> bool:
    """Whether it is proven that there is none; behind an alias another check tells."""
    found = [one for kind in ("A", "AAAA") if (one := case.lookup(stop.service.host, kind)) is not None]
    return bool(found) and all(one.records == () and one.security not in FAILED and not one.aliases for one in found)


def _related(zone: str, domain: str) -> bool:
    """Whether one of two names is above the other."""
    return ("." + domain).endswith("." + zone) or ("." + zone).endswith("." + domain)
