"""Why a certificate is held: each doubt in words, with who could no longer connect and what ends the hold."""

from __future__ import annotations

from dataclasses import replace

import pki
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlsa_manager import clock, keys
from tlsa_manager.lineage import Generation, Lineage
from tlsa_manager.policy import KeyPolicy
from tlsa_manager.rollover import events as ev
from tlsa_manager.rollover.facts import Facts, apply
from tlsa_manager.service import Service
from tlsa_manager.tlsa import Params
from tlsa_manager.verbs.doubts import Doubts, doubts

NAME = "mx.example.org"
LINEAGE = Lineage(NAME, (Service(NAME, 25, "smtp"),), "dns", ("postfix",))
RSA, ECDSA = (keys.generate(one) for one in ("rsa-2048", "ecdsa-p256"))


def certified(key: bytes, *hosts: str) -> keys.Pair:
    """A pair whose certificate an authority made."""
    return keys.load_pair(pki.authority().chain(*(hosts or (NAME,)), key=load_pem_private_key(key, None)), key)  # type: ignore[arg-type]


def with_current(key: bytes) -> Facts:
    """The facts of a lineage with a certificate in service."""
    pair = certified(key)
    return apply(Facts(NAME), ev.Adopted(Generation("a", pair.chain, pair.names)), 1.0)


def asked(lineage: Lineage, pair: keys.Pair, facts: Facts | None = None) -> Doubts:
    """The doubts about a pair now."""
    return doubts(lineage, facts or Facts(NAME), pair, clock.now())


@pytest.mark.parametrize("key", [RSA, ECDSA])
def test_the_same_kind_and_all_names_leave_no_doubt(key: bytes) -> None:
    """Another key of the same kind is what renewals bring."""
    found = asked(LINEAGE, certified(keys.generate() if key is ECDSA else key), with_current(key))
    assert (found, found.hold, found.remedy(NAME)) == (Doubts(), "", "")


@pytest.mark.parametrize(("former", "new", "lost"), [(RSA, ECDSA, "ECDHE-RSA"), (ECDSA, RSA, "ECDHE-ECDSA")])
def test_another_kind_of_key_is_explained(former: bytes, new: bytes, lost: str) -> None:
    """Story 2: who could no longer connect, what they then do, and the two ways out."""
    found = asked(LINEAGE, certified(new), with_current(former))
    kind = keys.public_half(new, "").kind
    assert found.accept == kind
    assert f"offer only {lost} suites with TLS 1.2" in found.hold
    assert "defer" in found.hold
    assert "in clear text" in found.hold
    remedy = found.remedy(NAME)
    assert "second lineage with the same services" in remedy
    assert remedy.endswith(f"if only {kind} is intended: tlsa-manager rollover start {NAME} --accept-key-type")


def test_a_policy_accepts_another_kind_in_advance() -> None:
    """Then there is nothing to ask; the other direction is another decision."""
    lineage = replace(LINEAGE, keys=KeyPolicy(accept=("ECDSA",)))
    assert not asked(lineage, certified(ECDSA), with_current(RSA)).reasons
    assert asked(lineage, certified(RSA), with_current(ECDSA)).accept == "RSA"


def test_a_name_that_is_missing_is_told() -> None:
    """The hosts of the services; a word is enough to go on."""
    found = asked(LINEAGE, certified(ECDSA, "www.example.org"))
    assert f"does not name {NAME}" in found.hold
    assert (found.accept, found.remedy(NAME)) == ("", f"if that is intended: tlsa-manager rollover start {NAME}")


def test_further_names_count_where_the_certificate_is_made_for_us() -> None:
    """What somebody else brings has the names that they chose."""
    lineage = replace(LINEAGE, names=("example.org", "*.mail.example.org"))
    assert not asked(lineage, certified(ECDSA)).reasons
    ours = replace(lineage, issuer="le")
    assert "*.mail.example.org, example.org" in asked(ours, certified(ECDSA)).hold
    assert not asked(ours, certified(ECDSA, NAME, "example.org", "*.mail.example.org")).reasons


def test_a_record_of_an_issuer_needs_an_issuer() -> None:
    """2 1 1 is made of a certificate that the server sends along (RFC 7671 §5.2)."""
    lineage = replace(LINEAGE, params=(Params(3, 1, 1), Params(2, 1, 1)))
    assert not asked(lineage, certified(ECDSA)).reasons
    found = asked(lineage, keys.self_signed((NAME,), ECDSA))
    assert "params has 2 1 1, and the chain brings no issuer along" in found.hold


def test_a_certificate_signed_by_itself_is_no_doubt() -> None:
    """DANE senders want no more (RFC 7672 §3.1.1)."""
    assert not asked(replace(LINEAGE, issuer="self-signed"), keys.self_signed((NAME,), ECDSA)).reasons


@pytest.mark.parametrize(
    ("change", "words"), [({"not_after": 5.0}, "has expired"), ({"not_before": clock.now() + 9999}, "not valid yet")]
)
def test_dates_are_doubted(change: dict[str, float], words: str) -> None:
    """Other clocks may go a little before ours."""
    pair = certified(ECDSA)
    assert words in asked(LINEAGE, replace(pair, **change)).hold  # type: ignore[arg-type]
    assert not asked(LINEAGE, replace(pair, not_before=clock.now() + 100)).reasons


def test_several_doubts_are_told_together() -> None:
    """And the remedy is the stricter one."""
    found = asked(LINEAGE, certified(RSA, "www.example.org"), with_current(ECDSA))
    assert "does not name" in found.hold
    assert "kind of key" in found.hold
    assert "--accept-key-type" in found.remedy(NAME)
