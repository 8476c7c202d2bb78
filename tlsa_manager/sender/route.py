"""Where a sender goes: which hosts, and which TLSA base domain it uses for each (RFC 7672 §2.2, RFC 7671 §7). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.service import Service, host_name
from tlsa_manager.target import Kind
from tlsa_manager.tlsa import owner_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup
    from tlsa_manager.target import Target

    Lookups = Mapping[tuple[str, str], Lookup]

FAILED = (Security.BOGUS, Security.INDETERMINATE)  # RFC 7672 §2.1.1: both count as a failed lookup


@dataclass(frozen=True, slots=True)
class Stop:
    """One service a sender comes to.

    `host`: as MX, SRV or the operator names it; `preference`: of the MX or SRV record, lower first; `owners`: the TLSA owners
    of its base domains, the first with records counts; `names`: what a certificate may call it where names count (RFC 7672
    §3.2.2); `outcome`: where it is settled before any TLSA record is asked for, else None; `why`: one sentence for it.
    """

    service: Service
    host: str
    preference: int = 0
    owners: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    outcome: Delivery | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """All stops, best preference first. `outcome`: of the way to them (AUTH = nothing is wrong there); `why`: one sentence."""

    stops: tuple[Stop, ...] = ()
    outcome: Delivery = Delivery.AUTH
    why: str = ""


@dataclass(frozen=True, slots=True)
class Mx:
    """What the MX records of a domain, or the SRV records of a service, name.

    `implicit`: there are none, so the domain itself is meant; `null`: the domain takes no mail (RFC 7505). `odd`: targets that are no host names, such as addresses.
    """

    hosts: tuple[tuple[int, str, int], ...] = ()  # preference, host, port
    implicit: bool = False
    null: bool = False
    odd: tuple[str, ...] = ()


def exchanges(found: Lookup, domain: str) -> Mx:
    """Read an MX lookup (RFC 5321 §5.1). No records and no failure: the domain itself is the host (RFC 7672 §2.2.2)."""
    if found.records is None:
        return Mx()
    hosts, odd = [], []
    for record in found.records:
        preference, _, name = record.partition(" ")
        if name.strip() == ".":
            return Mx(null=True)
        try:
            hosts.append((int(preference), host_name(name), 25))
        except (BadInput, ValueError):
            odd.append(name.strip())
            continue
        if _is_address(hosts[-1][1]):
            odd.append(hosts.pop()[1])
    if not hosts and not odd:
        return Mx(((0, domain, 25),), implicit=found.exists is not False)
    return Mx(tuple(sorted(hosts)), odd=tuple(odd))


def srv_targets(found: Lookup) -> Mx:
    """Read an SRV lookup (RFC 2782): priority, weight, port, target."""
    hosts, odd = [], []
    for record in found.records or ():
        words = record.split()
        if len(words) == 4 and words[3] == ".":
            return Mx(null=True)
        try:
            hosts.append((int(words[0]), host_name(words[3]), int(words[2])))
        except (BadInput, ValueError, IndexError):
            odd.append(record)
    return Mx(tuple(sorted(hosts)), odd=tuple(odd))


SRV_PROTOCOLS = {
    "_submission": "submission", "_submissions": "tls", "_imap": "imap", "_imaps": "tls", "_pop3": "pop3", "_pop3s": "tls",
    "_sieve": "sieve", "_xmpp-client": "xmpp-client", "_xmpp-server": "xmpp-server", "_xmpps-client": "tls",
    "_xmpps-server": "tls", "_smtp": "submission", "_smtps": "tls",
}  # fmt: skip


def bases(host: str, addresses: tuple[Lookup, ...]) -> tuple[str, ...]:
    """Return the TLSA base domains of a host, in the order in which a sender tries them (RFC 7671 §7, RFC 7672 §2.2.3).

    `addresses`: its A and AAAA lookups. Where aliases are secure all the way it is the expanded name, then the host's own; where
    only the first alias is, the host's own; nothing where the host's own records are insecure.
    """
    aliases = next((one.aliases for one in addresses if one.aliases), ())
    if any(one.security is Security.INSECURE for one in addresses):
        return (host,) if aliases and aliases[0].security is Security.SECURE else ()
    if aliases:
        return tuple(dict.fromkeys((aliases[-1].target.rstrip("."), host)))
    return (host,)


def stop(service: Service, lookups: Lookups, *, preference: int = 0, via: str = "", via_secure: bool = True) -> Stop:
    """Return how a sender comes to one service.

    `via`: the mail domain or the SRV owner's domain it comes from; where that way is secure the certificate may name it, too.
    """
    host = service.host
    if service.connect:  # the operator tells where it is: the name is only a name
        return Stop(service, host, preference, (owner_name(host, service.port),), (host,))
    found = tuple(lookups[key] for key in ((host + ".", "A"), (host + ".", "AAAA")) if key in lookups)
    failed = next((one for one in found if one.records is None or one.security in FAILED), None)
    if failed is not None:
        verdict = Delivery.UNKNOWN if failed.cause is Cause.LOST else Delivery.DEFER
        why = f"the addresses of {host} cannot be looked up, so senders treat it as unreachable: {failed.reason}"
        return Stop(service, host, preference, outcome=verdict, why=why)
    if found and not any(one.records for one in found):
        return Stop(service, host, preference, outcome=Delivery.DEFER, why=f"{host} has no address")
    named = bases(host, found)
    if not named:
        why = f"the address records of {host} are not signed, so senders do not ask for TLSA records"
        return Stop(service, host, preference, outcome=Delivery.OPPORTUNISTIC, why=why)
    names = dict.fromkeys((*named, *((via,) if via and via_secure else ())))
    return Stop(service, host, preference, tuple(owner_name(one, service.port) for one in named), tuple(names))


def route(target: Target, lookups: Lookups, services: tuple[Service, ...] = ()) -> Route:
    """Return the whole way for a target. `services`: of a lineage."""
    if target.kind is Kind.DOMAIN:
        return _mail(target.name, lookups)
    if target.kind is Kind.SRV:
        return _srv(target.name, lookups)
    wanted = (target.service,) if target.service else services
    return Route(tuple(stop(one, lookups) for one in wanted))


def _mail(domain: str, lookups: Lookups) -> Route:
    found = lookups.get((domain + ".", "MX"))
    if found is None or found.records is None or found.security in FAILED:
        return _lost(f"the MX records of {domain}", found)
    mx = exchanges(found, domain)
    if mx.null:
        return Route((), Delivery.OPPORTUNISTIC, f"{domain} takes no mail (null MX)")
    if not mx.hosts:
        why = f"{domain} does not exist" if found.exists is False else f"the MX records of {domain} name no host"
        return Route((), Delivery.OPPORTUNISTIC if mx.odd else Delivery.DEFER, why)
    secure = found.security is Security.SECURE
    stops = tuple(
        stop(Service(host, port, "smtp"), lookups, preference=preference, via=domain, via_secure=secure)
        for preference, host, port in mx.hosts
    )
    if secure:
        return Route(stops)
    return Route(
        stops, Delivery.OPPORTUNISTIC, f"the MX records of {domain} are not signed, so DANE does not protect the way to its hosts"
    )


def _srv(name: str, lookups: Lookups) -> Route:
    found = lookups.get((name + ".", "SRV"))
    if found is None or found.records is None or found.security in FAILED:
        return _lost(f"the SRV records of {name}", found)
    labels = name.split(".")
    protocol, domain = SRV_PROTOCOLS.get(labels[0].lower(), "tls"), ".".join(labels[2:])
    srv = srv_targets(found)
    secure = found.security is Security.SECURE
    stops = tuple(
        stop(Service(host, port, protocol), lookups, preference=preference, via=domain, via_secure=secure)
        for preference, host, port in srv.hosts
    )
    if not stops:
        return Route((), Delivery.OPPORTUNISTIC, f"{name} offers nothing")
    if secure:
        return Route(stops)
    return Route(stops, Delivery.OPPORTUNISTIC, f"the SRV records {name} are not signed, so DANE does not apply (RFC 7673 §3.1)")


def _lost(what: str, found: Lookup | None) -> Route:
    if found is None or found.cause is Cause.LOST:
        return Route((), Delivery.UNKNOWN, f"{what} could not be looked up from here{': ' + found.reason if found else ''}")
    return Route((), Delivery.DEFER, f"{what} cannot be validated, so senders delay all mail: {found.reason}")


def in_use(one: Stop, owners: Mapping[str, OwnerView]) -> str:
    """Return the TLSA owner that a sender goes by: the first of the stop's with records or with a failure; the last if none."""
    for owner in one.owners:
        view = owners.get(owner)
        if view is not None and (view.problem or any(answer.records is None or answer.records for answer in view.answers)):
            return owner
    return one.owners[-1] if one.owners else ""


def _is_address(name: str) -> bool:
    return name.replace(".", "").isdigit()
