"""Every reading of a record that matches nothing, and every fault of the records themselves."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from checks.made import HOST, case, codes, finding, hashed, presented, right
from tlsa_manager.certificates import chain_of, to_pem
from tlsa_manager.checks import FAULTS, examine, faults
from tlsa_manager.checks.records.readings import codes as reading_codes
from tlsa_manager.checks.records.readings import explained, former
from tlsa_manager.checks.spot import spots
from tlsa_manager.der import certificate_spki
from tlsa_manager.household import Household
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.rollover.facts import Facts
from tlsa_manager.rollover.state import Phase
from tlsa_manager.security import Security
from tlsa_manager.sender.agility import useless
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.route import Route
from tlsa_manager.service import Service
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFER = "defer"


def leaf() -> bytes:
    return presented()[0]


def spki(kind: str = "ECDSA") -> bytes:
    return certificate_spki(presented(kind)[0])


def inner(kind: str, form: PublicFormat, encoding: Encoding) -> bytes:
    return load_der_public_key(spki(kind)).public_bytes(encoding, form)


def fingerprint(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def pem_of(data: bytes, label: str) -> bytes:
    body = b64encode(data)
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return b"\n".join([b"-----BEGIN " + label.encode() + b"-----", *lines, b"-----END " + label.encode() + b"-----", b""])


def mistakes() -> Iterator[tuple[str, str, Tlsa]]:
    """Give every mistake: the code, a word of its explanation, the record."""
    digest, wrong = right().data, "f" if right().data[0] != "f" else "e"
    other = next(character for character in "0123456789abcdef" if character != digest[30])
    yield "F-SEL01", "for which the label would be 3 0 1", hashed(leaf())
    yield "F-SEL01", "3 0 2", hashed(leaf(), "3 1 2")
    yield "F-SEL01", "not hashed", Tlsa.parse(f"3 1 0 {leaf().hex()}")
    yield "F-SEL10", "for which the label would be 3 1 1", hashed(spki(), "3 0 1")
    yield "F-MT12", "3 1 2", Tlsa.parse(f"3 1 1 {hashlib.sha512(spki()).hexdigest()}")
    yield "F-MT12", "3 1 1", Tlsa.parse(f"3 1 2 {hashlib.sha256(spki()).hexdigest()}")
    yield "F-MT12", "3 0 1", Tlsa.parse(f"3 1 0 {hashlib.sha256(leaf()).hexdigest()}")
    yield "F-MT12", "64 bytes long as a SHA-512 is", Tlsa.parse(f"3 1 1 {hashlib.sha512(b'another').hexdigest()}")
    yield "F-PEM", "PEM text of the server's", hashed(to_pem(leaf()))
    yield "F-PEM", "without the last line end", hashed(to_pem(leaf()).rstrip())
    yield "F-PEM", "line ends of Windows", hashed(to_pem(leaf()).replace(b"\n", b"\r\n"))
    yield "F-PEM", "certificate 2 of the chain", hashed(to_pem(presented()[1]))
    yield "F-PEM", "the whole chain file", hashed(b"".join(map(to_pem, presented())))
    yield "F-PEM", "base64 text in one line", hashed(b64encode(leaf()))
    yield "F-PEM", "hexadecimal text", hashed(leaf().hex().encode())
    yield "F-PEMKEY", "PEM text of the public key", hashed(pem_of(spki(), "PUBLIC KEY"))
    yield "F-PEMKEY", "without the last line end", hashed(pem_of(spki(), "PUBLIC KEY").rstrip())
    yield "F-PEMKEY", "base64 text of", hashed(b"".join(pem_of(spki(), "X").splitlines(keepends=True)[1:-1]))
    yield "F-PEMKEY", "in one line, with a line end", hashed(b64encode(spki()) + b"\n")
    yield "F-EMPTY", "nothing at all", Tlsa.parse("3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    yield "F-EMPTY", "SHA-512", hashed(b"", "3 1 2")
    yield "F-EMPTY", "an empty line", hashed(b"\n")
    point = inner("ECDSA", PublicFormat.UncompressedPoint, Encoding.X962)
    yield "F-RSAKEY", "bare point", hashed(point)
    yield "F-RSAKEY", "compressed", hashed(inner("ECDSA", PublicFormat.CompressedPoint, Encoding.X962))
    yield "F-SHA1", "the SHA-1 of the server's certificate", Tlsa.parse(f"3 0 1 {fingerprint(leaf())}")
    yield "F-SHA1", "the SHA-1 of the public key", Tlsa.parse(f"3 1 1 {fingerprint(spki())}")
    yield "F-SHA1", "20 bytes long", Tlsa.parse(f"3 1 1 {fingerprint(b'another')}")
    yield "F-LEN", "only the first 31 bytes", Tlsa.parse(f"3 1 1 {digest[:-2]}")
    yield "F-LEN", "only the last 30 bytes", Tlsa.parse(f"3 1 1 {digest[4:]}")
    yield "F-LEN", "1 bytes more", Tlsa.parse(f"3 1 1 {digest}00")
    yield "F-LEN", "33 bytes long where 32", Tlsa.parse(f"3 1 1 {'ab' * 33}")
    yield "F-ODD", "one digit lost", Tlsa.parse(f"3 1 1 {digest[:1]}{digest[2:]}0")
    yield "F-ODD", "one digit lost", Tlsa.parse(f"3 1 1 0{digest[:-1]}")
    yield "F-ODD", "ends behind its label", Tlsa(3, 1, 1, "")
    yield "F-B64", "hexadecimal digits (of the right value)", Tlsa.parse(f"3 1 1 {digest.encode().hex()}")
    yield "F-B64", "hexadecimal digits (of the right value)", Tlsa.parse(f"3 1 0 {spki().hex().upper().encode().hex()}")
    colons = ":".join(digest[start : start + 2] for start in range(0, 64, 2)).upper()
    yield "F-B64", "hexadecimal digits (of the right value)", Tlsa.parse(f"3 1 1 {colons.encode().hex()}")
    yield "F-B64", "base64 text", Tlsa.parse(f"3 1 1 {b64encode(bytes.fromhex(digest)).hex()}")
    yield "F-B64", "PEM text", Tlsa.parse(f"3 0 0 {to_pem(presented('RSA')[0]).hex()}")
    yield "F-B64", "text ('see-the-certificate!", Tlsa.parse(f"3 1 1 {b'see-the-certificate!?'.hex()}")
    yield "F-TYPO", "but for one digit", Tlsa.parse(f"3 1 1 {wrong}{digest[1:]}")
    yield "F-TYPO", "but for 2 digits", Tlsa.parse(f"3 1 1 {wrong}{digest[1:30]}{other}{digest[31:]}")
    yield "F-TYPO", "but for one digit", Tlsa.parse(f"2 1 1 {_one_off(right('2 1 1', place=1).data)}")
    yield "F-CAASEE", "for which the label would be 2 1 1", Tlsa.parse(f"3 1 1 {right('2 1 1', place=1).data}")
    yield "F-CAASEE", "for which the label would be 2 0 1", Tlsa.parse(f"3 1 1 {right('2 0 1', place=1).data}")
    yield "F-EEASCA", "for which the label would be 3 1 1", Tlsa.parse(f"2 1 1 {right().data}")


def _one_off(data: str) -> str:
    return ("0" if data[0] != "0" else "1") + data[1:]


@pytest.mark.parametrize(
    ("code", "words", "record"), [pytest.param(*one, id=f"{one[0]}-{n}") for n, one in enumerate(mistakes())]
)
def test_a_mistake_is_named(code: str, words: str, record: Tlsa) -> None:
    """Each reading has its code, says what was done, and gives the right record in the form of the zone file."""
    made = case(record)
    one = finding(made, code)
    assert words in one.message
    assert f"_25._tcp.mx.example.org. 3600 IN TLSA {right()}" in one.remedy
    assert f"remove: _25._tcp.mx.example.org. 3600 IN TLSA {record}" in one.remedy
    assert dict(one.evidence)["published"].startswith(str(record)[:100])
    deferred = str(made.outcome) == DEFER
    assert (str(one.severity) == "critical") == deferred == (not useless(record, smtp=True))
    assert [name for name, severity in codes(made).items() if severity == "critical"] == ([code] if deferred else [])


@pytest.mark.parametrize(
    ("code", "words", "record"), [pytest.param(*one, id=f"{one[0]}-{n}") for n, one in enumerate(mistakes())]
)
def test_a_mistake_beside_a_right_record(code: str, words: str, record: Tlsa) -> None:
    """Another record that matches keeps the mail going: the mistake is a warning, and the only thing to do is to remove it."""
    made = case(record, right())
    one = finding(made, code)
    assert (words in one.message, str(one.severity)) == (True, "error" if str(made.outcome) == DEFER else "warning")
    assert one.remedy.startswith("remove: ")


@pytest.mark.parametrize("code", ["F-SEL01", "F-PEM", "F-TYPO"])
def test_a_mistake_in_an_unsigned_zone(code: str) -> None:
    """Where DNSSEC does not make senders use the record nothing is held back, so it is no more than an error."""
    record = next(one for name, _, one in mistakes() if name == code)
    assert codes(case(record, security=Security.INSECURE))[code] == "error"


def test_a_mistake_where_mail_is_held_back_for_another_reason() -> None:
    """A bogus zone is why nothing arrives, or nobody asks for the records: the mistake is an error beside that."""
    assert codes(case(hashed(leaf()), security=Security.BOGUS))["F-SEL01"] == "error"
    made = case(hashed(leaf()))
    unasked = tuple(replace(one, outcome=Delivery.OPPORTUNISTIC) for one in made.verdicts)
    assert codes(replace(made, verdicts=unasked))["F-SEL01"] == "error"


def test_five_digits_are_no_slip() -> None:
    """Up to four digits are a typing error; five are another key."""
    data = right().data
    wrong = "".join(("0" if digit != "0" else "1") for digit in data[:5]) + data[5:]
    assert not set(codes(case(f"3 1 1 {wrong}"))) & set(reading_codes())


def test_the_bare_rsa_key() -> None:
    """PKCS#1, its PEM text and the modulus, for a key of that kind."""
    chain = presented("RSA")
    key = load_der_public_key(spki("RSA"))
    pkcs1 = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    modulus = f"Modulus={key.public_numbers().n:X}\n".encode()
    for text in (pkcs1, key.public_bytes(Encoding.PEM, PublicFormat.PKCS1), modulus):
        assert finding(case(hashed(text), chains=(chain,)), "F-RSAKEY").severity.name == "CRITICAL"


