"""The demo, as somebody runs it who has only heard of the program: through examples/demo.sh, without any privilege."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture
def who() -> dict[str, object]:
    """Somebody without privileges, if we can become one and they can run this Python; else ourselves."""
    nobody: dict[str, object] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        works = os.geteuid() == 0 and subprocess.run([sys.executable, "-c", ""], check=False, cwd="/", **nobody).returncode == 0
    except OSError:
        works = False
    return nobody if works else {}


@pytest.fixture
def home(who: dict[str, object]) -> Iterator[Path]:
    """An environment that exists already, with a pip that is content with it, and a place for temporary files."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "bin").mkdir()
        (directory / "tmp").mkdir()
        python = directory / "bin" / "python"
        log = directory / "tmp.pip"
        log.touch(mode=0o666)
        python.write_text(f'#!/bin/sh\n[ "$2" != pip ] || {{ echo "$*" >>{log}; exit 0; }}\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        for path in (directory, directory / "tmp", log):
            if who:
                os.chown(path, NOBODY, NOBODY)
        yield directory


def environment(home: Path) -> dict[str, str]:
    return os.environ | {
        "TLSA_MANAGER_DEMO": str(home), "TMPDIR": str(home / "tmp"), "HOME": str(home), "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def test_not_one_mail_is_refused_and_naively_some_are(home: Path, who: dict[str, object]) -> None:
    """The whole of it: figures on stdout and nothing else, nothing left behind, and the next time nothing is installed."""
    script = str(ROOT / "examples" / "demo.sh")
    done = subprocess.run(
        [script, "--json"], env=environment(home), cwd="/", capture_output=True, text=True, timeout=300, check=False, **who
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    figures = json.loads(line)
    print(figures)
    assert figures.keys() == {"schema", "attempts", "failures", "seconds", "naive"}
    assert figures["naive"].keys() == {"attempts", "failures"}
    assert figures["failures"] == 0
    assert figures["naive"]["failures"] > 0
    assert figures["attempts"] > 50
    assert not list((home / "tmp").iterdir())
    installed = (home / "tmp.pip").read_text()
    assert "install" in installed
    again = subprocess.run(
        [script, "--help"], env=environment(home), cwd="/", capture_output=True, text=True, timeout=60, check=False, **who
    )
    assert again.returncode == 0, again.stderr
    assert "Play a rollover" in again.stdout
    assert (home / "tmp.pip").read_text() == installed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_told_to(home: Path, who: dict[str, object], number: signal.Signals, code: int) -> None:
    """Interrupted in the middle it says nothing, and leaves no file behind."""
    argv = [sys.executable, "-m", "tlsa_manager", "demo"]
    with subprocess.Popen(
        argv, env=environment(home), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **who
    ) as process:  # type: ignore[call-overload]  who it is
        assert process.stdout is not None
        assert process.stderr is not None
        while "publish" not in process.stdout.readline():
            assert process.poll() is None
        assert list((home / "tmp").iterdir())
        process.send_signal(number)
        assert process.wait(60) == code
        assert process.stderr.read() == ""
    assert not list((home / "tmp").iterdir())


def test_without_aiosmtpd_it_says_what_to_install() -> None:
    """The extra is missing: one clear sentence and the remedy."""
    program = "import sys; sys.modules['aiosmtpd'] = None; from tlsa_manager.cli.ending import run; sys.exit(run(['demo']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert "aiosmtpd" in done.stderr
    assert "pip install 'tlsa-manager[demo]'" in done.stderr
    assert done.stdout == ""
