"""Servers that answer oddly: records that are none, thousands of them, no EDNS, no TLSA, no TCP. Each is seen as what it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from dns_strangers import DnsStranger, answers, negative, numbers, resolver_that, response, says, tlsa, zone_of
from lab.daemon import until
from lab.zones import TLD_SERVER

from tlsa_manager.observe import Lookout
from tlsa_manager.observe.ask import MAX_REPLIES, Asker, Place, Question
from tlsa_manager.observe.memory import MOST, Memory
from tlsa_manager.observe.records import MAX_RECORDS
from tlsa_manager.observe.wording import Garbage, read
from tlsa_manager.security import Cause, Security

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from dns.message import Message
    from dns_strangers import Address
    from lab.hierarchy import DnsLab

    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.surroundings import Lookup

TLSA = dns.rdatatype.TLSA


@pytest.fixture
def out(dns_lab: DnsLab) -> Lookout:
    """Look out with very little patience."""
    until(lambda: dns_lab.validates(dns_lab.zone, "SOA"), "the resolver validates")
    return Lookout(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=0.3)


def both(out: Lookout, owner: str) -> tuple[OwnerView, Lookup]:
    async def seen() -> tuple[OwnerView, Lookup]:
        owners, lookups = await asyncio.gather(out.owners([owner]), out.look_up([(owner, "TLSA")]))
        return owners[owner], lookups[owner, "TLSA"]

    return asyncio.run(seen())


def holding(*records: bytes) -> Callable[[Message], Message]:
    """Answer TLSA questions with these RDATA, whatever they are."""

    def answer(query: Message) -> Message:
        if query.question[0].rdtype != TLSA:
            return negative(query)
        message = response(query)
        rrset = dns.rrset.RRset(query.question[0].name, dns.rdataclass.IN, TLSA)
        for one in records:
            rrset.add(dns.rdata.GenericRdata(dns.rdataclass.IN, TLSA, one), 2)
        message.answer.append(rrset)
        return message

    return answer


@pytest.mark.parametrize(
    "record",
    [
        b"\3\1\1" + bytes(31),
        b"\3\1\1" + bytes(33),
        b"\3\1\1" + bytes(64),
        b"\3\1\1",
        b"\4\1\1" + bytes(32),
        b"\3\2\1" + bytes(32),
        b"\3\1\3" + bytes(48),
        b"\xff\xff\xff" + b"x",
        b"\3\0\0" + bytes(900),
    ],
    ids=["31", "33", "64", "none", "usage", "selector", "matching", "private", "full"],
)
def test_whatever_a_record_holds_arrives(dns_lab: DnsLab, out: Lookout, record: bytes) -> None:
    """Wrong lengths and unknown numbers are for the checks to judge: the octets arrive as they are, beside a good record."""
    good = b"\3\1\1" + bytes(range(32))
    with zone_of(dns_lab, says(lambda query: holding(record, good)(query).to_wire())) as owner:
        view, found = both(out, owner)
    assert {one.rdata for one in view.answers[0].records or ()} == {record, good}
    assert len(found.records or ()) == 2
    assert view.complete


@pytest.mark.parametrize("record", [b"", b"\3", b"\3\1"])
def test_a_stump_of_a_record_does_not_cost_the_others(dns_lab: DnsLab, out: Lookout, record: bytes) -> None:
    """Less than three octets are no TLSA record; its neighbour is seen, and the stump is told."""
    good = b"\3\1\1" + bytes(range(32))
    with zone_of(dns_lab, says(lambda query: holding(record, good)(query).to_wire())) as owner:
        view, found = both(out, owner)
    assert [one.rdata for one in view.answers[0].records or ()] == [good]
    assert "1 of the records are shorter than three octets" in view.answers[0].reason
    assert "shorter than three octets" in found.reason


def test_odd_records_from_the_resolver(dns_lab: DnsLab) -> None:
    """The witness and the quick look read them likewise."""
    odd = [b"\3\1\1" + bytes(31), b"\xff\1\1", b"\3"]

    def change(query: Message, answer: Message) -> None:
        if query.question[0].rdtype == TLSA:
            answer.answer = holding(*odd)(query).answer

    address = f"127.53.9.{100 + next(numbers)}"
    with DnsStranger(address, resolver_that(change, dns_lab.resolver)):
        for quick in (False, True):
            out = Lookout(resolver=(address,), anchor=str(dns_lab.anchor), timeout=3, quick=quick)
            view, found = both(out, "_25._tcp.mx.nsec3.example.")
            assert view.witness is not None
            assert {one.rdata for one in view.witness.records or ()} == set(odd[:2])
            if quick:
                assert {one.rdata for one in view.answers[0].records or ()} == set(odd[:2])
                assert len(found.records or ()) == 3


def test_thousands_of_records_are_bounded(dns_lab: DnsLab) -> None:
    """As many as a message can carry: resolvers refuse them, so it is no answer, and that is told."""
    out = Lookout(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=3)  # the stranger is no quick one
    crowd = tuple(b"\3\1\1" + number.to_bytes(3, "big") for number in range(3500))

    def cut(query: Message) -> bytes:
        message = response(query) if query.question[0].rdtype == TLSA else negative(query)
        message.flags |= dns.flags.TC if query.question[0].rdtype == TLSA else 0
        return message.to_wire()

    def stream(connection: socket.socket) -> None:
        connection.recv(2)
        wire = holding(*crowd)(dns.message.from_wire(connection.recv(4096))).to_wire(max_size=65535)
        connection.sendall(len(wire).to_bytes(2, "big") + wire)

    with zone_of(dns_lab, says(cut), stream) as owner:
        view, found = both(out, owner)
    assert view.answers[0].records is found.records is None
    assert view.answers[0].cause is found.cause is Cause.MANY
    assert f"gave 3500 TLSA records of {owner}, and resolvers refuse more than {MAX_RECORDS}" in found.reason
    assert view.answers[0].size > 60000
    assert not view.complete


def without_edns(query: Message, *, refuse: bool) -> Message:
    """Answer as a server from before 1999: questions with EDNS are refused, or answered as if they had none."""
    if refuse and query.edns >= 0:
        message = dns.message.make_response(query)
        message.set_rcode(dns.rcode.FORMERR)
        message.question.clear()
    else:
        message = answers(query)
    message.use_edns(False)  # noqa: FBT003  dnspython's signature
    return message


@pytest.mark.parametrize("refuse", [True, False])
def test_a_server_without_edns_is_asked_without(dns_lab: DnsLab, out: Lookout, refuse: bool) -> None:  # noqa: FBT001
    """As resolvers do: its records are seen, and that it has no EDNS."""
    with zone_of(dns_lab, says(lambda query: without_edns(query, refuse=refuse).to_wire())) as owner:
        view, found = both(out, owner)
    assert {str(one) for one in view.answers[0].records or ()} == set(found.records or ()) == {"3 1 1 " + "aa" * 32}
    assert view.answers[0].edns is False
    assert view.answers[0].security is Security.INSECURE


def test_a_server_that_always_refuses_edns_is_unknown(dns_lab: DnsLab, out: Lookout) -> None:
    """FORMERR to everything: nothing is seen, and EDNS is the cause."""

    def never(query: Message) -> bytes:
        message = response(query, rcode=dns.rcode.FORMERR)
        message.use_edns(False)  # noqa: FBT003  dnspython's signature
        return message.to_wire()

    with zone_of(dns_lab, says(never)) as owner:
        view, found = both(out, owner)
    assert (view.answers[0].records, view.answers[0].cause) == (None, Cause.EDNS)
    assert (found.records, found.cause) == (None, Cause.EDNS)
    assert "FORMERR" in found.reason


@pytest.mark.parametrize("rcode", [None, dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.SERVFAIL])
def test_a_server_that_drops_the_type_is_told_from_a_dead_one(
    dns_lab: DnsLab, out: Lookout, rcode: dns.rcode.Rcode | None
) -> None:
    """It answers for SOA and all else, but not for TLSA: the serial is known, the records are not."""

    def drops(sock: socket.socket, data: bytes, sender: Address) -> None:
        query = dns.message.from_wire(data)
        if query.question[0].rdtype != TLSA:
            sock.sendto(negative(query).to_wire(), sender)
        elif rcode is not None:
            sock.sendto(response(query, rcode=rcode).to_wire(), sender)

    with zone_of(dns_lab, drops) as owner:
        view, found = both(out, owner)
        more = asyncio.run(out.look_up([(owner.removeprefix("_25._tcp."), "MX")]))
    (answer,) = view.answers
    wanted = Cause.SILENT if rcode is None else Cause.RCODE
    assert (answer.records, answer.cause, answer.serial) == (None, wanted, 7), answer.reason
    assert (found.records, found.cause) == (None, wanted)
    assert [one.records for one in more.values()] == [()], "other types are still asked for"


def test_silence_about_one_type_is_not_waited_for_again_and_again(dns_lab: DnsLab, out: Lookout) -> None:
    """After three questions it is enough, however many owners there are; an answer in between begins a new count."""
    asked = []

    def drops(sock: socket.socket, data: bytes, sender: Address) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text()
        if query.question[0].rdtype != TLSA:
            sock.sendto(negative(query).to_wire(), sender)
        elif name.startswith("good"):
            sock.sendto(tlsa(query).to_wire(), sender)
        else:
            asked.append(name)

    with zone_of(dns_lab, drops) as owner:
        zone = owner.removeprefix("_25._tcp.mx.")

        async def one_by_one(names: list[str]) -> list[Lookup]:
            return [(await out.look_up([(f"{name}.{zone}", "TLSA")]))[f"{name}.{zone}", "TLSA"] for name in names]

        found = asyncio.run(one_by_one(["a", "b", "good1", "c", "d", "e", "f", "g"]))
    assert [one.cause for one in found if one.records is None] == [Cause.SILENT] * 7
    assert set(asked) == {f"{name}.{zone}" for name in "abcde"}
    assert "has kept silent about TLSA 3 times" in found[-1].reason


def test_an_answer_that_cannot_be_had_over_tcp(dns_lab: DnsLab, out: Lookout) -> None:
    """Too long for a datagram, and TCP is closed: cut off."""

    def cut(query: Message) -> bytes:
        message = response(query) if query.question[0].rdtype == TLSA else negative(query)
        message.flags |= dns.flags.TC if query.question[0].rdtype == TLSA else 0
        return message.to_wire()

    with zone_of(dns_lab, says(cut)) as owner:
        view, found = both(out, owner)
    assert (view.answers[0].cause, found.cause) == (Cause.CUT_OFF, Cause.CUT_OFF)
    assert view.answers[0].serial == 7


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda query: query.to_wire()[:2] + b"\x84\0" + bytes(40), Cause.GARBAGE),
        (lambda query: response(query, flags=0).to_wire(), Cause.LAME),
        (lambda query: response(query).to_wire(), Cause.EMPTY),
        (lambda query: b"", Cause.SILENT),
    ],
    ids=["garbage", "lame", "empty", "silent"],
)
def test_the_cause_of_no_answer(dns_lab: DnsLab, out: Lookout, make: Callable[[Message], bytes], cause: Cause) -> None:
    """What is no answer has its cause in one word, for owners and single questions alike."""
    with zone_of(dns_lab, says(make)) as owner:
        view, found = both(out, owner)
    assert (view.answers[0].records, view.answers[0].cause) == (None, cause)
    assert (found.records, found.cause) == (None, cause), found.reason


def test_nobody_there_is_gone(dns_lab: DnsLab, out: Lookout) -> None:
    """A server whose machine refuses."""
    view, found = both(out, "_25._tcp.mx.dead.example.")
    assert (view.answers[0].cause, found.cause) == (Cause.GONE, Cause.GONE)


def test_a_silent_server_does_not_keep_the_others_from_answering(dns_lab: DnsLab) -> None:
    """A single question is put to the next server of the zone after a moment."""
    out = Lookout(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=0.3)
    with dns_lab.without_secondary("hang"):
        found = asyncio.run(out.look_up([("a.example.", "MX"), ("b.example.", "MX")]))
    assert [one.security for one in found.values()] == [Security.SECURE] * 2
    assert all(one.records for one in found.values())


def test_a_bogus_server_is_seen_and_the_others_are_believed(dns_lab: DnsLab) -> None:
    """As resolvers do, a single question is put to others while the answers are bogus; the owner's view shows the culprit."""

    def spoil(sock: socket.socket, data: bytes, sender: Address) -> None:
        answer = dns.query.udp(dns.message.from_wire(data), dns_lab.primary, timeout=3, source="127.0.0.1")
        for number, rrset in enumerate(answer.answer):
            if rrset.rdtype == dns.rdatatype.RRSIG and rrset.covers in {dns.rdatatype.MX, TLSA}:
                broken = rrset[0].replace(signature=bytes(64))
                answer.answer[number] = dns.rrset.from_rdata(rrset.name, rrset.ttl, broken)
        sock.sendto(answer.to_wire(), sender)

    host, address, owner = "a0.a.example.", f"127.53.9.{next(numbers)}", f"_25._tcp.{dns_lab.fresh_name(zone='b.example')}."
    dns_lab.put_tlsa(owner, "3 1 1 " + "ab" * 32)
    dns_lab.update(f"update add b.example. 5 NS {host}\nupdate add {host} 5 A {address}", server=TLD_SERVER)
    try:
        with DnsStranger(address, spoil):
            out = Lookout(resolver=(dns_lab.resolver,), anchor=str(dns_lab.anchor), timeout=3)
            view, _ = both(out, owner)
            found = asyncio.run(out.look_up([("b.example.", "MX"), (owner, "TLSA")]))
    finally:
        dns_lab.update(f"update delete b.example. NS {host}\nupdate delete {host} A", server=TLD_SERVER)
    assert [one.security for one in found.values()] == [Security.SECURE] * 2
    assert {one.server: one.cause for one in view.answers} == {
        host: Cause.SIGNATURE_BAD, "ns1.a.example.": Cause.NONE, "ns2.a.example.": Cause.NONE,
    }  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x02\x00\x04\x03\x01\x01\xab",  # the name is fine, so this one is read
        b"\xc0\x2b\x00\x34\x00\x01\x00\x00\x00\x02\x00\x03\x03\x01\x01",  # points forwards
        b"\xc0\x20\x00\x34\x00\x01\x00\x00\x00\x02\x00\x03\x03\x01\x01",  # points at itself
        b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x02\xff\xff\x03\x01\x01",  # longer than the message
        b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x02\x00\x03\x03\x01\x01more",
    ],
    ids=["good", "forwards", "itself", "length", "trailing"],
)
def test_a_message_is_read_whole_or_not_at_all(rest: bytes, request: pytest.FixtureRequest) -> None:
    """Pointers go backwards, lengths fit, and nothing is left over."""
    wire = b"\0\1\x84\0\0\1\0\1\0\0\0\0" + b"\x02mx\x07example\0" + b"\0\x34\0\1" + rest
    if request.node.callspec.id == "good":
        assert read(wire).answer[0].to_text() == "mx.example. 2 IN TLSA \\# 4 030101ab"
        return
    with pytest.raises(Garbage, match="cannot be read"):
        read(wire)


def test_what_is_kept_is_bounded() -> None:
    """However many targets: the memory and the replies of a run forget the oldest."""
    memory = Memory()
    for number in range(MOST + 100):
        memory.put(number, number, 60)
    assert (memory.get(0), memory.get(MOST + 99)) == (None, MOST + 99)

    async def ask_much() -> int:
        asker = Asker(timeout=0.01, tries=0, keep=60)
        place = Place("127.53.9.251", 1)
        for number in range(MAX_REPLIES + 100):
            await asker.ask(place, Question(dns.name.from_text(f"n{number}.example."), TLSA))
        return len(asker._replies)

    assert asyncio.run(ask_much()) <= MAX_REPLIES