def test_the_bare_edwards_key() -> None:
    """The 32 bytes of an Ed25519 key without its algorithm."""
    chain = presented("Ed25519")
    raw = load_der_public_key(spki("Ed25519")).public_bytes_raw()
    assert "without its algorithm" in finding(case(hashed(raw), chains=(chain,)), "F-RSAKEY").message


def test_an_issuer_by_the_wrong_usage_may_be_meant() -> None:
    """The remedy of F-CAASEE tells the label for the issuer, too."""
    data = right("2 1 1", place=1).data
    assert f"2 1 1 {data}" in finding(case(f"3 1 1 {data}"), "F-CAASEE").remedy


def test_a_record_of_another_key_is_not_explained() -> None:
    """What fits no reading is left to the finding for a key that changed."""
    made = case(hashed(b"another key"))
    assert not set(codes(made)) & set(reading_codes())
    assert codes(made)["F-STALE"] == "critical"


def test_what_senders_ignore_is_not_why_they_hold_mail_back() -> None:
    """A record that was cut off is unusable; beside one of another key it is the other that defers."""
    made = case(hashed(b"another key"), str(right())[:-2])
    assert [code for code, severity in codes(made).items() if severity == "critical"] == ["F-STALE"]
    assert codes(made)["F-LEN"] == "error"


