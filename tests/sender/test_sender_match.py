"""Records against what is presented: usage by usage, with every way in which an anchor can fail (RFC 7671 §5, RFC 7672 §3)."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st
from papers import AT, HOST, ISSUER, PARAMS, ROOT, STOP, Paper, key_of, leaf, record, seen

from tlsa_manager.sender.match import match
from tlsa_manager.sender.names import covers
from tlsa_manager.sender.route import Stop
from tlsa_manager.service import Service
from tlsa_manager.snapshot import Outcome, Presentation
from tlsa_manager.tlsa import Params, Tlsa

LEAF = leaf().der()
CHAIN = (LEAF, ISSUER.der(), ROOT.der())
WEB = Stop(Service(HOST, 443, "tls"), HOST, names=(HOST,))
SPKIS = ("certificate", "public key")


@pytest.mark.parametrize("params", [one for one in PARAMS if one.usage == 3], ids=str)
def test_usage_3_is_the_leaf_and_nothing_else(params: Params) -> None:
    """Selectors and matching types of usage 3 match the leaf that is presented, and no issuer."""
    found = match(record(params, LEAF), seen(*CHAIN), STOP, AT)
    assert (found.matches, found.why) == (True, f"matches the leaf's {SPKIS[params.selector]}")
    for issuer in CHAIN[1:]:
        assert not match(record(params, issuer), seen(*CHAIN), STOP, AT).matches


@pytest.mark.parametrize("params", [one for one in PARAMS if one.usage == 2], ids=str)
def test_usage_2_is_an_issuer_that_is_presented(params: Params) -> None:
    """Selectors and matching types of usage 2 match intermediate and root where they are presented, and never the leaf."""
    for place in (1, 2):
        found = match(record(params, CHAIN[place]), seen(*CHAIN), STOP, AT)
        assert found.matches
        assert f"matches certificate {place + 1} of the chain (CN=" in found.why
    assert not match(record(params, LEAF), seen(*CHAIN), STOP, AT).matches
    assert "the leaf itself" in match(record(params, LEAF), seen(*CHAIN), STOP, AT).why


@pytest.mark.parametrize("params", [one for one in PARAMS if one.usage < 2], ids=str)
def test_usages_0_and_1_ask_the_public_authorities_too(params: Params) -> None:
    """The record has to match, and the authorities have to vouch; where nobody asked them it counts as told."""
    mine = record(params, CHAIN[0] if params.usage else CHAIN[1])
    assert match(mine, seen(*CHAIN, pkix=""), WEB, AT).matches
    refused = match(mine, seen(*CHAIN, pkix="the issuer is not known"), WEB, AT)
    assert not refused.matches
    assert refused.why.endswith("but the issuer is not known")
    assert not match(mine, seen(*CHAIN), WEB, AT).matches
    assert match(mine, seen(*CHAIN), WEB, AT, unexamined=True).matches
    other = record(params, CHAIN[2] if params.usage else leaf("www.example.org").der())
    assert not match(other, seen(*CHAIN[:2], pkix=""), WEB, AT).matches


def test_usage_3_knows_no_names_and_no_dates() -> None:
    """RFC 7671 §5.1: a certificate that has expired, for another name, without any issuer, matches all the same."""
    for old in (leaf("www.example.net", days=(-100, -50)), leaf(days=(50, 100)), Paper("", "Issuer", key="leaf", ca=None)):
        assert match(record("3 1 1", old.der()), seen(old.der()), STOP, AT).matches
    assert not match(record("2 1 1", ISSUER.der()), seen(leaf(days=(-100, -50)).der(), ISSUER.der()), STOP, AT).matches


@pytest.mark.parametrize(
    ("names", "wanted", "fits"),
    [
        (("mx.example.org",), ("mx.example.org",), True),
        (("MX.Example.ORG",), ("mx.example.org.",), True),
        (("example.org",), ("mx.example.org", "example.org"), True),
        (("www.example.org", "mx.example.org"), ("mx.example.org",), True),
        (("*.example.org",), ("mx.example.org",), True),
        (("*.example.org",), ("a.mx.example.org",), False),
        (("*.example.org",), ("example.org",), False),
        (("*.org",), ("example.org",), False),
        (("m*.example.org",), ("mx.example.org",), False),
        (("*mx.example.org",), ("mx.example.org",), False),
        (("mx.*.org",), ("mx.example.org",), False),
        (("*",), ("org",), False),
        (("mx.example.org\0.evil.example",), ("mx.example.org",), False),
        (("mx.example.org\0",), ("mx.example.org",), False),
        (("mx.exämple.org",), ("mx.exämple.org",), False),
        (("",), ("",), False),
        ((), ("mx.example.org",), False),
        (("mx.example.org",), (), False),
    ],
)
def test_names(names: tuple[str, ...], wanted: tuple[str, ...], fits: bool) -> None:  # noqa: FBT001
    """RFC 7672 §3.2.3: whole names, an asterisk for the whole first label only, nothing with a NUL or outside ASCII."""
    assert covers(names, wanted) is fits


@pytest.mark.parametrize(
    ("paper", "fits"),
    [
        (leaf("mx.example.org"), True),
        (leaf("www.example.org"), False),
        (leaf("*.example.org"), True),
        (Paper("mx.example.org", "Issuer", key="leaf", ca=False), True),  # no DNS-ID: the common name counts
        (Paper("mx.example.org", "Issuer", key="leaf", ca=False, names=("www.example.org",)), False),
        (Paper("", "Issuer", key="leaf", ca=False), False),
        (Paper("two", "Issuer", key="leaf", ca=False, common_names=("mx.example.org", "other.example.org")), False),
        (leaf("mx.example.org\0.evil.example"), False),
    ],
)
def test_usage_2_asks_for_the_name(paper: Paper, fits: bool) -> None:  # noqa: FBT001
    """With DANE-TA the leaf has to be for the server: SAN, or the common name where there is no DNS-ID."""
    found = match(record("2 1 1", ISSUER.der()), seen(paper.der(), ISSUER.der()), STOP, AT)
    assert found.matches is fits
    assert fits or "do not include mx.example.org" in found.why
    assert "\0" not in found.why


def test_the_mail_domain_is_a_name_too() -> None:
    """RFC 7672 §3.2.2: what the stop accepts counts, the next-hop domain with a secure MX among it."""
    chain = (leaf("example.org").der(), ISSUER.der())
    both = dataclasses.replace(STOP, names=(HOST, "example.org"))
    assert match(record("2 1 1", chain[1]), seen(*chain), both, AT).matches
    assert not match(record("2 1 1", chain[1]), seen(*chain), STOP, AT).matches


def _critical(oid: str) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.UnrecognizedExtension(ObjectIdentifier(oid), b"\x05\x00"), True),)


def _uses(*uses: ObjectIdentifier) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.ExtendedKeyUsage(uses), False),)


def _usage(**granted: bool) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    every = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
         "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return ((x509.KeyUsage(**{**every, **granted}), True),)


def _only(*subtrees: str, excluded: bool = False) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    names = [x509.DNSName(one) for one in subtrees]
    return ((x509.NameConstraints(None if excluded else names, names if excluded else None), True),)


ISSUERS = [
    (ISSUER, ""),
    (dataclasses.replace(ISSUER, days=(-100, -1)), "certificate 2 has expired on 2026-05-31 00:00 UTC"),
    (dataclasses.replace(ISSUER, days=(1, 100)), "certificate 2 is not valid before 2026-06-02"),
    (dataclasses.replace(ISSUER, ca=None), "does not say that it is a certificate authority"),
    (dataclasses.replace(ISSUER, ca=False, path_length=None), "says itself that it is no certificate authority"),
    (dataclasses.replace(ISSUER, extensions=_usage(digital_signature=True)), "may not sign certificates"),
    (dataclasses.replace(ISSUER, extensions=_usage(key_cert_sign=True)), ""),
    (dataclasses.replace(ISSUER, extensions=_uses(ExtendedKeyUsageOID.CLIENT_AUTH)), "may not be used for TLS servers"),
    (dataclasses.replace(ISSUER, extensions=_uses(ExtendedKeyUsageOID.SERVER_AUTH)), ""),
    (dataclasses.replace(ISSUER, extensions=_uses(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)), ""),
    (dataclasses.replace(ISSUER, extensions=_critical("1.2.3.4.5")), "a critical extension that nobody knows (1.2.3.4.5)"),
    (dataclasses.replace(ISSUER, extensions=_only("example.org")), ""),
    (dataclasses.replace(ISSUER, extensions=_only("example.com")), "may not issue certificates for mx.example.org"),
    (
        dataclasses.replace(ISSUER, extensions=_only("example.org", excluded=True)),
        "may not issue certificates for mx.example.org",
    ),
    (dataclasses.replace(ISSUER, extensions=_only("ample.org")), "may not issue certificates for mx.example.org"),
    (dataclasses.replace(ISSUER, issuer_key="somebody else"), ""),  # an anchor's own signature is nobody's business
    (dataclasses.replace(ISSUER, key="other key"), "no path of true signatures leads from the leaf to it"),
    (dataclasses.replace(ISSUER, name="Other", key="Issuer"), "no path of true signatures leads from the leaf to it"),
]


@pytest.mark.parametrize(("paper", "why"), ISSUERS)
def test_the_anchor_has_to_be_an_authority_in_order(paper: Paper, why: str) -> None:
    """Dates, CA flag, key usage, extended key usage, name constraints, names and signatures, each told in its own words."""
    found = match(record("2 0 1", paper.der()), seen(LEAF, paper.der()), STOP, AT)
    assert found.matches is (not why), found.why
    assert why in found.why


def test_what_stands_between_leaf_and_anchor_has_to_be_in_order_too() -> None:
    """An intermediate that has expired, or is not presented, or has too many below it, breaks the path to the root."""
    root, anchor = ROOT.der(), record("2 1 1", ROOT.der())
    assert match(anchor, seen(LEAF, ISSUER.der(), root), STOP, AT).matches
    expired = dataclasses.replace(ISSUER, days=(-100, -1)).der()
    assert "certificate 2 has expired" in match(anchor, seen(LEAF, expired, root), STOP, AT).why
    assert "no path" in match(anchor, seen(LEAF, root), STOP, AT).why
    short = dataclasses.replace(ROOT, path_length=0).der()
    found = match(record("2 1 1", short), seen(LEAF, ISSUER.der(), short), STOP, AT)
    assert "allows 0 issuers below it, and there are 1" in found.why


def test_the_order_does_not_matter_beyond_the_leaf() -> None:
    """Issuers in any order, with strangers in between, lead to the anchor; another leaf in front does not."""
    stranger = Paper("Stranger").der()
    for heap in ((ROOT.der(), ISSUER.der()), (stranger, ROOT.der(), stranger, ISSUER.der())):
        assert match(record("2 1 1", ROOT.der()), seen(LEAF, *heap), STOP, AT).matches
    assert not match(record("2 1 1", ISSUER.der()), seen(stranger, LEAF, ISSUER.der()), STOP, AT).matches


def test_cross_signed() -> None:
    """The same issuer signed by two roots: `2 1 1` takes either certificate, `2 0 1` that which is presented."""
    old, new = dataclasses.replace(ISSUER, issuer="Old Root").der(), ISSUER.der()
    assert record("2 1 1", old) == record("2 1 1", new)
    assert match(record("2 1 1", old), seen(LEAF, new), STOP, AT).matches
    assert not match(record("2 0 1", old), seen(LEAF, new), STOP, AT).matches
    heap = (LEAF, dataclasses.replace(ISSUER, issuer="Old Root", days=(-100, -1)).der(), new, ROOT.der())
    assert match(record("2 1 1", new), seen(*heap), STOP, AT).matches
    assert match(record("2 1 1", ROOT.der()), seen(*heap), STOP, AT).matches


def test_one_good_path_of_several_is_enough() -> None:
    """A renewed intermediate beside the expired one, in either order: the good path counts, and without it the reason is told."""
    expired = dataclasses.replace(ISSUER, days=(-100, -1)).der()
    for heap in ((expired, ISSUER.der()), (ISSUER.der(), expired)):
        assert match(record("2 1 1", ROOT.der()), seen(LEAF, *heap, ROOT.der()), STOP, AT).matches
    assert "has expired" in match(record("2 1 1", ROOT.der()), seen(LEAF, expired, expired, ROOT.der()), STOP, AT).why


def test_circles_and_heaps_come_to_an_end() -> None:
    """Two authorities that signed one another, and a hundred certificates of one name, take no more than a moment's work."""
    circle = [Paper("A", "B").der(), Paper("B", "A").der()]
    assert not match(record("2 1 1", ROOT.der()), seen(leaf(issuer="A").der(), *circle, ROOT.der()), STOP, AT).matches
    heap = [dataclasses.replace(ROOT, days=(-10, days)).der() for days in range(1, 100)]
    assert match(record("2 0 1", heap[3]), seen(LEAF, ISSUER.der(), *heap), STOP, AT).matches


