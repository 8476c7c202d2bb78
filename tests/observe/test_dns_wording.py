"""What is read of an answer, and what is passed over."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from tlsa_manager.observe.wording import Query, read

NAME = dns.name.from_text("mx.example.")
SIGNATURE = "13 2 300 20300101000000 20200101000000 1 example. " + "A" * 86 + "=="
ANSWER = ("mx.example. 300 IN A 192.0.2.1", f"mx.example. 300 IN RRSIG A {SIGNATURE}")
PROOF = ("a.example. 300 IN NSEC z.example. A", f"a.example. 300 IN RRSIG NSEC {SIGNATURE}")
SERVERS = ("example. 300 IN NS ns.example.", f"example. 300 IN RRSIG NS {SIGNATURE}")
GLUE = ("ns.example. 300 IN A 192.0.2.53", f"ns.example. 300 IN RRSIG A {SIGNATURE}")


def _answer(answer: tuple[str, ...], *, authoritative: bool, name: dns.name.Name = NAME) -> bytes:
    message = dns.message.make_response(dns.message.make_query(name, "A", use_edns=0, want_dnssec=True))
    message.flags |= dns.flags.AA if authoritative else 0
    for section, texts in ((message.answer, answer), (message.authority, PROOF + SERVERS), (message.additional, GLUE)):
        section += [dns.rrset.from_text(*text.split(None, 4)) for text in texts]
    return message.to_wire()


def _kinds(data: bytes, rdtype: str, flags: int = 0) -> list[list[tuple[str, str]]]:
    query = Query(NAME, dns.rdatatype.from_text(rdtype), dns.rdataclass.IN, flags)
    message = read(data, query.wanted)
    assert message.edns == 0
    return [
        [(dns.rdatatype.to_text(one.rdtype), dns.rdatatype.to_text(one.covers)) for one in section]
        for section in (message.answer, message.authority, message.additional)
    ]


RECORDS = [("A", "TYPE0"), ("RRSIG", "A")]
PROVEN = [("NSEC", "TYPE0"), ("RRSIG", "NSEC")]
NAMED = [("NS", "TYPE0"), ("RRSIG", "NS")]


@pytest.mark.parametrize(
    ("rdtype", "flags", "answer", "authoritative", "expected"),
    [
        ("A", 0, ANSWER, True, [RECORDS, PROVEN, []]),
        ("NS", 0, ANSWER, True, [RECORDS, PROVEN + NAMED, RECORDS]),
        ("A", 0, (), True, [[], PROVEN + NAMED, RECORDS]),
        ("A", 0, (), False, [[], PROVEN + NAMED, RECORDS]),
        ("A", 0, ANSWER, False, [RECORDS, PROVEN + NAMED, RECORDS]),
        ("A", int(dns.flags.RD), ANSWER, False, [RECORDS, [], []]),
    ],
    ids=["answer", "servers", "denial", "referral", "lame", "resolver"],
)
def test_what_nobody_asked_for_is_passed_over(
    rdtype: str,
    flags: int,
    answer: tuple[str, ...],
    authoritative: bool,  # noqa: FBT001  a column of the table
    expected: list[list[tuple[str, str]]],
) -> None:
    """Beside an authoritative answer its proofs are read; servers and addresses where they were asked for, or lead further."""
    assert _kinds(_answer(answer, authoritative=authoritative), rdtype, flags) == expected
