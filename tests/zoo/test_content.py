"""The zoo, first part: what can be wrong in the records themselves, from the server's certificate to the program's finding."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING

import pki
import pytest
from cli.program import Say
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_private_key

from tlsa_manager.certificates import to_pem
from zoo.zoo import absent, digest, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.zoo import Host, Zoo

_OTHER, _THIRD, _FOURTH = (digest(text) for text in (b"another key", b"a third", b"a fourth"))


def _pem_key(host: Host) -> bytes:
    return load_der_public_key(host.spki).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _point(host: Host) -> bytes:
    return load_der_public_key(host.spki).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _data(host: Host) -> str:
    return host.record().split()[-1]


def _swapped(data: str) -> str:
    return data[:20] + ("0" if data[20] != "0" else "1") + data[21:]


# What is published -> code, outcome, severity. A record of a wrong length, or whose whole data is no key, is unusable, not wrong:
# senders force TLS (encrypt).
RECORDS: dict[str, tuple[Callable[[Host], str], str, str, str]] = {
    "certificate as key": (lambda host: digest(host.certificates[0]), "F-SEL01", "defer", "critical"),
    "key as certificate": (lambda host: digest(host.spki, "3 0 1"), "F-SEL10", "defer", "critical"),
    "SHA-512 as SHA-256": (lambda host: host.record("3 1 2").replace("3 1 2", "3 1 1"), "F-MT12", "encrypt", "error"),
    "SHA-256 as the key": (lambda host: host.record().replace("3 1 1", "3 1 0"), "F-MT12", "encrypt", "error"),
    "PEM file": (lambda host: digest(to_pem(host.certificates[0])), "F-PEM", "defer", "critical"),
    "Windows": (lambda host: digest(to_pem(host.certificates[0]).replace(b"\n", b"\r\n")), "F-PEM", "defer", "critical"),
    "PEM key": (lambda host: digest(_pem_key(host)), "F-PEMKEY", "defer", "critical"),
    "base64 of the key": (lambda host: digest(b64encode(host.spki)), "F-PEMKEY", "defer", "critical"),
    "nothing": (lambda _: digest(b""), "F-EMPTY", "defer", "critical"),
    "nothing, SHA-512": (lambda _: digest(b"", "3 1 2"), "F-EMPTY", "defer", "critical"),
    "point of the curve": (lambda host: digest(_point(host)), "F-RSAKEY", "defer", "critical"),
    "SHA-1": (lambda host: f"3 0 1 {_sha1(host.certificates[0])}", "F-SHA1", "encrypt", "error"),
    "cut off": (lambda host: host.record()[:-2], "F-LEN", "encrypt", "error"),
    "a digit lost": (lambda host: f"3 1 1 {_data(host)[:1]}{_data(host)[2:]}0", "F-ODD", "defer", "critical"),
    "hex of hex": (lambda host: f"3 1 1 {_data(host).encode().hex()}", "F-B64", "encrypt", "error"),
    "base64 whole": (lambda host: f"3 1 0 {b64encode(host.spki).hex()}", "F-B64", "encrypt", "error"),
    "a digit wrong": (lambda host: f"3 1 1 {_swapped(_data(host))}", "F-TYPO", "defer", "critical"),
    "issuer as server": (lambda host: host.record("3 1 1", place=1), "F-CAASEE", "defer", "critical"),
    "server as issuer": (lambda host: host.record("2 1 1"), "F-EEASCA", "defer", "critical"),
    "usage 0": (lambda host: host.record("0 1 1", place=1), "F-U0", "encrypt", "error"),
    "usage 1": (lambda host: host.record("1 1 1"), "F-U1", "encrypt", "error"),
    "usage 4": (lambda host: host.record().replace("3 1 1", "4 1 1"), "F-UNDEF", "encrypt", "error"),
    "the whole key": (lambda host: host.record("3 1 0"), "F-FULL", "auth", "warning"),
    "SHA-512 only": (lambda host: host.record("3 1 2"), "F-512ONLY", "auth", "warning"),
}  # fmt: skip


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", RECORDS)
def test_one_wrong_record(zoo: Zoo, name: str) -> None:
    """A single record that is wrong in one way; the right one is in the remedy, as it stands in the zone file."""
    record, code, outcome, severity = RECORDS[name]
    host = zoo.mx(record)
    one = found(zoo.check(f"{host.name}:25"), code, outcome=outcome, severity=severity)
    assert f"publish: {host.owner} 3600 IN TLSA {host.record()}" in one.remedy
    assert dict(one.evidence)["published"] == record(host)


def test_the_bare_rsa_key(zoo: Zoo) -> None:
    """PKCS#1 RSAPublicKey instead of SubjectPublicKeyInfo."""
    host = zoo.host(kind="RSA")
    inner = load_der_public_key(host.spki).public_bytes(Encoding.DER, PublicFormat.PKCS1)
    found(zoo.check(f"{zoo.mx(digest(inner), host=host).name}:25"), "F-RSAKEY", outcome="defer")


