"""Faults 31 to 51: where TLSA records are, and what stands on the way to them. The lab's own zones, and some from the yard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.flags
import dns.rdatatype
import dns.rrset
import pytest
from observe.dns_strangers import DnsStranger, resolver_that

from tlsa_manager.checks.case import Case
from tlsa_manager.checks.names.aliases import beside_an_alias
from tlsa_manager.finding import Severity
from tlsa_manager.household import Household
from tlsa_manager.lineage import Lineage
from tlsa_manager.observe import Lookout
from tlsa_manager.rollover.facts import Facts, Sent
from tlsa_manager.rollover.state import Phase
from tlsa_manager.sender.route import route
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Snapshot
from tlsa_manager.target import Kind, Target
from tlsa_manager.tlsa import Tlsa
from zoo.yard import FIRST
from zoo.zoo import absent, calm, found

if TYPE_CHECKING:
    from dns.message import Message

    from zoo.yard import Yard
    from zoo.zoo import Host, Zoo

OTHER = "3 1 1 " + "ab" * 32


def bare(zoo: Zoo, *lines: str, zone: str = "a.example") -> Host:
    """Make a host with a server and without TLSA records; `lines` with {host} and {right}, its right record."""
    host = zoo.host(zone=zone)
    zoo.serve(host)
    zoo.publish(host, extra=[line.format(host=host.name, right=host.record()) for line in lines])
    return host


def test_31_at_the_domain(zoo: Zoo) -> None:
    """F-NAME-DOM: the records stand at the mail domain; the remedy has the right name and the record."""
    host = bare(zoo)
    domain = zoo.domain(host, extra=[f"_25._tcp.{{name}}. 3600 TLSA {host.record()}"])
    report = zoo.check(domain)
    fault = found(report, "F-NAME-DOM", outcome="opportunistic", severity="error")
    assert f"{host.owner} 3600 IN TLSA {host.record()}" in fault.remedy
    absent(report, "F-NOTLSA")
    assert report.exit_code == 1


@pytest.mark.parametrize(
    "name",
    ["25._tcp.{host}.", "_25.tcp.{host}.", "25.tcp.{host}.", "_tcp._25.{host}.", "_tcp.{host}.", "_25._tcp.{host}.a.example."],
)
def test_32_misspelt(zoo: Zoo, name: str) -> None:
    """F-NAME-US: each of the usual slips is found, named, and moved to the right name."""
    host = bare(zoo, name + " 3600 TLSA {right}")
    report = zoo.check(f"{host.name}:25")
    fault = found(report, "F-NAME-US", outcome="opportunistic", severity="error")
    assert fault.subject == name.format(host=host.name)
    assert host.owner in fault.remedy
    absent(report, "F-NOTLSA")


def test_33_other_ports(zoo: Zoo) -> None:
    """F-PORT: records for 465 and none for 25; records for 25, and none for the port that the domain offers to its users."""
    host = bare(zoo, "_465._tcp.{host}. 3600 TLSA {right}")
    report = zoo.check(f"{host.name}:25")
    fault = found(report, "F-PORT", outcome="opportunistic", severity="warning")
    assert dict(fault.evidence) == {"port with records": "465", "port without": "25"}
    absent(report, "F-NOTLSA")
    other = zoo.mx("3 1 1")
    domain = zoo.domain(other, extra=[f"_submission._tcp.{{name}}. 3600 SRV 0 1 587 {other.name}."])
    fault = found(zoo.check(domain, thorough=True), "F-PORT", outcome="auth", severity="warning")
    assert fault.subject == f"_587._tcp.{other.name}."


def test_34_two_bases(zoo: Zoo) -> None:
    """F-CNAME-BASE: the alias has other records than the name behind it."""
    host = zoo.mx("3 1 1")
    alias = zoo.fresh("alias")
    zoo.zone(f"{alias}. 3600 CNAME {host.name}.", f"_25._tcp.{alias}. 3600 TLSA {OTHER}")
    report = zoo.check(f"{alias}:25")
    fault = found(report, "F-CNAME-BASE", outcome="auth", severity="error")
    assert dict(fault.evidence) == {host.owner: host.record(), f"_25._tcp.{alias}.": OTHER}
    calm(zoo.check(f"{host.name}:25"))


def test_35_into_an_unsigned_zone(zoo: Zoo) -> None:
    """F-CNAME-INSEC: what stands at the alias itself counts."""
    host = bare(zoo, zone="insecure.example")
    alias = zoo.fresh("alias")
    zoo.zone(f"{alias}. 3600 CNAME {host.name}.", f"_25._tcp.{alias}. 3600 TLSA {host.record()}")
    report = zoo.check(f"{alias}:25")
    found(report, "F-CNAME-INSEC", outcome="auth", severity="warning")
    absent(report, "F-MXUNSIGNED", "F-AINSEC")


def test_36_to_nowhere(zoo: Zoo) -> None:
    """F-CNAME-DANGLE: an alias to nothing switches DANE off; a circle, or a host without end, defers mail."""
    host = bare(zoo, "_25._tcp.{host}. 3600 CNAME gone.{host}.")
    report = zoo.check(f"{host.name}:25")
    found(report, "F-CNAME-DANGLE", outcome="opportunistic", severity="error")
    absent(report, "F-NOTLSA")
    host = bare(zoo, "_25._tcp.{host}. 3600 CNAME loop.{host}.", "loop.{host}. 3600 CNAME _25._tcp.{host}.")
    found(zoo.check(f"{host.name}:25"), "F-CNAME-DANGLE", outcome="defer")
    alias = zoo.fresh("alias")
    zoo.zone(f"{alias}. 3600 CNAME gone.{alias}.")
    report = zoo.check(f"{alias}:25")
    found(report, "F-CNAME-DANGLE", outcome="defer")
    absent(report, "F-NOHOST")


def test_37_beside_an_alias(zoo: Zoo) -> None:
    """F-CNAME-AND-TLSA: BIND says NOERROR to a TLSA record beside an alias, and ignores it; the journal says it was sent."""
    host = zoo.mx("3 1 1")
    alias = zoo.fresh("alias")
    owner = f"_25._tcp.{alias}."
    zoo.zone(f"{alias}. 3600 A {host.address}", f"{owner} 3600 CNAME {host.owner}")
    zoo.zone(f"{owner} 3600 TLSA {OTHER}")
    service = Service.parse(f"{alias}:25")
    out = Lookout(resolver=(zoo.lab.resolver,), anchor=str(zoo.lab.anchor))
    view = asyncio.run(out.owners([owner]))[owner]
    assert [one.records for one in view.answers] == [frozenset({Tlsa.parse(host.record())})] * 2
    home = Household(
        Lineage("mx", (service,)), Facts("mx", sent={owner: Sent(frozenset({Tlsa.parse(OTHER)}), view.at)}), Phase.PUBLISHING
    )
    target = Target(Kind.LINEAGE, "mx")
    case = Case(target, Snapshot(view.at, {owner: view}), route(target, {}, (service,)), (), view.at, home)
    (fault,) = beside_an_alias(case)
    assert (fault.code, fault.severity, fault.subject) == ("F-CNAME-AND-TLSA", Severity.ERROR, owner)
    assert f"{host.owner} IN TLSA {OTHER}" in fault.remedy


def test_38_wildcards(zoo: Zoo) -> None:
    """F-WILD: names that lose what the wildcard has are listed; a wildcard that does its work is good to know."""
    host = bare(zoo, "*.{host}. 3600 TLSA {right}", "_25._tcp.{host}. 3600 TLSA {right}")
    fault = found(zoo.check(f"{host.name}:25"), "F-WILD", outcome="auth", severity="error")
    assert f"_465._tcp.{host.name}." in dict(fault.evidence)["without records"]
    host = bare(zoo, "*._tcp.{host}. 3600 TLSA {right}", '_25._tcp.{host}. 3600 TXT "x"')
    report = zoo.check(f"{host.name}:25")
    found(report, "F-WILD", outcome="opportunistic", severity="error")
    absent(report, "F-NOTLSA")
    host = bare(zoo, "*._tcp.{host}. 3600 TLSA {right}")
    found(zoo.check(f"{host.name}:25"), "F-WILD", outcome="auth", severity="notice")


def test_39_one_host_without(zoo: Zoo) -> None:
    """F-MXCOVER: the way to weaken the domain is told, with the host."""
    good, weak = zoo.mx("3 1 1"), bare(zoo)
    report = zoo.check(zoo.domain(good, weak))
    fault = found(report, "F-MXCOVER", outcome="opportunistic", severity="warning")
    assert fault.subject == weak.owner
    absent(report, "F-NOTLSA")


def test_40_unsigned_zone_with_records(zoo: Zoo) -> None:
    """F-MXUNSIGNED: right records in an unsigned zone are worth nothing, and harm nobody either, even if they are wrong."""
    for record in ("{right}", OTHER):
        host = bare(zoo, "_25._tcp.{host}. 3600 TLSA " + record, zone="insecure.example")
        report = zoo.check(f"{host.name}:25")
        found(report, "F-MXUNSIGNED", outcome="opportunistic", severity="error")
        absent(report, "F-NOTLSA", "F-NODS", "F-AINSEC")


def test_41_domain_unsigned(zoo: Zoo) -> None:
    """F-DOMUNSIGNED: the host is protected, the way to it is not."""
    host = zoo.mx("3 1 1")
    domain = zoo.fresh("mail", zone="insecure.example")
    zoo.zone(f"{domain}. 3600 MX 10 {host.name}.")
    report = zoo.check(domain)
    found(report, "F-DOMUNSIGNED", outcome="opportunistic", severity="warning")
    absent(report, "F-NODS", "F-NOTLSA", "F-MXUNSIGNED")


def test_42_addresses_unsigned(zoo: Zoo, yard: Yard) -> None:
    """F-AINSEC: a zone cut at the host, without DS: senders never ask for the records."""
    zone = yard.zone("host.{zone}. NS ns1.host.{zone}.", f"ns1.host.{{zone}}. A {FIRST}", "{zone}. MX 20 host.{zone}.")
    host = zoo.host(name=f"host.{zone.name}")
    zoo.serve(host)
    yard.plain(host.name, f"{host.name}. A {host.address}", f"{host.owner} TLSA {host.record()}")
    report = zoo.check(zone.name)
    fault = found(report, "F-AINSEC", outcome="opportunistic", severity="error")
    assert fault.subject == host.name
    absent(report, "F-MXUNSIGNED", "F-NODS")


def test_43_no_host_in_mx(zoo: Zoo) -> None:
    """F-IPMX: an address instead of a name, where mail goes all the same, and a domain that takes no mail."""
    host = zoo.host()
    zoo.serve(host)
    for record in (f"10 {host.address}.", "0 ."):
        domain = zoo.fresh("mail")
        zoo.zone(f"{domain}. 3600 MX {record}")
        report = zoo.check(domain)
        found(report, "F-IPMX", outcome="opportunistic", severity="notice")
        absent(report, "F-NOTLSA", "F-NOHOST")
        assert report.exit_code == 0
        assert [one.address for one in report.verdicts] == ([host.address] if host.address in record else [])


def test_44_implicit_mx(zoo: Zoo) -> None:
    """F-IMPLICIT: without MX the domain itself is the host; at its own name the records are right."""
    host = zoo.host(name=zoo.fresh("mail"))
    zoo.serve(host)
    zoo.publish(host, extra=[f"mail.{host.name}. 3600 A {host.address}", f"_25._tcp.mail.{host.name}. 3600 TLSA {host.record()}"])
    report = zoo.check(host.name)
    fault = found(report, "F-IMPLICIT", outcome="opportunistic", severity="error")
    assert fault.subject == f"_25._tcp.mail.{host.name}."
    absent(report, "F-NOTLSA")
    right = zoo.host(name=zoo.fresh("mail"))
    zoo.serve(right)
    zoo.publish(right, right.record())
    calm(zoo.check(right.name))


def test_45_two_views(zoo: Zoo) -> None:
    """F-SPLIT: the resolver of this machine serves another copy of the zone, in which the records are new."""
    host = zoo.mx("3 1 1")

    def inside(query: Message, answer: Message) -> None:
        if query.question[0].rdtype != dns.rdatatype.from_text("TLSA"):
            return
        answer.answer.clear()
        answer.authority.clear()
        answer.answer.append(dns.rrset.from_text(query.question[0].name, 3600, "IN", "TLSA", OTHER))
        answer.flags |= dns.flags.AA

    address = zoo.address()
    with DnsStranger(address, resolver_that(inside, zoo.lab.resolver)):
        report = zoo.check(f"{host.name}:25", resolver=(address,))
    fault = found(report, "F-SPLIT", outcome="auth", severity="error")
    assert dict(fault.evidence) == {address: OTHER, "public": host.record()}


def test_46_in_the_hands_of_another(zoo: Zoo, yard: Yard) -> None:
    """F-FOREIGN: for a mail domain it is good to know that its provider has the records."""
    zone = yard.zone()
    domain = zoo.domain(zone.host)
    report = zoo.check(domain)
    fault = found(report, "F-FOREIGN", outcome="auth", severity="notice")
    assert dict(fault.evidence)["zone"] == f"{zone.name}."
    absent(zoo.check(zone.name), "F-FOREIGN")


def test_47_48_ttl(zoo: Zoo, yard: Yard) -> None:
    """F-TTLLONG and F-TTLTINY: a week, a day, an hour, a minute."""
    wanted = {604800: ("F-TTLLONG", "warning"), 86400: ("F-TTLLONG", "notice"), 60: ("F-TTLTINY", "notice")}
    for ttl, (code, severity) in wanted.items():
        fault = found(zoo.check(yard.zone(ttl=ttl).name), code, outcome="auth", severity=severity)
        assert dict(fault.evidence)["TTL"] == f"{ttl} s"
    absent(zoo.check(f"{zoo.mx('3 1 1').name}:25"), "F-TTLLONG", "F-TTLTINY")


def test_49_ttl_differs(zoo: Zoo, yard: Yard) -> None:
    """F-TTLMIX: two servers, one set of records, two TTLs."""
    zone = yard.zone(second=str)
    yard.mend(zone, change=lambda text: text.replace(f"{zone.host.owner} TLSA", f"{zone.host.owner} 600 TLSA"))
    report = zoo.check(zone.name)
    fault = found(report, "F-TTLMIX", outcome="auth", severity="warning")
    assert sorted(dict(fault.evidence).values()) == ["3600 s", "600 s"]
    assert [one.severity for one in report.findings if one.code == "F-SECSYNC"] == [Severity.NOTICE]  # the serials


def test_50_absence_remembered(zoo: Zoo, yard: Yard) -> None:
    """F-NEGLONG: a day of remembering that there is nothing."""
    zone = yard.zone(soa="60 10 864000 86400", ttl=86400)
    found(zoo.check(zone.name), "F-NEGLONG", outcome="auth", severity="notice")


def test_51_no_reports(zoo: Zoo) -> None:
    """F-TLSRPT: asked for at the domain, and at the host where all is wanted; with the record to publish."""
    host = zoo.mx("3 1 1")
    domain = zoo.domain(host)
    report = zoo.check(domain, thorough=True)
    fault = found(report, "F-TLSRPT", outcome="auth", severity="notice")
    assert {one.subject for one in report.findings if one.code == "F-TLSRPT"} == {
        f"_smtp._tls.{domain}.",
        f"_smtp._tls.{host.name}.",
    }
    assert "v=TLSRPTv1" in fault.remedy
    reporting = '_smtp._tls.{name}. 3600 TXT "v=TLSRPTv1; rua=mailto:reports@{name}"'
    absent(zoo.check(zoo.domain(host, extra=[reporting])), "F-TLSRPT")


def test_no_records_at_all(zoo: Zoo) -> None:
    """F-NOTLSA: signed or not, nothing is protected, and the first thing to do is told."""
    host = bare(zoo)
    report = zoo.check(zoo.domain(host))
    fault = found(report, "F-NOTLSA", outcome="opportunistic", severity="warning")
    assert f"--service {host.name}:25" in fault.remedy
    assert report.exit_code == 1
    unsigned = bare(zoo, zone="insecure.example")
    fault = found(zoo.check(f"{unsigned.name}:25"), "F-NOTLSA", outcome="opportunistic", severity="warning")
    assert "DNSSEC" in fault.remedy


def test_nowhere_to_go(zoo: Zoo) -> None:
    """F-NOHOST: a host without address, a domain that is not there."""
    domain = zoo.fresh("mail")
    zoo.zone(f"{domain}. 3600 MX 10 gone.b.example.")
    fault = found(zoo.check(domain), "F-NOHOST", outcome="defer")
    assert fault.subject == "gone.b.example"
    nothing = zoo.fresh("nothing")
    fault = found(zoo.check(nothing), "F-NOHOST", outcome="defer")
    assert fault.message == f"{nothing} does not exist"


def test_questions_of_the_normal_case_are_few(zoo: Zoo) -> None:
    """A host whose records stand where they belong costs three questions more, and its domain one."""
    from tlsa_manager.checks.questions import questions
    from tlsa_manager.diagnose.eyes import open_eyes
    from tlsa_manager.diagnose.look import Look

    host = zoo.mx("3 1 1")
    target = Target.parse(zoo.domain(host))

    async def look() -> Look:
        async with open_eyes(zoo.settings()) as eyes:
            one = Look(target, *eyes, zoo.settings())
            await one.gather()
            return one

    seen = asyncio.run(look())
    asked = questions(seen.route, seen.snapshot, target, thorough=False)
    assert sorted(name.replace(host.name, "HOST").replace(target.name, "DOMAIN") for name, _ in asked) == [
        "*.HOST.",
        "_99999._tcp.HOST.",
        "_smtp._tls.DOMAIN.",
        "_tcp.HOST.",
    ]
    assert all(one in seen.lookups for one in asked)
