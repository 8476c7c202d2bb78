"""`hook certbot` and `hook files`: what is taken over, what is left alone, what is refused; the live files never change."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
from pki import pair

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Make certbot's directory for mx.example.org, and a configuration with a lineage of that name."""
    (tmp_path / "config.toml").write_text(f"""
        [defaults]
        directory = "{tmp_path}/data"
        resolver = ["127.0.0.1#1"]
        [dns.hand]
        backend = "manual"
        [consumer.mail]
        type = "command"
        file = "{tmp_path}/mx.pem"
        reload = ["/bin/true"]
        [lineage."mx.example.org"]
        services = [{{ at = "mx.example.org:25", connect = ["127.0.0.1:1"] }}]
        dns = "hand"
        consumers = ["mail"]
    """)
    return certbot(tmp_path, "mx.example.org", "mx.example.org")


def certbot(place: Path, name: str, *hosts: str, number: int = 1) -> Path:
    """Write what certbot writes: archive/ and links to it in live/."""
    chain, key = pair(*hosts)
    archive, directory = place / "archive" / name, place / "live" / name
    for one in (archive, directory):
        one.mkdir(parents=True, exist_ok=True)
    for kind, content in (("fullchain", chain), ("privkey", key)):
        (archive / f"{kind}{number}.pem").write_bytes(content)
        (directory / f"{kind}.pem").unlink(missing_ok=True)
        (directory / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{number}.pem")
    return directory


def kept(place: Path) -> list[Path]:
    return sorted((place / "data").glob("lineages/*/*/combined.pem"))


def test_a_renewal_is_taken_over_at_once(say: Say, live: Path, tmp_path: Path) -> None:
    """Exit 0; key and chain are in the store, closed to others; the file the mail server reads is not touched."""
    ending = say("hook", "certbot", RENEWED_LINEAGE=str(live), RENEWED_DOMAINS="mx.example.org")
    assert ending.code == 0, ending.err
    assert "mx.example.org" in ending.out
    (combined,) = kept(tmp_path)
    assert combined.read_bytes().replace(b"\n", b"").startswith(b"-----BEGIN PRIVATE KEY-----")
    assert stat.S_IMODE(combined.stat().st_mode) == 0o600
    assert not (tmp_path / "mx.pem").exists()


def test_who_publishes_the_rest_is_said(say: Say, live: Path, tmp_path: Path) -> None:
    """A resolver that keeps silent takes longer than a client should wait: the certificate is kept, and the next run goes on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        file = tmp_path / "config.toml"
        file.write_text(file.read_text().replace("127.0.0.1#1", f"127.0.0.1#{silent.getsockname()[1]}"))
        ending = say("hook", "certbot", RENEWED_LINEAGE=str(live))
    assert ending.code == 0, ending.err
    assert "the next tlsa-manager run goes on with it" in ending.out
    assert len(kept(tmp_path)) == 1


def test_twice_is_once(say: Say, live: Path, tmp_path: Path) -> None:
    """The same pair again changes nothing."""
    for _ in range(2):
        assert say("hook", "certbot", RENEWED_LINEAGE=str(live)).code == 0
    assert len(kept(tmp_path)) == 1
    ending = say(
        "hook", "files", "--lineage", "mx.example.org", "--certificate", live / "fullchain.pem", "--key", live / "privkey.pem"
    )
    assert ending.code == 0
    assert len(kept(tmp_path)) == 1


def test_an_unrelated_renewal_is_left_alone(say: Say, live: Path, tmp_path: Path) -> None:
    """A web server's certificate: exit 0, a sentence, nothing kept."""
    assert live.exists()
    other = certbot(tmp_path, "www", "www.example.org")
    ending = say("hook", "certbot", RENEWED_LINEAGE=str(other), RENEWED_DOMAINS="www.example.org")
    assert (ending.code, ending.err) == (0, "")
    assert "left alone" in ending.out
    assert not kept(tmp_path)
    assert say("hook", "certbot", "--json", RENEWED_LINEAGE=str(other)).json["taken"] is False


@pytest.mark.parametrize(
    ("environment", "code", "error"),
    [
        ({}, 2, "RENEWED_LINEAGE is not set"),
        ({"RENEWED_LINEAGE": ""}, 2, "RENEWED_LINEAGE is not set"),
        ({"RENEWED_LINEAGE": "/nonexistent"}, 1, "cannot be read"),
        ({"RENEWED_LINEAGE": "../../../../etc"}, 1, "cannot be read"),
        ({"RENEWED_LINEAGE": "a\nb\x1b[31m"}, 1, "cannot be read"),
        ({"RENEWED_LINEAGE": "-rf"}, 1, "cannot be read"),
        ({"RENEWED_LINEAGE": "/" + "x" * 5000}, 1, "cannot be read"),
    ],
)
def test_hostile_directories(  # noqa: PLR0917  fixtures and cases
    say: Say, live: Path, tmp_path: Path, environment: dict[str, str], code: int, error: str
) -> None:
    """Whatever stands in the environment: an error with a hint, and nothing kept."""
    assert live.exists()
    ending = say("hook", "certbot", **environment)
    assert ending.code == code
    assert error in ending.err
    assert "\x1b" not in ending.err
    assert "Traceback" not in ending.err
    assert not kept(tmp_path)


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (b"", None),
        (b"garbage", None),
        (None, b""),
        (None, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        (None, pair("mx.example.org")[1]),  # of another certificate
        (b"\0" * (2 << 20), None),
    ],
)
def test_bad_files_are_refused(say: Say, live: Path, tmp_path: Path, certificate: bytes | None, key: bytes | None) -> None:
    """Garbage, truncated, mismatched, huge: exit 1 with a hint, nothing kept, nothing of the key shown."""
    for name, content in (("fullchain.pem", certificate), ("privkey.pem", key)):
        if content is not None:
            (live / name).write_bytes(content)
    ending = say("-vv", "hook", "certbot", RENEWED_LINEAGE=str(live))
    assert ending.code == 1
    assert "tlsa-manager: hint: " in ending.err
    assert "Traceback" not in ending.err
    assert not kept(tmp_path)
    body = b"".join((live / "privkey.pem").read_bytes().splitlines()[1:-1]).decode()
    assert len(body) < 20 or body[:20] not in ending.err


def test_a_certificate_for_other_names_is_not_deployed(say: Say, live: Path, tmp_path: Path) -> None:
    """--lineage says whose it is; that it does not name the host is said, and holds it."""
    other = certbot(tmp_path, "wrong", "www.example.org")
    say("hook", "certbot", RENEWED_LINEAGE=str(live))
    ending = say("hook", "certbot", "--lineage", "mx.example.org", RENEWED_LINEAGE=str(other))
    assert "mx.example.org" in ending.out + ending.err
    assert not (tmp_path / "mx.pem").exists()


def test_without_a_configuration_it_says_so(say: Say, tmp_path: Path) -> None:
    """Exit 78, which certbot logs."""
    ending = say("hook", "certbot", RENEWED_LINEAGE=str(tmp_path))
    assert ending.code == 78
    assert "config init" in ending.err


def test_a_directory_that_cannot_be_written_keeps_nothing_by_halves(say: Say, live: Path, tmp_path: Path) -> None:
    """A file in the place of the directory: an error with a hint."""
    (tmp_path / "data").write_text("")
    ending = say("hook", "certbot", RENEWED_LINEAGE=str(live))
    assert ending.code == 1
    assert "tlsa-manager: hint: " in ending.err
    assert "Traceback" not in ending.err
    assert os.listdir(tmp_path / "archive") == ["mx.example.org"]  # noqa: PTH208  names are what is asked
