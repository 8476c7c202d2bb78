"""`hook lego`, `hook uacme`, `hook files` without a key, and watched files: whose key it is, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import keys

if TYPE_CHECKING:
    from pathlib import Path

    from program import Ending, Say

HOST = "mx.example.org"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Write a configuration with a lineage, and return the directory for a client's files."""
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
        [lineage."{HOST}"]
        services = [{{ at = "{HOST}:25", connect = ["127.0.0.1:1"] }}]
        dns = "hand"
        consumers = ["mail"]
        watch = {{ certificate = "watched/tls.crt", key = "watched/tls.key" }}
    """)
    client = tmp_path / "client"
    client.mkdir()
    return client


def kept(place: Path) -> list[Path]:
    return sorted((place.parent / "data").glob("lineages/*/*/combined.pem"))


def ours(say: Say, place: Path) -> bytes:
    """Have a certificate issued for the next key, as a client with a request does, and return the chain."""
    ending = say("next-key", HOST, "--key", place / "taken.pem")
    assert ending.code == 0, ending.err
    text = (place / "taken.pem").read_bytes()
    (place / "taken.pem").unlink()
    return pki.authority().chain(HOST, key=keys._open_key(text))


def assert_taken(ending: Ending, place: Path, chain: bytes) -> None:
    assert ending.code == 0, ending.err
    assert "safely kept" in ending.out
    (combined,) = kept(place)
    assert keys.split_combined(combined.read_bytes()).chain == keys.read_chain(chain)[0]


def lego(version: int, chain: Path, key: Path) -> dict[str, str]:
    """What lego puts into the environment of its hook."""
    if version == 4:
        return {"LEGO_CERT_DOMAIN": HOST, "LEGO_CERT_PATH": str(chain), "LEGO_CERT_KEY_PATH": str(key)}
    told = {"CERT_NAME": HOST, "CERT_DOMAINS": f"{HOST},www.{HOST}", "CERT_PATH": str(chain), "CERT_KEY_PATH": str(key)}
    return {f"LEGO_HOOK_{name}": value for name, value in told.items()} | {"LEGO_HOOK_ACCOUNT_EMAIL": "a@example.org"}


@pytest.mark.parametrize("version", [4, 5])
def test_lego_with_a_key_of_its_own(say: Say, place: Path, version: int) -> None:
    """Both versions, each by its names."""
    chain, key = place / f"{HOST}.crt", place / f"{HOST}.key"
    chain.write_bytes(pki.pair(HOST)[0])
    for file, content in zip((chain, key), pki.pair(HOST), strict=True):
        file.write_bytes(content)
    assert_taken(say("hook", "lego", **lego(version, chain, key)), place, chain.read_bytes())


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("left", ["nothing", "an older key", "garbage", "a pipe", "a directory"])
def test_lego_with_a_request_of_ours(say: Say, place: Path, version: int, left: str) -> None:
    """It names the file of a key that it never wrote: whatever lies there, the key is ours."""
    chain, key = place / f"{HOST}.crt", place / f"{HOST}.key"
    chain.write_bytes(ours(say, place))
    {
        "nothing": lambda: None,
        "an older key": lambda: key.write_bytes(pki.pair(HOST)[1]),
        "garbage": lambda: key.write_bytes(b"\0"),
        "a pipe": lambda: os.mkfifo(key),
        "a directory": key.mkdir,
    }[left]()
    assert_taken(say("hook", "lego", **lego(version, chain, key)), place, chain.read_bytes())


def test_a_certificate_whose_key_is_nowhere_is_refused(say: Say, place: Path) -> None:
    """The error is about the file that was named; nothing is kept."""
    chain, key = place / f"{HOST}.crt", place / f"{HOST}.key"
    chain.write_bytes(pki.pair(HOST)[0])
    missing = say("hook", "lego", **lego(4, chain, key))
    assert missing.code == 1
    assert f"the private key {key} cannot be read" in missing.err
    key.write_bytes(pki.pair(HOST)[1])
    wrong = say("hook", "lego", **lego(4, chain, key))
    assert wrong.code == 1
    assert "do not belong together" in wrong.err
    none = say("hook", "files", "--lineage", HOST, "--certificate", chain)
    assert none.code == 1
    assert "the key of this certificate is not here" in none.err
    assert not kept(place)


@pytest.mark.parametrize(
    ("environment", "code", "error"),
    [
        ({}, 2, "neither LEGO_HOOK_CERT_PATH nor LEGO_CERT_PATH is set"),
        ({"LEGO_CERT_PATH": ""}, 2, "is set"),
        ({"LEGO_CERT_PATH": "/nonexistent"}, 1, "cannot be read"),
        ({"LEGO_HOOK_CERT_PATH": "a\nb\x1b[31m", "LEGO_CERT_PATH": "/dev/null"}, 1, "cannot be read"),
        ({"LEGO_CERT_PATH": "/" + "x" * 5000}, 1, "cannot be read"),
        ({"LEGO_CERT_PATH": "/dev/zero"}, 1, "not a regular file"),
    ],
)
def test_hostile_words_of_lego(say: Say, place: Path, environment: dict[str, str], code: int, error: str) -> None:
    """Whatever stands in the environment: an error with a hint, and nothing kept."""
    ending = say("hook", "lego", **environment)
    assert ending.code == code
    assert error in ending.err
    assert "\x1b" not in ending.err
    assert "Traceback" not in ending.err
    assert not kept(place)


def test_a_certificate_for_something_else_is_left_alone(say: Say, place: Path) -> None:
    """The hook is called for a web server's, too."""
    chain, key = place / "www.crt", place / "www.key"
    for file, content in zip((chain, key), pki.pair("www.example.org"), strict=True):
        file.write_bytes(content)
    ending = say("hook", "lego", **lego(5, chain, key) | {"LEGO_HOOK_CERT_NAME": "www.example.org"})
    assert (ending.code, ending.err) == (0, "")
    assert "left alone" in ending.out


