"""TLSA records at names where no sender looks, or for some of the hosts only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.doubts import bare, owner_in_use
from tlsa_manager.checks.fault import Fault, check
from tlsa_manager.checks.places import (
    NO_PORT,
    PORTS,
    SUBMISSION,
    base_of,
    has_records,
    hosts_of,
    is_bare,
    misspelt,
    other_ports,
    views,
    zone_of,
)
from tlsa_manager.finding import Severity
from tlsa_manager.sender.route import exchanges
from tlsa_manager.target import Kind
from tlsa_manager.tlsa import owner_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.finding import Finding
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.surroundings import Lookup

UNSEEN = (
    "Nobody looks there. For senders the host has no TLSA record: they deliver as if there were no DANE, without any protection."
)

NAME_DOM = Fault(
    code="F-NAME-DOM",
    title="TLSA records at the mail domain instead of its MX host",
    severity=Severity.ERROR,
    story="The records were put at _25._tcp.DOMAIN. Senders look at the name of the host that the MX record names.",
    consequence=UNSEEN,
    remedy="Publish the records at the name of each MX host, and remove those at the domain.",
    reference="RFC 7672 §2.2.2, §2.2.3",
)
NAME_US = Fault(
    code="F-NAME-US",
    title="TLSA records at a name that is written wrongly",
    severity=Severity.ERROR,
    story="An underscore is missing, labels are in the wrong order, or a forgotten final dot has doubled the zone's name.",
    consequence=UNSEEN,
    remedy="Publish the records at the right name, and remove the wrong ones.",
    reference="RFC 6698 §3",
)
PORT = Fault(
    code="F-PORT",
    title="TLSA records for some ports only",
    severity=Severity.WARNING,
    story="Each port has TLSA records of its own. One that is offered has none, although others of the host have some.",
    consequence="On that port DANE does not protect: senders, or mail programs, connect as if there were no TLSA record.",
    remedy="Publish records for each port that is offered, each with the digest of the certificate that is served there.",
    reference="RFC 6698 §3, RFC 7672 §2.2.3",
)
WILD = Fault(
    code="F-WILD",
    title="a wildcard does not do for TLSA what it seems to",
    severity=Severity.ERROR,
    story=(
        "A wildcard answers only for names that do not exist. As soon as a name below it is made, for whatever type, that name "
        "and its neighbours have lost the wildcard's records. And where it answers, it answers for every port."
    ),
    consequence=(
        "The names that lose their records are without DANE; ports that get records they do not match cannot be used with it."
    ),
    remedy="Publish the records of each port under its own name, and remove the wildcard.",
    reference="RFC 4592 §2.2.1, §3.3.1, RFC 6698 A.2.1.2",
)
IMPLICIT = Fault(
    code="F-IMPLICIT",
    title="a domain without MX records has its TLSA records at the wrong host",
    severity=Severity.ERROR,
    story="Without MX records mail goes to the host that has the domain's own name, and its TLSA records are looked for there.",
    consequence=UNSEEN,
    remedy="Publish an MX record that names the host, or the TLSA records at _25._tcp of the domain itself.",
    reference="RFC 7672 §2.2.2, RFC 5321 §5.1",
)


@check(NAME_DOM)
def at_the_domain(case: Case) -> Iterator[Finding]:
    """Find records at the mail domain."""
    if case.target.kind is not Kind.DOMAIN:
        return
    for stop in bare(case):
        port = stop.service.port
        found = case.lookup(owner_name(case.target.name, port), "TLSA")
        if found is not None and found.records and stop.service.host != case.target.name and not found.wildcard:
            yield _moved(NAME_DOM, found, stop, "senders look at the MX host's name, not at the domain's")


@check(NAME_US)
def at_a_wrong_name(case: Case) -> Iterator[Finding]:
    """Find records at names that are written wrongly."""
    for stop in bare(case):
        host, port = stop.service.host, stop.service.port
        for name, why in misspelt(host, port, zone_of(host, case.snapshot)).items():
            found = case.lookup(name, "TLSA")
            if found is not None and found.records and not found.wildcard:
                yield _moved(NAME_US, found, stop, why)


@check(PORT)
def at_other_ports(case: Case) -> Iterator[Finding]:
    """Find hosts with records for other ports than the one that is used, and ports that are offered without records."""
    for stop in bare(case):
        if any(view.target != view.owner for view in views(stop, case.snapshot)):
            continue  # an alias to nothing is another fault
        names = other_ports(stop.service.host, stop.service.port)
        there = [port for name, port in names.items() if (found := case.lookup(name, "TLSA")) is not None and found.records]
        if there:
            yield _uncovered(stop.service.host, stop.service.port, there)
    for stop in case.route.stops:
        offered = _offered(case, stop.service.host)
        if any(has_records(view) for view in views(stop, case.snapshot)):
            for port in offered:
                found = case.lookup(owner_name(stop.service.host, port), "TLSA")
                if found is not None and found.records == ():
                    yield _uncovered(stop.service.host, port, [stop.service.port])


@check(WILD)
def wildcards(case: Case) -> Iterator[Finding]:
    """Find wildcards that answer for too much, or that are hidden."""
    for stop in case.route.stops:
        owner = owner_in_use(case, stop)
        host, view = base_of(owner), case.snapshot.owners.get(owner)
        if view is None:
            continue
        wild = next((one.wildcard for one in view.answers if one.wildcard), "")
        above = case.lookup(f"*.{host}.", "TLSA")
        beside = case.lookup(owner_name(host, NO_PORT), "TLSA")
        hidden = case.lookup(f"*._tcp.{host}.", "TLSA")
        if has_records(view) and not wild and above is not None and above.records:
            lost = ", ".join(owner_name(host, port) for port in PORTS.get(stop.service.port, ()))
            message = (
                f"*.{host}. has TLSA records, but {owner} exists, so all other names below _tcp.{host}. have lost them: {lost}"
            )
            yield WILD.at(owner, message, evidence={"wildcard": f"*.{host}.", "hidden by": owner, "without records": lost})
        elif is_bare(stop, case.snapshot) and hidden is not None and hidden.records:
            message = f"*._tcp.{host}. has TLSA records, but {owner} exists with records of another type, so it has none of them"
            yield WILD.at(owner, message, evidence={"wildcard": f"*._tcp.{host}.", "without records": owner})
        elif has_records(view) and (wild or (beside is not None and beside.records)):
            asterisk = wild or (beside.wildcard if beside is not None else "") or f"*._tcp.{host}."
            yield WILD.at(
                owner,
                f"{asterisk} has TLSA records, which stand for every port of {host}",
                severity=Severity.NOTICE,
                consequence="Every service of the host that is used with DANE has to present a certificate that matches them.",
                remedy="See that all services have the same certificate, or publish records for each port under its own name.",
                evidence={"wildcard": asterisk, "stands for": owner},
            )


@check(IMPLICIT)
def without_mx(case: Case) -> Iterator[Finding]:
    """Find the records of a domain without MX at another host."""
    mail = case.lookup(case.target.name, "MX")
    if case.target.kind is not Kind.DOMAIN or mail is None or not exchanges(mail, case.target.name).implicit or not bare(case):
        return
    for name in hosts_of(case.target.name):
        found = case.lookup(name, "TLSA")
        if found is not None and found.records:
            host = base_of(name)
            yield IMPLICIT.at(
                name,
                f"{case.target.name} has no MX records, so senders look at {owner_name(case.target.name, 25)}, and not at {name}",
                remedy=f"Publish {case.target.name}. IN MX 10 {host}. or move the records to {owner_name(case.target.name, 25)}",
                evidence={"found": "; ".join(found.records[:4]), "looked for at": owner_name(case.target.name, 25)},
            )


def _moved(fault: Fault, found: Lookup, stop: Stop, why: str) -> Finding:
    right, records = stop.service.owner, (found.records or ())[:4]
    lines = "; ".join(f"{right} {found.ttl} IN TLSA {record}" for record in records)
    return fault.at(
        found.name,
        f"TLSA records stand at {found.name}, where nobody looks, and none at {right}: {why}",
        remedy=f"See that they match the certificate in use (tlsa-manager digest), then publish {lines}, and remove {found.name}",
        evidence={"found at": found.name, "looked for at": right, "records": "; ".join(records)},
    )


def _uncovered(host: str, port: int, others: list[int]) -> Finding:
    there = ", ".join(map(str, others))
    return PORT.at(
        owner_name(host, port),
        f"{host} has TLSA records for port {there}, but none for port {port}",
        remedy=f"Publish TLSA records at {owner_name(host, port)}: tlsa-manager digest CERTIFICATE --service {host}:{port}",
        evidence={"port with records": there, "port without": str(port)},
    )


def _offered(case: Case, host: str) -> list[int]:
    """Return the ports of a host that its domain offers to mail programs."""
    if case.target.kind is not Kind.DOMAIN:
        return []
    found = {label: case.lookup(f"{label}._tcp.{case.target.name}", "SRV") for label in SUBMISSION}
    named = {label: [record.split()[-1].rstrip(".") for record in (one.records or ())] for label, one in found.items() if one}
    return [SUBMISSION[label] for label, hosts in named.items() if host in hosts]