def test_an_anchor_that_is_not_presented() -> None:
    """RFC 7671 §5.2: a digest is not enough; the whole certificate in DNS is; a whole key only for senders that try (§5.2.3)."""
    for params in ("2 0 1", "2 1 1", "2 0 2", "2 1 2"):
        found = match(record(params, ROOT.der()), seen(LEAF, ISSUER.der()), STOP, AT)
        assert (found.matches, found.lenient) == (False, False)
        assert found.why == "the anchor is not among the certificates presented"
    whole = match(record("2 0 0", ROOT.der()), seen(LEAF, ISSUER.der()), STOP, AT)
    assert whole.matches
    assert "the record has the whole anchor (CN=Root)" in whole.why
    assert not match(record("2 0 0", Paper("Other").der()), seen(LEAF, ISSUER.der()), STOP, AT).matches
    bare = match(record("2 1 0", ROOT.der()), seen(LEAF, ISSUER.der()), STOP, AT)
    assert (bare.matches, bare.lenient) == (False, True)
    assert "not presented" in bare.why
    strange = match(record("2 1 0", Paper("Other").der()), seen(LEAF, ISSUER.der()), STOP, AT)
    assert (strange.matches, strange.lenient) == (False, False)
    expired = match(record("2 1 0", ROOT.der()), seen(LEAF, dataclasses.replace(ISSUER, days=(-9, -1)).der()), STOP, AT)
    assert (expired.matches, expired.lenient) == (False, False)
    assert "has expired" in expired.why