def test_nothing_presented_nothing_compared() -> None:
    """Without a certificate only what the data says alone is told, and it is not critical."""
    assert codes(case(hashed(b""), chains=()))["F-EMPTY"] == "error"
    assert "F-SEL01" not in codes(case(hashed(leaf()), chains=()))
    assert "tlsa-manager digest" in finding(case(hashed(b""), chains=()), "F-EMPTY").remedy


def test_thousands_of_records_are_not_told_one_by_one() -> None:
    """A hostile zone cannot fill the report."""
    made = case(*(f"3 1 1 {number:062x}" for number in range(3000)))
    assert len([one for one in spots(made)[0].records if explained(one, spots(made)[0], made)]) == 3000
    assert sum(severity != "" for severity in codes(made).values()) < 10
    assert codes(made)["F-MANY"] == "error"


@given(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=140)))
def test_any_record_can_be_read(fields: tuple[int, int, int, bytes]) -> None:
    """No data whatever crashes a check, and a record that matches is never explained away."""
    usage, selector, matching, data = fields
    made = case(Tlsa(usage, selector, matching, data.hex()))
    assert "F-CRASH" not in codes(made)
    assert explained(right(), spots(case(right(), Tlsa(usage, selector, matching, data.hex())))[0], made) is None


# A lineage of this machine