# Several records -> code, outcome, severity.
SETS: dict[str, tuple[tuple[str | Callable[[Host], str], ...], str, str, str]] = {
    "usage 1 beside": (("3 1 1", "1 1 1"), "F-U1HIDE", "auth", "warning"),
    "algorithms of different keys": (("3 1 1", lambda _: digest(b"old", "3 1 2")), "F-AGILITY", "defer", "critical"),
    "next key in SHA-256 only": (("3 1 1", _OTHER, "3 1 2"), "F-AGILITY", "auth", "error"),
    "a kind of a former key": ((_OTHER, lambda host: host.record("2 1 1", place=1)), "F-COMBO", "auth", "warning"),
    "twice": (("3 1 1", "3 0 1"), "F-DUP", "auth", "notice"),
    "nine": (("3 1 1", *(digest(bytes([n])) for n in range(8))), "F-MANY", "auth", "warning"),
    "thirteen": (("3 1 1", *(digest(bytes([n])) for n in range(12))), "F-MANY", "auth", "error"),
    "one": (("3 1 1",), "F-SINGLE", "auth", "notice"),
    "left over": (("3 1 1", _OTHER, _THIRD, _FOURTH), "F-LEFTOVER", "auth", "warning"),
    "wrong beside right": ((lambda host: digest(host.certificates[0]), "3 1 1"), "F-SEL01", "auth", "warning"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_one_wrong_set(zoo: Zoo, name: str) -> None:
    """A set of records that is wrong in one way."""
    records, code, outcome, severity = SETS[name]
    host = zoo.mx(*records)
    found(zoo.check(f"{host.name}:25"), code, outcome=outcome, severity=severity)


def test_the_whole_domain_is_told(zoo: Zoo) -> None:
    """Through its MX the domain has the outcome and the finding of its host."""
    host = zoo.mx(lambda host: digest(host.certificates[0]))
    one = found(zoo.check(zoo.domain(host)), "F-SEL01", outcome="defer")
    assert one.subject == host.owner


def test_the_program_names_it(zoo: Zoo) -> None:
    """The process ends with 2 and has the finding in its JSON, with the record that mends it."""
    host = zoo.mx(lambda host: digest(host.certificates[0]))
    say = Say(zoo.directory / "none.toml")
    ended = say("check", f"{host.name}:25", "--json", "--resolver", zoo.lab.resolver, "--trust-anchor", str(zoo.lab.anchor))
    assert ended.code == 2, ended.err + ended.out
    (target,) = ended.json["targets"]
    (one,) = [one for one in target["findings"] if one["severity"] == "critical"]
    assert (target["outcome"], one["code"], one["subject"]) == ("defer", "F-SEL01", host.owner)
    assert f"{host.owner} 3600 IN TLSA {host.record()}" in one["remedy"]


def test_a_program_renews_a_whole_certificate(zoo: Zoo) -> None:
    """3 0 1 of a certificate for 90 days: it breaks at the next renewal."""
    host = zoo.mx("3 0 1", host=zoo.host(days=(-30, 60)))
    one = found(zoo.check(f"{host.name}:25"), "F-30ACME", outcome="auth", severity="error")
    assert host.record() in one.remedy


@pytest.mark.parametrize("what", ["the private key", "the certificate request"])
def test_files_that_belong_into_no_record(zoo: Zoo, what: str) -> None:
    """The digest of the private key, or of the request beside it, is recognised where the files are: on the server."""
    host = zoo.host()
    key = load_pem_private_key(host.key_pem, None)
    config = zoo.lineage(host)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    (zoo.directory / "tls" / "mx.csr").write_bytes(request.public_bytes(pki.PEM))
    secret = key.private_bytes(pki.DER, pki.serialization.PrivateFormat.PKCS8, pki.serialization.NoEncryption())
    zoo.mx(digest(secret if "key" in what else request.public_bytes(pki.DER)), host=host)
    one = found(zoo.check(host.name, config=config, lineages=(host.name,)), "F-CSR", outcome="defer")
    assert what in one.message


def test_a_short_key(zoo: Zoo) -> None:
    """RSA with 1024 bits, from a server that does not mind."""
    key = pki.new_key("RSA", 1024)
    name = zoo.fresh("mx")
    host = zoo.host(name=name, pair=(pki.authority().chain(name, key=key, days=(-1, 364)), pki.key_pem(key)))
    zoo.serve(host, suites="DEFAULT@SECLEVEL=0")
    zoo.publish(host, host.record(), _OTHER)
    found(zoo.check(f"{host.name}:25"), "F-WEAKKEY", outcome="auth", severity="error")


def test_one_key_for_mail_and_web(zoo: Zoo) -> None:
    """The same certificate on the mail server and on a web server elsewhere, in one lineage."""
    host = zoo.host()
    web = zoo.host("www", pair=host.pair)
    zoo.mx("3 1 1", _OTHER, host=host)
    zoo.serve(web, port=443)
    zoo.publish(web, web.record(), _OTHER, port=443)
    config = zoo.lineage(host, f"{host.name}:25", f"{web.name}:443")
    found(zoo.check(host.name, config=config, lineages=(host.name,)), "F-KEYREUSE", outcome="auth", severity="warning")
    absent(zoo.check(f"{host.name}:25"), "F-KEYREUSE")


def test_an_old_key(zoo: Zoo) -> None:
    """A certificate that began three years ago."""
    host = zoo.mx("3 1 1", host=zoo.host(days=(-1100, 364)))
    found(zoo.check(f"{host.name}:25"), "F-OLDKEY", outcome="auth", severity="notice")
