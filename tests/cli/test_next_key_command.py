"""`next-key`: what it says, what it writes and where it does not; and what `status`, `records`, `history` say of keys."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pki import authority
from test_house_commands import NAME, home, staged

from tlsa_manager import keys

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say

__all__ = ["home"]


def configured(home: Path, text: str) -> None:
    """Add lines to the lineage."""
    with (home / "config.toml").open("a") as file:
        file.write("\n" + text)


def spki(key: bytes) -> str:
    """The SHA-256 of the public half."""
    return keys.public_half(key, "").spki_sha256


def test_without_a_next_key_it_says_how_there_is_one(say: Say, home: Path) -> None:
    """Asking changes nothing."""
    assert home.exists()
    ending = say("next-key", NAME)
    assert ending.code == 0
    assert f"next-key {NAME} --request FILE" in ending.out
    assert "next-key = true" in ending.out
    assert say("next-key", NAME, "--json").json["key"] is None
    assert say("history").out == "nothing has happened yet\n"


def test_a_request_and_the_key_are_of_one_key(say: Say, home: Path) -> None:
    """The request names the hosts and is signed with it; the key is closed; both stay the same over any number of orders."""
    ending = say("next-key", NAME, "--request", home / "a.csr", "--key", home / "a.pem", "--json")
    assert ending.code == 0, ending.err
    key = (home / "a.pem").read_bytes()
    request = x509.load_pem_x509_csr((home / "a.csr").read_bytes())
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert names == [NAME]
    assert keys.read_any((home / "a.csr").read_bytes()).spki == keys.read_any(key).spki
    assert stat.S_IMODE((home / "a.pem").stat().st_mode) == 0o600
    told = ending.json["key"]
    assert told["records"] == [f"3 1 1 {spki(key)}"]
    assert (told["type"], told["spread"], told["ready"], told["handed_out"]) == ("ecdsa-p256", "hidden", False, True)
    assert ending.json["written"] == [str(home / "a.pem"), str(home / "a.csr")]
    say("next-key", NAME, "--key", home / "b.pem")
    assert (home / "b.pem").read_bytes() == key
    assert "PRIVATE" not in ending.out + ending.err


def test_names_can_be_asked_for(say: Say, home: Path) -> None:
    """As for a certificate of several hosts; what is no name is refused before anything happens."""
    say("next-key", NAME, "--request", home / "a.csr", "--name", "Example.org.", "--name", "*.example.org")
    request = x509.load_pem_x509_csr((home / "a.csr").read_bytes())
    found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert found == ["example.org", "*.example.org"]
    for bad in ("exämple.org", "-x.org", "a b", "a\nb", "", "*.*.org"):
        ending = say("next-key", NAME, "--request", home / "b.csr", "--name", bad)
        assert (ending.code, "is not a host name" in ending.err) == (1, True), bad
    assert not (home / "b.csr").exists()


def test_stdout_gets_the_request_alone(say: Say, home: Path) -> None:
    """So that it can be piped on; what is to be said goes to stderr."""
    assert home.exists()
    ending = say("next-key", NAME, "--request", "-")
    assert x509.load_pem_x509_csr(ending.out.encode()).is_signature_valid
    assert ending.out.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert "the next renewal is for key" in ending.err
    key = say("next-key", NAME, "--key", "-", "--quiet")
    assert load_pem_private_key(key.out.encode(), None)
    assert key.err == ""


def test_a_terminal_gets_no_key(say: Say, home: Path) -> None:
    """It would stay in its scrollback; nothing was made or handed out."""
    assert home.exists()
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "tlsa_manager", "--config", str(say.config), "next-key", NAME, "--key", "-"]
    done = subprocess.run(words, stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"not written to a terminal" in done.stderr
    assert say("history").out == "nothing has happened yet\n"


@pytest.mark.parametrize("what", ["--request", "--key"])
def test_a_closed_stdout_gets_nothing(say: Say, home: Path, what: str) -> None:
    """It is told; nothing was made or handed out."""
    assert home.exists()
    command = f"exec {sys.executable} -m tlsa_manager --config {say.config} next-key {NAME} {what} - >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 2
    assert b"stdout is closed" in done.stderr
    assert say("history").out == "nothing has happened yet\n"


def test_a_line_break_in_a_word_begins_no_line(say: Say, home: Path) -> None:
    """Neither in the history nor in a file's name."""
    say("next-key", NAME)
    say("next-key", NAME, "--key", home / "a.pem")
    ending = say("next-key", NAME, "--replace", "a\nforged", "--key", home / "b\nforged")
    lines = (ending.out + say("history").out + say("next-key", NAME, "--key", home / "c\nforged" / "d").err).splitlines()
    assert sum("forged" in line for line in lines) >= 3
    assert not any(line.startswith("forged") for line in lines)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--name", NAME), "--name is for --request"),
        (("--request", "-", "--key", "-"), "only one of"),
        (("--request", "-", "--json"), "stdout is taken"),
        (("--key", ""), "--key '' is not the name of a file"),
        (("--request", "/"), "--request '/' is not the name of a file"),
        (("--key", "a/.."), "is not the name of a file"),
    ],
)
def test_what_contradicts_itself_is_refused(say: Say, home: Path, words: tuple[str, ...], why: str) -> None:
    """Before anything is done."""
    assert home.exists()
    ending = say("next-key", NAME, *words)
    assert ending.code == 2
    assert why in ending.err + ending.out
    assert say("history").out == "nothing has happened yet\n"


