"""Where a sender goes: which hosts, and which TLSA base domain it uses for each (RFC 7672 §2.2, RFC 7671 §7). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.service import Service, host_name, literal
from tlsa_manager.target import Kind
from tlsa_manager.tlsa import owner_name
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.surroundings import Lookup
    from tlsa_manager.target import Target

    Lookups = Mapping[tuple[str, str], Lookup]

FAILED = (Security.BOGUS, Security.INDETERMINATE)  # RFC 7672 §2.1.1: both count as a failed lookup
MOST_HOSTS = 32  # of one target are looked at; senders try far fewer (Postfix five addresses)
# But here it is we who do not know: nobody was asked, or only who cannot tell, or our own trust anchor is not of this DNS.
UNTOLD = (Cause.LOST, Cause.RESOLVER, Cause.ANCHOR)


@dataclass(frozen=True, slots=True)
class Stop:
    """One service a sender comes to.

    `host`: as MX, SRV or the operator names it; `preference`: of the MX or SRV record, lower first; `owners`: the TLSA owners
    of its base domains, in the order in which they are tried; `names`: what a certificate may call it where names count, for a
    sender that goes by the first of them: that base domain, then what counts with any (RFC 7672 §3.2.2); `outcome`: where it is
    settled before any TLSA record is asked for, else None; `why`: one sentence for it; `settled`: False where there is no such
    host, so that senders go on to the next.
    """

    service: Service
    host: str
    preference: int = 0
    owners: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    outcome: Delivery | None = None
    why: str = ""
    settled: bool = True

    def by(self, owner: str) -> Stop:
        """Return the stop as it is for senders that go by this one of its owners: the other base domain is no name then."""
        return replace(self, names=(_base_of(owner), *self.names[1:])) if owner in self.owners[1:] else self


@dataclass(frozen=True, slots=True)
class Route:
    """All stops, best preference first. `outcome`: of the way to them (AUTH = nothing is wrong there); `why`: one sentence."""

    stops: tuple[Stop, ...] = ()
    outcome: Delivery = Delivery.AUTH
    why: str = ""


@dataclass(frozen=True, slots=True)
class Mx:
    """What the MX records of a domain, or the SRV records of a service, name.

    `implicit`: there are none, so the domain itself is meant; `null`: the domain takes no mail (RFC 7505), which a dot says only
    where it stands alone; `odd`: targets that are no host names. An address is odd, and a host all the same: senders go there.
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
        address = literal(name.strip().rstrip("."))
        odd += [address] if address else []
        try:
            hosts.append((int(preference), address or host_name(name), 25))
        except (BadInput, ValueError):
            odd.append(name.strip())
    if not hosts and odd == ["."]:
        return Mx(null=True)
    if not hosts and not odd:
        return Mx(((0, domain, 25),), implicit=found.exists is not False)
    return Mx(tuple(sorted(hosts)), odd=tuple(odd))


def srv_targets(found: Lookup) -> Mx:
    """Read an SRV lookup (RFC 2782): priority, weight, port, target."""
    hosts, odd = [], []
    for record in found.records or ():
        words = record.split()
        try:
            hosts.append((int(words[0]), host_name(words[3]), int(words[2])))
        except (BadInput, ValueError, IndexError):
            odd.append(record)
    if not hosts and len(odd) == 1 and odd[0].split()[3:] == ["."]:
        return Mx(null=True)
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


def stop(service: Service, lookups: Lookups, *, preference: int = 0, via: tuple[str, ...] = ()) -> Stop:
    """Return how a sender comes to one service.

    `via`: the mail domain or the SRV owner's domain from which a secure way leads there: the certificate may name it, too.
    """
    host = service.host
    if service.connect:  # the operator tells where it is: the name is only a name
        return Stop(service, host, preference, (owner_name(host, service.port),), (host,))
    if literal(host):
        why = f"{host} is an address: DANE needs the name of a host (RFC 7672 §2.2), so senders deliver there without it"
        return Stop(service, host, preference, outcome=Delivery.OPPORTUNISTIC, why=why)
    found = tuple(lookups[key] for key in ((host + ".", "A"), (host + ".", "AAAA")) if key in lookups)
    failed = next((one for one in found if one.records is None or one.security in FAILED), None)
    if failed is not None:
        verdict = Delivery.UNKNOWN if failed.cause in UNTOLD else Delivery.DEFER
        why = f"the addresses of {host} cannot be looked up, so senders treat it as unreachable: {failed.reason}"
        return Stop(service, host, preference, outcome=verdict, why=why)
    if found and not any(one.records for one in found):
        return Stop(service, host, preference, outcome=Delivery.DEFER, why=f"{host} has no address", settled=False)
    named = bases(host, found)
    if not named:
        why = f"the address records of {host} are not signed, so senders do not ask for TLSA records"
        return Stop(service, host, preference, outcome=Delivery.OPPORTUNISTIC, why=why)
    return Stop(service, host, preference, tuple(owner_name(one, service.port) for one in named), (named[0], *via))


