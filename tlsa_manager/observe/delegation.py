"""In which zone a host lies and which name servers it has, as a resolver says: a hint for a first configuration, and no proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import dns.exception
import dns.name
import dns.resolver

from tlsa_manager.clock import monotonic
from tlsa_manager.observe.message import text
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.rdtypes.ANY.NS import NS

PATIENCE = 3.0  # seconds, for all questions together
_LEAST = 3  # labels, the root's among them: whatever is above is a registry's, and nobody's own


@dataclass(frozen=True, slots=True)
class Delegation:
    """A zone and its name servers, all absolute."""

    zone: str
    servers: tuple[str, ...]


def delegation(host: str, resolver: str = "") -> Delegation | None:
    """Ask for the zone of a host. `resolver`: ADDRESS or ADDRESS#PORT; empty = the system's.

    None where nobody answers within PATIENCE, or the host is in no zone. Never raises for remote faults.
    """
    try:
        asker, name = _asker(resolver), dns.name.from_text(host)
        ends = monotonic() + PATIENCE
        while len(name) >= _LEAST:
            if (left := ends - monotonic()) <= 0:
                return None
            if servers := _servers(asker, name, left):
                return Delegation(text(name), servers)
            name = name.parent()
    except (dns.exception.DNSException, OSError):
        pass
    return None


def _asker(resolver: str) -> dns.resolver.Resolver:
    if not resolver:
        return dns.resolver.Resolver()
    address, _, port = resolver.partition("#")
    asker = dns.resolver.Resolver(configure=False)
    asker.nameservers, asker.port = [address], int(port or 53)
    return asker


def _servers(asker: dns.resolver.Resolver, name: dns.name.Name, left: float) -> tuple[str, ...]:
    """Return the name servers of a name that is the top of a zone; nothing where it is none."""
    try:
        answer = asker.resolve(name, "NS", lifetime=left, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return ()
    if answer.rrset is None or answer.rrset.name != name:
        return ()
    return tuple(sorted(text(cast("NS", one).target) for one in answer.rrset))
