"""hooks/lego and hooks/uacme: a few lines of POSIX shell that hand over, and say so when they cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from lab.fixtures import needs_only

HOOKS = Path(__file__).parent.parent / "hooks"
PLACES = "/usr/local/bin/tlsa-manager /opt/tlsa-manager/bin/tlsa-manager /root/.local/bin/tlsa-manager"
SHELLS = [shell for shell in ("dash", "bash", "busybox", "ksh", "mksh") if shutil.which(shell)]
PATH = "/usr/bin:/bin"


def program(place: Path, name: str, text: str) -> Path:
    """Write a program."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def call(hook: Path, *words: str, by: str = "sh", **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [by, *(["sh"] if by == "busybox" else []), str(hook), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": PATH} | environment)


def elsewhere(hook: str, place: Path) -> Path:
    """Copy a hook, with other places to look for the program."""
    text = (HOOKS / hook).read_text()
    assert PLACES in text
    copy = place / hook
    copy.write_text(text.replace(PLACES, f"{place}/nowhere"))
    return copy


@pytest.mark.parametrize("hook", ["lego", "uacme"])
def test_they_are_programs_that_shellcheck_likes(hook: str) -> None:
    """POSIX shell, executable, without a complaint."""
    needs_only("shellcheck")
    assert (HOOKS / hook).stat().st_mode & 0o111
    done = subprocess.run(["shellcheck", "--shell=sh", str(HOOKS / hook)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_lego_hands_over_what_it_says(shell: str, tmp_path: Path) -> None:
    """The environment as it is, words passed on, the program's exit code as its own."""
    file = program(tmp_path / "with blank", "tlsa-manager", 'echo "$0 $*|$LEGO_HOOK_CERT_PATH|$LEGO_CERT_PATH"; exit 7')
    done = call(HOOKS / "lego", "--lineage", "a b", by=shell, TLSA_MANAGER=str(file), LEGO_HOOK_CERT_PATH="5", LEGO_CERT_PATH="4")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{file} hook lego --lineage a b|5|4\n"


def test_lego_finds_the_program_through_path(tmp_path: Path) -> None:
    """When nothing else is said."""
    program(tmp_path, "tlsa-manager", 'echo "$*"')
    assert call(HOOKS / "lego", PATH=f"{tmp_path}:{PATH}").stdout == "hook lego\n"


def test_nothing_in_the_environment_of_lego_is_executed(tmp_path: Path) -> None:
    """Names from a client are data."""
    file = program(tmp_path, "tlsa-manager", 'echo "$*"')
    evil = f"$(touch {tmp_path}/owned)`touch {tmp_path}/owned`; touch {tmp_path}/owned"
    for name in ("LEGO_CERT_PATH", "LEGO_HOOK_CERT_PATH"):
        call(HOOKS / "lego", TLSA_MANAGER=str(file), **{name: evil})
        call(elsewhere("lego", tmp_path), by="/bin/sh", PATH="/nonexistent", **{name: evil})
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("hook", "code", "words", "sentence"),
    [
        ("lego", 1, (), "the new certificate /x/mx.crt was not taken over; the mail server keeps the old one"),
        ("uacme", 2, ("mx", "/nonexistent"), "no certificate was asked for; the mail server keeps its own"),
    ],
)
def test_without_the_program_it_says_what_was_not_done(
    hook: str, code: int, words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    """An exit code that the client, or cron, makes something of; and the sentence."""
    done = call(elsewhere(hook, tmp_path), *words, by="/bin/sh", PATH="/nonexistent", LEGO_CERT_PATH="/x/mx.crt")
    assert done.returncode == code
    assert f"tlsa-manager: error: the program was not found, so {sentence}" in done.stderr
    assert "tlsa-manager: hint: " in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_uacme_is_given_a_request_and_what_comes_is_handed_over(shell: str, tmp_path: Path) -> None:
    """In that order, with the options as they came."""
    log = tmp_path / "log"
    ours = program(tmp_path / "with blank", "tlsa-manager", f'echo "ours $*" >> {log}')
    theirs = program(tmp_path, "uacme", f'echo "theirs $*" >> {log}')
    words = ("mx", f"{tmp_path}/some where", "-h", "a b")
    done = call(HOOKS / "uacme", *words, by=shell, TLSA_MANAGER=str(ours), UACME=str(theirs))
    assert (done.returncode, done.stderr) == (0, "")
    request = f"{tmp_path}/some where/mx.csr"
    assert log.read_text().splitlines() == [
        f"ours next-key mx --request {request}",
        f"theirs -h a b issue {request}",
        f"ours hook uacme --lineage mx {request}",
    ]


@pytest.mark.parametrize(
    ("theirs", "ours", "code", "handed"),
    [(0, 0, 0, True), (1, 0, 0, True), (2, 0, 2, False), (127, 0, 2, False), (0, 9, 2, False)],
)
def test_what_uacme_ends_with_is_understood(theirs: int, ours: int, code: int, *, handed: bool, tmp_path: Path) -> None:
    """1 is "still current", no error, and handed over all the same: a hook may have failed before. No key, no order."""
    log = tmp_path / "log"
    file = program(tmp_path, "tlsa-manager", f'echo "$1" >> {log}; exit {ours}')
    client = program(tmp_path, "uacme", f"exit {theirs}")
    done = call(HOOKS / "uacme", "mx", str(tmp_path), TLSA_MANAGER=str(file), UACME=str(client))
    assert done.returncode == code
    assert ("hook" in log.read_text()) == handed


@pytest.mark.parametrize(("theirs", "said"), [(0, "hook\n"), (1, "")])
def test_cron_sends_no_mail_when_nothing_was_due(theirs: int, said: str, tmp_path: Path) -> None:
    """Every day it is called: only what was issued is told. Errors are, always."""
    ours = program(tmp_path, "tlsa-manager", 'echo "$1"; echo "wrong: $1" >&2')
    client = program(tmp_path, "uacme", f"exit {theirs}")
    done = call(HOOKS / "uacme", "mx", str(tmp_path), TLSA_MANAGER=str(ours), UACME=str(client))
    assert done.stdout == said
    assert done.stderr == "wrong: next-key\nwrong: hook\n"


def test_uacme_without_words_orders_nothing(tmp_path: Path) -> None:
    """It says what is missing, and how it is called."""
    client = program(tmp_path, "uacme", f"touch {tmp_path}/ordered")
    for words in ((), ("mx",)):
        done = call(HOOKS / "uacme", *words, UACME=str(client), TLSA_MANAGER="/bin/true")
        assert done.returncode == 2
        assert "tlsa-manager: error: the lineage or the directory is missing, so no certificate was asked for" in done.stderr
        assert f"hint: usage: {HOOKS}/uacme NAME DIRECTORY [OPTIONS of uacme]" in done.stderr
    assert not (tmp_path / "ordered").exists()