def test_a_leaf_that_is_sent_twice_issues_nothing() -> None:
    """A certificate that signed itself is no issuer because it is presented again; one that others signed with its key is."""
    own = Paper("self", names=(HOST,)).der()
    for params in ("2 0 1", "2 1 1", "2 0 0", "2 1 0"):
        for presented in ((own,), (own, own)):
            found = match(record(params, own), seen(*presented), STOP, AT)
            assert (found.matches, found.why[:22]) == (False, "it is the leaf itself,")


def _names(*permitted: x509.GeneralName) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.NameConstraints(permitted, None), True),)


PEOPLE = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other")]))
NET, MAIL = x509.IPAddress(IPv4Network("0.0.0.0/0")), x509.RFC822Name("example.org")


@pytest.mark.parametrize(
    ("below", "constraints", "why"),
    [
        (leaf(), (PEOPLE,), "certificate 2 (CN=Issuer) constrains directory names"),
        (leaf(), (x509.DNSName("example.org"), PEOPLE), "constrains directory names"),
        (leaf(common_names=("",)), (PEOPLE,), ""),  # it has no such name
        (leaf(), (NET, MAIL), ""),
        (Paper("leaf", "Issuer", ca=False, extensions=((x509.SubjectAlternativeName([x509.DNSName(HOST), MAIL]), False),)),
         (NET, MAIL), "constrains mail addresses"),
    ],
)  # fmt: skip
def test_constraints_that_cannot_be_judged(below: Paper, constraints: tuple[x509.GeneralName, ...], why: str) -> None:
    """Name constraints of other kinds of names are no match where the certificate has such names, else they do not matter."""
    issuer = dataclasses.replace(ISSUER, extensions=_names(*constraints)).der()
    found = match(record("2 0 1", issuer), seen(below.der(), issuer), STOP, AT)
    assert found.matches is not bool(why)
    assert why in found.why


