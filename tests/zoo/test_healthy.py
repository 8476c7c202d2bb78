"""The zoo's other side: set-ups that are as they should be, about which nothing is to be said above a notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab.certificate import self_signed
from lab.daemon import until
from observe.strangers import context

from tlsa_manager.tlsa import owner_name
from zoo.zoo import TTL, at_once, calm, digest, mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.receiver import MxLab

    from zoo.zoo import Host, Zoo

_NEXT, _STANDBY = digest(b"the next key"), digest(b"a standby key")


def _current_and_next(zoo: Zoo) -> list[str]:
    host = zoo.mx("3 1 1", _NEXT)
    return [zoo.domain(host), f"{host.name}:25"]


def _rsa_and_ecdsa(zoo: Zoo) -> list[str]:
    host = zoo.host()
    other = zoo.host(name=host.name, kind="RSA")
    zoo.serve(host, host.pair, other.pair)
    zoo.publish(host, host.record(), other.record(), _NEXT, _STANDBY)
    return [zoo.domain(host)]


def _trust_anchor(zoo: Zoo) -> list[str]:
    return [zoo.domain(zoo.mx(lambda host: host.record("2 1 1", place=1)))]


def _wildcard(zoo: Zoo) -> list[str]:
    """One asterisk for the ports of a host, each of which has a server."""
    host = zoo.host()
    for port in (25, 465):
        zoo.serve(host, port=port)
    zoo.publish(host, extra=[f"*._tcp.{host.name}. {TTL} TLSA {host.record()}"])
    return [zoo.domain(host), f"{host.name}:465"]


def _wildcard_certificate(zoo: Zoo) -> list[str]:
    """`*.a.example` in the certificate, where names count."""
    pair = zoo.host(name="*.a.example").pair
    return [zoo.domain(zoo.mx(lambda host: host.record("2 1 1", place=1), host=zoo.host(pair=pair)))]


def _alias(zoo: Zoo) -> list[str]:
    """One TLSA record for all ports, to which the owners are aliases."""
    host, shared = zoo.host(), zoo.fresh("tlsa")
    for port in (25, 465):
        zoo.serve(host, port=port)
    owners = [f"{owner_name(host.name, port)} {TTL} CNAME {shared}." for port in (25, 465)]
    zoo.publish(host, extra=[*owners, f"{shared}. {TTL} TLSA {host.record()}", f"{shared}. {TTL} TLSA {_NEXT}"])
    return [zoo.domain(host), f"{host.name}:465"]


def _alias_of_a_host(zoo: Zoo) -> list[str]:
    """A mail program's name for the server is an alias, and both names have the records."""
    host, alias = zoo.host(), zoo.fresh("smtp")
    zoo.serve(host, port=465)
    zoo.publish(host, host.record(), port=465, extra=[f"{alias}. {TTL} CNAME {host.name}."])
    return [f"{alias}:465"]


def _several(zoo: Zoo) -> list[str]:
    return [zoo.domain(*(zoo.mx("3 1 1", _NEXT) for _ in range(3)))]


def _several_with_one_key(zoo: Zoo) -> list[str]:
    """Hosts of one domain do the same thing, so they may have the same key."""
    first = zoo.mx("3 1 1", _NEXT)
    second = zoo.mx("3 1 1", _NEXT, host=zoo.host(pair=first.pair))
    return [zoo.domain(first, second)]


def _implicit(zoo: Zoo) -> list[str]:
    host = zoo.host()
    zoo.serve(host)
    zoo.publish(host, host.record())
    for port in (465, 993):
        zoo.serve(host, port=port, behaviour=at_once(context(zoo.directory, host.pair)))
        zoo.zone(f"{owner_name(host.name, port)} {TTL} TLSA {host.record()}")
    return [zoo.domain(host), f"{host.name}:465", f"{host.name}:993"]


def _self_signed(zoo: Zoo) -> list[str]:
    name = zoo.fresh("mx")
    pair = self_signed(name)
    return [zoo.domain(zoo.mx("3 1 1", host=zoo.host(name=name, pair=(pair.certificate, pair.key))))]


def _expired(zoo: Zoo) -> list[str]:
    return [zoo.domain(zoo.mx("3 1 1", host=zoo.host(days=(-90, -3))))]


def _another_zone(zoo: Zoo) -> list[str]:
    return [zoo.domain(zoo.mx("3 1 1", host=zoo.host(zone="b.example")))]


HEALTHY: dict[str, Callable[[Zoo], list[str]]] = {
    "current and next": _current_and_next,
    "RSA and ECDSA": _rsa_and_ecdsa,
    "2 1 1": _trust_anchor,
    "wildcard": _wildcard,
    "wildcard certificate": _wildcard_certificate,
    "alias": _alias,
    "alias of a host": _alias_of_a_host,
    "several MX": _several,
    "several MX, one key": _several_with_one_key,
    "implicit TLS": _implicit,
    "self-signed": _self_signed,
    "expired, usage 3": _expired,
    "MX in another zone": _another_zone,
}


@pytest.mark.parametrize("way", [{}, {"quick": True}, {"thorough": True}], ids=["usual", "quick", "thorough"])
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_above_a_notice(zoo: Zoo, name: str, way: dict[str, bool]) -> None:
    """Mail is authenticated, the exit code is 0, whatever is looked at."""
    for target in HEALTHY[name](zoo):
        calm(zoo.check(target, **way))


def test_plain_text_is_refused_or_not(zoo: Zoo) -> None:
    """A public server takes mail without TLS from those who have none; that is how SMTP is."""
    host = zoo.host()
    zoo.serve(host, behaviour=mail(context(zoo.directory, host.pair), plain=b"250 2.1.0 Ok"))
    zoo.publish(host, host.record())
    calm(zoo.check(zoo.domain(host), thorough=True))


def test_a_real_postfix(zoo: Zoo, mx_lab: MxLab) -> None:
    """Postfix with a self-signed certificate on its three ports."""
    name, file = zoo.fresh("mx"), zoo.directory / "mx.pem"
    pair = self_signed(name)
    pair.install(file)
    host: Host = zoo.host(name=name, pair=(pair.certificate, pair.key))
    owners = (owner_name(name, port) for port in (465, 587))
    zoo.publish(host, host.record(), extra=[f"{owner} {TTL} TLSA {host.record()}" for owner in owners])
    domain = zoo.domain(host)
    mx_lab.receiver(file, address=host.address, hostname=name, domains=(domain,))
    until(lambda: zoo.check(f"{name}:25").outcome == "auth", "Postfix answers")
    for target in (domain, f"{name}:465", f"{name}:587"):
        calm(zoo.check(target, thorough=True))
