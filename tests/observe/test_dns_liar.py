"""A resolver that lies about the address of a name server must not hide it from us."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dns.rdatatype
import dns.rrset
from lab.daemon import until
from observe.dns_strangers import DnsStranger, resolver_that

from tlsa_manager.observe import DnsEyes

if TYPE_CHECKING:
    from dns.message import Message
    from lab.hierarchy import DnsLab

ZONE = "a.example"
HIDDEN = f"ns3.{ZONE}."
SILENT = "127.53.1.77"  # nobody listens there
LIAR = "127.53.2.91"


def claims(_: Message, answer: Message, *, address: str) -> None:
    """Say that the hidden server has this address."""
    for number, rrset in enumerate(answer.answer):
        if rrset.rdtype == dns.rdatatype.A and str(rrset.name) == HIDDEN:
            answer.answer[number] = dns.rrset.from_text(rrset.name, rrset.ttl, "IN", "A", address)


def test_the_real_address_is_asked_too(dns_lab: DnsLab) -> None:
    """A third server, known to the zone alone and silent: the resolver gives the primary's address, and nobody is fooled."""
    dns_lab.update(f"update add {HIDDEN} 1 A {SILENT}\nupdate add {ZONE}. 1 NS {HIDDEN}")
    try:
        until(lambda: HIDDEN in (dns_lab.records(dns_lab.secondary, ZONE, "NS") or ()), "both servers name the third")
        dns_lab.flush()
        with DnsStranger(LIAR, resolver_that(partial(claims, address=dns_lab.primary), dns_lab.resolver)):
            eyes = DnsEyes(resolver=(LIAR,), anchor=str(dns_lab.anchor), timeout=1.0)
            owner = f"_25._tcp.mx.{ZONE}."
            view = eyes.owners([owner])[owner]
    finally:
        dns_lab.update(f"update delete {ZONE}. NS {HIDDEN}\nupdate delete {HIDDEN} A")
    assert not view.complete
    assert SILENT in {answer.address for answer in view.answers}