def test_uacme_with_a_request(say: Say, place: Path) -> None:
    """The certificate lies beside the request; the lineage is the one the file is named for, or the one that is named."""
    chain = ours(say, place)
    (place / f"{HOST}.csr").write_text("a request")
    (place / f"{HOST}-cert.pem").write_bytes(chain)
    ending = say("hook", "uacme", place / f"{HOST}.csr")
    assert_taken(ending, place, chain)
    again = say("hook", "uacme", "--lineage", HOST, place / f"{HOST}.csr")
    assert again.code == 0
    assert "was here already" in again.out


def test_uacme_with_a_name(say: Say, place: Path) -> None:
    """Certificate and key lie in its directory; where a wildcard was asked for, under the name without it."""
    chain, key = pki.pair(HOST, f"*.{HOST}")
    (place / HOST).mkdir()
    (place / "private" / HOST).mkdir(parents=True)
    (place / HOST / "cert.pem").write_bytes(chain)
    (place / "private" / HOST / "key.pem").write_bytes(key)
    assert_taken(say("hook", "uacme", "--confdir", place, f"*.{HOST}"), place, chain)


def test_uacme_that_rotates_keys_with_ours(say: Say, place: Path) -> None:
    """With -k (1.8) it takes newkey.pem and calls it key.pem when it has the certificate, which tells whose key it is."""
    chain = ours(say, place)
    (place / HOST).mkdir()
    (place / HOST / "cert.pem").write_bytes(chain)
    assert_taken(say("hook", "uacme", "--confdir", place, HOST), place, chain)


@pytest.mark.parametrize("word", ["", "../../etc", "a/b", "..", "\x1b[31m", "x" * 5000, "-"])
def test_hostile_words_of_uacme(say: Say, place: Path, word: str) -> None:
    """Whatever is given as the name: an error with a hint, and nothing kept."""
    ending = say("hook", "uacme", "--confdir", place, "--", word)
    assert ending.code in {1, 2}
    assert "tlsa-manager: hint: " in ending.err
    assert "Traceback" not in ending.err
    assert "\x1b" not in ending.err
    assert not kept(place)


def test_files_with_a_key_of_ours(say: Say, place: Path) -> None:
    """--key may be left out; an empty one is a script's mistake, and one that is not there is told: a person named it."""
    chain = place / "chain.pem"
    chain.write_bytes(ours(say, place))
    empty = say("hook", "files", "--lineage", HOST, "--certificate", chain, "--key", "")
    assert empty.code == 2
    assert not kept(place)
    assert_taken(say("hook", "files", "--lineage", HOST, "--certificate", chain), place, chain.read_bytes())
    gone = say("hook", "files", "--lineage", HOST, "--certificate", chain, "--key", place / "deleted.pem")
    assert gone.code == 1
    assert "deleted.pem cannot be read" in gone.err


def test_run_takes_over_what_is_watched(say: Say, place: Path) -> None:
    """Once for each change; what is nothing yet is not talked about."""
    watched = place.parent / "watched"
    assert HOST not in say("run", HOST).err
    watched.mkdir()
    chain, key = pki.pair(HOST)
    (watched / "tls.key").write_bytes(key)
    (watched / "tls.crt").write_bytes(chain)
    first = say("run", HOST)
    assert f"{watched / 'tls.crt'} has changed: generation" in first.out
    (combined,) = kept(place)
    assert keys.split_combined(combined.read_bytes()).chain == keys.read_chain(chain)[0]
    assert "has changed" not in say("run", HOST).out
    events = say("history", "--json").json["events"]
    (staged,) = [one for one in events if one["event"] == "Staged"]
    assert staged["details"]["generation"]["origin"] == "watch"


def test_the_timer_notices_a_watched_file(say: Say, place: Path) -> None:
    """Without a name `run` looks only at what is due: a change of the file is enough, and without one nothing is done."""
    watched = place.parent / "watched"
    watched.mkdir()
    say("run")
    say("run")
    quiet = say("run", "--json").json["done"]
    assert not [one for one in quiet if "has changed" in one["text"]]
    for file, content in zip(("tls.crt", "tls.key"), pki.pair(HOST), strict=True):
        (watched / file).write_bytes(content)
    done = say("run", "--json").json["done"]
    assert [one["text"] for one in done if "has changed" in one["text"]]
    assert kept(place)
