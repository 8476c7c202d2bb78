"""hooks/: a few lines of POSIX shell each that hand over, and say so when they cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.fixtures import needs_only

HOOKS = Path(__file__).parent.parent / "hooks"
HOOK = Path(__file__).parent.parent / "hooks/certbot"
SHELLS = [shell for shell in ("dash", "bash", "busybox", "ksh", "mksh") if shutil.which(shell)]


def program(place: Path, name: str = "tlsa-manager") -> Path:
    """Write a program that tells how it was called."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / name
    file.write_text('#!/bin/sh\necho "$0 $*|$RENEWED_LINEAGE|$RENEWED_DOMAINS"\nexit 7\n')
    file.chmod(0o755)
    return file


def call(*words: str, by: str = "sh", hook: str = "certbot", **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [by, *(["sh"] if by == "busybox" else []), str(HOOKS / hook), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"} | environment)


def test_it_is_executable_as_certbot_wants_it() -> None:
    """A file in renewal-hooks/deploy must be."""
    assert HOOK.stat().st_mode & 0o111
    assert HOOK.read_text().startswith("#!/bin/sh\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_hands_over_what_certbot_says(shell: str, tmp_path: Path) -> None:
    """The environment as it is, words passed on, the program's exit code as its own."""
    file = program(tmp_path / "with blank")
    live = "/etc/letsencrypt/live/mx.example.org"
    done = call("--lineage", "a b", by=shell, TLSA_MANAGER=str(file), RENEWED_LINEAGE=live, RENEWED_DOMAINS="a b")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{file} hook certbot --lineage a b|{live}|a b\n"


def test_it_finds_the_program_through_path(tmp_path: Path) -> None:
    """When nothing else is said."""
    file = program(tmp_path)
    assert call(PATH=f"{tmp_path}:/usr/bin:/bin").stdout.startswith(f"{file} hook certbot|")


def test_nothing_in_the_environment_is_executed(tmp_path: Path) -> None:
    """Names from certbot are data."""
    file = program(tmp_path)
    evil = f"$(touch {tmp_path}/owned)`touch {tmp_path}/owned`; touch {tmp_path}/owned"
    for name in ("RENEWED_LINEAGE", "RENEWED_DOMAINS"):
        call(TLSA_MANAGER=str(file), **{name: evil})
        call(TLSA_MANAGER="/nonexistent", PATH="/nonexistent", **{name: evil}, by="/bin/sh")
    assert not (tmp_path / "owned").exists()


def test_without_the_program_it_says_what_was_not_done(tmp_path: Path) -> None:
    """Exit code 1, and certbot logs the sentence."""
    copy = tmp_path / "certbot"
    places = "/usr/local/bin/tlsa-manager /opt/tlsa-manager/bin/tlsa-manager /root/.local/bin/tlsa-manager"
    assert places in HOOK.read_text()
    copy.write_text(HOOK.read_text().replace(places, f"{tmp_path}/nowhere"))
    done = subprocess.run(
        ["/bin/sh", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/nonexistent", "RENEWED_LINEAGE": "/x/mx"},
    )
    assert done.returncode == 1
    assert "tlsa-manager: error: the program was not found, so the renewed certificate of /x/mx was not taken over" in done.stderr
    assert "tlsa-manager: hint: " in done.stderr


PLACES = "/usr/local/bin/tlsa-manager /opt/tlsa-manager/bin/tlsa-manager /root/.local/bin/tlsa-manager"
WORDS = {"certbot-pre": "certbot --before", "certbot-post": "certbot --after", "acme.sh": "acme.sh"}
HOSTILE = "a b\nc '\"$(touch owned)`touch owned`;*"


def echo(place: Path, code: int = 7) -> Path:
    """Write a program that prints its words between brackets, one a line."""
    file = place / "echo"
    file.write_text(f"#!/bin/sh\nprintf '<%s>\\n' \"$@\"\nexit {code}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("hook", [one.name for one in HOOKS.iterdir()])
def test_all_are_executable_and_clean(hook: str) -> None:
    """Clients run files, not texts; shellcheck knows what shells make of them."""
    needs_only("shellcheck")
    file = HOOKS / hook
    assert file.stat().st_mode & 0o111
    assert file.read_text().startswith("#!/bin/sh\n")
    done = subprocess.run(["shellcheck", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("hook", WORDS)
def test_words_are_handed_on_as_they_are(hook: str, shell: str, tmp_path: Path) -> None:
    """Blanks, newlines and quotes in names stay where they are, nothing is run; the exit code is the program's."""
    done = call("--lineage", HOSTILE, "", by=shell, hook=hook, TLSA_MANAGER=str(echo(tmp_path)))
    begin = "".join(f"<{word}>\n" for word in f"hook {WORDS[hook]}".split())
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{begin}<--lineage>\n<{HOSTILE}>\n<>\n"


@pytest.mark.parametrize("hook", ["certbot-pre", "certbot-post", "acme.sh", "dehydrated"])
def test_without_the_program_each_says_what_was_not_done(hook: str, tmp_path: Path) -> None:
    """Exit code 1, and a sentence for the client's log; unset variables are none of the trouble."""
    copy = tmp_path / hook
    assert PLACES in (HOOKS / hook).read_text()
    copy.write_text((HOOKS / hook).read_text().replace(PLACES, f"{tmp_path}/nowhere"))
    done = subprocess.run(
        ["/bin/sh", "-u", str(copy), *(["deploy_cert"] if hook == "dehydrated" else [])],
        capture_output=True, text=True, check=False, env={"PATH": "/nonexistent"}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "tlsa-manager: error: the program was not found, so " in done.stderr
    assert "tlsa-manager: hint: set TLSA_MANAGER" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_dehydrated_calls_ours_and_then_the_next_hook(shell: str, tmp_path: Path) -> None:
    """A request comes from us alone, a certificate goes to both, all else to the next hook; without one nothing happens."""
    ours = echo(tmp_path, 0)
    theirs = tmp_path / "their hook"
    theirs.write_text('#!/bin/sh\necho "theirs $1 $#"\nexit "${CODE:-0}"\n')
    theirs.chmod(0o755)
    both = {"by": shell, "hook": "dehydrated", "TLSA_MANAGER": str(ours), "TLSA_MANAGER_NEXT_HOOK": str(theirs)}
    request = call("generate_csr", HOSTILE, "/dir", "a b", **both)
    assert request.stdout == f"<hook>\n<dehydrated>\n<-->\n<generate_csr>\n<{HOSTILE}>\n</dir>\n<a b>\n"
    deploy = call("deploy_cert", *"abcdef", **both)
    assert deploy.stdout.endswith("<f>\ntheirs deploy_cert 7\n")
    challenge = call("deploy_challenge", "a", "b", "-c", **both)
    assert (challenge.returncode, challenge.stdout) == (0, "theirs deploy_challenge 4\n")
    assert call("clean_challenge", "a", CODE="3", **both).returncode == 3
    assert call("deploy_cert", *"abcdef", CODE="3", **both).returncode == 3
    alone = call("this_hookscript_is_broken", by=shell, hook="dehydrated", TLSA_MANAGER=str(ours))
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, "", "")


def test_what_dehydrated_is_told_when_ours_fails(tmp_path: Path) -> None:
    """The next hook is called all the same, and dehydrated hears of the failure."""
    theirs = tmp_path / "theirs"
    theirs.write_text("#!/bin/sh\necho theirs\n")
    theirs.chmod(0o755)
    ours = echo(tmp_path, 75)
    done = call("deploy_cert", *"abcdef", hook="dehydrated", TLSA_MANAGER=str(ours), TLSA_MANAGER_NEXT_HOOK=str(theirs))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (75, "theirs")


def test_the_deploy_function_of_the_documentation(tmp_path: Path) -> None:
    """acme.sh reads deploy/NAME.sh and calls NAME_deploy DOMAIN KEY CERT CA FULLCHAIN, in its own shell."""
    text = (HOOKS.parent / "docs" / "clients.md").read_text()
    line = next(one.strip() for one in text.splitlines() if one.strip().startswith("tlsa_manager_deploy()"))
    assert "/usr/local/lib/tlsa-manager/hooks/acme.sh" in line
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s|" "$*" "$CERT_KEY_PATH" "$CERT_FULLCHAIN_PATH" "$Le_Domain"\n')
    program.chmod(0o755)
    function = line.replace("/usr/local/lib/tlsa-manager/hooks/acme.sh", str(HOOKS / "acme.sh"))
    script = f'{function}\ntlsa_manager_deploy "$@"\n'
    done = subprocess.run(
        ["sh", "-c", script, "sh", "mx.example.org", "/k e y", "/cert", "/ca", "/full"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "TLSA_MANAGER": str(program)},
    )  # fmt: skip
    assert done.stdout == "hook acme.sh|/k e y|/full|mx.example.org|", done.stderr
