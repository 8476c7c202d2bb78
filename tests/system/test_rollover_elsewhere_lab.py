"""The rollover over other DNS: Knot, PowerDNS, a hidden primary, zone files. No mail is deferred, foreign records stay."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import pytest
from lab.certificate import self_signed
from lab.daemon import until
from lab.fixtures import needs
from lab.installation import TIMING, Installation, Timer
from lab.rolling import LastServer, await_end, hand_over, moment, swap_of
from lab.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.elsewhere import Elsewhere
    from lab.hierarchy import DnsLab
    from lab.receiver import MxLab
    from lab.sender import SenderLab

FOREIGN = f"3 1 1 {'f' * 64}"
TTL = 3  # of the records that stand there; the installation would give new ones TIMING["ttl"]
WAIT = 2 * TTL + 2.0  # max(k·TTL, F) + M
PLACES = {
    "knot": ("lab.knot", "KnotAndNsd", ("knotd", "nsd")),
    "hidden": ("lab.hidden", "HiddenPrimary", ("nsd",)),
    "nsd-zonefile": ("lab.zonefiles", "NsdZoneFile", ("nsd", "nsd-control", "ldns-signzone")),
    "bind-zonefile": ("lab.zonefiles", "BindZoneFile", ()),
    "pdns": ("lab.powerdns", "PowerDns", ("pdns_server", "pdnsutil")),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, dns_lab: DnsLab) -> Iterator[Elsewhere]:
    """Start the servers of one of the zones."""
    module, name, programs = PLACES[request.param]
    needs(*programs)
    made = cast("Callable[[DnsLab], Elsewhere]", getattr(import_module(module), name))(dns_lab)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_rollover(place: Elsewhere, dns_lab: DnsLab, mx_lab: MxLab, sender_lab: SenderLab, tmp_path: Path) -> None:
    """A key is rolled while mail comes in: none is deferred, and what others have at the same names keeps its data and TTL."""
    assert TIMING["ttl"] != f"{TTL}s"
    mail = place.establish(mx_lab, tmp_path, FOREIGN, TTL)
    installation = Installation(tmp_path, dns_lab, mail, backend=place.backend())
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    new = self_signed(mail.host)
    sender_lab.flush()
    watch = LastServer(dns_lab, place.servers, mail, new.record)
    with Timer(installation) as timer, watch, Stream(sender_lab, mail.domain) as stream:
        hand_over(installation, new, tmp_path)
        until(lambda: place.serve(mail, {mail.pair.record, new.record, FOREIGN}), "both keys are published", timeout=60)
        assert place.ttls(mail) == {TTL}
        await_end(installation, new.record)
        until(lambda: place.serve(mail, {new.record, FOREIGN}), "the old record is gone", timeout=30)
    totals = stream.drain()
    late = moment(swap_of(installation, new.record)) - (watch.all_new_at + WAIT)
    print(f"{place.zone}: {totals}; swapped {late:+.2f} s after the earliest safe moment")

    assert totals.deferred == totals.bounced == 0, str(totals)
    assert totals.sent == totals.submitted
    assert late >= -0.2, "the swap was too early"  # our own watch sees the last server up to two of its rounds late
    assert place.ttls(mail) == {TTL}
    assert not [said for said, code in zip(timer.said, timer.codes, strict=True) if code not in (0, 75)]
