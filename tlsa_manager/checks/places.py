"""Where TLSA records of a host may be, rightly or by mistake: the names that are asked for, and what each would mean. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.tlsa import owner_name

if TYPE_CHECKING:
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import OwnerView, Snapshot

NO_PORT = 99999  # asked for to see how the absence of a name is proven, and whether a wildcard answers: no service can be there
PORTS = {25: (465, 587, 443), 587: (465, 25), 465: (587, 25), 993: (143, 25), 143: (993, 25), 443: (25,)}
LIKELY = ("mail", "mx", "smtp")  # hosts of a mail domain that has no MX records, and ought to have
SUBMISSION = {"_submission": 587, "_submissions": 465, "_imaps": 993}  # RFC 6186, RFC 8314: what a domain offers to its users


def base_of(owner: str) -> str:
    """Return the TLSA base domain of an owner name, without a final dot: `mx.example.org` of `_25._tcp.mx.example.org.`."""
    return owner.split(".", 2)[-1].rstrip(".")


def candidates(stop: Stop) -> tuple[str, ...]:
    """Return every owner name at which records of a stop may rightly be, each once."""
    return tuple(dict.fromkeys((*stop.owners, stop.service.owner)))


def views(stop: Stop, snapshot: Snapshot) -> tuple[OwnerView, ...]:
    """Return what was seen at these names."""
    return tuple(snapshot.owners[one] for one in candidates(stop) if one in snapshot.owners)


def has_records(view: OwnerView) -> bool:
    """Whether some server has TLSA records there."""
    return any(one.records for one in view.answers)


def is_bare(stop: Stop, snapshot: Snapshot) -> bool:
    """Whether it is certain that no server has any TLSA record for the stop."""
    seen = views(stop, snapshot)
    return bool(seen) and all(one.answers and all(each.records == frozenset() for each in one.answers) for one in seen)


def zone_of(host: str, snapshot: Snapshot) -> str:
    """Return the zone that a host is in, with a final dot; empty where it is not known."""
    found = (snapshot.lookups.get((host + ".", kind)) for kind in ("A", "AAAA"))
    return next((one.zone for one in found if one is not None and one.zone and not one.aliases), "")


def misspelt(host: str, port: int, zone: str) -> dict[str, str]:
    """Return owner names that are written wrongly, each with what is wrong about it."""
    right = owner_name(host, port)
    wrong = {
        f"{port}._tcp.{host}.": f"the port needs an underscore: _{port}",
        f"_{port}.tcp.{host}.": "the protocol needs an underscore: _tcp",
        f"{port}.tcp.{host}.": f"port and protocol need underscores: _{port}._tcp",
        f"_tcp._{port}.{host}.": f"port and protocol are in the wrong order: _{port}._tcp",
        f"_tcp.{host}.": f"the port is missing: _{port} belongs before it",
        f"{host}.": f"port and protocol are missing: _{port}._tcp belongs before it",
    }
    if zone not in {"", "."}:
        wrong[right + zone] = "the zone's name stands twice at the end: a final dot was forgotten in the zone file"
    return wrong


def other_ports(host: str, port: int) -> dict[str, int]:
    """Return the owner names of a host's usual other ports."""
    return {owner_name(host, other): other for other in PORTS.get(port, (25,))}


def hosts_of(domain: str) -> tuple[str, ...]:
    """Return the owner names where records of a domain without MX are likely to have been put."""
    return tuple(owner_name(f"{label}.{domain}", 25) for label in LIKELY)
