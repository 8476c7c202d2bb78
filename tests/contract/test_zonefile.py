"""The zonefile backend: what stays to the byte, what follows when a command fails or we are killed, which files it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.daemon import until

from tlsa_manager.errors import Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Backend, Change, LocalBackend, Text, open_backend
from tlsa_manager.tlsa import RRset, Tlsa

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "_25._tcp.mx.example.org."
NOW, NEXT, FOREIGN = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "abc")
NONE: RRset = frozenset()
VALUE = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"
SNIPPET = f"""\
; records of the mail servers, for people\t"quoted" (and in parentheses
$TTL 5m
{OWNER} IN 300 TLSA {NOW} ; this one is ours
                TLSA 3 1 1 (
                     {"C" * 32} ; a half
                     {"c" * 32} ) ; and the other
        TXT "v=example; not a comment" "second \\"piece\\""
_443._tcp.www.example.org.  A  192.0.2.1
relative   TLSA 3 1 1 {"d" * 64}
\t\tTXT "below a relative name"
$ORIGIN example.org.
_25._TCP.mx 7200 TLSA 2 0 1 {"e" * 64}
"""
OURS = f"{OWNER} IN 300 TLSA {NOW} ; this one is ours\n"
# One at a time and by rename: a run that is killed leaves its command at work.
SERVE = "exec 9>$served.lock; flock 9; cp $file $served.new; mv $served.new $served"
THIRD = Tlsa.parse(f"2 0 1 {'e' * 64}")


@dataclass(frozen=True, slots=True)
class Own:
    """A snippet in a directory of its own, and a command that writes down what it finds."""

    file: Path
    served: Path  # what the last command found: as if a server had read it
    program: Path

    def backend(self, **options: object) -> Backend:
        """Open the backend; options replace or add."""
        return open_backend("nsd", "zonefile", {"file": str(self.file), "command": [str(self.program)], **options})

    def says(self, text: str) -> None:
        """Have the command do this, in sh; `$file` and `$served` are what they say."""
        self.program.write_text(f"#!/bin/sh\nfile={self.file} served={self.served}\n{text}\n")
        self.program.chmod(0o755)

    @property
    def is_served(self) -> bool:
        """Whether the command has been run with what stands in the file."""
        return self.served.read_text() == self.file.read_text()


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Make the snippet above and a command that serves it."""
    made = Own(tmp_path / "zones" / "tlsa.inc", tmp_path / "served", tmp_path / "command")
    made.file.parent.mkdir()
    made.file.write_text(SNIPPET)
    made.says(SERVE)
    return made


def adding(*records: Tlsa, expect: RRset | None = None, target: str = OWNER, ttl: int = 3600) -> Change:
    return Change(target, "", frozenset(records), NONE, expect, ttl)


def removing(*records: Tlsa, expect: RRset | None = None, target: str = OWNER) -> Change:
    return Change(target, "", NONE, frozenset(records), expect, 3600)


def refusal(backend: Backend, change: Change | Text) -> PublishError:
    with pytest.raises(PublishError) as caught:
        backend.change(change) if isinstance(change, Change) else backend.text(change)
    assert caught.value.hint
    return caught.value


# --- the text -------------------------------------------------------------------------------------------------------------


def test_reads_what_people_write(own: Own) -> None:
    """Parentheses, comments, capitals, inherited owners, $TTL and $ORIGIN mean what they mean to a name server."""
    held = own.backend().read(OWNER.upper())
    assert held.records == {NOW, FOREIGN, THIRD}
    assert held.ttl == 7200
    assert own.backend().read("_25._tcp.other.example.org.").records == NONE


def test_adds_at_the_end_and_leaves_the_rest(own: Own) -> None:
    """A record is added by its absolute name with the TTL of the set; all that stood there stands there to the byte."""
    own.backend().change(adding(NEXT, expect=frozenset({NOW, FOREIGN, THIRD})))
    assert own.file.read_text() == f"{SNIPPET}{OWNER} 7200 IN TLSA {NEXT}\n"
    assert own.is_served
    own.backend().change(removing(NEXT))
    assert own.file.read_text() == SNIPPET


def test_the_owner_that_others_inherit_stays(own: Own) -> None:
    """When the record that spells the owner goes, the next one that inherits it gets the name."""
    own.backend().change(removing(NOW))
    assert own.file.read_text() == SNIPPET.replace(f"{OURS}      ", f"{OWNER}      ")
    assert own.backend().read(OWNER).records == {FOREIGN, THIRD}
    own.backend().change(removing(FOREIGN))
    assert own.file.read_text().splitlines()[2] == f'{OWNER}        TXT "v=example; not a comment" "second \\"piece\\""'


def test_txt_beside_foreign_ones(own: Own) -> None:
    """A proof is written and taken out; TXT records of others stay with their pieces."""
    before = own.file.read_text()
    for _ in range(2):
        own.backend().text(Text(OWNER, "", VALUE, present=True, ttl=60))
        assert own.file.read_text() == f'{before}{OWNER} 300 IN TXT "{VALUE}"\n'
    for _ in range(2):
        own.backend().text(Text(OWNER, "", VALUE, present=False))
        assert own.file.read_text() == before
    assert own.is_served


def test_long_numbers(own: Own) -> None:
    """A word of many digits where a TTL might stand is no TTL, and told so at once."""
    line = f"other {'1' * 60}x TLSA 3 1 1 ab\n"
    own.file.write_text(line + own.file.read_text())
    own.backend().read(OWNER)
    assert own.file.read_text().startswith(line)


def test_generic_form(own: Own) -> None:
    """Records in the form for unknown types (RFC 3597) are records."""
    own.file.write_text(f"{OWNER} 60 TYPE52 \\# 35 030101 {'B' * 64}\n")
    assert own.backend().read(OWNER).records == {NEXT}
    own.backend().change(removing(NEXT))
    assert own.file.read_text() == ""


def test_ttl_where_the_set_is_elsewhere(own: Own) -> None:
    """Without a TTL in the file the one that was seen on the servers holds."""
    own.file.write_text(f"{OWNER} TLSA {FOREIGN}")
    own.backend().change(adding(NEXT, ttl=1234))
    assert own.file.read_text() == f"{OWNER} TLSA {FOREIGN}\n{OWNER} 1234 IN TLSA {NEXT}\n"


def test_line_ends_of_other_systems(own: Own) -> None:
    """Carriage returns, form feeds and letters of all alphabets stay where they are."""
    text = f"; Grüße \x0c aus Köln\u2028{OWNER} 300 TLSA {FOREIGN}\r\n{OWNER} 300 TLSA {NOW}\r\n"
    own.file.write_bytes(text.encode())
    assert own.backend().read(OWNER).records == {NOW}
    own.backend().change(adding(NEXT))
    assert own.file.read_bytes() == f"{text}{OWNER} 300 IN TLSA {NEXT}\n".encode()


def test_alias(own: Own) -> None:
    """Beside a CNAME nothing is written."""
    own.file.write_text(f"{OWNER} 300 CNAME _dane.example.net.\n")
    error = refusal(own.backend(), adding(NOW))
    assert "alias" in error.message
    assert "_dane.example.net." in error.message
    assert own.backend().read(OWNER).records is None
    assert not own.served.exists()


def test_zone(own: Own) -> None:
    """With `zone` a name outside of it is refused; a name that only ends alike is outside."""
    backend = own.backend(zone="Example.org.")
    assert backend.change(adding(NEXT)).state == "done"
    for target in ("_25._tcp.mx.example.net.", "_25._tcp.mx.notexample.org."):
        assert "not inside zone example.org." in refusal(backend, adding(NEXT, target=target)).message


def test_conflict(own: Own) -> None:
    """When other records stand than the change was planned from, the file is not touched and no command is run."""
    for change in (adding(NEXT, expect=NONE), removing(NOW, expect=frozenset({NOW}))):
        assert isinstance(refusal(own.backend(), change), Conflict)
    assert own.file.read_text() == SNIPPET
    assert not own.served.exists()


# --- the commands ---------------------------------------------------------------------------------------------------------


def test_a_command_that_fails(own: Own) -> None:
    """The former file is put back, the command is run with it, and its last words are told."""
    own.says(f"{SERVE}; if grep -q {'b' * 64} $file; then echo zone broken >&2; exit 3; fi")
    error = refusal(own.backend(), adding(NEXT))
    assert not isinstance(error, PublishTemporary)
    assert "(exit 3): zone broken" in error.message
    assert str(own.program) in error.hint
    assert "was run with that" in error.message
    assert own.file.read_text() == SNIPPET
    assert own.is_served
    assert own.backend().read(OWNER).records == {NOW, FOREIGN, THIRD}


def test_a_command_that_fails_with_both(own: Own) -> None:
    """What the server has is not known then, so nobody says it; the same change asked again runs the command again."""
    own.says("exit 1")
    assert "is not known" in refusal(own.backend(), adding(NEXT)).message
    assert own.file.read_text() == SNIPPET
    held = own.backend().read(OWNER)
    assert held.records is None
    assert str(own.file) in held.reason
    own.says(SERVE)
    own.backend().change(adding(NEXT))
    assert own.is_served
    assert NEXT in (own.backend().read(OWNER).records or ())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("exit 75", "exit 75"),
        ("sleep 300", "did not end within 1 s"),
        ("sleep 300 & exit 0", "has ended, but what it left behind held its output open for 1 s"),
    ],
)
def test_troubles_that_pass(own: Own, words: str, said: str) -> None:
    """A command that says later, or hangs, is a reason to try again."""
    own.says(words)
    error = refusal(own.backend(timeout="1s"), adding(NEXT))
    assert isinstance(error, PublishTemporary)
    assert said in error.message
    assert own.file.read_text() == SNIPPET


