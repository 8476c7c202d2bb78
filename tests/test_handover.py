"""What a client hands over: whose it is, and files that are not what they should be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pki import pair

from tlsa_manager.config import Config
from tlsa_manager.errors import BadInput
from tlsa_manager.handover import content, handed_over, lineage_of
from tlsa_manager.lineage import Lineage
from tlsa_manager.service import Service


def configured(**hosts: str) -> Config:
    """Make a configuration of lineages, each with its hosts."""
    lineages = {name: Lineage(name, tuple(Service.parse(f"{host}:25") for host in text.split())) for name, text in hosts.items()}
    return Config(Path("config.toml"), (), None, "", Path("/nonexistent"), lineages=lineages)


def test_the_directory_names_the_lineage() -> None:
    """Certbot's name wins over what the certificate covers: whether the names fit is for the store to say."""
    chain, _ = pair("other.example.org")
    found = lineage_of(configured(mx="mx.example.org", other="other.example.org"), chain, directory="mx")
    assert found is not None
    assert found.name == "mx"


def test_what_was_asked_for_is_final() -> None:
    """--lineage, even where names would say otherwise; one that is not configured is an error with the nearest name."""
    chain, _ = pair("other.example.org")
    config = configured(mx="mx.example.org", other="other.example.org")
    found = lineage_of(config, chain, asked="mx", directory="other")
    assert found is not None
    assert found.name == "mx"
    with pytest.raises(BadInput, match="did you mean 'other'"):
        lineage_of(config, chain, asked="othre")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("mx.example.org",), "mx"),
        (("*.example.org",), "mx"),
        (("www.example.org", "MX.example.org"), "mx"),
        (("a.example.net", "b.example.net", "c.example.net"), "net"),
        (("a.example.net",), None),  # half of it: not this lineage's certificate
        (("www.example.org",), None),
        (("evil.mx.example.org",), None),
        (("*.mx.example.org",), None),
    ],
)
def test_else_the_one_whose_hosts_it_names(names: tuple[str, ...], wanted: str | None) -> None:
    """All hosts of a lineage, or it is a certificate for something else, which is no error."""
    config = configured(mx="mx.example.org", net="a.example.net b.example.net")
    chain, _ = pair(*names)
    found = lineage_of(config, chain, directory="cert-0001")
    assert (found.name if found else None) == wanted


def test_two_that_would_do_are_not_guessed_between() -> None:
    """RSA and ECDSA on the same hosts: the operator says which."""
    chain, _ = pair("mx.example.org")
    with pytest.raises(BadInput, match="any of the lineages ecdsa, rsa") as caught:
        lineage_of(configured(ecdsa="mx.example.org", rsa="mx.example.org"), chain)
    assert "--lineage" in caught.value.hint


@pytest.mark.parametrize("chain", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x03\x02\x01\x05"])
def test_garbage_is_refused(chain: bytes) -> None:
    """What is no certificate belongs to nobody, and that is an error rather than a shrug."""
    with pytest.raises(BadInput):
        lineage_of(configured(mx="mx.example.org"), chain)


def test_links_are_followed(tmp_path: Path) -> None:
    """The directory live/ of certbot is made of them."""
    (tmp_path / "fullchain1.pem").write_bytes(b"chain")
    (tmp_path / "fullchain.pem").symlink_to("fullchain1.pem")
    assert content(tmp_path / "fullchain.pem", "certificate") == b"chain"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nothing, a directory, a pipe without a writer, a device, an endless loop, a name with NUL, far too much."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "huge").write_bytes(b"\0" * (2 << 20))
    for name in ("absent", ".", "pipe", "loop", "huge", "a\0b", "/dev/zero", "x" * 5000):
        with pytest.raises(BadInput) as caught:
            content(tmp_path / name, "certificate")
        assert caught.value.hint


OTHER = b"another key"


def take(chain: bytes, key: bytes | None) -> str:
    """Take what is for the key `theirs`, or, without a key, what is for one of ours."""
    wanted = {b"chain of theirs": b"theirs", b"chain of ours": None}[chain]
    if key != wanted:
        raise BadInput("do not belong together" if key else "the key is not here", "")
    return "theirs" if key else "ours"


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("chain", "key", "taken"),
    [
        (b"chain of theirs", b"theirs", "theirs"),
        (b"chain of ours", None, "ours"),
        (b"chain of ours", OTHER, "ours"),
        (b"chain of theirs", OTHER, "do not belong together"),
    ],
)
def test_a_certificate_may_be_for_a_key_of_ours(
    tmp_path: Path,
    chain: bytes,
    key: bytes | None,
    taken: str,
    named: bool,  # noqa: FBT001  a table
) -> None:
    """A client that was given a request has no key, or an earlier one; what is wrong is told of the client's own."""
    (tmp_path / "chain").write_bytes(chain)
    (tmp_path / "key").write_bytes(key or b"")
    try:
        found = handed_over(take, tmp_path / "chain", tmp_path / "key" if key else None, named=named)
    except BadInput as error:
        found = error.message
    assert found == taken


def test_a_key_file_that_is_not_there_is_ours_unless_a_person_named_it(tmp_path: Path) -> None:
    """A client names where it would be if it had one."""
    (tmp_path / "chain").write_bytes(b"chain of ours")
    assert handed_over(take, tmp_path / "chain", tmp_path / "none") == "ours"
    with pytest.raises(BadInput, match="cannot be read"):
        handed_over(take, tmp_path / "chain", tmp_path / "none", named=True)
    with pytest.raises(BadInput, match="cannot be read"):
        handed_over(take, tmp_path / "chain", tmp_path, named=True)
