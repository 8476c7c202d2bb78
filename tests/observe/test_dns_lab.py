"""What the eyes see of real zones on real servers: every fault, every shape, every outage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import faults
from lab.daemon import until

from tlsa_manager.clock import now
from tlsa_manager.observe import DnsEyes
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab

    from tlsa_manager.snapshot import OwnerView

THE_RECORD = f"3 1 1 {faults.DIGEST}"


@pytest.fixture
def eyes(dns_lab: DnsLab) -> DnsEyes:
    """Eyes that lose patience soon; the lab's resolver, busy with what other tests stopped, is given the time to recover."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return DnsEyes(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=1.0)


def look(eyes: DnsEyes, owner: str) -> OwnerView:
    return eyes.owners([owner])[owner]


def at_mx(zone: str) -> str:
    return f"_25._tcp.mx.{zone}.example."


def records(view: OwnerView) -> list[set[str] | None]:
    return [None if answer.records is None else {str(record) for record in answer.records} for answer in view.answers]


@pytest.mark.parametrize(
    ("zone", "security", "broken", "because"),
    [
        ("nsec3", Security.SECURE, "", ""),
        ("nsec3optout", Security.SECURE, "", ""),
        ("nsecgone", Security.SECURE, "", ""),
        ("expired", Security.BOGUS, "expired.example.", "has expired: it was valid until 2020-02-01"),
        ("expired-tlsa", Security.BOGUS, "expired-tlsa.example.", "over TLSA of _25._tcp.mx.expired-tlsa.example. has expired"),
        ("notyet", Security.BOGUS, "notyet.example.", "is not yet valid"),
        ("bogusds", Security.BOGUS, "bogusds.example.", "no key of bogusds.example. fits the DS record at its parent"),
        ("unsigned", Security.BOGUS, "unsigned.example.", "has no DNSKEY, although its parent has a DS record for it"),
        ("badsig", Security.BOGUS, "badsig.example.", "does not fit the data"),
        ("badalg", Security.INSECURE, "badalg.example.", "no DS record of badalg.example. counts"),
        ("sha1ds", Security.INSECURE, "sha1ds.example.", "algorithm 13 with digest 1; RFC 9904, RFC 9905"),
        ("rsasha1", Security.INSECURE, "rsasha1.example.", "algorithm 5 with digest 2; RFC 9904, RFC 9905"),
        ("nods", Security.INSECURE, "nods.example.", "example. has no DS record for nods.example."),
    ],
)
def test_the_state_of_each_zone(eyes: DnsEyes, zone: str, security: Security, broken: str, because: str) -> None:
    """A zone that is wrong in one way is seen to be wrong in that way, and the zone where the chain breaks is named."""
    # A busy machine makes the lab's resolver fail for the name server's own addresses; that it did is said, and not asked here.
    until(lambda: not look(eyes, at_mx(zone)).problem, "the resolver finds the name server's addresses", timeout=60, every=1.0)
    view = look(eyes, at_mx(zone))
    (answer,) = view.answers
    assert (answer.security, answer.broken_zone) == (security, broken)
    assert because in answer.reason
    assert records(view) == [{THE_RECORD}], "what the server says is seen, whatever it is worth"
    assert (view.problem, view.zone, answer.ttl, answer.serial) == ("", f"{zone}.example.", 2, 1)


@pytest.mark.parametrize("zone", ["expired", "expired-tlsa", "notyet", "bogusds", "unsigned", "badsig"])
def test_the_witness_calls_bogus_what_is_bogus(eyes: DnsEyes, zone: str) -> None:
    """A validating resolver fails with checking and answers without: its word is bogus, with what it says about it."""
    witness = look(eyes, at_mx(zone)).witness
    assert witness is not None
    assert (witness.validates, witness.security, witness.records) == (True, Security.BOGUS, None)
    assert "SERVFAIL (EDE " in witness.reason


@pytest.mark.parametrize("zone", ["badalg", "nods"])
def test_the_witness_calls_insecure_what_is_insecure(eyes: DnsEyes, zone: str) -> None:
    """No AD from a resolver that validates means insecure."""
    witness = look(eyes, at_mx(zone)).witness
    assert witness is not None
    assert (witness.validates, witness.security) == (True, Security.INSECURE)
    assert {str(record) for record in witness.records or ()} == {THE_RECORD}


def test_a_resolver_behind_the_times_is_no_liar(eyes: DnsEyes) -> None:
    """That an older resolver still counts SHA-1 is seen as disagreement, and does not make it a liar."""
    view = look(eyes, at_mx("sha1ds"))
    assert view.witness is not None
    assert view.witness.validates is True
    assert view.answers[0].security is Security.INSECURE