@pytest.mark.parametrize(("words", "said"), [("kill -9 $$", "signal 9"), ("yes", "mebibyte")])
def test_commands_that_end_badly(own: Own, words: str, said: str) -> None:
    """Killed, or talking without end: both are failures with words."""
    own.says(words)
    assert said in refusal(own.backend(), adding(NEXT)).message
    assert own.file.read_text() == SNIPPET


def test_a_command_that_is_not_there(own: Own) -> None:
    """A program that does not exist is told with the section to correct, and nothing has changed."""
    error = refusal(own.backend(command=["/nonexistent/reload"]), adding(NEXT))
    assert "/nonexistent/reload" in error.message
    assert "dns.nsd" in error.hint
    assert own.file.read_text() == SNIPPET


def test_a_check_that_fails(own: Own) -> None:
    """The check sees the new file; if it refuses it, the former is put back and the server hears of nothing."""
    check = ["/bin/sh", "-c", f"! grep {'b' * 64} {own.file}"]
    error = refusal(own.backend(check=check), adding(NEXT))
    assert "told of nothing" in error.message
    assert own.file.read_text() == SNIPPET
    assert not own.served.exists()
    assert own.backend().read(OWNER).records == {NOW, FOREIGN, THIRD}
    assert own.backend(check=check).change(removing(NOW)).state == "done"


