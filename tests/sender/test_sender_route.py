"""Where a sender goes: MX, implicit and null MX, aliases and what is signed of them (RFC 7672 §2.2, RFC 7671 §7)."""

from __future__ import annotations

import pytest

from tlsa_manager.errors import BadInput
from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.route import Mx, bases, exchanges, route, srv_targets, stop
from tlsa_manager.service import Service, literal
from tlsa_manager.surroundings import Alias, Lookup
from tlsa_manager.target import Target

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
        (("10 192.0.2.1.",), Mx(((10, "192.0.2.1", 25),), odd=("192.0.2.1",))),
        (
            ("10 2001:db8::1.", "20 mx.example.org."),
            Mx(((10, "2001:db8::1", 25), (20, "mx.example.org", 25)), odd=("2001:db8::1",)),
        ),
        (("0 .", "10 mx.example.org."), Mx(((10, "mx.example.org", 25),), odd=(".",))),  # RFC 7505 §3: only alone
        (("0 .", "10 ."), Mx(odd=(".", "."))),
        (("10 -bad-.example.org.",), Mx(odd=("-bad-.example.org.",))),
    ],
)
def test_exchanges(found: tuple[str, ...], expected: Mx) -> None:
    """MX records in order; null MX (RFC 7505); none: the domain itself (RFC 5321 §5.1); an address is odd, but a host."""
    assert exchanges(lookup("example.org.", "MX", *found), "example.org") == expected


def test_a_failed_mx_lookup_names_nobody() -> None:
    """Unknown is never absent: no implicit MX is made of a failure."""
    assert exchanges(Lookup("example.org.", "MX", None, BOGUS), "example.org") == Mx()


def test_srv_targets() -> None:
    """RFC 2782: priority, weight, port, target; a dot offers nothing; what cannot be read is odd."""
    found = lookup("_imap._tcp.example.org.", "SRV", "10 0 9143 imap.example.net.", "5 1 143 a.example.org.", "rubbish")
    assert srv_targets(found) == Mx(((5, "a.example.org", 143), (10, "imap.example.net", 9143)), odd=("rubbish",))
    assert srv_targets(lookup("_imap._tcp.example.org.", "SRV", "0 0 0 .")).null
    both = srv_targets(lookup("_imap._tcp.example.org.", "SRV", "0 0 0 .", "5 1 143 a.example.org."))
    assert both == Mx(((5, "a.example.org", 143),), odd=("0 0 0 .",))


def test_the_port_of_the_srv_record_is_the_port_of_the_tlsa_record() -> None:
    """RFC 7673 §3: `_9143._tcp.imap.example.net` for `SRV 10 0 9143 imap.example.net.`."""
    found = lookup("_imap._tcp.example.org.", "SRV", "10 0 9143 imap.example.net.")
    way = route(Target.parse("_imap._tcp.example.org"), table(found, *addresses(name="imap.example.net.")))
    (only,) = way.stops
    assert only.owners == ("_9143._tcp.imap.example.net.",)
    assert only.names == ("imap.example.net", "example.org")
    assert only.service.protocol == "imap"


def test_a_stop_with_aliases() -> None:
    """RFC 7672 §3.2.2: the certificate may have the name of the base domain in use, and the mail domain's, and no other."""
    found = stop(MX, table(*addresses(*STEPS)), via=("example.org",))
    assert found.owners == ("_25._tcp.host.example.net.", "_25._tcp.mx.example.org.")
    assert found.by(found.owners[0]).names == ("host.example.net", "example.org")
    assert found.by(found.owners[1]).names == ("mx.example.org", "example.org")
    assert stop(MX, table(*addresses())).names == ("mx.example.org",)
    itself = stop(MX, table(*addresses(*STEPS)), via=("host.example.net",))  # the mail domain is the other base domain, too
    assert itself.by(itself.owners[1]).names == ("mx.example.org", "host.example.net")


def test_the_name_behind_a_mail_domain_counts_too() -> None:
    """RFC 7672 §3.2.2: where the mail domain is an alias, the certificate may have the name behind it."""
    mail = lookup("example.org.", "MX", "10 mx.example.org.", aliases=(alias("example.org.", "example.net."),))
    way = route(Target.parse("example.org"), table(mail, *addresses()))
    assert way.stops[0].names == ("mx.example.org", "example.org", "example.net")


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
    odd = route(domain, table(lookup("example.org.", "MX", "10 -bad-.")))
    assert (odd.outcome, odd.stops) == (Delivery.OPPORTUNISTIC, ())
    implicit = route(domain, table(lookup("example.org.", "MX", exists=True), *addresses(name="example.org.")))
    assert [one.owners for one in implicit.stops] == [("_25._tcp.example.org.",)]


@pytest.mark.parametrize(
    ("text", "host"), [("192.0.2.1:25", "192.0.2.1"), ("[::1]:25", "::1"), ("[2001:DB8:0::1]:25", "2001:db8::1")]
)
def test_an_address_is_not_for_dane(text: str, host: str) -> None:
    """RFC 7672 §2.2: without a name there is no DANE; the address is where senders go, and it is read back as it is written."""
    target = Target.parse(text)
    assert target.service is not None
    assert Target.parse(str(target)) == target
    (only,) = route(target, {}).stops
    assert (only.host, only.outcome, only.owners) == (host, Delivery.OPPORTUNISTIC, ())
    assert f"{host} is an address" in only.why
    mail = route(Target.parse("example.org"), table(lookup("example.org.", "MX", f"10 {host}.")))
    assert [(one.host, one.outcome) for one in mail.stops] == [(host, Delivery.OPPORTUNISTIC)]


@pytest.mark.parametrize(
    "text", ["192.0.2.1", "[192.0.2.1]", "somebody@[192.0.2.1]", "[::1", "[mx.example.org]:25", "[::1%eth0]:25"]
)
def test_what_is_no_target(text: str) -> None:
    """An address alone is no mail domain, and brackets are for addresses."""
    with pytest.raises(BadInput):
        Target.parse(text)


def test_brackets_are_for_targets_only() -> None:
    """A configured service has a name: TLSA records are to be published for it."""
    with pytest.raises(BadInput):
        Service.parse("[::1]:25")


def test_literals() -> None:
    """Addresses, and what only looks like them."""
    assert [literal(one) for one in ("192.0.2.1", "::1", "192.0.2", "1.example.org", "fe80::1%lo", "", "mx1")] == [
        "192.0.2.1", "::1", "", "", "", "", "",
    ]  # fmt: skip
