from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import time
from functools import cache
from typing import TYPE_CHECKING

import pki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tlsa_manager import der, keys
from tlsa_manager.errors import BadInput
from tlsa_manager.policy import KEY_TYPES
from tlsa_manager.tlsa import Params

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["ECDSA", "RSA", "Ed25519", "Ed448"]


def openssl(*words: str, data: bytes) -> bytes:
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("kind", KINDS)
def test_digests_are_those_of_openssl(kind: str) -> None:
    """The four digests of a leaf are what openssl computes from the certificate, and from the key."""
    chain, key = pki.pair(kind=kind)
    pair = keys.load_pair(chain, key)
    from_key = openssl("pkey", "-pubout", "-outform", "DER", data=key)
    from_certificate = openssl("pkey", "-pubin", "-outform", "DER", data=openssl("x509", "-noout", "-pubkey", data=chain))
    whole = openssl("x509", "-outform", "DER", data=chain)
    assert from_key == from_certificate
    assert pair.chain.leaf.spki_sha256 == hashlib.sha256(from_key).hexdigest()
    assert pair.chain.leaf.spki_sha512 == hashlib.sha512(from_key).hexdigest()
    assert pair.chain.leaf.certificate_sha256 == hashlib.sha256(whole).hexdigest()
    assert pair.chain.leaf.certificate_sha512 == hashlib.sha512(whole).hexdigest()
    assert pair.chain.kind == kind
    assert len(pair.chain.certificates) == 2
    assert str(next(iter(pair.chain.records()))) == f"3 1 1 {hashlib.sha256(from_key).hexdigest()}"


def test_a_pair_tells_names_and_dates_and_hides_the_key() -> None:
    """A pair knows its names and dates; its repr shows nothing of the key; the normal form is stable."""
    chain, key = pki.pair("mx.example.org", "mail.example.org")
    pair = keys.load_pair(chain, key)
    assert pair.names == ("mx.example.org", "mail.example.org")
    assert pair.not_before < time.time() < pair.not_after == pair.chain.not_after
    body = key.split(b"\n")[1].decode()
    assert body not in repr(pair)
    assert "PRIVATE" not in repr(pair)
    assert pair.combined.startswith(b"-----BEGIN PRIVATE KEY-----")
    again = keys.split_combined(pair.combined)
    assert again == pair
    assert again.combined == pair.combined


def test_text_around_line_ends_and_old_forms_do_not_matter() -> None:
    """Windows line ends, comments, EC PARAMETERS and traditional key forms give the same pair."""
    key = pki.new_key()
    chain = pki.authority().chain("mx.example.org", key=key)
    plain = keys.load_pair(chain, pki.key_pem(key))
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    old = parameters + pki.key_pem(key, form="TraditionalOpenSSL")
    assert keys.load_pair(b"subject=/CN=x\n" + chain.replace(b"\n", b"\r\n"), old) == plain
    der_key = key.private_bytes(pki.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert keys.load_pair(chain, der_key) == plain


def chain_and_key() -> tuple[bytes, bytes]:
    return pki.pair()


def leaf_not_first() -> tuple[bytes, bytes]:
    key = pki.new_key()
    leaf = pki.authority().issue("mx.example.org", key=key)
    return pki.authority().certificate.public_bytes(pki.PEM) + leaf.public_bytes(pki.PEM), pki.key_pem(key)


def unrelated_issuer() -> tuple[bytes, bytes]:
    chain, key = chain_and_key()
    return chain + pki.authority("Other").certificate.public_bytes(pki.PEM), key


def same_name_other_issuer() -> tuple[bytes, bytes]:
    key = pki.new_key()
    impostor = pki.authority.__wrapped__("Lab")
    leaf = pki.authority().issue("mx.example.org", key=key)
    return leaf.public_bytes(pki.PEM) + impostor.certificate.public_bytes(pki.PEM), pki.key_pem(key)


def twice() -> tuple[bytes, bytes]:
    chain, key = chain_and_key()
    return chain + pki.authority().certificate.public_bytes(pki.PEM), key


def weak_rsa() -> tuple[bytes, bytes]:
    key = pki.new_key("RSA", bits=1024)
    return pki.authority().chain("mx.example.org", key=key), pki.key_pem(key)


def weak_curve() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP224R1())
    return pki.authority().chain("mx.example.org", key=key), pki.key_pem(key)


