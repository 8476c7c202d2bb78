"""The demo's sender is honest: it refuses exactly what a DANE sender has to refuse."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlsa_manager.demo.certificates import CertificateAuthority
from tlsa_manager.demo.sender import Sender, matches

if TYPE_CHECKING:
    from tlsa_manager.demo.world import World
    from tlsa_manager.keys import Pair
    from tlsa_manager.tlsa import RRset


def publish(world: World, records: RRset) -> None:
    """Put records into the zone without any protocol."""
    import dns.name
    import dns.rdata
    import dns.rdataset
    import dns.rdatatype

    from tlsa_manager.demo import names

    content = dict(world.zone.content)
    data = [dns.rdata.from_text("IN", "TLSA", str(one)) for one in records]
    content[dns.name.from_text(names.OWNER), dns.rdatatype.TLSA] = dns.rdataset.from_rdata_list(names.TTL, data)
    world.zone.change(content)
    world.primary.zone = world.secondary.zone = world.zone.signed


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_record_of_the_certificate_matches_and_no_other(pair: Pair, selector: int, matching: int) -> None:
    """Each selector and matching type of RFC 6698, for DANE-EE only."""
    certificate = x509.load_pem_x509_certificate(pair.chain_pem)
    whole = certificate.public_bytes(Encoding.DER)
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    chosen = key if selector else whole
    data = {0: chosen, 1: hashlib.sha256(chosen).digest(), 2: hashlib.sha512(chosen).digest()}[matching]
    assert matches([(3, selector, matching, data)], whole)
    assert matches([(3, 1, 1, bytes(32)), (3, selector, matching, data)], whole)
    assert not matches([(2, selector, matching, data)], whole)
    assert not matches([(3, selector, matching, data[:-1])], whole)
    assert not matches([(3, 7, matching, data), (3, selector, 9, data)], whole)
    assert not matches([], whole)
    assert not matches([(3, selector, matching, data)], b"")


def test_it_delivers_to_the_key_that_is_published(world: World, pair: Pair) -> None:
    """A mail goes through a real handshake to a real SMTP server."""
    publish(world, pair.chain.records())
    assert Sender(world.sender_resolver, world.mail_port).attempt() == ""
    assert world.mail.received == 1


def test_it_refuses_another_key(world: World) -> None:
    """The record of another key: no mail is handed over."""
    publish(world, CertificateAuthority().renew().chain.records())
    assert "matches none of its TLSA records" in Sender(world.sender_resolver, world.mail_port).attempt()
    assert world.mail.received == 0


def test_it_refuses_without_records_and_without_dns(world: World) -> None:
    """No record, or no resolver: this sender delivers with DANE or not at all."""
    assert "TLSA of" in Sender(world.sender_resolver, world.mail_port).attempt()
    world.primary.zone.delete_node(world.zone.origin)
    world.forget()
    assert Sender(world.sender_resolver, world.mail_port).attempt()
    assert world.mail.received == 0


def test_it_sees_a_certificate_that_was_reloaded(world: World, pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The mail server presents what its file holds at the reload, and the sender decides anew each time."""
    from tlsa_manager.demo.installation import write_private

    publish(world, pair.chain.records())
    sender = Sender(world.sender_resolver, world.mail_port)
    assert sender.attempt() == ""
    write_private(world.mail._file, CertificateAuthority().renew().combined)
    assert sender.attempt() == "", "a file alone changes nothing"
    world.mail.reload()
    assert "matches none" in sender.attempt()
