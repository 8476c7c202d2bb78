"""Faults 52 to 76: DNSSEC and name servers. Real zones, spoilt; strangers before a server where none can be made to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from observe.dns_strangers import DnsStranger, resolver_that

from tlsa_manager.finding import Severity
from zoo.yard import FIRST, SECOND, before, replaced, without
from zoo.zoo import absent, calm, found

if TYPE_CHECKING:
    from dns.message import Message

    from zoo.yard import Yard
    from zoo.zoo import Zoo

PAST = ("-P", "-s", "20200101000000", "-e", "20200201000000")
TLSA_LINE = r"^_25\._tcp\.\S+\s+\d+\s+IN\s+TLSA"


def test_the_yard_itself_is_healthy(zoo: Zoo, yard: Yard) -> None:
    """What the other tests spoil is well before."""
    calm(zoo.check(yard.zone().name))


def test_52_no_ds(zoo: Zoo, yard: Yard) -> None:
    """F-NODS: signed, and nobody above knows."""
    zone = yard.zone(ds=lambda _: [])
    report = zoo.check(zone.name)
    fault = found(report, "F-NODS", outcome="opportunistic", severity="error")
    assert fault.subject == f"{zone.name}."
    absent(report, "F-MXUNSIGNED", "F-DOMUNSIGNED", "F-NOTLSA")
    assert report.exit_code == 1


@pytest.mark.parametrize("how", ["digest", "unsigned"])
def test_53_bad_ds(zoo: Zoo, yard: Yard, how: str) -> None:
    """F-BADDS: the DS record fits no key, or the zone has none any more."""
    if how == "digest":
        zone = yard.zone(ds=lambda found: [one[:-8] + "00000000" for one in found])
    else:
        zone = yard.zone(spoil=without(r"\sIN\s+(RRSIG|NSEC|DNSKEY)\s"))
    report = zoo.check(zone.name)
    fault = found(report, "F-BADDS", outcome="defer")
    assert f"{zone.name}." in dict(fault.evidence)["zone"]
    assert report.exit_code == 2


def test_54_expired(zoo: Zoo, yard: Yard) -> None:
    """F-SIGEXP: all signatures, or those over records other than the keys, have expired on every server."""
    found(zoo.check(yard.zone(sign=PAST).name), "F-SIGEXP", outcome="defer")
    report = zoo.check(yard.zone(sign=(*PAST, "-X", "now+864000")).name)
    fault = found(report, "F-SIGEXP", outcome="defer")
    assert "2020-02-01" in fault.message
    absent(report, "F-SIGEXP1", "F-SIGSOON")


def test_55_expired_on_one(zoo: Zoo, yard: Yard) -> None:
    """F-SIGEXP1: one secondary was left behind."""
    old = r"^(_25\._tcp\S+\s+\d+\s+IN\s+RRSIG\s+TLSA(?:\s+\d+){3})\s+\d{14}\s+\d{14}"
    zone = yard.zone(second=replaced(old, r"\1 20200201000000 20200101000000"))
    report = zoo.check(zone.name)
    fault = found(report, "F-SIGEXP1", outcome="defer")
    assert SECOND in fault.message
    assert FIRST not in fault.message
    absent(report, "F-SIGEXP", "F-SECSYNC")


def test_56_expires_soon(zoo: Zoo, yard: Yard) -> None:
    """F-SIGSOON: the signature does not outlive a weekend, or not the wait of a rollover. A short life alone is no fault."""
    soon = yard.zone(sign=("-s", "now-2592000", "-e", "now+90000"))
    fault = found(zoo.check(soon.name), "F-SIGSOON", outcome="auth", severity="error")
    assert "25.0 hours" in fault.message
    fresh = yard.zone(sign=("-s", "now-86400", "-e", "now+90000"))
    absent(zoo.check(fresh.name), "F-SIGSOON")
    found(zoo.check(yard.zone(sign=("-s", "now-86400", "-e", "now+3600")).name), "F-SIGSOON", outcome="auth", severity="error")


def test_57_signed_in_the_future(zoo: Zoo, yard: Yard) -> None:
    """F-SIGFUT: and by how much the clocks differ."""
    zone = yard.zone(sign=("-P", "-s", "now+864000", "-e", "now+1728000"))
    fault = found(zoo.check(zone.name), "F-SIGFUT", outcome="defer")
    ahead = dict(fault.evidence)["ahead of our clock"]
    assert 863000 < int(ahead.split()[0]) <= 864000


def test_58_not_signed(zoo: Zoo, yard: Yard) -> None:
    """F-SIGMISS: records were added to the signed file."""
    zone = yard.zone(spoil=without(r"\sRRSIG\s+TLSA\s"))
    report = zoo.check(zone.name)
    found(report, "F-SIGMISS", outcome="defer")


@pytest.mark.parametrize("how", ["signature", "records", "ttl"])
def test_59_wrong_signature(zoo: Zoo, yard: Yard, how: str) -> None:
    """F-SIGBAD: the signature, the records, or the TTL that was signed, are not what they were."""
    spoil = {
        "signature": replaced(r"^(_25\._tcp.*RRSIG\s+TLSA(?:\s+\S+){7}\s+)\S{4}", r"\1AAAA"),
        "records": replaced(rf"({TLSA_LINE}\s+3 1 1 )\S{{4}}", r"\1ABCD"),
        "ttl": replaced(r"^(_25\._tcp.*RRSIG\s+TLSA\s+\d+\s+\d+\s+)3600", r"\g<1>600"),
    }
    zone = yard.zone(spoil=spoil[how])
    found(zoo.check(zone.name), "F-SIGBAD", outcome="defer")


def test_60_key_gone(zoo: Zoo, yard: Yard) -> None:
    """F-ZSKGONE: what signed is not among the keys any more."""
    report = zoo.check(yard.zone_with_lost_key().name)
    found(report, "F-ZSKGONE", outcome="defer")


def test_61_absence_without_proof(zoo: Zoo, yard: Yard) -> None:
    """F-NSECBROKEN: without TLSA records the mail is deferred; with records it goes, and the fault is told all the same."""
    gone = without(r"^(_|mx\.).*\sIN\s+(RRSIG\s+)?NSEC\s")
    bare = zoo.check(yard.zone(records=(), spoil=gone).name)
    found(bare, "F-NSECBROKEN", outcome="defer")
    absent(bare, "F-NOTLSA")
    only_there = without(r"^_.*\sIN\s+(RRSIG\s+)?NSEC\s")
    report = zoo.check(yard.zone(spoil=only_there).name)
    found(report, "F-NSECBROKEN", outcome="auth", severity="error")


def test_62_empty_non_terminal(zoo: Zoo, yard: Yard) -> None:
    """F-ENT: the server denies _tcp.HOST, below which there are records."""

    def deny(query: Message, answer: Message) -> Message:
        if query.question[0].name.labels[0] == b"_tcp":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    front = zoo.address()
    zone = yard.zone(front=front)
    with before(front, deny):
        report = zoo.check(zone.name)
    fault = found(report, "F-ENT", outcome="auth")
    assert fault.subject == f"_tcp.mx.{zone.name}."
    assert report.exit_code == 2


def test_63_opt_out(zoo: Zoo, yard: Yard) -> None:
    """F-OPTOUT: what a proof with opt-out denies is insecure."""
    zone = yard.zone("child.{zone}. NS ns1.{zone}.", records=(), sign=("-3", "-", "-A"))
    found(zoo.check(zone.name), "F-OPTOUT", outcome="opportunistic", severity="warning")


@pytest.mark.parametrize(("count", "outcome", "severity"), [(150, "auth", "error"), (10, "auth", "warning")])
def test_64_iterations(zoo: Zoo, yard: Yard, count: int, outcome: str, severity: str) -> None:
    """F-N3ITER: any are too many; beyond a hundred what needs a proof counts as unsigned."""
    zone = yard.zone("mx.{zone}. AAAA ::1", sign=("-3", "-", "-H", str(count)))
    fault = found(zoo.check(zone.name, ipv4_only=True), "F-N3ITER", outcome=outcome, severity=severity)
    assert dict(fault.evidence)["iterations"] == str(count)


@pytest.mark.parametrize(("algorithm", "digest"), [("RSASHA1", "-2"), ("NSEC3RSASHA1", "-2"), ("ECDSAP256SHA256", "-1")])
def test_65_old_algorithms(zoo: Zoo, yard: Yard, algorithm: str, digest: str) -> None:
    """F-ALGOLD: SHA-1 in keys or in the DS record counts as unsigned."""
    zone = yard.zone(algorithm=algorithm, digest=digest)
    report = zoo.check(zone.name)
    found(report, "F-ALGOLD", outcome="opportunistic", severity="error")
    absent(report, "F-ALGNEW", "F-MXUNSIGNED")


def test_66_rare_algorithms(zoo: Zoo, yard: Yard) -> None:
    """F-ALGNEW: what we know may not be known everywhere; what nobody knows yet is unsigned for us, too."""
    report = zoo.check(yard.zone(algorithm="ED448").name)
    found(report, "F-ALGNEW", outcome="auth", severity="warning")
    unknown = yard.zone(ds=lambda found: [re.sub(r"DS (\d+) 13", r"DS \1 23", one) for one in found])
    report = zoo.check(unknown.name)
    found(report, "F-ALGNEW", outcome="opportunistic", severity="warning")
    absent(report, "F-ALGOLD")


@pytest.mark.parametrize("how", ["silence", "NOTIMP", "REFUSED"])
def test_67_type_52_dropped(zoo: Zoo, yard: Yard, how: str) -> None:
    """F-TYPEDROP: the server is well, but for this one type."""

    def drop(query: Message, answer: Message) -> Message | None:
        if query.question[0].rdtype != dns.rdatatype.from_text("TLSA"):
            return answer
        if how == "silence":
            return None
        refusal = dns.message.make_response(query)
        refusal.set_rcode(dns.rcode.from_text(how))
        return refusal

    front = zoo.address()
    zone = yard.zone(front=front)
    with before(front, drop):
        report = zoo.check(zone.name, timeout=0.4)
    found(report, "F-TYPEDROP", outcome="defer")
    absent(report, "F-NSDOWN", "F-NOTLSA")


def many(zone_records: int) -> tuple[str, ...]:
    """Return records enough for a long answer."""
    return tuple(f"3 1 1 {number:064x}" for number in range(zone_records))


def test_68_no_tcp(zoo: Zoo, yard: Yard) -> None:
    """F-TCP: the answer is cut off, and over TCP there is nothing."""
    front = zoo.address()
    zone = yard.zone(front=front, records=many(30))
    with before(front, lambda _, answer: answer, tcp=False):
        report = zoo.check(zone.name, timeout=0.5)
    found(report, "F-TCP", outcome="defer")
    absent(report, "F-NSDOWN", "F-TYPEDROP")


def test_69_long_answer(zoo: Zoo, yard: Yard) -> None:
    """F-FRAG: long answers are told with their length."""
    host = zoo.host()
    zoo.serve(host)
    owner = "_25._tcp.mx2.{zone}."
    zone = yard.zone(f"mx2.{{zone}}. A {host.address}", *(f"{owner} TLSA {one}" for one in (host.record(), *many(30))))
    fault = found(zoo.check(f"mx2.{zone.name}:25"), "F-FRAG", severity="warning", outcome="auth")
    assert int(dict(fault.evidence)["octets"]) > 1232


@pytest.mark.parametrize("how", ["FORMERR", "stripped"])
def test_70_no_edns(zoo: Zoo, yard: Yard, how: str) -> None:
    """F-EDNS: an error for EDNS, or an answer without it and without signatures."""

    def strip(query: Message, answer: Message) -> Message:
        if how == "FORMERR":
            if query.edns < 0:
                return answer
            refusal = dns.message.make_response(dns.message.make_query(query.question[0].name, query.question[0].rdtype))
            refusal.id = query.id
            refusal.set_rcode(dns.rcode.FORMERR)
            return refusal
        answer.use_edns(-1)
        for section in (answer.answer, answer.authority):
            kept = [one for one in section if one.rdtype not in {dns.rdatatype.RRSIG, dns.rdatatype.NSEC}]
            section[:] = kept
        return answer

    front = zoo.address()
    zone = yard.zone(front=front)
    with before(front, strip):
        report = zoo.check(zone.name, timeout=0.5)
    found(report, "F-EDNS", outcome="defer")
    absent(report, "F-SIGMISS", "F-NSECBROKEN", "F-NSDOWN")


def test_71_servers_differ(zoo: Zoo, yard: Yard) -> None:
    """F-SECSYNC: an error while both sets match, critical when one does not; the table names each server."""
    host = zoo.host()
    zoo.serve(host)
    lines = [f"mx2.{{zone}}. A {host.address}", f"_25._tcp.mx2.{{zone}}. TLSA {host.record()}"]
    zone = yard.zone(*lines, second=lambda text: text)
    yard.mend(zone, f"_25._tcp.mx2.{zone.name}. TLSA 3 1 1 {'ab' * 32}")
    fault = found(zoo.check(f"mx2.{zone.name}:25"), "F-SECSYNC", outcome="auth", severity="error")
    table = dict(fault.evidence)
    assert {"serial 7" in row or "serial 8" in row for row in table.values()} == {True}
    assert len(table) == 2


def test_71_a_server_that_was_left_behind(zoo: Zoo, yard: Yard) -> None:
    """F-SECSYNC: the certificate was swapped, and one server has the old record alone: a part of the mail is deferred."""
    new = yard.zone(records=(f"3 1 1 {'ab' * 32}",), second=str)
    yard.mend(new, change=lambda text: text.replace(f"TLSA 3 1 1 {'ab' * 32}", f"TLSA {new.host.record()}"))
    fault = found(zoo.check(new.name), "F-SECSYNC", outcome="defer")
    assert "3 1 1 abababab" in dict(fault.evidence)[f"ns2.{new.name} ({SECOND})"]


def test_72_a_server_is_down(zoo: Zoo, yard: Yard) -> None:
    """F-NSDOWN: one of two; and a server that does not have the zone."""
    host = zoo.host()
    zoo.serve(host)
    zone = yard.zone("{zone}. NS ns3.{zone}.", "ns3.{zone}. A 127.53.1.99")
    fault = found(zoo.check(zone.name, timeout=0.5), "F-NSDOWN", outcome="auth", severity="warning")
    assert "127.53.1.99" in fault.message
    lame = yard.zone("{zone}. NS ns3.{zone}.", f"ns3.{{zone}}. A {SECOND}")
    found(zoo.check(lame.name), "F-NSDOWN", outcome="auth", severity="warning")


def test_72_all_servers_are_down(zoo: Zoo, yard: Yard) -> None:
    """F-NSDOWN: with none left mail is deferred."""
    zone = yard.zone(front="127.53.1.99")
    found(zoo.check(zone.name, timeout=0.5), "F-NSDOWN", outcome="defer")


def test_73_parent_and_zone_disagree(zoo: Zoo, yard: Yard) -> None:
    """F-NSSET: both sides are told, and the servers of both are asked."""
    zone = yard.zone("{zone}. NS ns9.{zone}.", f"ns9.{{zone}}. A {FIRST}")
    fault = found(zoo.check(zone.name), "F-NSSET", outcome="auth", severity="warning")
    assert f"ns9.{zone.name}." in dict(fault.evidence)["zone"]


def claims(_: Message, answer: Message) -> None:
    """Set AD on everything."""
    answer.flags |= dns.flags.AD


def test_74_a_resolver_that_lies(zoo: Zoo, yard: Yard) -> None:
    """F-ADLIE: AD where nobody can have validated."""
    address = zoo.address()
    with DnsStranger(address, resolver_that(claims, zoo.lab.resolver)):
        report = zoo.check(yard.zone().name, resolver=(address,))
    found(report, "F-ADLIE", outcome="auth", severity="error")
    absent(report, "F-NOVALID")


def test_75_a_resolver_that_does_not_validate(zoo: Zoo, yard: Yard) -> None:
    """F-NOVALID: our own chain of trust still tells; a quick look, which rests on the resolver, cannot tell."""
    address = zoo.address()
    with DnsStranger(address, resolver_that(lambda *_: None, zoo.lab.resolver)):
        zone = yard.zone().name
        found(zoo.check(zone, resolver=(address,)), "F-NOVALID", outcome="auth", severity="error")
        quick = zoo.check(zone, resolver=(address,), quick=True)
    found(quick, "F-NOVALID", outcome="unknown", severity="error")
    assert quick.exit_code == 3


def test_76_mended_but_remembered(zoo: Zoo, yard: Yard) -> None:
    """F-BOGUSCACHE: all is well again, and the resolver still says SERVFAIL."""
    zone = yard.zone(spoil=replaced(r"^(_25\._tcp.*RRSIG\s+TLSA(?:\s+\S+){7}\s+)\S{4}", r"\1AAAA"))
    found(zoo.check(zone.name), "F-SIGBAD", outcome="defer")
    yard.mend(zone)
    report = zoo.check(zone.name)
    found(report, "F-BOGUSCACHE", outcome="auth", severity="notice")


def test_quick_tells_of_bogus_zones(zoo: Zoo, yard: Yard) -> None:
    """F-BOGUS: by the resolver's word it is known that the lookup fails, not why."""
    report = zoo.check(yard.zone(sign=PAST).name, quick=True)
    found(report, "F-BOGUS", outcome="defer")
    absent(report, "F-NSDOWN", "F-SIGEXP")


