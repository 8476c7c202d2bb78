"""Whether a public authority vouches for a chain and a name: every way in which it does not, said in words."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from tlsa_manager.errors import BadInput
from tlsa_manager.observe import pkix
from tlsa_manager.observe.pkix import Authorities

if TYPE_CHECKING:
    from pathlib import Path

HOST = "mx.example.org"
LAB = pki.authority()


@pytest.fixture
def trusting(tmp_path: Path) -> Authorities:
    """Trust the root of our own authority."""
    file = tmp_path / "root.pem"
    file.write_bytes(LAB.root.public_bytes(pki.PEM))
    return Authorities(str(file))


def der(*certificates: x509.Certificate) -> tuple[bytes, ...]:
    return tuple(one.public_bytes(pki.DER) for one in certificates)


def leaf(*names: str, **words: object) -> x509.Certificate:
    return LAB.issue(*names, key=pki.new_key(), **words)  # type: ignore[arg-type]  handed through


def by_itself(name: str) -> x509.Certificate:
    """Make a certificate that is its own issuer."""
    key, subject = pki.new_key(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return pki._sign(name, key, subject, key, extensions=[x509.SubjectAlternativeName([x509.DNSName(name)])], days=(-1, 9))


def for_clients_only(name: str) -> x509.Certificate:
    """Issue a certificate that servers may not use."""
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(LAB.certificate.subject, x509.Name([]), pki.new_key().public_key(), 77)
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
    return builder.add_extension(usage, critical=False).sign(LAB.key, hashes.SHA256())


@pytest.mark.parametrize(
    "names", [(HOST,), ("other.example", HOST), ("*.example.org",), ("MX.Example.ORG",), (f"{HOST}", "x" * 60 + ".example")]
)
def test_a_good_chain_is_vouched_for(trusting: Authorities, names: tuple[str, ...]) -> None:
    """The name may stand anywhere among the DNS names, in any case, or be covered by an asterisk for its first label."""
    assert trusting.doubt(der(leaf(*names), LAB.certificate), HOST) == ""
    assert trusting.doubt(der(leaf(*names), LAB.certificate, LAB.root), HOST) == ""


def test_the_common_name_counts_only_alone(trusting: Authorities) -> None:
    """A certificate without DNS names is for its common name; beside DNS names that is only decoration."""
    assert trusting.doubt(der(leaf(common_name=HOST), LAB.certificate), HOST) == ""
    doubt = trusting.doubt(der(leaf("other.example", common_name=HOST), LAB.certificate), HOST)
    assert doubt == f"it is not for {HOST} but for other.example"
    assert trusting.doubt(der(leaf(), LAB.certificate), HOST) == f"it names no host, so it is not for {HOST}"


@pytest.mark.parametrize("name", ["*.mx.example.org", "*.org", "m*.example.org", "*", "mx.example.org.evil.example", "*.*.org"])
def test_names_that_do_not_cover(trusting: Authorities, name: str) -> None:
    """An asterisk stands for exactly one whole label."""
    assert f"it is not for {HOST}" in trusting.doubt(der(leaf(name), LAB.certificate), HOST)


def test_why_not(trusting: Authorities) -> None:
    """Each reason names what is wrong, with its date or its name."""
    old, young = leaf(HOST, days=(-90, -1)), leaf(HOST, days=(2, 90))
    expected = {
        der(old, LAB.certificate): f"the certificate expired on {old.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
        der(young, LAB.certificate): f"valid only from {young.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on",
        der(by_itself(HOST)): "the certificate is signed by itself, not by an authority",
        der(
            leaf(HOST)
        ): "the server sends no issuer beside its certificate; 'Lab Issuer', which issued it, is not a trusted root",
        der(for_clients_only(HOST), LAB.certificate): "the certificate may not be used for servers",
        der(leaf(HOST), leaf("x.example")): "the issuer 'Lab Issuer' is neither sent nor a trusted authority",
        (): "no certificate was presented",
        (b"0\x00",): "a certificate of the chain cannot be read",
        (*der(leaf(HOST)), b"nonsense"): "a certificate of the chain cannot be read",
    }
    for certificates, words in expected.items():
        assert words in trusting.doubt(certificates, HOST)


def test_authorities_that_are_not_trusted(trusting: Authorities) -> None:
    """Another root, sent or not, is named; the same name with another key is told apart."""
    other = pki.authority("Other")
    for sent, words in (
        ((other.certificate,), "the issuer 'Other Root' is neither sent nor a trusted authority"),
        ((other.certificate, other.root), "the authority 'Other Root' is not trusted here"),
    ):
        assert trusting.doubt(der(other.issue(HOST, key=pki.new_key()), *sent), HOST) == words
    namesake = pki.Authority(LAB.root, LAB.certificate, pki.new_key())
    doubt = trusting.doubt(der(namesake.issue(HOST, key=pki.new_key()), LAB.certificate), HOST)
    assert doubt.startswith("the certificate is not signed by the issuer 'Lab Issuer' that is sent or trusted")
    stranger = x509.AuthorityKeyIdentifier(b"another key", None, None)
    issuer = x509.SubjectKeyIdentifier.from_public_key(LAB.key.public_key())
    ca = x509.BasicConstraints(ca=True, path_length=None)
    sent = pki._sign("Lab Issuer", LAB.key, LAB.root.subject, LAB.key, extensions=[ca, issuer], days=(-9, 9))
    last = pki._sign("", pki.new_key(), sent.subject, LAB.key, extensions=[stranger], days=(-9, 9))
    assert trusting.doubt(der(last, sent), HOST).startswith("the issuer 'Lab Issuer' that is sent did not issue")


def test_an_issuer_that_expired(trusting: Authorities) -> None:
    """Whose date it was is told."""
    key, root_key = pki.new_key(), pki.new_key()
    ca, name = x509.BasicConstraints(ca=True, path_length=None), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "R")])
    root = pki._sign("R", root_key, name, root_key, extensions=[ca], days=(-99, 99))
    tired = pki._sign("Tired", key, root.subject, root_key, extensions=[ca], days=(-99, -1))
    plain = pki._sign("Plain", key, root.subject, root_key, extensions=[], days=(-99, 99))
    trusting._store.add_cert(_x509(root))
    assert "the issuer 'Tired' expired on" in _issued(trusting, tired, key)
    assert _issued(trusting, plain, key).startswith("the issuer 'Plain' is ")


def _x509(certificate: x509.Certificate) -> object:
    from OpenSSL import crypto

    return crypto.X509.from_cryptography(certificate)


def _issued(trusting: Authorities, issuer: x509.Certificate, key: pki.Key) -> str:
    return trusting.doubt(der(pki.Authority(issuer, issuer, key).issue(HOST, key=pki.new_key()), issuer), HOST)


def test_all_that_is_wrong_is_told(trusting: Authorities) -> None:
    """An expired certificate for another host has two faults; names from strangers are made printable."""
    doubt = trusting.doubt(der(leaf("other.example", days=(-9, -1)), LAB.certificate), HOST)
    assert "expired on" in doubt
    assert "not for mx.example.org but for other.example" in doubt
    evil = leaf(common_name="\x1b[2J\nX-Evil: 1")
    assert trusting.doubt(der(evil, LAB.certificate), HOST).isprintable()
    many = leaf(*(f"n{number}.example" for number in range(50)))
    assert trusting.doubt(der(many, LAB.certificate), HOST).endswith("n3.example and 46 more")


def test_one_moment_counts(tmp_path: Path, trusting: Authorities) -> None:
    """A run has one moment, now or the one that is given."""
    chain = der(leaf(HOST), LAB.certificate)
    assert trusting.doubt(chain, HOST) == ""
    later, before = (
        Authorities(str(tmp_path / "root.pem"), at=datetime.now(UTC).timestamp() + days * 86400) for days in (100, -5)
    )
    assert "the certificate expired on" in later.doubt(chain, HOST)
    assert "valid only from" in before.doubt(chain, HOST)


def test_what_was_asked_is_remembered_within_bounds(trusting: Authorities, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same chain under the same name is verified once; old answers are forgotten before there are too many."""
    monkeypatch.setattr(pkix, "MAX_REMEMBERED", 3)
    asked = itertools.count()
    monkeypatch.setattr(trusting, "_examine", lambda *_: f"answer {next(asked)}")
    assert [trusting.doubt((b"a",), HOST), trusting.doubt((b"a",), HOST), trusting.doubt((b"a",), "b")] == [
        *("answer 0", "answer 0", "answer 1"),
    ]
    for number in range(9):
        trusting.doubt((b"b", bytes([number])), HOST)
    assert len(trusting._known) == 3
    assert trusting.doubt((b"a",), HOST) == "answer 11"


