"""hooks/certbot: a few lines of POSIX shell that hand over, and say so when they cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).parent.parent / "hooks/certbot"
SHELLS = [shell for shell in ("dash", "bash", "busybox", "ksh", "mksh") if shutil.which(shell)]


def program(place: Path, name: str = "tlsa-manager") -> Path:
    """Write a program that tells how it was called."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / name
    file.write_text('#!/bin/sh\necho "$0 $*|$RENEWED_LINEAGE|$RENEWED_DOMAINS"\nexit 7\n')
    file.chmod(0o755)
    return file


def call(*words: str, by: str = "sh", **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [by, *(["sh"] if by == "busybox" else []), str(HOOK), *words]
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
