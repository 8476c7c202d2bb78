"""Renewal information (RFC 9773), what a certificate replaces, and profiles: what Debian's Pebble lacks is added at the gate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issue.asked import LabProver, Notes, wish
from issue.gate import Reply, as_json, problem
from tlsa_manager import clock, keys
from tlsa_manager.errors import IssueError, IssueTemporary
from tlsa_manager.issue import ari

if TYPE_CHECKING:
    from lab.hierarchy import DnsLab

    from issue.conftest import Opens
    from issue.gate import Gate

START, END = "2025-01-02T04:00:00Z", "2025-01-03T04:00:00Z"  # RFC 9773 §4.2
EXAMPLE = {
    "suggestedWindow": {"start": START, "end": END},
    "explanationURL": "https://acme.example.com/docs/ari",
}


def certificate(serial: int, authority: bytes | None, days: float = 30) -> bytes:
    """A certificate with this serial, of the authority with this key identifier, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial)
    now = datetime.now(UTC)
    builder = builder.not_valid_before(now - timedelta(days=90)).not_valid_after(now + timedelta(days=days))
    if authority is not None:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(authority or None, None, None), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


AKI = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4")


@pytest.mark.parametrize(
    ("serial", "authority", "expected"),
    [
        (0x87654321, AKI, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"),  # RFC 9773 §4.1, the RFC's own example
        (0x07654321, AKI, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.B2VDIQ"),  # no room needed for the sign
        (1, AKI, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AQ"),
        (0x87654321, None, ""),
        (0x87654321, b"", ""),
    ],
)
def test_identity(serial: int, authority: bytes | None, expected: str) -> None:
    """A certificate is named by its authority's key and its serial as DER has it."""
    assert ari.identity(certificate(serial, authority)) == expected


@pytest.fixture
def informed(gate: Gate) -> Gate:
    """An authority with renewal information and profiles."""
    profiles = {"classic": "https://ca.example/classic", "shortlived": "https://ca.example/short"}

    def add(directory: dict[str, dict[str, object]]) -> dict[str, object]:
        meta = directory.get("meta", {}) | {"profiles": profiles}
        return directory | {"meta": meta, "renewalInfo": f"https://{gate.host}/renewal-info"}

    gate.change["/dir"] = add
    return gate


@pytest.mark.parametrize(("told", "wait"), [("21600", 21600), ("", ari.USUAL), ("0", 60), ("9999999", 86400)])
def test_window(told: str, wait: float, issuer: Opens, informed: Gate) -> None:
    """The window, the explanation and when to ask again come from the authority, within bounds; no account is needed."""
    reply = as_json(EXAMPLE)
    reply.headers |= {"Retry-After": told} if told else {}
    informed.always["/renewal-info/"] = reply
    now = clock.now()
    advice = issuer().advice(certificate(0x87654321, AKI), now)
    assert advice is not None
    assert (advice.start, advice.end) == (1735790400, 1735876800)
    assert advice.explanation == "https://acme.example.com/docs/ari"
    assert abs(advice.ask_again - now - wait) < 30
    assert [(method, path) for method, path, _ in informed.asked] == [
        ("GET", "/dir"),
        ("GET", "/renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"),
    ]


@pytest.mark.parametrize("given", [certificate(5, None), certificate(5, AKI, days=-1)], ids=["unnamed", "expired"])
def test_not_asked(given: bytes, issuer: Opens, informed: Gate) -> None:
    """Of a certificate without an authority's key, or one that has expired, nothing is asked (RFC 9773 §4.3)."""
    assert issuer().advice(given, clock.now()) is None
    assert informed.count("/renewal-info") == 0


def test_without_renewal_information(issuer: Opens, gate: Gate) -> None:
    """An authority that has no such thing says nothing; nor does one that does not know the certificate."""
    assert issuer().advice(certificate(5, AKI), clock.now()) is None
    assert gate.count("/renewal-info") == 0


@pytest.mark.parametrize("status", [400, 404, 403])
def test_unknown_certificate(status: int, issuer: Opens, informed: Gate) -> None:
    """A certificate that the authority does not know is renewed without its advice."""
    informed.always["/renewal-info/"] = problem("malformed", "not ours", status)
    assert issuer().advice(certificate(5, AKI), clock.now()) is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>"), as_json({}), as_json({"suggestedWindow": []}), as_json({"suggestedWindow": {"start": START}}),
        as_json({"suggestedWindow": {"start": END, "end": START}}), as_json({"suggestedWindow": {"start": 1, "end": 2}}),
        as_json({"suggestedWindow": {"start": START, "end": START}}), Reply(500), problem("rateLimited", "", 429),
    ],
    ids=range(9),
)  # fmt: skip
def test_no_usable_window(reply: Reply, issuer: Opens, informed: Gate) -> None:
    """An answer without a window that could be meant is as good as none for now (RFC 9773 §4.2, §4.3.3)."""
    informed.always["/renewal-info/"] = reply
    with pytest.raises(IssueTemporary):
        issuer().advice(certificate(5, AKI), clock.now())


def test_replaces(dns_lab: DnsLab, issuer: Opens, informed: Gate) -> None:
    """A renewal says which certificate it replaces, where the authority wants to know (RFC 9773 §5)."""
    wanted = wish(dns_lab.fresh_name(), replaces=certificate(0x87654321, AKI))
    assert issuer().obtain(wanted, None, Notes(), LabProver(dns_lab))
    assert informed.payloads("/order-plz")[0]["replaces"] == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_replaces_without_renewal_information(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority without ARI is told nothing of it."""
    wanted = wish(dns_lab.fresh_name(), replaces=certificate(0x87654321, AKI))
    assert issuer().obtain(wanted, None, Notes(), LabProver(dns_lab))
    assert "replaces" not in gate.payloads("/order-plz")[0]


@pytest.mark.parametrize("refusal", [problem("alreadyReplaced", "done", 409), problem("malformed", "not yours", 404), Reply(409)])
def test_replaced_already(refusal: Reply, dns_lab: DnsLab, issuer: Opens, informed: Gate) -> None:
    """That it was replaced already is no reason to have no certificate: the order is placed without saying so."""
    informed.instead["/order-plz"].append(refusal)
    diary = Notes()
    wanted = wish(dns_lab.fresh_name(), replaces=certificate(0x87654321, AKI))
    assert issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    assert ["replaces" in payload for payload in informed.payloads("/order-plz")] == [True, False]
    assert diary.words == ["ordering", "ordered"]


def test_replaces_and_a_limit(dns_lab: DnsLab, issuer: Opens, informed: Gate) -> None:
    """A rate limit is no refusal of `replaces`: it is not asked twice."""
    informed.always["/order-plz"] = problem("rateLimited", "slowly", 429)
    with pytest.raises(IssueTemporary, match="slowly"):
        issuer().obtain(wish("x.example", replaces=certificate(5, AKI)), None, Notes(), LabProver(dns_lab))
    assert informed.count("/order-plz") == 1


def test_profile(dns_lab: DnsLab, issuer: Opens, informed: Gate) -> None:
    """A profile that is offered is asked for, and written down with the order."""
    diary, host, key = Notes(), dns_lab.fresh_name(), keys.generate()
    chain = issuer(profile="shortlived").obtain(wish(host, key=key), None, diary, LabProver(dns_lab))
    assert keys.load_pair(chain, key)
    assert informed.payloads("/order-plz")[0]["profile"] == "shortlived"
    assert diary.former is not None
    assert diary.former.profile == "shortlived"


@pytest.mark.parametrize("has_profiles", [True, False])
def test_unknown_profile(has_profiles: bool, dns_lab: DnsLab, issuer: Opens, informed: Gate) -> None:  # noqa: FBT001
    """A profile that is not offered is refused before anything is asked, with those that are."""
    if not has_profiles:
        informed.change.clear()
    diary = Notes()
    with pytest.raises(IssueError, match="classic, shortlived" if has_profiles else "it offers: none"):
        issuer(profile="tlsserver").obtain(wish("x.example"), None, diary, LabProver(dns_lab))
    assert diary.entries == []
    assert informed.count("/sign-me-up") == 0