def test_the_system_trusts_nobody_of_ours() -> None:
    """Without a file the system's authorities are asked, which do not know the lab."""
    assert "neither sent nor a trusted authority" in Authorities().doubt(der(leaf(HOST), LAB.certificate), HOST)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Authorities that cannot be read are a mistake of the configuration, not of the servers."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    for file in (empty, tmp_path / "missing.pem"):
        with pytest.raises(BadInput, match="cannot be read as certificate authorities"):
            Authorities(str(file))


GOOD = der(leaf(HOST, common_name="x"), LAB.certificate, LAB.root)


@given(st.integers(0, 2), st.integers(0, 5000), st.integers(0, 255))
def test_any_damage_is_doubted_or_harmless(which: int, place: int, value: int) -> None:
    """A chain with one octet changed is refused in words; only what is not needed may be damaged."""
    trusting = Authorities()
    trusting._store.add_cert(_x509(LAB.root))
    damaged = list(GOOD)
    place %= len(damaged[which])
    damaged[which] = damaged[which][:place] + bytes([value]) + damaged[which][place + 1 :]
    doubt = trusting.doubt(damaged, HOST)
    assert doubt.isprintable()
    assert doubt or which == 2 or damaged == list(GOOD)


@given(st.lists(st.binary(max_size=60), max_size=4), st.text(max_size=20))
def test_any_bytes_are_doubted(certificates: list[bytes], host: str) -> None:
    """Whatever is no certificate is vouched for by nobody."""
    assert Authorities().doubt(tuple(certificates), host)
