"""Where a service is to be probed: the addresses that are given for it, or all that its name has."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dns.nameserver

    from tlsa_manager.service import Service

MAX_ADDRESSES = 64


@dataclass(frozen=True, slots=True)
class Place:
    """One socket address. `text`: as it was given, or as it stands in DNS."""

    text: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Found:
    """The addresses of a host. `problem`: why they may not be all, or why there are none; empty = they are all."""

    addresses: tuple[str, ...] = ()
    problem: str = ""


def given(service: Service) -> tuple[tuple[Place, ...], str]:
    """Read `service.connect`: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT each. Return the places, and what is wrong."""
    places, wrong = [], []
    for text in service.connect:
        place = _place(text, service.port)
        if place is None:
            wrong.append(f"{text[:60]!r} is not an ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT to connect to")
        else:
            places.append(place)
    return tuple(dict.fromkeys(places)), "; ".join(wrong)


def at(service: Service, addresses: Sequence[str]) -> tuple[tuple[Place, ...], str]:
    """Take the addresses of a service's host that somebody looked up. Return the places, and what is wrong."""
    found = listed(service.host, addresses)
    return tuple(Place(one, one, service.port) for one in found.addresses), found.problem


def ask(host: str, resolver: Sequence[str], timeout: float) -> Found:
    """Look up A and AAAA of a host: at `resolver` (ADDRESS, ADDRESS:PORT or ADDRESS#PORT each), or with the system's way."""
    return _ask_resolver(host, resolver, timeout) if resolver else _ask_system(host)


def listed(host: str, addresses: Sequence[str]) -> Found:
    """Take the addresses that a lookup returned: what is no address is told, no address at all as well."""
    good = tuple(dict.fromkeys(one for one in addresses if _valid(one)))
    if len(good) > MAX_ADDRESSES:
        return Found(good[:MAX_ADDRESSES], f"{host} has {len(good)} addresses; only {MAX_ADDRESSES} were probed")
    if len(good) < len(set(addresses)):
        return Found(good, f"the lookup of {host} returned something that is not an address")
    return Found(good, "" if good else f"{host} has no address")


def _ask_system(host: str) -> Found:
    import socket

    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Found((), f"the addresses of {host} could not be looked up: {error}")
    return listed(host, [str(one[4][0]) for one in found])


def _ask_resolver(host: str, resolver: Sequence[str], timeout: float) -> Found:
    import dns.exception
    import dns.resolver

    stub = dns.resolver.Resolver(configure=False)
    stub.lifetime = timeout
    addresses: list[str] = []
    problems = []
    try:
        stub.nameservers = [_nameserver(one) for one in resolver]
        for kind in ("A", "AAAA"):
            try:
                answer = stub.resolve(host + ".", kind, raise_on_no_answer=False)
            except dns.resolver.NXDOMAIN:
                return Found((), f"{host} does not exist in DNS")
            except dns.resolver.LifetimeTimeout:
                silent = f"no resolver answers ({', '.join(resolver)}); name one: --resolver, or in the configuration"
                return Found((), f"the {kind} records of {host} could not be looked up: {silent}")
            except dns.exception.DNSException as error:
                problems.append(f"the {kind} records of {host} could not be looked up: {error}")
            else:
                addresses.extend(str(record) for record in answer.rrset or ())
    except ValueError as error:
        return Found((), f"the resolver cannot be used: {error}")
    found = listed(host, addresses)
    return Found(found.addresses, "; ".join(problems) or found.problem)


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    """Read one resolver address, also in brackets without a port. Raises ValueError."""
    import dns.nameserver

    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    address, mark, port = text.partition("#")
    if mark:
        text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    place = _place(text, 53)
    if place is None:
        raise ValueError(f"{text[:60]!r} is not an address")
    return dns.nameserver.Do53Nameserver(place.address, place.port)


def _place(text: str, port: int) -> Place | None:
    if _valid(text):
        return Place(text, text, port)
    address, colon, number = text.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    address = address[1:-1] if bracketed else address
    if not colon or not _valid(address) or (":" in address) != bracketed or not number.isascii() or not number.isdigit():
        return None
    return Place(text, address, int(number)) if 0 < int(number[:6]) < 65536 else None


def _valid(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
