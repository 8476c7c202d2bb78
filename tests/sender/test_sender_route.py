"""Where a sender goes: MX, implicit and null MX, aliases and what is signed of them (RFC 7672 §2.2, RFC 7671 §7)."""

from __future__ import annotations

import pytest

from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.route import Mx, Stop, bases, exchanges, in_use, route, srv_targets, stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Answer, OwnerView
from tlsa_manager.surroundings import Alias, Lookup
from tlsa_manager.target import Target
from tlsa_manager.tlsa import Tlsa

SECURE, INSECURE, BOGUS = Security.SECURE, Security.INSECURE, Security.BOGUS
MX = Service("mx.example.org", 25, "smtp")


def lookup(
    name: str, rdtype: str, *records: str, security: Security = SECURE, aliases: tuple[Alias, ...] = (), **words: object
) -> Lookup:
    """Describe an answer."""
    return Lookup(name, rdtype, tuple(records), security, aliases=aliases, **words)  # type: ignore[arg-type]  handed through


def addresses(*aliases: Alias, security: Security = SECURE, name: str = "mx.example.org.") -> tuple[Lookup, Lookup]:
    """Describe the address lookups of a host."""
    return (
        lookup(name, "A", "192.0.2.1", security=security, aliases=aliases),
        lookup(name, "AAAA", security=security, aliases=aliases),
    )


def alias(name: str, target: str, security: Security = SECURE) -> Alias:
    """Describe one step."""
    return Alias(name, target, "example.org.", security)


def table(*found: Lookup) -> dict[tuple[str, str], Lookup]:
    """Put lookups where a route finds them."""
    return {(one.name, one.rdtype): one for one in found}


STEPS = (alias("mx.example.org.", "a.example.org."), alias("a.example.org.", "host.example.net."))


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (addresses(), ("mx.example.org",)),
        (addresses(security=INSECURE), ()),
        (addresses(STEPS[0]), ("a.example.org", "mx.example.org")),
        (addresses(*STEPS), ("host.example.net", "mx.example.org")),  # never the name in between
        (addresses(*STEPS, security=INSECURE), ("mx.example.org",)),
        (addresses(alias("mx.example.org.", "x.example.net.", INSECURE), security=INSECURE), ()),
    ],
)
def test_base_domains(found: tuple[Lookup, ...], names: tuple[str, ...]) -> None:
    """RFC 7671 §7: secure all the way: the expanded name first, then the original; else the original; insecure: none."""
    assert bases("mx.example.org", found) == names


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("10 mx1.example.org.", "5 MX2.example.org."), Mx(((5, "mx2.example.org", 25), (10, "mx1.example.org", 25)))),
        (("0 .",), Mx(null=True)),
        ((), Mx(((0, "example.org", 25),), implicit=True)),
        (("10 192.0.2.1.",), Mx(odd=("192.0.2.1",))),
        (("10 192.0.2.1.", "20 mx.example.org."), Mx(((20, "mx.example.org", 25),), odd=("192.0.2.1",))),
        (("10 -bad-.example.org.",), Mx(odd=("-bad-.example.org.",))),
    ],
)
def test_exchanges(found: tuple[str, ...], expected: Mx) -> None:
    """MX records in order; null MX (RFC 7505); none: the domain itself (RFC 5321 §5.1); an address is no host."""
    assert exchanges(lookup("example.org.", "MX", *found), "example.org") == expected


def test_a_failed_mx_lookup_names_nobody() -> None:
    """Unknown is never absent: no implicit MX is made of a failure."""
    assert exchanges(Lookup("example.org.", "MX", None, BOGUS), "example.org") == Mx()


def test_srv_targets() -> None:
    """RFC 2782: priority, weight, port, target; a dot offers nothing; what cannot be read is odd."""
    found = lookup("_imap._tcp.example.org.", "SRV", "10 0 9143 imap.example.net.", "5 1 143 a.example.org.", "rubbish")
    assert srv_targets(found) == Mx(((5, "a.example.org", 143), (10, "imap.example.net", 9143)), odd=("rubbish",))
    assert srv_targets(lookup("_imap._tcp.example.org.", "SRV", "0 0 0 .")).null


def test_the_port_of_the_srv_record_is_the_port_of_the_tlsa_record() -> None:
    """RFC 7673 §3: `_9143._tcp.imap.example.net` for `SRV 10 0 9143 imap.example.net.`."""
    found = lookup("_imap._tcp.example.org.", "SRV", "10 0 9143 imap.example.net.")
    way = route(Target.parse("_imap._tcp.example.org"), table(found, *addresses(name="imap.example.net.")))
    (only,) = way.stops
    assert only.owners == ("_9143._tcp.imap.example.net.",)
    assert only.names == ("imap.example.net", "example.org")
    assert only.service.protocol == "imap"