def household(
    *others: tuple[bytes, ...], digests: dict[str, str] | None = None, origin: str = "files", coming: str = ""
) -> Household:
    """Make a lineage that presents the usual chain now and has others, g-0, g-1...: former ones, but for `coming`."""
    chains = {"g2": presented()} | {f"g-{n}": chain for n, chain in enumerate(others)}
    generations = {name: Generation(name, chain_of(chain), origin=origin) for name, chain in chains.items()}
    lineage = Lineage(HOST, (Service.parse(f"{HOST}:25"),))
    return Household(lineage, Facts(HOST, generations, current="g2", next=coming), Phase.STABLE, digests=digests or {})


def test_digests_of_files_that_belong_into_no_record() -> None:
    """A private key or a request can be told only where its file is at hand."""
    digests = {hashlib.sha256(b"request").hexdigest(): "the request (DER)"}
    assert "F-CSR" not in codes(case(hashed(b"request")))
    made = case(hashed(b"request"), household=household(digests=digests))
    assert finding(made, "F-CSR").message.endswith("is the digest of the request (DER)")
    assert codes(made)["F-CSR"] == "critical"


def test_a_previous_key_is_named() -> None:
    """A record of a former generation beside the current one is left over, and its generation is told."""
    old = presented(days=(-2, 364))
    one = finding(case(right(), right(chain=old), household=household(old)), "F-LEFTOVER")
    assert "previous key g-0" in one.message
    assert str(right(chain=old)) in one.remedy


def test_the_coming_key_is_no_leftover() -> None:
    """The next generation's record is there on purpose; the current one is nobody's former key."""
    new = presented(days=(-2, 364))
    made = case(right(), right(chain=new), household=household(new, coming="g-0"))
    assert "F-LEFTOVER" not in codes(made)
    assert (former(right(), made), former(right(chain=new), case(right(), household=household(new)))) == ("", "g-0")


def test_of_a_lineage_an_unknown_record_is_left_over() -> None:
    """Where our own coming keys are known, a record that belongs to none of them is nobody's."""
    assert codes(case(right(), hashed(b"x"), household=household()))["F-LEFTOVER"] == "warning"


def test_what_is_a_lineage_s_own_is_no_leftover() -> None:
    """The record of a next key that was just replaced is removed by itself: nobody has to adopt or remove it."""
    home, replaced = household(), hashed(b"the former next key")
    own = replace(home, facts=replace(home.facts, ours={home.lineage.owners[0]: frozenset({replaced})}))
    assert "F-LEFTOVER" not in codes(case(right(), replaced, household=own))
    foreign = finding(case(right(), replaced, hashed(b"x"), household=own), "F-LEFTOVER")
    assert str(replaced) not in foreign.remedy
    assert foreign.message.startswith("1 of 3 records")


# The labels


def test_usages_of_the_web_with_smtp() -> None:
    """Usage 0 and 1 alone leave mail encrypted but to anybody; beside usable records they are clutter; elsewhere they count."""
    for code, record in (("F-U1", right("1 1 1")), ("F-U0", right("0 1 1", place=1))):
        made = case(record)
        assert (str(made.outcome), codes(made)[code]) == ("encrypt", "error")
        assert f"TLSA {right()}" in finding(made, code).remedy
        assert codes(case(record, right()))["F-U1HIDE"] == "warning"
        assert code not in codes(case(record, right()))
        assert not {"F-U0", "F-U1", "F-U1HIDE"} & set(codes(case(record, service=f"{HOST}:443")))


@pytest.mark.parametrize("label", ["4 1 1", "255 1 1", "3 2 1", "3 1 3", "3 1 255"])
def test_numbers_that_are_not_defined(label: str) -> None:
    """Undefined fields make a record unusable; alone it is an error, beside a good one a warning."""
    record = f"{label} {right().data}"
    made = case(record)
    assert (str(made.outcome), codes(made)["F-UNDEF"]) == ("encrypt", "error")
    assert codes(case(record, right()))["F-UNDEF"] == "warning"


