"""How the program ends: exit codes, one form of error, and nothing hostile reaches the terminal."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pki
import pytest
from test_hook_key_files import configure

import tlsa_manager
from tlsa_manager import __version__
from tlsa_manager.cli.voice import Voice

if TYPE_CHECKING:
    from program import Say


def test_version(say: Say) -> None:
    """Alone it is answered at once; beside other words it is answered too."""
    for words in (("--version",), ("--json", "--version")):
        ending = say(*words)
        assert (ending.code, ending.out) == (0, f"tlsa-manager {__version__}\n")


def test_version_imports_nothing_heavy() -> None:
    """Neither click nor anything of the program but its version."""
    code = "import sys; sys.argv = ['x', '--version']; import tlsa_manager.__main__ as m; m.main(); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=_path()).stdout
    assert not {"click", "msgspec", "dns", "cryptography", "json", "dataclasses"} & set(out.split())


def _path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(tlsa_manager.__file__).parent.parent)}


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("nonsense",), 2, "no such command: 'nonsense'"),
        (("digset", "x"), 2, "did you mean digest?"),
        (("digest",), 2, "Missing argument"),
        (("digest", "--nope", "x"), 2, "No such option"),
        (("digest", "--ttl", "5", "x"), 2, "--ttl means nothing without --service"),
        (("digest", "--params", "9 9", "x"), 1, "is not a set of TLSA parameters"),
        (("digest", "--service", "mx", "x"), 1, "is not a service"),
        (("digest", "--service", "../../etc:25", "x"), 1, "is not a"),
        (("config", "chekc"), 2, "did you mean check?"),
        (("config", "check"), 78, "there is no configuration at"),
        (("config", "show"), 78, "there is no configuration at"),
        (("completion", "tcsh"), 2, "tcsh"),
    ],
)
def test_mistakes_end_as_documented(say: Say, words: tuple[str, ...], code: int, error: str) -> None:
    """One line says what is wrong, one says what to do; stdout stays empty; the exit code tells scripts."""
    ending = say(*words)
    assert (ending.code, ending.out) == (code, "")
    assert error in ending.err
    first, *others = ending.err.splitlines()
    assert first.startswith("tlsa-manager: error: ")
    assert others[-1].startswith("tlsa-manager: hint: ")


def test_errors_are_json_too(say: Say) -> None:
    """A script that asked for JSON gets one object even when it failed, wherever --json stands."""
    for words in (("--json", "config", "show"), ("config", "show", "--json"), ("config", "--json", "nonsense")):
        ending = say(*words)
        assert ending.json["exit"] == ending.code != 0
        assert ending.json["hint"]


@pytest.mark.parametrize("name", [b"\x1b]0;owned\x07", b"a\nb", b"\xff\xfe", "\u202etxt".encode(), b"-rf", b"--help="])
def test_hostile_names_cannot_steer_the_terminal(say: Say, name: bytes) -> None:
    """Control characters and broken UTF-8 from the command line come out escaped."""
    ending = say(b"digest", b"--", name)
    assert ending.code == 1
    assert "\x1b" not in ending.err
    assert "\u202e" not in ending.err
    assert len(ending.err.splitlines()) <= 3
    assert "Traceback" not in ending.err


def test_a_closed_pipe_is_no_disaster(tmp_path: Path) -> None:
    """`tlsa-manager config schema | head -1` ends quietly."""
    command = f"{sys.executable} -m tlsa_manager config schema | head -c 1 >/dev/null; sleep 0.1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_full_disk_is_said() -> None:
    """An answer that could not be written is a failure."""
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        done = subprocess.run(
            [sys.executable, "-m", "tlsa_manager", "completion", "zsh"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("away", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", ">&- 2>&-"])
def test_nobody_listens(tmp_path: Path, away: str) -> None:
    """Whatever becomes of the words, the exit code is the documented one, for scripts that hear nothing else."""
    command = f"exec {sys.executable} -m tlsa_manager --json --config {tmp_path}/none config show {away}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(("number", "df"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EBUSY, False)])
def test_only_a_full_disk_is_called_full(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    df: bool,  # noqa: FBT001  a table
) -> None:
    """Other refusals of the system are told without a guess that leads astray."""
    from tlsa_manager.cli import ending

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ending, "_obey", fail)
    assert ending.run(["status"]) == 1
    err = capsys.readouterr().err
    assert f"the system refused: {os.strerror(number)}" in err
    assert ("df -h" in err) is df


def test_a_line_break_in_an_error_begins_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A name with one in it must not look like a line of ours; a hint may have several lines, set off to the right."""
    voice = Voice()
    voice.complain("no a\ntlsa-manager: forged", "do:\n    this\n\nor b\ntlsa-manager: forged")
    voice.note("x\ntlsa-manager: forged")
    voice.event({}, "y\ntlsa-manager: forged")
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        r"tlsa-manager: error: no a\ntlsa-manager: forged",
        "tlsa-manager: hint: do:", "        this", "", "    or b", "    tlsa-manager: forged",
        r"tlsa-manager: x\ntlsa-manager: forged",
    ]  # fmt: skip
    assert said.out.splitlines() == ["y", "    tlsa-manager: forged"]


def test_a_hook_tells_a_line_break_in_a_path(say: Say, tmp_path: Path) -> None:
    """What a client says goes into its log."""
    configure(tmp_path, ("mx.example.org", "mx.example.org"))
    chain, _ = pki.pair("www.example.org")
    for name in ("there\nforged", "missing\nforged"):
        if name.startswith("there"):
            (tmp_path / name).write_bytes(chain)
        ending = say("hook", "lego", LEGO_CERT_PATH=str(tmp_path / name))
        assert "forged" in ending.out + ending.err
        assert not any(line.startswith("forged") for line in (ending.out + ending.err).splitlines())


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and no traceback."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    argv = [sys.executable, "-m", "tlsa_manager", "digest", str(fifo)]
    with (
        subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process,
        fifo.open("wb"),  # opens when the program does: now it waits for us
    ):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_what_nobody_foresaw_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of the program says that it is one; the traceback comes only with -v."""
    from tlsa_manager.cli import ending

    def fail(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(ending, "_obey", fail)
    assert ending.run(["status"]) == 1
    err = capsys.readouterr().err
    assert "something unexpected happened (KeyError: 'surprise')" in err
    assert "Traceback" not in err


def test_help_names_every_command(say: Say) -> None:
    """The list in the help and the commands themselves agree, word for word."""
    from importlib import import_module

    from tlsa_manager.cli.root import COMMANDS

    shown = " ".join(say("--help").out.split())
    for name, (module, line) in COMMANDS.items():
        assert f"{name} {line}" in shown
        command = import_module(module).command
        assert command.name == name
        assert command.short_help == line