def test_nobody_can_tell(zoo: Zoo, yard: Yard) -> None:
    """F-LOST: without any resolver nothing is known, and that is no word about the target."""
    report = zoo.check(yard.zone().name, resolver=("127.53.1.98",), timeout=0.3)
    found(report, "F-LOST", outcome="unknown", severity="warning")
    assert report.exit_code == 3


def test_a_trust_anchor_out_of_date_is_no_word_about_the_target(zoo: Zoo, yard: Yard) -> None:
    """F-LOST: the root's key does not fit our anchor, so nothing validates here; others may well."""
    anchor = zoo.directory / "former.ds"
    anchor.write_text(f". IN DS 4711 13 2 {'ab' * 32}\n")
    for target in (yard.zone().name, f"{zoo.mx().name}:25"):
        report = zoo.check(target, anchor=str(anchor))
        told = found(report, "F-LOST", outcome="unknown", severity="warning")
        assert "fits the trust anchor (key tag 4711)" in told.message
        assert report.exit_code == 3


def test_no_finding_twice(zoo: Zoo, yard: Yard) -> None:
    """A broken zone is one critical finding, however many names are in it."""
    host = zoo.host()
    zone = yard.zone(f"{{zone}}. MX 20 mx2.{{zone}}.\nmx2.{{zone}}. A {host.address}", sign=PAST)
    report = zoo.check(zone.name)
    assert [one.code for one in report.findings if one.severity is Severity.CRITICAL] == ["F-SIGEXP"]