def test_constraints_hold_for_what_stands_between_too() -> None:
    """The root's constraints are about the names of the intermediate as well."""
    root = dataclasses.replace(ROOT, extensions=_names(PEOPLE)).der()
    found = match(record("2 0 1", root), seen(leaf(common_names=("",)).der(), ISSUER.der(), root), STOP, AT)
    assert "certificate 3 (CN=Root) constrains directory names" in found.why


@pytest.mark.parametrize("data", ["00", "30", "ff" * 100, "3000", ""])
def test_garbage_as_an_anchor_matches_nothing(data: str) -> None:
    """Whatever stands in a record with matching type 0, nothing is raised."""
    for selector in (0, 1):
        found = match(Tlsa(2, selector, 0, data), seen(LEAF, ISSUER.der()), STOP, AT)
        assert not found.matches
        assert found.why


def test_only_digests_known() -> None:
    """Where a chain is known by its digests alone, an issuer's digest counts, and it is said that nothing else was examined."""
    bare = dataclasses.replace(seen(*CHAIN), certificates=())
    found = match(record("2 1 1", ISSUER.der()), bare, STOP, AT)
    assert found.matches
    assert "only digests are known" in found.why
    assert not match(record("2 1 1", Paper("Other").der()), bare, STOP, AT).matches


def test_nothing_presented_and_records_with_flaws() -> None:
    """No chain, no match; a record that nobody can use matches nothing, and says why."""
    assert not match(record("3 1 1", LEAF), Presentation("192.0.2.1", "any", Outcome.NO_TLS), STOP, AT).matches
    for text in ("4 1 1 " + "ab" * 32, "3 2 1 " + "ab" * 32, "3 1 3 " + "ab" * 32, "3 1 1 " + "ab" * 31):
        flawed = Tlsa.parse(text)
        assert match(flawed, seen(*CHAIN), STOP, AT).why == flawed.flaw


@given(st.sampled_from(PARAMS), st.binary(max_size=80), st.integers(1, 3), st.booleans())
def test_any_data_gives_an_answer(params: Params, data: bytes, length: int, smtp: bool) -> None:  # noqa: FBT001
    """Any bytes in any kind of record give a verdict with a reason, and never an accident."""
    found = match(
        Tlsa(params.usage, params.selector, params.matching, data.hex()),
        seen(*CHAIN[:length], pkix=""),
        STOP if smtp else WEB,
        AT,
    )
    assert found.why
    assert not found.matches


def test_the_key_of_a_test_is_its_own() -> None:
    """The maker of certificates gives each name a key of its own: otherwise none of the tests above would prove anything."""
    assert key_of("Root").public_key() != key_of("Issuer").public_key()
