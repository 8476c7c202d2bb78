"""The table of Let's Encrypt's issuers, held against the certificates that it publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlsa_manager.certificates import certificates_in
from tlsa_manager.checks.servers.letsencrypt import ISSUERS
from tlsa_manager.der import certificate_spki
from tlsa_manager.sender.issuing import issued
from tlsa_manager.tlsa import Params, associate

CERTIFICATES = Path(__file__).parents[1] / "vectors" / "letsencrypt"
FILES = sorted(CERTIFICATES.glob("*.pem"))


def read(name: str) -> bytes:
    """Return a published certificate, DER."""
    return certificates_in((CERTIFICATES / f"{name}.pem").read_bytes())[0]


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_digests_reproduce(name: str) -> None:
    """The record `2 1 1` of each certificate is the table's, under its name."""
    certificate = read(name)
    record = associate(Params(2, 1, 1), certificate, certificate_spki(certificate))
    assert ISSUERS[record.data].name == name.replace("-", " ")


def test_nothing_that_signs_today_is_missing() -> None:
    """Every issuer that is active, in reserve, or the root of these has its certificate among the vectors."""
    wanted = {one.name.replace(" ", "-") for one in ISSUERS.values() if one.state in {"active", "backup"}} | {
        "Root-YE",
        "Root-YR",
    }
    assert wanted <= {file.stem for file in FILES}


@pytest.mark.parametrize("kind", ["E", "R"])
def test_the_roots_signed_them(kind: str) -> None:
    """What the table takes for granted of a pinned root: it signed every issuer of its kind, and none of the other."""
    root, other = read(f"Root-Y{kind}"), read(f"Root-Y{'R' if kind == 'E' else 'E'}")
    for number in (1, 2, 3):
        assert issued(read(f"Y{kind}{number}"), root)
        assert not issued(read(f"Y{kind}{number}"), other)