def test_an_unknown_lineage_and_a_bad_place_are_told(say: Say, home: Path) -> None:
    """Clear sentences, each with what to do."""
    assert say("next-key", "mx.exampel.org").code == 2
    (home / "link").symlink_to(home / "elsewhere")
    for place, why in (
        (home / "none" / "x", "does not exist"),
        (home / "link", "symbolic link"),
        (home, "not a regular file"),
    ):
        ending = say("next-key", NAME, "--key", place)
        assert ending.code == 1
        assert why in ending.err
        assert "tlsa-manager: hint: " in ending.err
    assert not (home / "elsewhere").exists()


def test_a_certificate_for_the_request_needs_no_key(say: Say, home: Path) -> None:
    """The client never had it; the store has."""
    staged(say, home)
    say("next-key", NAME, "--key", home / "next.pem")
    key = (home / "next.pem").read_bytes()
    (home / "chain.pem").write_bytes(authority().chain(NAME, key=load_pem_private_key(key, None)))  # type: ignore[arg-type]
    ending = say("hook", "files", "--lineage", NAME, "--certificate", home / "chain.pem", "--json")
    assert ending.code == 0, ending.err
    assert (ending.json["taken"], ending.json["hold"]) == (True, "")
    assert ending.json["outlook"]
    (kept,) = (home / "data" / "lineages" / NAME / ending.json["generation"]).glob("privkey.pem")
    assert spki(kept.read_bytes()) == spki(key)


def test_while_keys_are_reused_it_is_the_one_in_service(say: Say, home: Path) -> None:
    """What is current is known only to a run that has seen it; until then the first certificate is for the next key."""
    configured(home, "reuse-key = true\n")
    staged(say, home)
    key = (home / "key.pem").read_bytes()
    code = (
        "import sys; from tlsa_manager import config, wiring, clock; from tlsa_manager.rollover import events as ev;"
        "home = wiring.House(config.load(sys.argv[1])); (one,) = home.store.generations(sys.argv[2]);"
        "home.journal.append(sys.argv[2], ev.Adopted(one), clock.now())"
    )
    subprocess.run([sys.executable, "-c", code, str(say.config), NAME], check=True, timeout=60)
    ending = say("next-key", NAME)
    assert "the next renewal keeps the key in service" in ending.out
    assert spki(key) in ending.out
    say("next-key", NAME, "--key", home / "again.pem")
    assert spki((home / "again.pem").read_bytes()) == spki(key)
    assert "stays over renewals until you say otherwise" in say("status").out
    assert say("status", "--json").json["lineages"][0]["key"]["reused"] is True


def test_replaced_it_is_another_with_the_reason_in_the_journal(say: Say, home: Path) -> None:
    """A person says so, nobody else."""
    say("next-key", NAME, "--key", home / "a.pem")
    ending = say("next-key", NAME, "--replace", "it was in a lost backup")
    assert ending.code == 0
    assert "is never used, and its record goes with the next run; what a client was given of it is worthless" in ending.err
    assert "worthless" not in say("next-key", NAME, "--replace", "once more").err, "nobody had that one"
    say("next-key", NAME, "--key", home / "b.pem")
    assert spki((home / "a.pem").read_bytes()) != spki((home / "b.pem").read_bytes())
    history = say("history").out
    assert "threw the next key away: it was in a lost backup" in history
    assert history.count("made the next key, ecdsa-p256") == 3
    assert history.count("gave the next key, or a request signed with it, to a client") == 2


def test_status_tells_of_the_next_key(say: Say, home: Path) -> None:
    """Its id, type and state, for people and for programs; nothing of what was there before has changed its name."""
    before = set(say("status", "--json").json["lineages"][0])
    say("next-key", NAME, "--key", home / "a.pem")
    told = say("status", "--json").json["lineages"][0]
    assert set(told) == before
    assert told["handed_out"] is True
    assert told["next_key"]["spki"] == spki((home / "a.pem").read_bytes())
    assert (told["next_key"]["type"], told["next_key"]["spread"], told["next_key"]["ahead"]) == ("ecdsa-p256", "hidden", True)
    assert f"next key: {told['next_key']['id']} (ecdsa-p256) 3 1 1" in say("status").out
    assert "its record is not published yet\n" in say("status").out
