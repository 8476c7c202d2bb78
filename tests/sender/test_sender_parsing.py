"""TLSA data as people and programs write it: any bytes, any case, any blanks (RFC 6698 §2.2, RFC 7218)."""

from __future__ import annotations

import hashlib
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.fixtures import needs_only, refuse
from papers import PARAMS, build, key_of, leaf, record, seen

from tlsa_manager.errors import BadInput
from tlsa_manager.tlsa import Params, Tlsa

NUMBER = st.integers(0, 255)
LETS_ENCRYPT = {  # public keys of the authority's certificates, as it published them; names as of July 2026
    "YE1": "6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e",
    "YE2": "b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376",
    "YE3": "a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce",
    "YR1": "2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c",
    "YR2": "9d637b3d27a9e570d07607b9ccadb80a70915c7af72afce12841b1b1da825fd1",
    "YR3": "51aaa87d984b559ac69e929f888a022d832e089ff4dba0a412b5101bca4bc799",
    "Root YE": "b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc",
    "Root YR": "7e4e8838a8add6295de7ae3b047d3aba3488ab95db0a0aa56d897a00d8618bcf",
}
X1 = Path("/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but BadInput is ever raised, whatever the text, and what is read can be written and read again."""
    with suppress(BadInput):
        found = Tlsa.parse(text)
        assert Tlsa.parse(str(found)) == found
        assert re.fullmatch(r"\d+ \d+ \d+ [0-9a-f]*", str(found))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """The same for bytes taken for text, with numbers in front so that the data is reached."""
    with suppress(BadInput):
        Tlsa.parse(data.decode("latin-1"))
    with suppress(BadInput):
        assert Tlsa.parse("3 1 1 " + data.decode("latin-1")).usage == 3


@given(NUMBER, NUMBER, NUMBER, st.binary(min_size=1, max_size=70), st.data())
def test_every_spelling_is_the_same_record(usage: int, selector: int, matching: int, data: bytes, draw: st.DataObject) -> None:
    """Either case, and blanks anywhere between the digits, tabs and ends of lines too (RFC 6698 §2.2)."""
    blank = st.sampled_from(["", "", "", " ", "\t", "\n", "   "])
    digits = "".join((digit.upper() if draw.draw(st.booleans()) else digit) + draw.draw(blank) for digit in data.hex())
    found = Tlsa.parse(f" {usage}\t{selector}  {matching} {digits} ")
    assert found == Tlsa(usage, selector, matching, data.hex())
    assert found.rdata == bytes((usage, selector, matching)) + data


@given(st.sampled_from([0, 1, 2, 3, 255]), st.sampled_from([0, 1, 255]), st.sampled_from([0, 1, 2, 255]), st.booleans())
def test_mnemonics_go_there_and_back(usage: int, selector: int, matching: int, small: bool) -> None:  # noqa: FBT001
    """RFC 7218: every name that is written is read as its number, in either case."""
    params = Params(usage, selector, matching)
    words = re.sub(r"\(\d+\)", "", params.mnemonic)
    assert Params.parse(words.lower() if small else words) == params
    assert Params.parse(str(params)) == params


@pytest.mark.parametrize(
    "text", ["256 0 0 00", "-1 0 0 00", "3 1 1", "3 1 1 a", "3 1 1 0g", "3 1 1 0x00", "3 1 1 ٣٣", "x y z 00", "٣ 1 1 00"]
)
def test_what_is_no_record(text: str) -> None:
    """Numbers above 255, missing fields, half octets, digits of other scripts."""
    with pytest.raises(BadInput):
        Tlsa.parse(text)


def test_records_at_the_edges() -> None:
    """The vectors of a name server's tests: 255 parses and is of no use; split data is joined."""
    assert Tlsa.parse("255 255 255 00").flaw
    assert Tlsa.parse("3 1 1 0102 00 FF").data == "010200ff"
    for length in (31, 33, 64, 20):
        assert Tlsa.parse("3 1 1 " + "ab" * length).flaw
    assert not Tlsa.parse("3 1 1 " + "ab" * 32).flaw


def test_the_digests_of_lets_encrypt_parse() -> None:
    """Every digest of the table is a usable `2 1 1`, and no two are alike."""
    found = {Tlsa.parse(f"2 1 1 {digest.upper()}") for digest in LETS_ENCRYPT.values()}
    assert len(found) == len(LETS_ENCRYPT)
    assert not any(one.flaw for one in found)


def test_digests_agree_with_openssl(tmp_path: Path) -> None:
    """Every selector and matching type of certificates of every kind of key is what the openssl program computes."""
    needs_only("openssl")
    from pki import new_key

    keys = [key_of("leaf"), *(new_key(kind) for kind in ("RSA", "Ed25519"))]
    for number, key in enumerate(keys):
        certificate = build(leaf(), key, key_of("Issuer"))
        file = tmp_path / f"{number}.der"
        file.write_bytes(certificate)
        _agrees(certificate, file)


def test_a_real_authority_agrees_with_openssl() -> None:
    """The certificate of ISRG Root X1, as the system has it, gives the digest that the authority publishes."""
    if not X1.exists():
        refuse("the system has no certificates of authorities (ca-certificates)")
    from tlsa_manager.certificates import certificates_in

    (certificate,) = certificates_in(X1.read_bytes())
    assert record("2 1 1", certificate).data == "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"


def _agrees(certificate: bytes, file: Path) -> None:
    key = _openssl(
        _openssl(None, "x509", "-in", file, "-inform", "DER", "-noout", "-pubkey"), "pkey", "-pubin", "-outform", "DER"
    )
    for params in PARAMS:
        selected = key if params.selector else _openssl(None, "x509", "-in", file, "-inform", "DER", "-outform", "DER")
        wanted = selected.hex()
        if params.matching:
            digest = _openssl(selected, "dgst", "-sha256" if params.matching == 1 else "-sha512", "-binary")
            assert digest == (hashlib.sha256 if params.matching == 1 else hashlib.sha512)(selected).digest()
            wanted = digest.hex()
        made = record(params, certificate)
        assert made.data == wanted
        assert seen(certificate).chain.leaf.matches(made)  # type: ignore[union-attr]  it has a chain


def _openssl(data: bytes | None, *words: str | Path) -> bytes:
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True, timeout=60).stdout