def test_whole_things_in_dns() -> None:
    """Matching type 0 works and is advised against."""
    made = case(right("3 1 0"))
    assert (str(made.outcome), codes(made)["F-FULL"]) == ("auth", "warning")
    assert f"publish: _25._tcp.mx.example.org. 3600 IN TLSA {right()}; wait 7200 seconds" in finding(made, "F-FULL").remedy


def test_a_whole_key_of_another() -> None:
    """What does not match is not called working."""
    assert "F-FULL" not in codes(case(right("3 1 0", presented("RSA"))))


def test_sha512_alone() -> None:
    """SHA-512 without SHA-256."""
    assert codes(case(right("3 1 2")))["F-512ONLY"] == "warning"
    assert "F-512ONLY" not in codes(case(right("3 1 2"), right()))
    assert "F-AGILITY" not in codes(case(right("3 1 2"), right()))


def test_algorithms_of_different_keys() -> None:
    """The example of RFC 7671 §9: the key served is not among the strongest digests, so senders with agility hold back."""
    other = presented(days=(-2, 364))
    made = case(right(), right("3 1 2", other))
    assert (str(made.outcome), codes(made)["F-AGILITY"]) == (DEFER, "critical")
    assert "remove: _25._tcp.mx.example.org. 3600 IN TLSA 3 1 2" in finding(made, "F-AGILITY").remedy
    coming = case(right(), right(chain=other), right("3 1 2"))  # breaks at the swap
    assert (str(coming.outcome), codes(coming)["F-AGILITY"]) == ("auth", "error")
    weak = case(right("3 1 2"), right(chain=other))
    assert (str(weak.outcome), codes(weak)["F-AGILITY"]) == ("auth", "error")
    assert f"publish: _25._tcp.mx.example.org. 3600 IN TLSA {right()}" in finding(weak, "F-AGILITY").remedy


def test_algorithms_where_nothing_matches_anyway() -> None:
    """F-AGILITY does not speak beside a key that changed; of two kinds only that of the key presented is critical."""
    old, older = (hashed(data, params) for data, params in ((b"old", "3 1 1"), (b"older", "3 1 1")))
    assert "F-AGILITY" not in codes(case(old, older, hashed(b"old", "3 1 2")))
    others = (hashed(b"x", "2 1 1"), hashed(b"y", "2 1 1"), hashed(b"x", "2 1 2"))
    made = case(right(), hashed(b"old", "3 1 2"), *others)
    assert sorted(str(one.severity) for one in examine(made) if one.code == "F-AGILITY") == ["critical", "error"]


def test_whole_certificate_and_a_program_that_renews() -> None:
    """3 0 1 breaks at the next renewal, of which the day is told; with 3 1 1 beside it survives."""
    chain = presented(days=(-30, 60))
    made = case(right("3 0 1", chain), chains=(chain,), now=_now())
    assert codes(made)["F-30ACME"] == "error"
    assert "when the certificate is renewed: about 20" in finding(made, "F-30ACME").message
    assert codes(case(right("3 0 1", chain), right(chain=chain), chains=(chain,)))["F-30ACME"] == "warning"
    own = self_signed()
    assert "F-30ACME" not in codes(case(right("3 0 1", own), chains=(own,)))
    assert "F-30ACME" not in codes(case(right("3 0 1")))  # a year: somebody renews it by hand
    assert "F-30ACME" in codes(case(right("3 0 1"), household=household(origin="certbot")))
    assert "F-30ACME" not in codes(case(right(chain=chain), chains=(chain,)))


