"""Servers and resolvers that lie, babble or never end: nothing is raised, nothing is believed, nothing takes for ever."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns_strangers import DnsStranger, answers, negative, numbers, resolver_that, response, says, tlsa, zone_of
from lab.daemon import until
from lab.zones import TLD_SERVER

from tlsa_manager.errors import BadInput, ConfigError
from tlsa_manager.observe import DnsEyes
from tlsa_manager.observe.eyes import parse_place
from tlsa_manager.security import Security

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dns.message import Message
    from dns_strangers import Address
    from lab.hierarchy import DnsLab

    from tlsa_manager.snapshot import OwnerView


@pytest.fixture
def eyes(dns_lab: DnsLab) -> DnsEyes:
    """Eyes that lose patience very soon; the lab's resolver is given the time to recover from other tests."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return DnsEyes(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=0.3)


def look(eyes: DnsEyes, owner: str) -> OwnerView:
    return eyes.owners([owner])[owner]


def unknown(view: OwnerView) -> str:
    """Insist that the one server of the zone is unknown; give the reason."""
    assert [answer.records for answer in view.answers] == [None]
    assert not view.complete
    return view.answers[0].reason


def loop(query: Message) -> bytes:
    """Make an answer whose owner name points at itself."""
    wire = response(query).to_wire()
    head = bytearray(wire[:12])
    head[6:8] = struct.pack("!H", 1)
    body = wire[12:]
    end = body.index(b"\0") + 5
    where = 12 + end
    return bytes(head) + body[:end] + struct.pack("!HHHIH", 0xC000 | where, 52, 1, 2, 3) + b"\3\1\1"


