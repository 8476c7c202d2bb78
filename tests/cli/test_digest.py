"""`digest`: the same answer as openssl's, for everything that has a public key in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say


def openssl(*words: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


@pytest.fixture(scope="module", params=["ec", "rsa", "ed25519"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One key and all that can be made of it, by openssl."""
    place = tmp_path_factory.mktemp(request.param)
    kind = {"ec": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("RSA",), "ed25519": ("ED25519",)}[request.param]
    key = place / "key.pem"
    openssl("genpkey", "-algorithm", *kind, "-out", key)
    subject = ("-key", key, "-subj", "/CN=mx.example.org")
    openssl("req", "-x509", *subject, "-days", "9", "-addext", "subjectAltName=DNS:mx.example.org", "-out", place / "cert.pem")
    openssl("req", "-new", *subject, "-out", place / "request.pem")
    openssl("pkey", "-in", key, "-pubout", "-out", place / "public.pem")
    for name, tool in (("cert", "x509"), ("request", "req"), ("key", "pkey")):
        openssl(tool, "-in", place / f"{name}.pem", "-outform", "DER", "-out", place / f"{name}.der")
    openssl("pkey", "-pubin", "-in", place / "public.pem", "-outform", "DER", "-out", place / "public.der")
    return {file.name: file for file in place.iterdir()}


def test_everything_with_the_key_in_it_has_the_digest_that_openssl_computes(say: Say, files: dict[str, Path]) -> None:
    """Certificate, request, private and public key, PEM and DER: one record."""
    digest = hashlib.sha256(files["public.der"].read_bytes()).hexdigest()
    for name, file in files.items():
        ending = say("-q", "digest", file)
        assert (ending.code, ending.out, ending.err) == (0, f"3 1 1 {digest}\n", ""), name


def test_all_parameters_agree_with_openssl(say: Say, files: dict[str, Path]) -> None:
    """Selector and matching type choose what is hashed, and how; matching type 0 is the thing itself."""
    certificate, public = files["cert.der"].read_bytes(), files["public.der"].read_bytes()
    wanted = {
        "3 0 0": certificate.hex(),
        "3 0 1": hashlib.sha256(certificate).hexdigest(),
        "3 0 2": hashlib.sha512(certificate).hexdigest(),
        "3 1 0": public.hex(),
        "3 1 2": hashlib.sha512(public).hexdigest(),
    }
    words = [word for params in wanted for word in ("--params", params)]
    assert say("digest", files["cert.pem"], *words).out.splitlines() == [f"{key} {data}" for key, data in wanted.items()]


def test_with_a_service_it_is_a_line_of_a_zone_file(say: Say, files: dict[str, Path]) -> None:
    """The library dnspython reads the line back as the same record."""
    import dns.zone

    ending = say(
        "digest", "--service", "mx.example.org:25", "--service", "MX.example.org.:465", "--ttl", "300", files["cert.pem"]
    )
    zone = dns.zone.from_text(ending.out, origin="example.org.", check_origin=False)
    for port in (25, 465):
        rdataset = zone.find_rdataset(f"_{port}._tcp.mx", "TLSA")
        assert rdataset.ttl == 300
        assert rdataset[0].to_text() == say("-q", "digest", files["key.pem"]).out.strip()


def test_json_and_standard_input_and_several_files(say: Say, files: dict[str, Path]) -> None:
    """`-` is standard input; every file says what it turned out to be."""
    ending = say("digest", "-", files["cert.pem"], "--json", stdin=files["request.pem"].read_bytes())
    assert ending.json["schema"] == 1
    assert [one["what"] for one in ending.json["files"]] == ["certificate request", "certificate"]
    assert ending.json["files"][0]["records"] == ending.json["files"][1]["records"]
    plain = say("digest", files["cert.pem"], files["cert.der"]).out.splitlines()
    assert [line.rpartition("  ; ")[2] for line in plain] == [str(files["cert.pem"]), str(files["cert.der"])]


def test_a_key_alone_has_no_digest_of_a_certificate(say: Say, files: dict[str, Path]) -> None:
    """Selector 0 hashes the certificate, which a key does not carry; nothing is made up."""
    ending = say("digest", "--params", "3 0 1", files["key.pem"])
    assert (ending.code, ending.out) == (1, "")
    assert "need the certificate" in ending.err
    assert "tlsa-manager: hint: " in ending.err


def test_the_private_key_never_shows(say: Say, files: dict[str, Path]) -> None:
    """Nothing of the private half is in the answer, nor in what is said beside it."""
    ending = say("-vv", "digest", files["key.pem"], "--json")
    body = "".join(files["key.pem"].read_text().splitlines()[1:-1])
    assert not any(body[start : start + 16] in ending.out + ending.err for start in range(0, len(body) - 16, 8))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("garbage", b"\x00\xff" * 500),
        ("truncated.pem", b"-----BEGIN CERTIFICATE-----\nMIIB"),
        ("not base64", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        ("huge", b"\x30" * (1 << 21)),
        ("nested", b"\x30\x80" * 5000),
    ],
)
def test_bad_files_are_refused_with_their_name(say: Say, tmp_path: Path, name: str, content: bytes) -> None:
    """Each is one error with a hint, never a traceback."""
    file = tmp_path / name
    file.write_bytes(content)
    ending = say("digest", file)
    assert (ending.code, ending.out) == (1, "")
    assert ending.err.startswith(f"tlsa-manager: error: {file}: ")
    assert "tlsa-manager: hint: " in ending.err
    assert "Traceback" not in ending.err


def test_things_that_are_no_files(say: Say, tmp_path: Path) -> None:
    """A directory, nothing at all, endless zeros."""
    for place in (tmp_path, tmp_path / "absent", "/dev/zero", "/dev/null"):
        ending = say("digest", place)
        assert ending.code == 1
        assert "Traceback" not in ending.err


def test_an_encrypted_key_is_named_as_such(say: Say, files: dict[str, Path], tmp_path: Path) -> None:
    """It cannot be read without a passphrase, and the error says so."""
    file = tmp_path / "encrypted.pem"
    openssl("pkey", "-in", files["key.pem"], "-aes256", "-passout", "pass:x", "-out", file)
    ending = say("digest", file)
    assert ending.code == 1
    assert "encrypted" in ending.err


def test_a_named_pipe_and_a_process_substitution_work(say: Say, files: dict[str, Path], tmp_path: Path) -> None:
    """A shell's <(command) is a pipe."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"cat {files['cert.pem']} > {fifo}"]):
        assert say("digest", fifo).code == 0
