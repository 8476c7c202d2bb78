"""The demo's name servers are small, but what they say is signed, denied and changed as the RFCs have it."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

from tlsa_manager.demo import names
from tlsa_manager.demo.installation import TSIG_NAME
from tlsa_manager.errors import PublishError
from tlsa_manager.observe import DnsEyes
from tlsa_manager.observe.denial import absent
from tlsa_manager.observe.signature import Signer
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.security import Security
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dns.message import Message

    from tlsa_manager.demo.world import World
    from tlsa_manager.keys import Pair
    from tlsa_manager.publish import Backend

DOMAIN = dns.name.from_text(names.DOMAIN)
OWNER = dns.name.from_text(names.OWNER)
RECORD = Tlsa(3, 1, 1, "ab" * 32)


def ask(world: World, address: str, name: str, rdtype: str, *, payload: int = 1232, flags: int = 0) -> Message:
    query = dns.message.make_query(name, rdtype, want_dnssec=True, payload=payload, flags=flags)
    return dns.query.udp(query, address, 5, world.dns_port)


def keys_of(world: World, address: str, zone: dns.name.Name) -> dict[dns.name.Name, dns.rdataset.Rdataset]:
    answer = ask(world, address, zone.to_text(), "DNSKEY").answer
    return {zone: next(found for found in answer if found.rdtype == dns.rdatatype.DNSKEY)}


def within(seconds: float, true: Callable[[], object]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def backend(world: World, directory: Path, secret: bytes) -> Backend:
    file = directory / "tsig.key"
    file.touch(mode=0o600)
    text = base64.b64encode(secret).decode()
    file.write_text(f'key "{TSIG_NAME}" {{ algorithm hmac-sha256; secret "{text}"; }};')
    return open_backend("primary", "rfc2136", {"server": f"{names.PRIMARY_ADDRESS}#{world.dns_port}", "tsig-key-file": str(file)})


def publication(*records: Tlsa) -> Change:
    return Change(names.OWNER, names.DOMAIN + ".", frozenset(records), frozenset(), frozenset(), names.TTL)


@pytest.mark.parametrize("address", [names.PRIMARY_ADDRESS, names.SECONDARY_ADDRESS])
def test_answers_are_signed_with_the_key_that_the_parent_names(world: World, address: str) -> None:
    """An independent validator accepts the answer, and the root's DS fits the key."""
    answer = ask(world, address, names.DOMAIN, "MX")
    assert answer.flags & dns.flags.AA
    rrset, signature = sorted(answer.answer, key=lambda found: found.rdtype)
    keys = keys_of(world, address, DOMAIN)
    dns.dnssec.validate(rrset, signature, keys)
    ds = ask(world, names.ROOT_ADDRESS, names.DOMAIN, "DS")
    made = dns.dnssec.make_ds(DOMAIN, next(iter(keys[DOMAIN])), "SHA256")
    assert made in next(found for found in ds.answer if found.rdtype == dns.rdatatype.DS)


@pytest.mark.parametrize(("name", "rdtype", "rcode"), [
    ("nowhere.example.org", "A", "NXDOMAIN"), ("mx.example.org", "AAAA", "NOERROR"), ("_tcp.mx.example.org", "A", "NXDOMAIN"),
])  # fmt: skip
def test_denials_are_proven(world: World, name: str, rdtype: str, rcode: str) -> None:
    """What is not there is denied with NSEC records that our own eyes accept as a proof."""
    answer = ask(world, names.PRIMARY_ADDRESS, name, rdtype)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    signer = Signer(DOMAIN, keys_of(world, names.PRIMARY_ADDRESS, DOMAIN)[DOMAIN], time.time())
    proof = absent(dns.name.from_text(name), dns.rdatatype.from_text(rdtype), answer, signer)
    assert proof.security is Security.SECURE


def test_the_root_refers_to_the_zone(world: World) -> None:
    """The root does not answer for what it has delegated: it names the servers, their addresses and the DS record."""
    answer = ask(world, names.ROOT_ADDRESS, names.HOST, "A")
    assert not answer.flags & dns.flags.AA
    assert not answer.answer
    assert {found.rdtype for found in answer.authority} >= {dns.rdatatype.NS, dns.rdatatype.DS}
    assert {rdata.to_text() for found in answer.additional for rdata in found} == {names.PRIMARY_ADDRESS, names.SECONDARY_ADDRESS}


def test_what_does_not_fit_a_datagram_comes_over_tcp(world: World, tmp_path: Path) -> None:
    """A dozen records are larger than 512 bytes: they are cut off, and whole over TCP."""
    dozen = [Tlsa(3, 1, 1, f"{number:02x}" * 32) for number in range(12)]
    backend(world, tmp_path, world.tsig_secret).change(publication(*dozen))
    cut = ask(world, names.PRIMARY_ADDRESS, names.OWNER, "TLSA", payload=512)
    assert cut.flags & dns.flags.TC
    query = dns.message.make_query(names.OWNER, "TLSA", want_dnssec=True)
    whole = dns.query.tcp(query, names.PRIMARY_ADDRESS, 5, world.dns_port)
    assert sum(len(found) for found in whole.answer if found.rdtype == dns.rdatatype.TLSA) == len(dozen)


def test_other_zones_are_refused(world: World) -> None:
    """A server speaks for its zone only."""
    assert ask(world, names.PRIMARY_ADDRESS, "example.net", "A").rcode() == dns.rcode.REFUSED


