"""What stands around a TLSA record and decides whether a sender comes to it: names, zones, policies. Values only."""

from __future__ import annotations

from tlsa_manager.security import Cause, Security
from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Alias:
    """One step on the way from a name to its records: a CNAME or DNAME at `name`, in `zone`. `ttl` in seconds."""

    name: str
    target: str
    zone: str
    security: Security
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question, answered once: by an authoritative server and our own chain of trust, or (quick) by the resolver.

    `records`: in presentation form, names in lower case with a final dot, sorted; None where nobody knows; empty where it is
    denied. `security`: of the whole way, aliases included. `exists`: False for NXDOMAIN, None where it is not known.
    `target`: the name after `aliases`; `zone`: that holds it; `wildcard`, `signed_from`: as in Answer; `ttl`: seconds, as signed.
    """

    name: str
    rdtype: str
    records: tuple[str, ...] | None
    security: Security = Security.INDETERMINATE
    target: str = ""
    zone: str = ""
    aliases: tuple[Alias, ...] = ()
    ttl: int = 0
    exists: bool | None = None
    cause: Cause = Cause.NONE
    reason: str = ""
    broken_zone: str = ""
    wildcard: str = ""
    signed_from: float | None = None


@dataclass(frozen=True, slots=True)
class ZoneView:
    """How a zone is set up. Times in seconds.

    `signed`: its servers hand out keys, whatever the parent says; `algorithms`: of its keys; `ds`: (key tag, algorithm, digest
    type) at the parent; `iterations`: of NSEC3, None where the zone does not use it or nobody knows; `negative_ttl`: how long
    an absence may be cached (RFC 2308 §5); `parent_hosts`, `child_hosts`: the name servers as each side names them.
    """

    name: str
    security: Security = Security.INDETERMINATE
    cause: Cause = Cause.NONE
    reason: str = ""
    signed: bool = False
    algorithms: tuple[int, ...] = ()
    ds: tuple[tuple[int, int, int], ...] = ()
    iterations: int | None = None
    negative_ttl: int = 0
    parent_hosts: tuple[str, ...] = ()
    child_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """The MTA-STS policy of a mail domain (RFC 8461). `announced`: `_mta-sts` has a record; `problem`: why there is no policy.

    `mode`: enforce, testing, none, or empty; `mx`: the patterns; `max_age` in seconds.
    """

    domain: str
    announced: bool = False
    mode: str = ""
    mx: tuple[str, ...] = ()
    max_age: int = 0
    problem: str = ""
