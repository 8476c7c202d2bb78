"""Judging what was gathered, without any network: signatures made in the test, moments chosen by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tlsa_manager.observe.ask import Place, Reply
from tlsa_manager.observe.judge import Trust, view
from tlsa_manager.observe.survey import Hop, Sighting, Trail
from tlsa_manager.observe.zone import Zone
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from dns.rrset import RRset

    from tlsa_manager.snapshot import OwnerView

ZONE = dns.name.from_text("example.")
OWNER = dns.name.from_text("_25._tcp.mx.example.")
BEGIN, END = 1_000_000, 2_000_000


class Key:
    """A zone key."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public = dns.dnssec.make_dnskey(self.private.public_key(), dns.dnssec.ECDSAP256SHA256, flags=257)

    def sign(self, rrset: RRset, *, end: int = END) -> RRset:
        """Sign an RRset."""
        made = dns.dnssec.sign(rrset, self.private, ZONE, self.public, inception=BEGIN, expiration=end)
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, made)


def reply(place: Place, *rrsets: RRset) -> Reply:
    message = dns.message.make_response(dns.message.make_query(OWNER, "TLSA"))
    message.flags |= dns.flags.AA
    message.answer.extend(rrsets)
    return Reply(place, message)


def keys_reply(place: Place, main: Key, *others: Key, end: int = END) -> Reply:
    rrset = dns.rrset.from_rdata(ZONE, 60, main.public, *(key.public for key in others))
    return reply(place, rrset, main.sign(rrset, end=end))


def sighting(address: str, keys: Reply, signed_by: Key) -> Sighting:
    place = Place(address, 53)
    rrset = dns.rrset.from_text(OWNER, 60, "IN", "TLSA", "3 1 1 " + "aa" * 32)
    tlsa = reply(place, rrset, signed_by.sign(rrset))
    return Sighting(dns.name.from_text("ns.example."), place, tlsa, keys, Reply(place, None, "did not answer"))


def judged(anchor: Key, *sightings: Sighting, now: float = 1_500_000) -> OwnerView:
    digest = dns.dnssec.make_ds(ZONE, anchor.public, "SHA256")
    hop = Hop(OWNER, Zone(ZONE, None, ()), sightings)
    return view(OWNER.to_text(), Trail((hop,)), Trust({ZONE: (digest,)}, now, "resolver", believed=False, replies={}), None)


@pytest.mark.parametrize(
    ("now", "security", "because"),
    [
        (BEGIN - 1, Security.BOGUS, "is not yet valid"),
        (BEGIN, Security.SECURE, ""),
        (END, Security.SECURE, ""),
        (END + 1, Security.BOGUS, "has expired"),
    ],
)
def test_the_same_answer_is_judged_against_the_moment(now: float, security: Security, because: str) -> None:
    """What was secure is bogus when its signatures have run out, though nothing new was seen."""
    key, place = Key(), Place("192.0.2.1", 53)
    (answer,) = judged(key, sighting(place.address, keys_reply(place, key), key), now=now).answers
    assert answer.security is security
    assert because in answer.reason


def test_a_server_whose_keys_have_run_out_is_bogus_alone() -> None:
    """Each address is judged by the keys it hands out itself: one with an expired DNSKEY signature does not hide."""
    key, one, two = Key(), Place("192.0.2.1", 53), Place("192.0.2.2", 53)
    good, bad = keys_reply(one, key), keys_reply(two, key, end=BEGIN + 1)
    first, second = judged(key, sighting(one.address, good, key), sighting(two.address, bad, key)).answers
    assert (first.security, second.security) == (Security.SECURE, Security.BOGUS)
    assert "DNSKEY of example. has expired" in second.reason
    assert second.broken_zone == "example."


def test_a_signature_that_fits_only_some_servers_keys_is_bogus() -> None:
    """A key that another server does not publish yet: a resolver with that server's keys refuses the answer."""
    main, fresh, one, two = Key(), Key(), Place("192.0.2.1", 53), Place("192.0.2.2", 53)
    ahead = sighting(one.address, keys_reply(one, main, fresh), fresh)
    behind = sighting(two.address, keys_reply(two, main), main)
    first, second = judged(main, ahead, behind).answers
    assert (first.security, second.security) == (Security.BOGUS, Security.SECURE)
    assert "which is not among the keys of example., as ns.example (192.0.2.2) publishes them" in first.reason


def test_without_an_anchor_nothing_is_known() -> None:
    """No anchor above the zone: neither secure nor bogus."""
    key, place = Key(), Place("192.0.2.1", 53)
    hop = Hop(OWNER, Zone(ZONE, None, ()), (sighting(place.address, keys_reply(place, key), key),))
    seen = view(OWNER.to_text(), Trail((hop,)), Trust({}, 1_500_000, "resolver", believed=False, replies={}), None)
    assert seen.answers[0].security is Security.INDETERMINATE
    assert "no trust anchor covers" in seen.answers[0].reason