@pytest.mark.parametrize(("zone", "because"), [("loadfail", "answered SERVFAIL"), ("refused", "answered REFUSED"), ("dead", "")])
def test_a_server_that_fails_is_unknown_not_absent(eyes: DnsEyes, zone: str, because: str) -> None:
    """SERVFAIL, REFUSED and nobody there say nothing about the records; the server is named."""
    view = look(eyes, at_mx(zone))
    assert records(view) == [None]
    assert because in view.answers[0].reason
    assert view.answers[0].reason
    assert view.answers[0].server == f"ns.{zone}.example."
    assert not view.complete


@pytest.mark.parametrize(
    ("owner", "security"),
    [
        ("_26._tcp.mx.shapes.example.", Security.SECURE),  # NXDOMAIN, NSEC
        ("_tcp.mx.shapes.example.", Security.SECURE),  # an empty step on the way, NSEC
        ("mx.shapes.example.", Security.SECURE),  # NODATA, NSEC
        ("_26._tcp.mx.nsec3.example.", Security.SECURE),  # NXDOMAIN, NSEC3
        ("_tcp.mx.nsec3.example.", Security.SECURE),
        ("mx.nsec3.example.", Security.SECURE),  # NODATA, NSEC3
        ("_26._tcp.mx.nsec3optout.example.", Security.INSECURE),
        ("_26._tcp.mx.nods.example.", Security.INSECURE),
        ("_26._tcp.mx.expired.example.", Security.BOGUS),
        ("_26._tcp.mx.nsecgone.example.", Security.INDETERMINATE),  # signed, but the proof of the name is gone
        ("_25._tcp.mx.nowhere.example.", Security.SECURE),
    ],
)
def test_absence_is_proven_or_not(eyes: DnsEyes, owner: str, security: Security) -> None:
    """A denial has a state of its own, from its own proofs."""
    view = look(eyes, owner)
    assert records(view) == [set()]
    assert view.answers[0].security is security, view.answers[0].reason


@pytest.mark.parametrize(
    ("owner", "target", "zone", "security"),
    [
        ("_443._tcp.mx.shapes.example.", "tlsa.keys.shapes.example.", "shapes.example.", Security.SECURE),
        ("_993._tcp.mx.shapes.example.", "_25._tcp.mx.nsec3.example.", "nsec3.example.", Security.SECURE),
        ("tlsa.there.shapes.example.", "tlsa.keys.shapes.example.", "shapes.example.", Security.SECURE),  # DNAME
        ("_25.wildalias.shapes.example.", "tlsa.keys.shapes.example.", "shapes.example.", Security.SECURE),
    ],
)
def test_aliases_are_followed_to_the_records(eyes: DnsEyes, owner: str, target: str, zone: str, security: Security) -> None:
    """CNAME and DNAME lead to the name that has the records, and its zone's servers are the ones that count."""
    view = look(eyes, owner)
    assert (view.target, view.zone, view.alias_ttl, view.problem) == (target, zone, 2, "")
    assert records(view) == [{THE_RECORD}]
    assert view.answers[0].security is security, view.answers[0].reason


def test_an_alias_into_an_insecure_zone_is_insecure(eyes: DnsEyes) -> None:
    """A signed alias does not make unsigned records secure."""
    view = look(eyes, "_465._tcp.mx.shapes.example.")
    assert (view.target, view.zone) == ("_25._tcp.mx.insecure.example.", "insecure.example.")
    assert [answer.security for answer in view.answers] == [Security.INSECURE] * 2
    assert {answer.broken_zone for answer in view.answers} == {"insecure.example."}


def test_a_circle_of_aliases_is_told(eyes: DnsEyes) -> None:
    """An alias loop is a problem with its way, and no statement about records."""
    view = look(eyes, "_466._tcp.mx.shapes.example.")
    assert "go round in a circle" in view.problem
    assert "loop2.shapes.example." in view.problem
    assert not view.complete


def test_too_many_aliases_are_not_followed_for_ever(eyes: DnsEyes) -> None:
    """After eight aliases it is enough."""
    assert "more than 8 aliases" in look(eyes, "far0.shapes.example.").problem


def test_an_alias_that_leads_nowhere_is_seen_as_absent(eyes: DnsEyes) -> None:
    """The name it leads to provably does not exist."""
    view = look(eyes, "_587._tcp.mx.shapes.example.")
    assert (view.target, records(view), view.answers[0].security) == ("nonexist.shapes.example.", [set()], Security.SECURE)
    assert "does not exist" in view.answers[0].reason


def test_a_wildcard_answers_with_its_proof(eyes: DnsEyes) -> None:
    """A record made from a wildcard is secure, because the name itself provably does not exist."""
    view = look(eyes, "_25._tcp.wild.shapes.example.")
    assert (records(view), view.answers[0].security) == ([{THE_RECORD}], Security.SECURE)


