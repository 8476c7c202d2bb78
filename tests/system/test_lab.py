"""The lab itself: each fixture comes up and does what tests rely on."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from lab import faults
from lab.certificate import record, self_signed
from lab.daemon import until
from lab.receiver import trust
from lab.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from lab.certbot import Certbot
    from lab.hierarchy import DnsLab, Outage
    from lab.receiver import MxLab
    from lab.sender import SenderLab

_ONE, _TWO = "3 1 1 " + "11" * 32, "3 1 1 " + "22" * 32


def test_nothing_can_leave_the_machine(dns_lab: DnsLab) -> None:
    """An address of the world is unreachable from the lab."""
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 53), timeout=1)


def test_update_is_served_by_both_servers_and_validates(dns_lab: DnsLab) -> None:
    """A TLSA record sent to the primary is soon on the secondary, and the resolver says AD."""
    owner = f"_25._tcp.{dns_lab.fresh_name()}."
    dns_lab.put_tlsa(owner, _ONE, _TWO)
    for server in (dns_lab.primary, dns_lab.secondary):
        until(lambda server=server: dns_lab.records(server, owner) == {_ONE, _TWO}, f"{server} serves {owner}", timeout=3)
    assert dns_lab.validates(owner)


@pytest.mark.parametrize("how", ["address", "process", "hang"])
def test_secondary_can_be_lost_and_comes_back(dns_lab: DnsLab, how: Outage) -> None:
    """Without its secondary the zone still changes; when it is back it serves what it missed."""
    owner = f"_25._tcp.{dns_lab.fresh_name()}."
    with dns_lab.without_secondary(how):
        dns_lab.put_tlsa(owner, _ONE)
        assert dns_lab.records(dns_lab.secondary, owner) is None
    until(lambda: dns_lab.records(dns_lab.secondary, owner) == {_ONE}, "the secondary caught up")


def test_slow_secondary_lags_by_seconds(dns_lab: DnsLab) -> None:
    """In the slow zone a change reaches the secondary only after the delay."""
    owner = f"_25._tcp.{dns_lab.fresh_name(zone=dns_lab.slow_zone)}."
    begin = time.monotonic()
    dns_lab.put_tlsa(owner, _ONE)
    assert dns_lab.records(dns_lab.primary, owner) == {_ONE}
    until(lambda: dns_lab.records(dns_lab.secondary, owner) == {_ONE}, "the slow secondary follows")
    assert time.monotonic() - begin >= dns_lab.slow.delay


def test_lagging_zone_waits_for_a_refresh(dns_lab: DnsLab) -> None:
    """In the lagging zone the secondary follows when it is told to, not before."""
    owner = f"_25._tcp.{dns_lab.fresh_name(zone='lag.example')}."
    dns_lab.put_tlsa(owner, _ONE)
    assert dns_lab.records(dns_lab.secondary, owner) == set()
    dns_lab.rndc(dns_lab.secondary, "refresh", "lag.example")
    until(lambda: dns_lab.records(dns_lab.secondary, owner) == {_ONE}, "the secondary follows")


@pytest.mark.parametrize("name", ["shapes", "nsec3", "nsec3optout", "nsecgone"])
def test_good_shapes_validate(dns_lab: DnsLab, name: str) -> None:
    """Zones that are only unusual are secure."""
    assert dns_lab.validates(f"_25._tcp.mx.{name}.example.")


@pytest.mark.parametrize("name", ["expired", "expired-tlsa", "notyet", "bogusds", "unsigned", "badsig", "loadfail", "refused"])
def test_broken_zones_are_refused_by_the_resolver(dns_lab: DnsLab, name: str) -> None:
    """A bogus or unserved zone gives SERVFAIL, never an answer."""
    assert dns_lab.records(dns_lab.resolver, f"_25._tcp.mx.{name}.example.") is None


@pytest.mark.parametrize("name", ["badalg", "nods"])
def test_zones_without_a_usable_chain_are_insecure(dns_lab: DnsLab, name: str) -> None:
    """An unknown algorithm or no DS: the record is answered without AD."""
    owner = f"_25._tcp.mx.{name}.example."
    assert dns_lab.records(dns_lab.resolver, owner) == {f"3 1 1 {faults.DIGEST}"}
    assert not dns_lab.validates(owner)


def test_receiver_is_verified_on_every_port(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """Postfix's DANE client verifies the receiver through the MX, on submission and with implicit TLS."""
    pair = self_signed("mx.a.example")
    pair.install(tmp_path / "mx.pem")
    mx_lab.receiver(tmp_path / "mx.pem")
    for port in (25, 465, 587):
        dns_lab.put_tlsa(f"_{port}._tcp.mx.a.example.", pair.record)
    dns_lab.flush()
    assert trust("a.example") == "Verified"
    assert trust("[mx.a.example]:587") == "Verified"
    assert trust("[mx.a.example]:465", implicit_tls=True) == "Verified"