def encrypted(form: str) -> tuple[bytes, bytes]:
    key = pki.new_key()
    return pki.authority().chain("mx.example.org", key=key), pki.key_pem(key, b"secret", form)


def encrypted_der() -> tuple[bytes, bytes]:
    key = pki.new_key()
    guard = serialization.BestAvailableEncryption(b"secret")
    return pki.authority().chain("a.example", key=key), key.private_bytes(pki.DER, serialization.PrivateFormat.PKCS8, guard)


BAD_PAIRS = {
    "the key of another certificate": (lambda: (chain_and_key()[0], chain_and_key()[1]), "do not belong together"),
    "leaf not first": (leaf_not_first, "certificate 2 of the chain, so the server's own"),
    "an unrelated issuer": (unrelated_issuer, "certificate 3 of the chain did not issue certificate 2"),
    "an issuer of the same name": (same_name_other_issuer, "certificate 2 of the chain did not issue certificate 1"),
    "a duplicate": (twice, "certificate 3 of the chain stands in it twice"),
    "RSA 1024": (weak_rsa, "1024 bits"),
    "a weak curve": (weak_curve, "secp224r1"),
    "an encrypted key, PKCS 8": (lambda: encrypted("PKCS8"), "encrypted with a passphrase"),
    "an encrypted key, old form": (lambda: encrypted("TraditionalOpenSSL"), "encrypted with a passphrase"),
    "an encrypted key, DER": (encrypted_der, "encrypted with a passphrase"),
    "an empty key": (lambda: (chain_and_key()[0], b" \n"), "is empty"),
    "an empty chain": (lambda: (b"", chain_and_key()[1]), "is empty"),
    "garbage for a key": (lambda: (chain_and_key()[0], b"\x00garbage" * 9), "cannot be read"),
    "garbage for a chain": (lambda: (b"\x30garbage" * 9, chain_and_key()[1]), "not a certificate in DER"),
    "a huge key": (lambda: (chain_and_key()[0], b"x" * (2 << 20)), "larger than"),
    "a huge chain": (lambda: (b"x" * (2 << 20), chain_and_key()[1]), "larger than"),
    "two keys": (lambda: (chain_and_key()[0], chain_and_key()[1] * 2), "2 private keys"),
    "a certificate for a key": (lambda: (chain_and_key()[0],) * 2, "no private key"),
    "a key for a chain": (lambda: (chain_and_key()[1],) * 2, "no certificate"),
    "a truncated chain": (lambda: (chain_and_key()[0][:-40], chain_and_key()[1]), "cut off"),
    "a truncated key": (lambda: (chain_and_key()[0], chain_and_key()[1][:-40]), "cut off"),
    "a chain cut inside": (lambda: (chain_and_key()[0].replace(b"\n", b"\n!", 4), chain_and_key()[1]), "not base64"),
    "a block that ends as another": (
        lambda: (chain_and_key()[0].replace(b"END CERTIFICATE", b"END PUBLIC KEY", 1), chain_and_key()[1]),
        "ends as something else",
    ),
    "fifty certificates": (lambda: (chain_and_key()[0] * 25, chain_and_key()[1]), "50 certificates"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_a_bad_pair_is_refused_in_words(case: str) -> None:
    """Each bad pair is refused with its own sentence, a hint, and nothing of the key."""
    make, words = BAD_PAIRS[case]
    chain, key = make()
    with pytest.raises(BadInput, match=words) as caught:
        keys.load_pair(chain, key)
    assert caught.value.hint
    for line in key.splitlines()[1:-1]:
        assert line.decode("latin-1").strip() not in caught.value.message + caught.value.hint or len(line) < 8


def test_a_private_key_whose_private_half_is_another_s_is_refused() -> None:
    """A key file that claims the certificate's public key, but holds another secret, is no key for it."""
    form = (pki.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    real, other = pki.new_key(), pki.new_key()
    assert isinstance(real, ec.EllipticCurvePrivateKey)
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    secrets = [one.private_numbers().private_value.to_bytes(32) for one in (real, other)]
    forged = real.private_bytes(*form).replace(*secrets)
    with pytest.raises(BadInput, match="damaged"):
        keys.load_pair(pki.authority().chain("mx.example.org", key=real), forged)
    strong = pki.new_key("RSA")
    assert isinstance(strong, rsa.RSAPrivateKey)
    exponent = strong.private_numbers().d.to_bytes(256)
    forged = strong.private_bytes(*form).replace(exponent[-128:], bytes(127) + b"\1")
    assert forged != strong.private_bytes(*form)
    with pytest.raises(BadInput, match="damaged"):
        keys.load_pair(pki.authority().chain("mx.example.org", key=strong), forged)


def number(value: int) -> bytes:
    """An INTEGER, DER."""
    content = value.to_bytes(value.bit_length() // 8 + 1)
    return b"\x02" + length(content) + content


def length(content: bytes) -> bytes:
    """Its length, DER."""
    octets = len(content).to_bytes(2)
    return octets[1:] if len(content) < 128 else b"\x82" + octets


def rsa_key(modulus: int, *primes: int) -> bytes:
    """An RSA key of these numbers, DER, of the traditional form; whether they fit together is another matter."""
    content = b"".join(number(one) for one in (0, modulus, 65537, 3, *primes, 1, 1, 1))
    return b"\x30" + length(content) + content


def in_pkcs8(key: bytes) -> bytes:
    """The same key in the form of today."""
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    content = number(0) + algorithm + b"\x04" + length(key) + key
    return b"\x30" + length(content) + content


LONG_KEYS = {
    "a long modulus": rsa_key(1 << 8192, 3, 5),
    "a long prime beside a short modulus": rsa_key(35, (1 << 11213) - 1, 5),
    "both primes long": rsa_key(1 << 8191, (1 << 4423) - 1, (1 << 4423) - 1),
    "many bytes": rsa_key(1 << 44909, 3, 5),
}


@pytest.mark.parametrize("case", LONG_KEYS)
@pytest.mark.parametrize("form", ["traditional", "PKCS8"])
def test_a_key_that_would_take_minutes_never_reaches_the_library(case: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library proves primes, which for a file of some kilobytes may take longer than the pause of the timer."""
    monkeypatch.setattr(serialization, "load_der_private_key", lambda *_: pytest.fail("the library was asked"))
    content = LONG_KEYS[case] if form == "traditional" else in_pkcs8(LONG_KEYS[case])
    text = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(content) + b"-----END PRIVATE KEY-----\n"
    for reader in (keys.read_any, lambda data: keys.load_pair(chain_and_key()[0], data)):
        with pytest.raises(BadInput, match="larger than RSA of 8192 bits"):
            reader(text)
    with pytest.raises(BadInput):
        keys.read_any(content)


def test_the_numbers_of_a_key_are_told_without_the_library() -> None:
    """Of RSA in both forms; keys of other kinds have none of that name."""
    for form in (serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8):
        key = pki.new_key("RSA")
        sizes = der.rsa_sizes(key.private_bytes(pki.DER, form, serialization.NoEncryption()))
        assert sizes[1:3] == (2048, 17)
        assert sizes[4:6] == (1024, 1024)
    for kind in ("ECDSA", "Ed25519", "Ed448"):
        secret = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        assert der.rsa_sizes(pki.new_key(kind).private_bytes(pki.DER, *secret)) == ()


def test_a_key_of_diffie_hellman_is_refused_in_words() -> None:
    """The library ends on it with an error of its own."""
    group = number((1 << 23209) - 1) + number(2)
    algorithm = bytes.fromhex("06092a864886f70d010301") + b"\x30" + length(group) + group
    content = number(0) + b"\x30" + length(algorithm) + algorithm + b"\x04\x03" + number(5)
    with pytest.raises(BadInput, match="of a kind that"):
        keys.load_pair(chain_and_key()[0], b"\x30" + length(content) + content)


def test_a_curve_that_is_not_named_is_told(tmp_path: Path) -> None:
    """Key and certificate do belong together; but no sender takes such a curve (RFC 5480 §2.1.1)."""
    made = tmp_path / "key.pem"
    made.write_bytes(openssl("ecparam", "-name", "prime256v1", "-genkey", "-param_enc", "explicit", "-noout", data=b""))
    chain = openssl("req", "-x509", "-new", "-key", str(made), "-subj", "/CN=mx.example.org", data=b"")
    with pytest.raises(BadInput, match="spells out the numbers of its curve") as told:
        keys.load_pair(chain, made.read_bytes())
    assert "-param_enc" in told.value.hint


def test_an_expired_certificate_is_told_not_judged() -> None:
    """Expiry is an attribute: DANE-EE ignores it (RFC 7671 §5.1), and the caller decides."""
    key = pki.new_key()
    pair = keys.load_pair(pki.authority().chain("mx.example.org", key=key, days=(-9, -1)), pki.key_pem(key))
    assert pair.not_after < time.time()


def test_the_common_name_counts_only_without_dns_names() -> None:
    """The subject's common name is a name only where there is no DNS name (RFC 7672 §3.2.3)."""
    key = pki.new_key()
    issuer = pki.authority()
    both = keys.read_chain(issuer.chain("mx.example.org", key=key, common_name="cn.example.org"))[1]
    only = keys.read_chain(issuer.chain(key=key, common_name="cn.example.org"))[1]
    none = keys.read_chain(issuer.chain(key=key))[1]
    assert (both.names, only.names, none.names) == (("mx.example.org",), ("cn.example.org",), ())


@pytest.mark.parametrize(
    ("name", "host", "covers"),
    [
        ("mx.example.org", "mx.example.org", True),
        ("MX.example.org", "mx.Example.org.", True),
        ("*.example.org", "mx.example.org", True),
        ("*.example.org", "a.mx.example.org", False),
        ("*.example.org", "example.org", False),
        ("mx*.example.org", "mx1.example.org", False),
        ("*", "localhost", False),
        ("", "", False),
        ("example.org", "mx.example.org", False),
    ],
)
def test_a_wildcard_is_one_whole_label(name: str, host: str, covers: bool) -> None:  # noqa: FBT001  a table
    """`*.x` covers one label, and nothing else is a wildcard."""
    assert keys.names_cover([name], host) is covers


def materials() -> dict[str, tuple[bytes, str]]:
    key = pki.new_key()
    chain = pki.authority().chain("mx.example.org", key=key)
    leaf = x509.load_pem_x509_certificate(chain)
    public = key.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    secret = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "certificate PEM": (leaf.public_bytes(pki.PEM), "certificate"),
        "certificate DER": (leaf.public_bytes(pki.DER), "certificate"),
        "chain": (chain, "chain"),
        "private key PEM": (pki.key_pem(key), "private key"),
        "private key DER": (key.private_bytes(pki.DER, *secret), "private key"),
        "public key PEM": (public.public_bytes(pki.PEM, spki), "public key"),
        "public key DER": (public.public_bytes(pki.DER, spki), "public key"),
        "request PEM": (request.public_bytes(pki.PEM), "certificate request"),
        "request DER": (request.public_bytes(pki.DER), "certificate request"),
        "combined": (pki.key_pem(key) + chain, "key and chain"),
        "combined, chain first": (chain + pki.key_pem(key), "key and chain"),
    }


def test_every_kind_of_file_gives_the_same_public_key() -> None:
    """Certificate, chain, private key, public key and request, PEM and DER, all give one and the same digest."""
    found = {}
    for name, (data, what) in materials().items():
        material = keys.read_any(data)
        assert material.what == what, name
        assert material.kind == "ECDSA"
        found[name] = material.spki
        assert bool(material.certificates) == (what in {"certificate", "chain", "key and chain"})
    assert len(set(found.values())) == 1


def test_what_is_none_of_these_is_refused() -> None:
    """A parameter file, random bytes, an encrypted key and a damaged public key are told apart."""
    key = pki.new_key()
    guard = serialization.BestAvailableEncryption(b"x")
    bad = {
        b"-----BEGIN DH PARAMETERS-----\nMAMC\n-----END DH PARAMETERS-----\n": "it has: DH PARAMETERS",
        b"hello, world": "is no certificate",
        b"": "is empty",
        pki.key_pem(key, b"x"): "encrypted",
        key.private_bytes(pki.DER, serialization.PrivateFormat.PKCS8, guard): "encrypted",
        b"-----BEGIN PUBLIC KEY-----\nMAMC\n-----END PUBLIC KEY-----\n": "public key cannot be read",
        b"-----BEGIN CERTIFICATE REQUEST-----\nMAMC\n-----END CERTIFICATE REQUEST-----\n": "request cannot be read",
        b"-----BEGIN A\x1b[31m-----\nMAMC\n-----END A\x1b[31m-----\n": r"it has: A\?\[31m",
    }
    for data, words in bad.items():
        with pytest.raises(BadInput, match=words):
            keys.read_any(data)


def test_a_quarter_million_open_blocks_do_not_take_long() -> None:
    """Hostile text is read in one pass: the time is bounded by the size, not by its square."""
    data = (b"-----BEGIN X-----\n-----END X-----\n" * 20_000)[: (1 << 20) - 1]
    with pytest.raises(BadInput):
        keys.read_any(data)


@given(st.binary(max_size=300))
def test_no_bytes_make_anything_but_bad_input(data: bytes) -> None:
    """Whatever the bytes, the readers return a value or raise BadInput; nothing else comes out."""
    for reader in (keys.read_any, keys.read_chain, keys.split_combined, der.certificate_spki, der.request_spki):
        try:
            reader(data)
        except BadInput:
            continue


@given(st.data())
def test_a_flipped_byte_is_never_a_crash(data: st.DataObject) -> None:
    """Certificate, request, key with one wrong byte: read or refused, and the digest is of the bytes as they stand."""
    content = bytearray(data.draw(st.sampled_from(ders())))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for reader in (keys.read_any, keys.read_chain):
        try:
            reader(bytes(content))
        except BadInput:
            continue
    try:
        chain = keys.chain_of([bytes(content)])
    except BadInput:
        return
    assert chain.fingerprint == hashlib.sha256(content).hexdigest()


@cache
def ders() -> list[bytes]:
    return [data for name, (data, _) in materials().items() if name.endswith("DER")]


@pytest.mark.parametrize(("key_type", "kind"), sorted(KEY_TYPES.items()))
def test_generated_keys_are_usable(key_type: str, kind: str) -> None:
    """A generated key makes a pair with a certificate on it, is of the type asked for, and says so."""
    text = keys.generate(key_type)
    key = serialization.load_pem_private_key(text, None)
    half = keys.public_half(text, "id")
    assert (half.id, half.kind, half.type) == ("id", kind, key_type)
    assert key_type.endswith(str(key.key_size))
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    pair = keys.load_pair(pki.authority().chain("mx.example.org", key=key), text)
    assert pair.chain.kind == kind
    assert keys.read_any(text).spki == keys.read_any(pair.chain_pem).spki
    assert half.spki_sha256 == pair.chain.leaf.spki_sha256
    assert half.spki_sha512 == pair.chain.leaf.spki_sha512


@pytest.mark.parametrize("key_type", ["DSA", "ECDSA", "rsa-1024", "", "ecdsa-p256\n"])
def test_other_types_of_key_are_not_made(key_type: str) -> None:
    """The message says which are."""
    with pytest.raises(BadInput, match="not a type of key") as told:
        keys.generate(key_type)
    assert "rsa-3072" in told.value.hint


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_a_request_is_what_openssl_takes(key_type: str) -> None:
    """A certificate request names the hosts, wildcards included, is signed with the key, and is of the key's digest."""
    text = keys.generate(key_type)
    request = keys.request(text, ("mx.example.org", "*.example.org"))
    words = openssl("req", "-noout", "-text", "-verify", data=request).decode()
    assert "DNS:mx.example.org, DNS:*.example.org" in words
    assert re.search(r"Subject: CN ?= ?mx.example.org\n", words)
    long = openssl("req", "-noout", "-text", "-verify", data=keys.request(text, ("m" * 61 + ".org",))).decode()
    assert re.search(r"Subject: *\n", long)
    made = keys.read_any(request)
    assert made.what == "certificate request"
    assert hashlib.sha256(made.spki).hexdigest() == keys.public_half(text, "").spki_sha256


def test_a_chain_of_the_wire_is_taken_as_it_comes() -> None:
    """What a server presents is measured, not judged: the order stays, and an issuer can be matched by usage 2."""
    key = pki.new_key()
    issuer = pki.authority()
    leaf = issuer.issue("mx.example.org", key=key)
    wire = [one.public_bytes(pki.DER) for one in (leaf, issuer.root, issuer.certificate)]
    chain = keys.chain_of(wire)
    assert [one.certificate_sha256 for one in chain.certificates] == [hashlib.sha256(one).hexdigest() for one in wire]
    assert chain.matches(chain.certificates[2].record(Params(2, 0, 1)))


def test_openssl_cuts_the_same_bytes_for_a_key_of_a_form_that_libraries_rewrite(tmp_path: Path) -> None:
    """An RSA-PSS key is written anew as plain RSA by the library; the digest is of what stands in the certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["-subj", "/CN=pss", "-newkey", "rsa-pss", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *words], check=True, capture_output=True)
    spki = openssl("pkey", "-pubin", "-outform", "DER", data=openssl("x509", "-noout", "-pubkey", data=certificate.read_bytes()))
    assert keys.read_chain(certificate.read_bytes())[0].leaf.spki_sha256 == hashlib.sha256(spki).hexdigest()
    with pytest.raises(BadInput):
        keys.load_pair(certificate.read_bytes(), key.read_bytes())


@pytest.mark.parametrize(("key_type", "kind"), [("ecdsa-p256", "ECDSA"), ("rsa-2048", "RSA")])
def test_a_key_signs_its_own_certificate(key_type: str, kind: str) -> None:
    """The pair is checked like any other, names the hosts, has the key that was given, and says that it is its own issuer."""
    text = keys.generate(key_type)
    first, second = (keys.self_signed(("mx.example.org", "mail.example.org"), text) for _ in range(2))
    assert first.chain.kind == kind
    assert set(first.names) == {"mx.example.org", "mail.example.org"}
    assert first.chain.leaf.spki_sha256 == second.chain.leaf.spki_sha256 == keys.public_half(text, "").spki_sha256
    assert first.chain.fingerprint != second.chain.fingerprint
    assert first.signed_by_itself
    assert not keys.load_pair(*pki.pair("mx.example.org")).signed_by_itself
    assert first.not_before < first.not_after


@pytest.mark.parametrize(("form", "size"), [("traditional", 1), ("traditional", -1), ("pkcs8", 1)])
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda one: one.name)
def test_a_number_with_an_octet_too_many_is_read(form: str, size: int, curve: ec.EllipticCurve) -> None:
    """GnuTLS, and so uacme, writes a zero before every number that begins with a set bit; others leave out a leading zero."""
    length = curve.key_size // 8
    number = 2 ** (8 * length - 9) + 12345 if size < 0 else 2 ** (8 * length - 2) + 12345
    key = ec.derive_private_key(number, curve)
    forms = serialization.PrivateFormat
    shape = forms.TraditionalOpenSSL if form == "traditional" else forms.PKCS8
    content = key.private_bytes(serialization.Encoding.DER, shape, serialization.NoEncryption())
    octets = number.to_bytes(length)
    odd = b"\x00" + octets if size > 0 else octets.lstrip(b"\x00")
    told = keys.public_half(der_grown(content, octets, odd), "some")

    assert told.spki_sha256 == keys.public_half(content, "some").spki_sha256
    with pytest.raises(BadInput, match="damaged"):
        keys.public_half(der_grown(content, octets, b"\x00" + (number + 1).to_bytes(length)), "another number, the same point")


def der_grown(content: bytes, octets: bytes, odd: bytes) -> bytes:
    """Put other octets into an OCTET STRING of DER, and mend every length around it."""

    def tagged(tag: int, inner: bytes) -> bytes:
        size = len(inner)
        return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x81, size])) + inner

    def walk(data: bytes) -> bytes:
        made = b""
        while data:
            tag, size, head = data[0], data[1], 2
            if size & 0x80:
                head = 2 + (size & 0x7F)
                size = int.from_bytes(data[2:head])
            inner, data = data[head : head + size], data[head + size :]
            if tag == 0x30:
                inner = walk(inner)
            elif tag == 0x04:
                inner = odd if inner == octets else walk(inner)
            made += tagged(tag, inner)
        return made

    return walk(content)
