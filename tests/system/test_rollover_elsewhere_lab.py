"""The rollover over other DNS: Knot, PowerDNS, a hidden primary, zone files. No mail is deferred, foreign records stay."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, cast

import pytest
from lab.certificate import self_signed
from lab.daemon import until
from lab.fixtures import needs
from lab.installation import TIMING, Installation, Timer
from lab.maildomain import MailDomain
from lab.rolling import LastServer, await_end, hand_over, moment, swap_of
from lab.stream import Stream
from lab.zones import MX_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.elsewhere import Elsewhere
    from lab.hidden import HiddenPrimary
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
    "pdns-api": ("lab.powerdns", "PowerDnsApi", ("pdns_server", "pdnsutil")),
}


@pytest.fixture(scope="session")
def places(dns_lab: DnsLab) -> Iterator[Callable[[str], Elsewhere]]:
    """Return the zones by their names here; the servers of each are started when it is first asked for."""
    made: dict[str, Elsewhere] = {}

    def start(name: str) -> Elsewhere:
        module, kind, programs = PLACES[name]
        needs(*programs)
        if name not in made:
            made[name] = cast("Callable[[DnsLab], Elsewhere]", getattr(import_module(module), kind))(dns_lab)
            made[name].start()
        return made[name]

    try:
        yield start
    finally:
        for one in made.values():
            one.stop()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, places: Callable[[str], Elsewhere]) -> Elsewhere:
    """Each of the zones."""
    return places(request.param)


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


def test_the_hidden_primary_alone_is_not_enough(
    places: Callable[[str], Elsewhere], dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path
) -> None:
    """That the primary has the new record counts for nothing: while one public server is silent nothing is swapped."""
    place = cast("HiddenPrimary", places("hidden"))
    mail = place.establish(mx_lab, tmp_path, FOREIGN, TTL)
    installation = Installation(tmp_path, dns_lab, mail, backend=place.backend())
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    new, both = self_signed(mail.host), {mail.pair.record, FOREIGN}
    with place.without(place.servers[0]), Timer(installation):
        hand_over(installation, new, tmp_path)
        for server in (place.primary, place.servers[1]):
            until(lambda: dns_lab.records(server, mail.owners[2]) == both | {new.record}, "the others have it", timeout=60)  # noqa: B023
        time.sleep(WAIT + 2)
        said = installation.start("status").communicate(timeout=60)[0]
    assert place.servers[0] in said
    assert place.primary not in said
    assert not [event for event in installation.events() if event["event"] == "Deploying"]
    with Timer(installation):
        await_end(installation, new.record)


ALIAS, DOMAIN = "_tlsa.k.example.", "alias.b.example"


@pytest.fixture
def aliased(
    places: Callable[[str], Elsewhere], dns_lab: DnsLab, mx_lab: MxLab, tmp_path: Path
) -> tuple[Elsewhere, MailDomain]:  # fmt: skip
    """A mail domain at BIND whose owner names are all aliases of one name in a zone of Knot, which has another key."""
    zone = places("knot")
    host, pair, file = f"mx.{DOMAIN}", self_signed(f"mx.{DOMAIN}"), tmp_path / "tls" / "mx.pem"
    pair.install(file)
    mail = MailDomain(DOMAIN, host, file, pair, mx_lab.receiver(file, hostname=host, domains=(DOMAIN,)))
    lines = [f"{DOMAIN}. {TTL} MX 10 {host}.", f"{host}. {TTL} A {MX_ADDRESS}"]
    lines += [f"{owner} {TTL} CNAME {ALIAS}" for owner in mail.owners]
    zone.put(ALIAS, TTL, pair.record, FOREIGN)
    dns_lab.update("".join(f"update add {line}\n" for line in lines))
    for server in (dns_lab.primary, dns_lab.secondary):
        until(lambda: dns_lab.records(server, mail.owners[2], "CNAME") == {ALIAS}, "the aliases are there")  # noqa: B023
    until(lambda: zone.have({pair.record, FOREIGN}, (ALIAS,)), "the records are there")
    dns_lab.flush()
    return zone, mail


def test_aliases_into_one_small_zone(
    aliased: tuple[Elsewhere, MailDomain], dns_lab: DnsLab, sender_lab: SenderLab, tmp_path: Path
) -> None:
    """Three owner names are rolled by one update in the zone they lead into; the mail domain's own zone is never touched."""
    zone, mail = aliased
    installation = Installation(tmp_path, dns_lab, mail, backend=zone.backend())
    installation.command("run")
    installation.command("records", mail.host, "--adopt")
    for words in (("status",), ("records", mail.host)):
        assert ALIAS in installation.start(*words).communicate(timeout=60)[0]
    new, serial = self_signed(mail.host), dns_lab.serial(dns_lab.primary, "b.example")
    sender_lab.flush()
    with Timer(installation), Stream(sender_lab, mail.domain) as stream:
        hand_over(installation, new, tmp_path)
        until(lambda: zone.have({mail.pair.record, new.record, FOREIGN}, (ALIAS,)), "both keys are published", timeout=60)
        await_end(installation, new.record)
        until(lambda: zone.have({new.record, FOREIGN}, (ALIAS,)), "the old record is gone", timeout=30)
    totals = stream.drain()

    assert totals.deferred == totals.bounced == 0, str(totals)
    changes = [event["details"] for event in installation.events() if event["event"] in {"Published", "Retired"}]
    assert [change["target"] for change in changes] == [ALIAS, ALIAS], "one record added and one removed, for three names"
    assert dns_lab.serial(dns_lab.primary, "b.example") == serial
    assert all(dns_lab.records(dns_lab.primary, owner, "CNAME") == {ALIAS} for owner in mail.owners)
