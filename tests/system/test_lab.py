"""The lab itself: each fixture comes up and does what tests rely on."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from lab import faults
from lab.daemon import until

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab, Outage

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
