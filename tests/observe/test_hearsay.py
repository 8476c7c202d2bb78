"""A quick look takes the resolver's word for DNSSEC, if nobody on the way can have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from lab.fixtures import needs
from lab.namespace import add_address, remove_address

from tlsa_manager.observe import witness
from tlsa_manager.observe.ask import Place, Reply
from tlsa_manager.observe.hearsay import Word, lookup, view
from tlsa_manager.observe.nearness import here
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import judge
from tlsa_manager.sender.route import Route, Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "_25._tcp.mx.example.org."
NAME = dns.name.from_text(OWNER)
_TLSA = dns.rdatatype.from_text("TLSA")
MINE = "192.0.2.77"


def said(address: str, *, rcode: str = "NOERROR") -> tuple[witness.Testimony, Word]:
    """Return what a resolver says that vouches for a record, and its word."""
    place = Place(address, 53)
    question = dns.message.make_query(NAME, _TLSA, want_dnssec=True)
    message = dns.message.make_response(question)
    message.flags |= dns.flags.AD | dns.flags.RA
    unchecked = None
    message.answer.append(dns.rrset.from_text(OWNER, 3600, "IN", "TLSA", "3 1 1 " + "ab" * 32))
    if rcode != "NOERROR":
        unchecked, message = Reply(place, message), dns.message.make_response(question)
        message.set_rcode(dns.rcode.from_text(rcode))
    return witness.Testimony(Reply(place, message), unchecked), Word(place)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "192.168.1.1", "10.0.0.53"])
def test_ad_from_afar_proves_nothing(address: str) -> None:
    """Standards A8: over plain UDP anybody on the way can set it, so the outcome is unknown, with the reason and two ways out."""
    found = view(OWNER, NAME, *said(address), 0.0)
    (answer,) = found.answers
    assert (answer.security, answer.cause) == (Security.INDETERMINATE, Cause.RESOLVER)
    assert f"what {address} says of DNSSEC (AD) may be forged on the way" in answer.reason
    assert "on this host, or leave --quick out" in answer.reason
    assert lookup(NAME, _TLSA, *said(address)).security is Security.INDETERMINATE
    stop = Stop(Service("mx.example.org", 25, "smtp"), "mx.example.org", owners=(OWNER,))
    (verdict,) = judge(Route((stop,)), Snapshot(0.0, {OWNER: found}))
    assert verdict.outcome is Delivery.UNKNOWN


@pytest.mark.parametrize("address", ["8.8.8.8", "127.0.0.1"])
def test_a_failure_is_a_failure_wherever_it_comes_from(address: str) -> None:
    """What is refused with checking, and answered without, is bogus to whoever asks there: it speaks in favour of nobody."""
    assert lookup(NAME, _TLSA, *said(address, rcode="SERVFAIL")).security is Security.BOGUS


@pytest.mark.parametrize("address", ["127.0.0.1", "127.53.2.1", "::1", "::ffff:127.0.0.1"])
def test_a_resolver_on_this_host_is_believed(address: str) -> None:
    """Nobody is between us and it."""
    assert lookup(NAME, _TLSA, *said(address)).security is Security.SECURE


@pytest.fixture
def mine() -> Iterator[str]:
    """Give this host an address that is not loopback."""
    needs("ip")
    here.cache_clear()
    add_address(MINE)
    yield MINE
    remove_address(MINE)
    here.cache_clear()


def test_an_address_of_this_host_is_on_this_host(mine: str) -> None:
    """Whatever it is; its neighbour is not, route or no route."""
    assert here(mine)
    assert not here("192.0.2.78")
    assert lookup(NAME, _TLSA, *said(mine)).security is Security.SECURE