def test_our_backend_updates_the_primary_and_the_secondary_follows(world: World, tmp_path: Path) -> None:
    """The very backend of tlsa_manager adds a record; the primary has it at once, signed, the secondary later."""
    world.lag = 0.4
    own = backend(world, tmp_path, world.tsig_secret)
    assert own.change(publication(RECORD)).state == "done"
    assert own.read(names.OWNER).records == {RECORD}
    assert world.at_primary() == {RECORD}
    assert world.at_secondary()[0] == frozenset()
    assert within(10, lambda: world.at_secondary() == (frozenset({RECORD}), None))
    for address in (names.PRIMARY_ADDRESS, names.SECONDARY_ADDRESS):
        rrset, signature = sorted(ask(world, address, names.OWNER, "TLSA").answer, key=lambda found: found.rdtype, reverse=True)
        dns.dnssec.validate(rrset, signature, keys_of(world, address, DOMAIN))


def test_a_wrong_key_changes_nothing(world: World, tmp_path: Path) -> None:
    """An update signed with another secret is turned away."""
    own = backend(world, tmp_path, bytes(32))
    with pytest.raises(PublishError):
        own.change(publication(RECORD))
    assert world.at_primary() == frozenset()


def test_an_update_without_signature_is_refused(world: World) -> None:
    """Nobody may change the zone without the key."""
    message = dns.update.UpdateMessage(names.DOMAIN)
    message.add(names.OWNER, 2, "TLSA", str(RECORD))
    assert dns.query.tcp(message, names.PRIMARY_ADDRESS, 5, world.dns_port).rcode() == dns.rcode.REFUSED
    assert world.at_primary() == frozenset()


def test_an_update_that_expects_something_else_changes_nothing(world: World) -> None:
    """Prerequisites compare the whole set: one record too few, and nothing is written."""
    key = dns.tsig.Key(TSIG_NAME, world.tsig_secret, "hmac-sha256")
    other, third = Tlsa(3, 1, 1, "cd" * 32), Tlsa(3, 1, 1, "ef" * 32)

    def update(expect: tuple[Tlsa, ...], *add: Tlsa) -> dns.rcode.Rcode:
        message = dns.update.UpdateMessage(names.DOMAIN)
        message.use_tsig(key)
        if expect:
            message.present(names.OWNER, *(dns.rdata.from_text("IN", "TLSA", str(one)) for one in expect))
        for one in add:
            message.add(names.OWNER, 2, "TLSA", str(one))
        return dns.query.tcp(message, names.PRIMARY_ADDRESS, 5, world.dns_port).rcode()

    assert update((), RECORD, other) == dns.rcode.NOERROR
    assert update((RECORD,), third) == dns.rcode.NXRRSET
    assert world.at_primary() == {RECORD, other}
    assert update((RECORD, other), third) == dns.rcode.NOERROR
    assert world.at_primary() == {RECORD, other, third}


def test_the_resolver_keeps_an_answer_for_its_ttl_and_no_longer(world: World, tmp_path: Path, pair: Pair) -> None:
    """A cache that honours TTLs: a denial is kept while a record is published, and then the record is seen, validated."""
    first = ask(world, names.FAR_RESOLVER_ADDRESS, names.OWNER, "TLSA", flags=dns.flags.RD)
    assert first.flags & dns.flags.AD
    assert first.rcode() == dns.rcode.NXDOMAIN
    (record,) = pair.chain.records()
    backend(world, tmp_path, world.tsig_secret).change(publication(record))
    assert within(10, lambda: ask(world, names.FAR_RESOLVER_ADDRESS, names.OWNER, "TLSA", flags=dns.flags.RD).answer)
    cached = world.in_cache()
    assert cached is not None
    assert cached[0] == {record}
    assert 0 < cached[1] <= names.TTL


def test_the_resolver_refuses_what_is_bogus(world: World) -> None:
    """Data that was changed behind the signature is SERVFAIL, unless the client says that it checks itself."""
    forged = dns.rdataset.from_text("IN", "MX", 60, "10 evil.example.net.")
    world.primary.zone.replace_rdataset(DOMAIN, forged)  # the secondary still has the same zone object
    name = names.DOMAIN
    assert ask(world, names.FAR_RESOLVER_ADDRESS, name, "MX", flags=dns.flags.RD).rcode() == dns.rcode.SERVFAIL
    unchecked = ask(world, names.FAR_RESOLVER_ADDRESS, name, "MX", flags=dns.flags.RD | dns.flags.CD)
    assert unchecked.answer
    assert not unchecked.flags & dns.flags.AD


def test_our_eyes_find_the_world_secure(world: World, tmp_path: Path) -> None:
    """The eyes of tlsa_manager, with nothing but the root's DS record, see both servers and believe them and the resolver."""
    backend(world, tmp_path, world.tsig_secret).change(publication(RECORD))
    assert within(10, lambda: world.at_secondary()[0] == {RECORD})
    (tmp_path / "root.ds").write_text(f". IN DS {world.anchor}\n")
    resolver = (f"{names.RESOLVER_ADDRESS}#{world.dns_port}",)
    eyes = DnsEyes(resolver=resolver, anchor=str(tmp_path / "root.ds"), port=world.dns_port)
    view = eyes.owners([names.OWNER])[names.OWNER]
    assert view.complete, view.problem
    assert {answer.address for answer in view.answers} == {names.PRIMARY_ADDRESS, names.SECONDARY_ADDRESS}
    assert {answer.security for answer in view.answers} == {Security.SECURE}
    assert view.witness is not None
    assert view.witness.validates
    assert view.witness.security is Security.SECURE