def test_a_decent_stranger_is_seen(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """The double itself is well: its records are seen, as insecure."""
    with zone_of(dns_lab, says(lambda query: answers(query).to_wire())) as owner:
        view = look(eyes, owner)
    assert view.complete
    assert {str(record) for record in view.answers[0].records or ()} == {"3 1 1 " + "aa" * 32}
    assert (view.answers[0].security, view.answers[0].serial) == (Security.INSECURE, 7)


def test_addresses_of_both_families_are_asked(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """A server's IPv4 and IPv6 address are two places, and each may answer differently."""
    six = says(lambda query: (tlsa(query, "bb" * 32) if query.question[0].rdtype == 52 else negative(query)).to_wire())
    four = says(lambda query: answers(query).to_wire())
    with DnsStranger("::1", six), zone_of(dns_lab, four, more="update add ns.{zone} 5 AAAA ::1") as owner:
        view = look(eyes, owner)
    assert [answer.address for answer in view.answers][1:] == ["::1"]
    seen = [{record.data[:2] for record in answer.records or ()} for answer in view.answers]
    assert seen == [{"aa"}, {"bb"}]


@pytest.mark.parametrize(
    ("make", "because"),
    [
        (lambda query: query.to_wire()[:2] + b"\x84\0" + bytes(40), "cannot be read"),
        (lambda query: answers(query).to_wire()[:-3], "cannot be read"),
        (loop, "cannot be read"),
        (lambda query: tlsa(dns.message.make_query("other.example.", "TLSA", id=query.id)).to_wire(), "another question"),
        (lambda query: bytes([query.to_wire()[0] ^ 1]) + answers(query).to_wire()[1:], ""),
        (lambda query: query.to_wire(), "another question"),
        (lambda query: response(query, rcode=dns.rcode.FORMERR).to_wire(), "FORMERR"),
        (lambda query: response(query, rcode=dns.rcode.NXDOMAIN, flags=0).to_wire(), "not authoritative"),
        (lambda query: response(query, flags=0).to_wire(), "not authoritative"),
        (lambda query: response(query).to_wire(), "denies nothing"),
        (lambda query: b"", "did not answer"),
    ],
    ids=["noise", "cut", "loop", "question", "identifier", "echo", "formerr", "nxdomain-no-aa", "lame", "empty", "nothing"],
)
def test_what_is_no_answer_is_unknown(dns_lab: DnsLab, eyes: DnsEyes, make: Callable[[Message], bytes], because: str) -> None:
    """Garbage, foreign answers and answers without authority are unknown, each with its reason."""
    with zone_of(dns_lab, says(make)) as owner:
        assert because in unknown(look(eyes, owner))


def test_servers_that_only_one_side_names_are_asked(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """The parent's name servers and the zone's own are put together: each may be asked by somebody."""
    number = next(numbers)
    parents_only, childs_only = f"127.53.9.{number}", f"127.53.9.{100 + number}"

    def names_another(query: Message) -> bytes:
        if query.question[0].rdtype != 2 or query.question[0].name.to_text().count(".") > 2:
            return answers(query).to_wire()
        message = response(query)
        message.answer.append(dns.rrset.from_text(query.question[0].name, 2, "IN", "NS", f"own{number}.a.example."))
        return message.to_wire()

    dns_lab.update(f"update add own{number}.a.example. 2 A {childs_only}")
    decent = says(lambda query: answers(query).to_wire())
    more = "update add {zone} 5 NS old.{zone}\nupdate add old.{zone} 5 A " + parents_only
    own_zone = zone_of(dns_lab, says(names_another), more=more)
    with DnsStranger(parents_only, decent), DnsStranger(childs_only, decent), own_zone as owner:
        view = look(eyes, owner)
    assert {answer.server.split(".")[0] for answer in view.answers} == {"ns", "old", f"own{number}"}
    assert {answer.address for answer in view.answers} >= {parents_only, childs_only}
    assert view.complete


@pytest.mark.parametrize(("resolver", "zone"), [("AAAA", "AAAA"), ("A", "A"), ("AAAA", "MX"), ("A", "MX")])
def test_a_lookup_that_fails_is_no_absent_address(dns_lab: DnsLab, resolver: str, zone: str) -> None:
    """With an IPv4 address from the parent and no word about IPv6 there may be a second place: the look is not complete.

    Where only the resolver fails, the zone's own servers are asked.
    """

    def fail(query: Message, answer: Message, rdtype: str) -> None:
        if query.question[0].name.to_text().startswith("ns.stranger") and query.question[0].rdtype.name == rdtype:
            answer.answer.clear()
            answer.set_rcode(dns.rcode.SERVFAIL)

    def answered(query: Message) -> bytes:
        answer = answers(query)
        fail(query, answer, zone)
        return answer.to_wire()

    address = f"127.53.9.{100 + next(numbers)}"
    forwarder = resolver_that(lambda query, answer: fail(query, answer, resolver), dns_lab.resolver)
    with DnsStranger(address, forwarder), zone_of(dns_lab, says(answered)) as owner:
        view = look(DnsEyes(resolver=(address,), anchor=str(dns_lab.anchor), timeout=1), owner)
    assert [len(answer.records or ()) for answer in view.answers] == [1]
    assert view.complete is (zone == "MX")
    assert ("may have more addresses than 127.53.9." in view.problem) is not view.complete, view.problem


def test_servers_that_nobody_tells_are_a_problem(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Where no server answers for NS, the zone may name servers that the parent does not: the look is not complete."""

    def no_names(query: Message) -> bytes:
        refused = query.question[0].rdtype == 2 and query.question[0].name.to_text().startswith("stranger")
        return (response(query, rcode=dns.rcode.REFUSED) if refused else answers(query)).to_wire()

    with zone_of(dns_lab, says(no_names)) as owner:
        view = look(eyes, owner)
    assert [len(answer.records or ()) for answer in view.answers] == [1]
    assert not view.complete
    assert "tells which name servers the zone itself names" in view.problem
    assert "REFUSED" in view.problem


def test_a_dead_server_is_the_whole_story(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """That it tells no addresses and no other servers either is not told besides."""
    with zone_of(dns_lab, says(lambda query: response(query, rcode=dns.rcode.REFUSED).to_wire())) as owner:
        view = look(eyes, owner)
    assert "REFUSED" in unknown(view)
    assert "may have more addresses" not in view.problem
    assert "the zone itself names" not in view.problem


@pytest.mark.parametrize(("own", "largest"), [(3, 5), (86400, 86400)])
def test_how_long_name_servers_may_be_remembered(dns_lab: DnsLab, eyes: DnsEyes, own: int, largest: int) -> None:
    """Of the NS RRset in the parent (5 s) and in the zone itself the longer TTL counts, also for a zone that is known already."""

    def names_itself(query: Message) -> bytes:
        zone = query.question[0].name
        if query.question[0].rdtype != 2 or len(zone) > 3:
            return answers(query).to_wire()
        message = response(query)
        message.answer.append(dns.rrset.from_text(zone, own, "IN", "NS", f"ns.{zone}"))
        return message.to_wire()

    with zone_of(dns_lab, says(names_itself)) as owner:
        assert [look(eyes, owner).ns_ttl for _ in range(2)] == [largest] * 2


def test_a_server_that_was_taken_out_is_gone_and_the_others_stay(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Addresses are written the same way in each round, so that one that is missing has been taken out."""
    number = next(numbers)
    old = f"127.53.9.{number}"
    decent = says(lambda query: answers(query).to_wire())
    more = "update add {zone} 5 NS old.{zone}\nupdate add old.{zone} 5 A " + old
    with DnsStranger(old, decent), zone_of(dns_lab, decent, more=more) as owner:
        before = look(eyes, owner)
        zone = before.zone
        dns_lab.update(f"update delete {zone} NS old.{zone}\nupdate delete old.{zone} A", server=TLD_SERVER)
        fresh = DnsEyes(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=1)  # remembers no delegation
        after = look(fresh, owner)
    assert (before.complete, after.complete) == (True, True)
    assert {one.address for one in before.answers} - {one.address for one in after.answers} == {old}
    assert {one.address for one in after.answers} < {one.address for one in before.answers}


def test_an_answer_from_another_address_is_ignored(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """Who was not asked is not heard."""

    def elsewhere(_: socket.socket, data: bytes, sender: Address) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.53.9.200", 53))
            other.sendto(answers(dns.message.from_wire(data)).to_wire(), sender)

    with zone_of(dns_lab, elsewhere) as owner:
        assert unknown(look(eyes, owner))


def test_a_forged_answer_before_the_true_one_does_no_harm(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """A wrong identifier and a wrong question are passed over; the true answer behind them counts."""

    def both(sock: socket.socket, data: bytes, sender: Address) -> None:
        query = dns.message.from_wire(data)
        true = answers(query).to_wire()
        sock.sendto(bytes([true[0] ^ 0xFF]) + true[1:], sender)
        sock.sendto(tlsa(dns.message.make_query("other.example.", "TLSA", id=query.id), "bb" * 32).to_wire(), sender)
        sock.sendto(true, sender)

    with zone_of(dns_lab, both) as owner:
        view = look(eyes, owner)
    assert {str(record) for record in view.answers[0].records or ()} == {"3 1 1 " + "aa" * 32}


def test_an_endless_stream_ends(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """A server that truncates and then drips over TCP for ever costs one timeout."""

    def cut(query: Message) -> bytes:
        return response(query, flags=dns.flags.AA | dns.flags.TC).to_wire()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"\xff\xff")
        while True:
            connection.sendall(b"\0")
            time.sleep(0.01)

    with zone_of(dns_lab, says(cut), drip) as owner:
        assert unknown(look(eyes, owner))


def test_a_zone_with_thousands_of_servers_is_bounded(dns_lab: DnsLab, eyes: DnsEyes) -> None:
    """More name servers than anybody needs are a problem that is told, not a day's work."""

    def crowd(query: Message) -> bytes:
        zone = query.question[0].name.to_text()
        if query.question[0].rdtype != 2 or zone.count(".") > 2:
            return answers(query).to_wire()
        message = response(query)
        message.answer.append(dns.rrset.from_text(zone, 2, "IN", "NS", *(f"n{number}.{zone}" for number in range(60))))
        return message.to_wire()

    with zone_of(dns_lab, says(crowd)) as owner:
        assert "more than 32 name servers" in look(eyes, owner).problem


def always(_: Message, answer: Message) -> None:
    answer.flags |= dns.flags.AD


def never(_: Message, answer: Message) -> None:
    answer.flags &= ~dns.flags.AD


def copied(query: Message, answer: Message) -> None:
    answer.flags |= query.flags & dns.flags.AD


def only_for_in(_: Message, answer: Message) -> None:
    if answer.question[0].rdclass == 1:
        answer.flags |= dns.flags.AD


@pytest.mark.parametrize("change", [always, never, copied])
@pytest.mark.parametrize("bogus", ["dnssec-failed.org.", "mx.expired.example."])
def test_a_resolver_that_does_not_validate_is_found_out(
    dns_lab: DnsLab, change: Callable[[Message, Message], None], bogus: str
) -> None:
    """Whether it sets AD always, never or as asked: without validation its word is worth nothing, and our own chain stands."""
    address = f"127.53.9.{100 + next(numbers)}"
    with DnsStranger(address, resolver_that(change, dns_lab.resolver)):
        eyes = DnsEyes(resolver=(address,), anchor=str(dns_lab.anchor), timeout=1, bogus=bogus)
        views = eyes.owners(["_25._tcp.mx.expired.example.", "_25._tcp.mx.nsec3.example."])
    bad, good = views.values()
    for view in views.values():
        assert view.witness is not None
        assert (view.witness.validates, view.witness.security) == (False, Security.INDETERMINATE)
        assert "does not validate" in view.witness.reason
    assert bad.answers[0].security is Security.BOGUS
    assert good.answers[0].security is Security.SECURE


@pytest.mark.parametrize(("bogus", "also"), [("mx.expired.example.", ()), ("dnssec-failed.org.", ("_25._tcp.mx.nods.example.",))])
def test_a_cunning_liar_is_found_out(dns_lab: DnsLab, bogus: str, also: tuple[str, ...]) -> None:
    """A resolver that lies only where it looks like an answer is caught by the bogus name, or by a zone proven insecure."""
    address = f"127.53.9.{100 + next(numbers)}"
    owner = "_25._tcp.mx.nsec3.example."
    with DnsStranger(address, resolver_that(only_for_in, dns_lab.resolver)):
        view = DnsEyes(resolver=(address,), anchor=str(dns_lab.anchor), timeout=1, bogus=bogus).owners([owner, *also])[owner]
    assert view.witness is not None
    assert view.witness.validates is False


def test_the_bogus_name_proves_a_validating_resolver(dns_lab: DnsLab) -> None:
    """SERVFAIL with checking, an answer without."""
    eyes = DnsEyes(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), bogus="mx.expired.example.")
    witness = look(eyes, "_25._tcp.mx.nsec3.example.").witness
    assert witness is not None
    assert (witness.validates, witness.security, witness.reason) == (True, Security.SECURE, "")


def test_no_resolver_is_a_problem_that_names_it(dns_lab: DnsLab) -> None:
    """Without a resolver the root is not found: everything is unknown, and it is clear why."""
    view = look(DnsEyes(resolver=("127.53.9.250",), anchor=str(dns_lab.anchor), timeout=0.2), "_25._tcp.mx.nsec3.example.")
    assert "no resolver answers (127.53.9.250)" in view.problem
    assert (view.answers, view.complete) == ((), False)


def test_the_second_resolver_helps_out(dns_lab: DnsLab) -> None:
    """The first resolver that answers is used."""
    eyes = DnsEyes(resolver=("127.53.9.250", f"{dns_lab.resolver}#53"), anchor=str(dns_lab.anchor), timeout=0.5)
    view = look(eyes, "_25._tcp.mx.nsec3.example.")
    assert view.witness is not None
    assert view.witness.resolver == dns_lab.resolver
    assert view.answers[0].security is Security.SECURE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1#5353", ("127.0.0.1", 5353)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("::1#5353", ("::1", 5353)),
        ("[::1]:5353", ("::1", 5353)),
        ("[::1]", ("::1", 53)),
    ],
)
def test_the_address_of_a_resolver(text: str, place: tuple[str, int]) -> None:
    """All usual ways to write an address and a port are read."""
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1#0", "127.0.0.1#99999", "1.2.3", "[::1", "127.0.0.1#x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A name or a wrong port is the operator's mistake and is told as one."""
    with pytest.raises(BadInput, match="is not the address of a resolver"):
        parse_place(text)


@pytest.mark.parametrize("content", [None, "", "; nothing\n", ". IN A 127.0.0.1\n", ". IN DS x y z\n", "\0\xff"])
def test_an_unusable_anchor_is_refused(tmp_path: Path, content: str | None) -> None:
    """A configured anchor that cannot be used is an error, never silently replaced by another."""
    path = tmp_path / "anchor"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="trust anchor"):
        DnsEyes(anchor=str(path))