def services_of(target: Target, lookups: Lookups, services: tuple[Service, ...] = ()) -> tuple[Service, ...]:
    """Return the services that a target stands for, as far as its MX or SRV records are known. `services`: of a lineage."""
    if target.kind in {Kind.DOMAIN, Kind.SRV}:
        return tuple(one for _, one in _named(target, lookups))
    return (target.service,) if target.service else services


def route(target: Target, lookups: Lookups, services: tuple[Service, ...] = ()) -> Route:
    """Return the whole way for a target. `services`: of a lineage."""
    if target.kind not in {Kind.DOMAIN, Kind.SRV}:
        return Route(tuple(stop(one, lookups) for one in services_of(target, lookups, services)))
    found = lookups.get((target.name + ".", "MX" if target.kind is Kind.DOMAIN else "SRV"))
    what = f"the {'MX' if target.kind is Kind.DOMAIN else 'SRV'} records of {target.name}"
    if found is None or found.records is None or found.security in FAILED:
        return _lost(what, found)
    secure = found.security is Security.SECURE
    via = _next_hop(target, found) if secure else ()
    stops = tuple(stop(service, lookups, preference=preference, via=via) for preference, service in _named(target, lookups))
    if not stops:
        return _nowhere(target, found, what)
    if len(_all_named(target, lookups)) > MOST_HOSTS:
        why = f"{what} name {len(_all_named(target, lookups))} hosts; only the {MOST_HOSTS} most preferred were looked at"
        return Route(stops, Delivery.UNKNOWN, why)
    if secure:
        return Route(stops)
    return Route(stops, Delivery.OPPORTUNISTIC, f"{what} are not signed, so DANE does not protect the way to its hosts")


def _next_hop(target: Target, found: Lookup) -> tuple[str, ...]:
    """Return the domain that mail is for, and the name behind it where it is an alias (RFC 7672 §3.2.2, RFC 7673 §4.1)."""
    if target.kind is Kind.SRV:
        return (".".join(target.name.split(".")[2:]),)
    return (target.name, *(one.target.rstrip(".") for one in found.aliases[-1:]))


def _named(target: Target, lookups: Lookups) -> list[tuple[int, Service]]:
    """Return preference and service of the hosts that are looked at: no domain may send us to everybody."""
    return _all_named(target, lookups)[:MOST_HOSTS]


def _all_named(target: Target, lookups: Lookups) -> list[tuple[int, Service]]:
    """Return preference and service of each host that MX or SRV records name."""
    if target.kind is Kind.DOMAIN:
        mail = lookups.get((target.name + ".", "MX"))
        return [(one[0], Service(one[1], one[2], "smtp")) for one in exchanges(mail, target.name).hosts] if mail else []
    found = lookups.get((target.name + ".", "SRV"))
    protocol = SRV_PROTOCOLS.get(target.name.split(".")[0].lower(), "tls")
    return [(one[0], Service(one[1], one[2], protocol)) for one in srv_targets(found).hosts] if found else []


def _nowhere(target: Target, found: Lookup, what: str) -> Route:
    """Return the way of a target whose records lead to no host."""
    if target.kind is Kind.SRV:
        return Route((), Delivery.OPPORTUNISTIC, f"{target.name} offers nothing")
    mx = exchanges(found, target.name)
    if mx.null:
        return Route((), Delivery.OPPORTUNISTIC, f"{target.name} takes no mail (null MX)")
    if mx.odd:
        return Route((), Delivery.OPPORTUNISTIC, f"{what} name no host: {', '.join(mx.odd)[:120]}")
    return Route((), Delivery.DEFER, f"{target.name} does not exist")


def _lost(what: str, found: Lookup | None) -> Route:
    if found is None or found.cause in UNTOLD:
        return Route((), Delivery.UNKNOWN, f"{what} could not be looked up from here{': ' + found.reason if found else ''}")
    return Route((), Delivery.DEFER, f"{what} cannot be validated, so senders delay all mail: {found.reason}")


def _base_of(owner: str) -> str:
    return owner.split(".", 2)[-1].rstrip(".")