def test_a_person_at_the_same_file(own: Own) -> None:
    """What is edited by hand while the command runs is not lost, whatever becomes of the command."""
    own.says("echo '; by hand' >>$file; exit 1")
    assert "was edited meanwhile and stays so" in refusal(own.backend(), adding(NEXT)).message
    assert own.file.read_text() == f"{SNIPPET}{OWNER} 7200 IN TLSA {NEXT}\n; by hand\n; by hand\n"
    own.says("echo '(' >$file; exit 1")
    assert "cannot be read any more" in refusal(own.backend(), removing(NEXT)).message
    assert own.file.read_text() == "(\n"


def test_a_check_that_fails_when_the_server_is_behind(own: Own) -> None:
    """A server that may lack an earlier change is not held to have it because a later one was not even tried."""
    own.says("exit 1")
    refusal(own.backend(), adding(NEXT))
    refusal(own.backend(check=["/bin/false"]), adding(NEXT))
    assert own.backend().read(OWNER).records is None
    own.says(SERVE)
    assert own.backend().change(removing(NEXT)).state == "done"
    assert own.is_served


def test_a_command_that_changes_the_snippet(own: Own) -> None:
    """Success is not believed when the file does not have the record afterwards."""
    own.says("printf '' > $file")
    assert "only this program may" in refusal(own.backend(), adding(NEXT)).hint