def test_a_stop_with_aliases() -> None:
    """The TLSA owners of both base domains in order; the certificate may have either name, and the mail domain's."""
    found = stop(MX, table(*addresses(*STEPS)), via="example.org")
    assert found.owners == ("_25._tcp.host.example.net.", "_25._tcp.mx.example.org.")
    assert found.names == ("host.example.net", "mx.example.org", "example.org")
    assert stop(MX, table(*addresses()), via="example.org", via_secure=False).names == ("mx.example.org",)


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (addresses(security=INSECURE), Delivery.OPPORTUNISTIC, "not signed"),
        (addresses(security=BOGUS), Delivery.DEFER, "cannot be looked up"),
        (addresses(security=Security.INDETERMINATE), Delivery.DEFER, "cannot be looked up"),
        ((Lookup("mx.example.org.", "A", None, BOGUS, reason="expired"),), Delivery.DEFER, "expired"),
        ((Lookup("mx.example.org.", "A", None, cause=Cause.LOST, reason="no net"),), Delivery.UNKNOWN, "no net"),
        ((lookup("mx.example.org.", "A"), lookup("mx.example.org.", "AAAA")), Delivery.DEFER, "has no address"),
        (addresses(), None, ""),
    ],
)
def test_a_host_is_settled_by_its_addresses(found: tuple[Lookup, ...], outcome: Delivery | None, words: str) -> None:
    """RFC 7672 §2.2.2: insecure addresses: no TLSA is asked for; failed: unreachable; §2.1.2: lost here is not deferred there."""
    here = stop(MX, table(*found))
    assert here.outcome is outcome
    assert words in here.why


def test_the_way_of_a_mail_domain() -> None:
    """Secure MX: stops in order and nothing against it; insecure: DANE does not protect the way; bogus: nothing is sent."""
    hosts = (*addresses(name="mx1.example.org."), *addresses(name="mx2.example.org."))
    mx = ("20 mx2.example.org.", "10 mx1.example.org.")
    domain = Target.parse("example.org")
    good = route(domain, table(lookup("example.org.", "MX", *mx), *hosts))
    assert [one.host for one in good.stops] == ["mx1.example.org", "mx2.example.org"]
    assert [one.preference for one in good.stops] == [10, 20]
    assert good.outcome is Delivery.AUTH
    assert good.stops[0].names == ("mx1.example.org", "example.org")
    open_way = route(domain, table(lookup("example.org.", "MX", *mx, security=INSECURE), *hosts))
    assert open_way.outcome is Delivery.OPPORTUNISTIC
    assert open_way.stops[0].names == ("mx1.example.org",)
    assert route(domain, table(lookup("example.org.", "MX", *mx, security=BOGUS), *hosts)).outcome is Delivery.DEFER
    assert route(domain, {}).outcome is Delivery.UNKNOWN
    lost = Lookup("example.org.", "MX", None, cause=Cause.LOST, reason="no net")
    assert route(domain, table(lost)).outcome is Delivery.UNKNOWN
    hearsay = Lookup("example.org.", "MX", mx, cause=Cause.RESOLVER, reason="127.0.0.1 does not validate")
    assert route(domain, table(hearsay, *hosts)).outcome is Delivery.UNKNOWN


def test_domains_without_mail() -> None:
    """Null MX takes no mail; an MX that is an address is none of DANE's business; a domain that is not there gets nothing."""
    domain = Target.parse("example.org")
    null = route(domain, table(lookup("example.org.", "MX", "0 .")))
    assert (null.outcome, null.stops) == (Delivery.OPPORTUNISTIC, ())
    assert "null MX" in null.why
    literal = route(domain, table(lookup("example.org.", "MX", "10 192.0.2.1.")))
    assert literal.outcome is Delivery.OPPORTUNISTIC
    implicit = route(domain, table(lookup("example.org.", "MX", exists=True), *addresses(name="example.org.")))
    assert [one.owners for one in implicit.stops] == [("_25._tcp.example.org.",)]


def test_the_base_domain_in_use_is_the_first_with_records() -> None:
    """Records at the expanded name win; none there: the original name; a failure there is no absence."""
    expanded, original = "_25._tcp.host.example.net.", "_25._tcp.mx.example.org."
    here = Stop(MX, MX.host, owners=(expanded, original))
    one = frozenset({Tlsa.parse("3 1 1 " + "ab" * 32)})

    def view(owner: str, records: frozenset[Tlsa] | None, problem: str = "") -> OwnerView:
        answers = () if problem else (Answer("ns.", "192.0.2.53", records, security=SECURE),)
        return OwnerView(owner, owner, "example.org.", 0.0, answers, problem=problem)

    assert in_use(here, {expanded: view(expanded, one), original: view(original, one)}) == expanded
    assert in_use(here, {expanded: view(expanded, frozenset()), original: view(original, one)}) == original
    assert in_use(here, {expanded: view(expanded, None), original: view(original, one)}) == expanded
    assert in_use(here, {expanded: view(expanded, None, "lost"), original: view(original, one)}) == expanded
    assert in_use(here, {expanded: view(expanded, frozenset()), original: view(original, frozenset())}) == original