def test_two_receivers_side_by_side(dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path) -> None:
    """A second mail server on an address of its own shows its own certificate; a reload shows a new one."""
    name = dns_lab.fresh_name(address="127.25.0.3")
    old, new = self_signed(name), self_signed(name)
    old.install(tmp_path / "mx.pem")
    receiver = mx_lab.receiver(tmp_path / "mx.pem", address="127.25.0.3", hostname=name)
    dns_lab.put_tlsa(f"_25._tcp.{name}.", new.record)
    assert trust(f"[{name}]:25") != "Verified"
    new.install(tmp_path / "mx.pem")
    receiver.reload()
    until(lambda: trust(f"[{name}]:25") == "Verified", "the new certificate is on the wire", timeout=5)


def test_sender_delivers_only_what_dane_verifies(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """A mail is sent while record and certificate match, and deferred while they do not."""
    pair = self_signed("mx.b.example")
    pair.install(tmp_path / "mx.pem")
    mx_lab.receiver(tmp_path / "mx.pem")
    dns_lab.put_tlsa("_25._tcp.mx.b.example.", pair.record)
    sender_lab.flush()
    assert sender_lab.send("good@b.example").status == "sent"
    assert "Verified TLS connection established to mx.b.example" in sender_lab.log()
    dns_lab.put_tlsa("_25._tcp.mx.b.example.", _ONE)
    sender_lab.flush()
    refused = sender_lab.send("bad@b.example")
    assert (refused.status, "not verified" in refused.text) == ("deferred", True)


def test_stream_counts_every_mail(dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """Four mails a second and more go through, and each is accounted for."""
    pair = self_signed("mx.a.example")
    pair.install(tmp_path / "mx.pem")
    mx_lab.receiver(tmp_path / "mx.pem")
    dns_lab.put_tlsa("_25._tcp.mx.a.example.", pair.record)
    sender_lab.flush()
    with Stream(sender_lab, "a.example") as stream:
        until(lambda: stream.totals().sent >= 15, "fifteen mails are sent", every=1.0)
    totals = stream.drain()
    assert (totals.sent, totals.deferred, totals.bounced, totals.pending) == (totals.submitted, 0, 0, 0), str(totals)


def test_certbot_gets_a_certificate_and_renews_it(dns_lab: DnsLab, acme_lab: Certbot, tmp_path: Path) -> None:
    """Pebble issues through a DNS challenge at the primary; the deploy hook runs at both times, and the key changes."""
    name = dns_lab.fresh_name()
    told = tmp_path / "told"
    live = acme_lab.obtain(name, deploy_hook=f'echo "$RENEWED_LINEAGE" >> {told}')
    first = record((live / "fullchain.pem").read_bytes())
    acme_lab.renew(name)
    assert record((live / "fullchain.pem").read_bytes()) != first
    assert told.read_text().splitlines() == [str(live)] * 2