def test_forty_records_come_over_tcp(eyes: DnsEyes) -> None:
    """A set that does not fit into a datagram is fetched over TCP, whole and secure."""
    view = look(eyes, "_25._tcp.big.shapes.example.")
    assert len(view.answers[0].records or ()) == 40
    assert view.answers[0].security is Security.SECURE


def test_both_anchors_forms_are_read(dns_lab: DnsLab) -> None:
    """The anchor may be DS or DNSKEY; with a strange anchor everything is bogus at the root, not secure."""
    for anchor in (dns_lab.anchor, dns_lab.anchor_dnskey):
        view = look(DnsEyes(resolver=(dns_lab.resolver,), anchor=str(anchor)), at_mx("nsec3"))
        assert view.answers[0].security is Security.SECURE
    view = look(DnsEyes(resolver=(dns_lab.resolver,), anchor=None), at_mx("nsec3"))
    assert (view.answers[0].security, view.answers[0].broken_zone) == (Security.BOGUS, ".")


def test_a_lagging_secondary_is_seen_beside_the_primary(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Each address is asked itself: the old answer of one is not hidden by the new answer of the other."""
    owner = "_25._tcp.eyes.lag.example."
    dns_lab.update(f"update add {owner} 2 TLSA {THE_RECORD}")
    view = look(eyes, owner)
    assert [answer.address for answer in view.answers] == [dns_lab.primary, dns_lab.secondary]
    assert records(view) == [{THE_RECORD}, set()]
    assert [answer.security for answer in view.answers] == [Security.SECURE] * 2
    first, second = (answer.serial or 0 for answer in view.answers)
    assert first > second > 0
    assert view.complete


@pytest.mark.parametrize("how", ["address", "hang"])
def test_a_stopped_server_is_unknown_and_the_other_is_well(dns_lab: DnsLab, eyes: DnsEyes, how: str) -> None:
    """One server away, refusing or silent, is named; the other's answer is not touched by it."""
    owner = f"_25._tcp.{how}.a.example."
    dns_lab.update(f"update add {owner} 2 TLSA {THE_RECORD}")
    with dns_lab.without_secondary(how):  # type: ignore[arg-type]
        view = look(eyes, owner)
    assert records(view) == [{THE_RECORD}, None]
    assert view.answers[0].security is Security.SECURE
    assert view.answers[1].server == "ns2.a.example."
    assert view.answers[1].reason
    assert not view.complete


def test_the_dates_and_the_moment(eyes: DnsEyes) -> None:
    """The answer holds as long as the signature that ends first; the moment is after the last answer."""
    began = now()
    view = look(eyes, "_25._tcp.mx.shapes.example.")
    (answer,) = view.answers
    assert answer.signed_from is not None
    assert answer.signed_until is not None
    assert answer.signed_from < began <= view.at <= now() < answer.signed_until < now() + 31 * 86400


def test_many_owners_in_one_round(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """All names that were asked for are in the result, good or bad, and one bad name spoils no other."""
    names = [
        at_mx("nsec3"),
        at_mx("expired"),
        "_25._tcp.a..b.",
        at_mx("refused"),
        *(f"_{n}._tcp.mx.a.example." for n in range(100)),
    ]
    views = eyes.owners(names)
    assert list(views) == names
    assert "is not a domain name" in views["_25._tcp.a..b."].problem
    assert all(view.complete for name, view in views.items() if name.endswith("._tcp.mx.a.example."))
    assert eyes.owners([]) == {}


def test_each_round_sees_what_is_there_now(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """What is kept between rounds is the way to the servers, never what they answer."""
    owner = "_25._tcp.rounds.a.example."
    dns_lab.update(f"update add {owner} 2 TLSA {THE_RECORD}")
    assert records(look(eyes, owner))[0] == {THE_RECORD}
    dns_lab.update(f"update delete {owner} TLSA")
    view = look(eyes, owner)
    assert records(view)[0] == set()
    assert view.answers[0].security is Security.SECURE


def test_addresses_of_a_host(eyes: DnsEyes) -> None:
    """The resolver tells the addresses to probe; for an unknown host there are none."""
    assert eyes.addresses("mx.a.example") == ("127.25.0.1",)
    assert eyes.addresses("nobody.a.example") == ()


def test_a_zone_cut_above_the_owner_is_found(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """An owner whose name is not there yet belongs to the zone above it, and its servers are asked."""
    view = look(eyes, "_25._tcp.fresh.b.example.")
    assert view.zone == "b.example."
    assert [answer.server for answer in view.answers] == ["ns1.a.example.", "ns2.a.example."]
    assert view.complete