def self_signed() -> tuple[bytes, ...]:
    key, name = pki.new_key(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    return (pki._sign(HOST, key, name, key, extensions=[], days=(-1, 60)).public_bytes(pki.DER),)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def test_a_kind_without_match() -> None:
    """RFC 7671 §8: 3 1 1 of another key beside a 2 1 1 that matches."""
    made = case(hashed(b"old"), right("2 1 1", place=1), now=_now())
    assert (str(made.outcome), codes(made)["F-COMBO"]) == ("auth", "warning")
    assert f"publish: _25._tcp.mx.example.org. 3600 IN TLSA {right()}; or remove" in finding(made, "F-COMBO").remedy
    assert "F-COMBO" not in codes(case(right(), right("2 1 1", place=1)))
    assert "F-COMBO" not in codes(case(right(), hashed(spki(), "3 0 1")))  # F-SEL10 explains it
    own = self_signed()
    assert "F-COMBO" not in codes(case(hashed(b"old"), right("2 1 1", own), chains=(own,)))  # senders refuse it: F-EEASCA


# Numbers of records


def test_one_thing_in_several_forms() -> None:
    """One certificate under two labels, and one digest under two labels, are told as notices."""
    assert codes(case(right(), right("3 0 1")))["F-DUP"] == "notice"
    assert codes(case(right(), f"2 1 1 {right().data}"))["F-DUP"] == "notice"
    assert "F-DUP" not in codes(case(right(), right("3 1 2")))
    assert f"keep: _25._tcp.mx.example.org. 3600 IN TLSA {right()}" in finding(case(right(), right("3 0 1")), "F-DUP").remedy


@pytest.mark.parametrize(("number", "severity"), [(8, None), (9, "warning"), (12, "warning"), (13, "error")])
def test_many_records(number: int, severity: str | None) -> None:
    """More than eight are many, more than twelve too many."""
    made = case(right(), *(hashed(bytes([n])) for n in range(number - 1)))
    assert codes(made).get("F-MANY") == severity


def test_one_record() -> None:
    """One record is how it should be between rollovers; two are better."""
    assert codes(case(right()))["F-SINGLE"] == "notice"
    assert "F-SINGLE" not in codes(case(right(), hashed(b"next")))
    assert "F-SINGLE" not in codes(case(hashed(b"old")))


def test_leftovers() -> None:
    """A next key and a standby key may be published; more for one that is presented are left over, unless others share them."""
    x, y, z = (hashed(data) for data in (b"x", b"y", b"z"))
    assert codes(case(right(), x)).get("F-LEFTOVER") is None
    assert codes(case(right(), x, y))["F-LEFTOVER"] == "notice"
    assert codes(case(right(), x, y, z))["F-LEFTOVER"] == "warning"
    both = (presented(), presented("RSA"))
    assert codes(case(*(right(chain=one) for one in both), x, y, chains=both)).get("F-LEFTOVER") is None
    assert codes(case(right(), x, y, z, target="tlsa.example.org."))["F-LEFTOVER"] == "notice"
    quick = case(right(), x, y, z, clients=("any",))  # of another kind of key, perhaps
    assert codes(quick).get("F-LEFTOVER") is None


# Keys


def test_short_keys() -> None:
    """RSA of 1024 bits."""
    weak = presented("RSA", 1024)
    assert codes(case(right(chain=weak), chains=(weak,)))["F-WEAKKEY"] == "error"
    assert "F-WEAKKEY" not in codes(case(right(chain=presented("RSA")), chains=(presented("RSA"),)))


@pytest.mark.parametrize(
    ("other", "severity"), [("www.example.org:443", "warning"), (f"{HOST}:443", "notice"), ("mx2.example.org:25", None)]
)
def test_one_key_for_two_services(other: str, severity: str | None) -> None:
    """Mail and web are not the same; two mail servers are; on one host it is a notice."""
    mail, second = case(right()), case(right(), service=other)
    snapshot = replace(mail.snapshot, services={**mail.snapshot.services, **second.snapshot.services})
    both = replace(mail, route=Route((*mail.route.stops, *second.route.stops)), snapshot=snapshot)
    assert codes(both).get("F-KEYREUSE") == severity


def test_old_keys() -> None:
    """A certificate that began three years ago."""
    old = presented(days=(-1100, 364))
    assert codes(case(right(chain=old), chains=(old,), now=_now()))["F-OLDKEY"] == "notice"
    assert "F-OLDKEY" not in codes(case(right(), now=_now()))


def test_every_fault_has_all_its_texts() -> None:
    """Whole sentences, and no code twice."""
    for fault in faults().values():
        assert fault.title, fault.code
        assert not fault.title.endswith("."), fault.code
        for text in (fault.story, fault.consequence, fault.remedy):
            assert text[:1].isupper(), (fault.code, text)
        assert fault is FAULTS[fault.code]