def test_no_secrets_of_ours_for_commands(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands get a PATH and a language, and nothing of our environment."""
    monkeypatch.setenv("TOKEN", "hush")
    own.says("env > $served")
    own.backend().change(adding(NEXT))
    names = {line.partition("=")[0] for line in own.served.read_text().splitlines()}
    assert names <= {"PATH", "LANG", "PWD", "_", "SHLVL", "OLDPWD"}


# --- killed, and two at once ----------------------------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from tlsa_manager.publish import Change, open_backend
from tlsa_manager.tlsa import Tlsa
backend = open_backend("nsd", "zonefile", {"file": sys.argv[1], "command": [sys.argv[2]]})
backend.change(Change(sys.argv[3], "", frozenset({Tlsa.parse(sys.argv[4])}), frozenset(), None, 3600))
"""


def test_killed_before_the_command_has_ended(own: Own) -> None:
    """The file is new, the server may not have it: reading cannot tell, and the same change asked again runs the command."""
    own.says("touch $served.began; while [ ! -e $served.go ]; do sleep 0.1; done; touch $served.ended")
    argv = [sys.executable, "-c", KILLED, str(own.file), str(own.program), OWNER, str(NEXT)]
    process = subprocess.Popen(argv)
    until(own.served.with_name("served.began").exists, "the command runs")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert own.file.read_text() == f"{SNIPPET}{OWNER} 7200 IN TLSA {NEXT}\n"
    assert own.backend().read(OWNER).records is None
    own.served.with_name("served.go").touch()
    until(own.served.with_name("served.ended").exists, "the command that was left behind has ended")

    own.says("exit 1")
    assert "may not have it yet" in refusal(own.backend(), adding(NEXT)).message
    own.says(SERVE)
    assert own.backend().change(adding(NEXT)).state == "done"
    assert own.is_served
    assert own.backend().read(OWNER).records == {NOW, FOREIGN, THIRD, NEXT}
    own.served.unlink()
    assert own.backend().change(adding(NEXT)).state == "done"
    assert not own.served.exists(), "the server is known to have it"


def test_killed_at_any_moment(own: Own) -> None:
    """Whenever it is killed, the file is the old one or the new one, and the next run has the server serve the new one."""
    argv = [sys.executable, "-c", KILLED, str(own.file), str(own.program), OWNER, str(NEXT)]
    new = f"{SNIPPET}{OWNER} 7200 IN TLSA {NEXT}\n"
    own.file.with_name(f".tlsa.inc.{'0' * 16}.new").write_text("what one left that was killed while it wrote")
    for turn in range(12):
        own.file.write_text(SNIPPET)
        process = subprocess.Popen(argv)
        time.sleep(0.02 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert own.file.read_text() in (SNIPPET, new)
        until(lambda: own.backend().change(adding(NEXT)).state == "done", "the change is made")
        assert (own.file.read_text(), own.served.read_text()) == (new, new)
        assert list(own.file.parent.iterdir()) == [own.file]


def test_a_command_that_cleans_up(own: Own) -> None:
    """What it does not know it may take away, as rsync --delete does: the mark, too. It has been run, and that is all."""
    own.says(f"{SERVE}; rm -f {own.file.parent}/.*.owed")
    assert own.backend().change(adding(NEXT)).state == "done"
    assert own.is_served
    assert NEXT in (own.backend().read(OWNER).records or NONE)


def test_a_snippet_that_is_mounted(own: Own) -> None:
    """As containers do it with single files: it cannot be replaced, which is told before it has to be."""
    script = (
        "import os, subprocess, sys; from tlsa_manager.publish.zonefile import place; from pathlib import Path;"
        "subprocess.run(['mount', '--bind', sys.argv[1], sys.argv[2]], check=True); print(*place.problems(Path(sys.argv[2])))"
    )
    for name in ("mounted.inc", "with blank.inc"):
        other = own.file.parent / name
        other.write_text("")
        argv = ["unshare", "-m", sys.executable, "-c", script, str(own.file), str(other)]
        said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
        assert "mount its directory instead" in said
    assert problems(own) == ()


def test_many_at_once(own: Own) -> None:
    """Runs of several lineages, in threads and processes, lose none of each other's records."""
    digests = [f"{number:064x}" for number in range(12)]
    threads = [
        threading.Thread(target=own.backend().change, args=(adding(Tlsa.parse(f"3 1 1 {digest}")),)) for digest in digests[:8]
    ]
    argv = [sys.executable, "-c", KILLED, str(own.file), str(own.program), OWNER]
    processes = [subprocess.Popen([*argv, f"3 1 1 {digest}"]) for digest in digests[8:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert {record.data for record in own.backend().read(OWNER).records or ()} >= set(digests)
    assert own.is_served


def test_while_another_run_is_at_it(own: Own) -> None:
    """Reading does not wait for a change that is being made, and says so; a change waits, for so long and no longer."""
    own.says("touch $served.began; while [ ! -e $served.go ]; do sleep 0.1; done")
    thread = threading.Thread(target=own.backend().change, args=(adding(NEXT),))
    thread.start()
    try:
        until(own.served.with_name("served.began").exists, "the command runs")
        assert "another run" in own.backend().read(OWNER).reason
        assert isinstance(refusal(own.backend(timeout="1s"), adding(NEXT)), PublishTemporary)
    finally:
        own.served.with_name("served.go").touch()
        thread.join()
    assert own.backend().read(OWNER).records == {NOW, FOREIGN, THIRD, NEXT}


# --- whose file -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("as_root")
def test_owner_and_mode_stay(own: Own) -> None:
    """The new file belongs to whom the old one did, with its mode."""
    os.chown(own.file, 65534, 65533)
    own.file.chmod(0o640)
    own.backend().change(adding(NEXT))
    found = own.file.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (65534, 65533, 0o640)


def _symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_symlink, "symbolic link"),
        (lambda path: (path.unlink(), path.mkdir()), "not a regular file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
        (Path.unlink, "does not exist"),
        (lambda path: path.write_bytes(b"; Gr\xfc\xdfe\n"), "not UTF-8"),
        (lambda path: path.write_bytes(b"\0" * 512), "not text"),
        (lambda path: os.truncate(path, 17 << 20), "16 MiB"),
        (lambda path: path.write_text(f"{OWNER} TLSA 3 1 1 (\n{'a' * 64}\n"), "parenthesis"),
        (lambda path: path.write_text(f'{OWNER} TXT "open\n'), "line 1: a quotation mark"),
    ],
)
def test_files_that_are_no_snippet(own: Own, make: Callable[[Path], object], words: str) -> None:
    """What cannot be a snippet is told, is not touched, and no command is run."""
    make(own.file)
    before = own.file.read_bytes() if own.file.is_file() else None
    for change in (adding(NEXT), Text(OWNER, "", VALUE, present=True)):
        error = refusal(own.backend(), change)
        assert words in error.message
        assert str(own.file) in error.message
    assert words in own.backend().read(OWNER).reason
    assert words in " ".join(problems(own))
    assert (own.file.read_bytes() if own.file.is_file() else None) == before
    assert not own.served.exists()


def problems(own: Own, **options: object) -> tuple[str, ...]:
    """What `config check` tells of it."""
    backend = own.backend(**options)
    assert isinstance(backend, LocalBackend)
    return backend.problems()


def test_looked_at_beforehand(own: Own) -> None:
    """A program that is not there is told before it is needed; in good order nothing is told, nor run."""
    assert problems(own) == ()
    assert problems(own, command=["/nonexistent/a"], check=["/nonexistent/b"]) == (
        "/nonexistent/a is not a program that can be run here; install it, or correct the path",
        "/nonexistent/b is not a program that can be run here; install it, or correct the path",
    )
    assert not own.served.exists()


@pytest.mark.usefixtures("as_root")
def test_full_disk(own: Own) -> None:
    """On a full disk nothing is lost: the file is the old one, and when there is room again, all goes on."""
    filler = own.file.parent / "filler"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(own.file.parent)], check=True)
    try:
        own.file.write_text(SNIPPET)
        assert subprocess.run(["dd", "if=/dev/zero", f"of={filler}"], capture_output=True, check=False).returncode == 1
        assert "disk is full" in refusal(own.backend(), adding(NEXT)).message
        assert own.file.read_text() == SNIPPET
        filler.unlink()
        assert own.backend().change(adding(NEXT)).state == "done"
        assert own.is_served
    finally:
        subprocess.run(["umount", str(own.file.parent)], check=True)
