"""The promises of the Consumer protocol, kept by every kind of consumer, at real files and with a real Postfix."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pki
import pytest
from deploy import readers
from lab import programs
from lab.exim import Exim
from lab.fixtures import needs
from lab.postfix import Postfix

from tlsa_manager import clock
from tlsa_manager.deploy import KINDS, Consumer, open_consumer, options_of
from tlsa_manager.errors import ConfigError, DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Consumer]

TRUE, FALSE = ["/bin/true"], ["/bin/false"]
OURS = (os.getegid(), 0o600)
FRESH = {"exim": (65534, 0o640)}  # group and mode of a file where none stood, for those who do not open it as root


@pytest.fixture(scope="module")
def instance(lab_dir: Path) -> Iterator[Postfix]:
    """Start a real Postfix."""
    needs(*programs.MAIL)
    postfix = Postfix(lab_dir / "consumers", address="127.25.9.1", hostname="mx.example", main="")
    postfix.start()
    yield postfix
    postfix.stop()


@pytest.fixture(scope="module")
def mailer(lab_dir: Path) -> Iterator[Exim]:
    """Start a real Exim."""
    needs("exim4")
    exim = Exim(lab_dir / "consumers-exim", address="127.25.9.4", hostname="mx.example")
    exim.start()
    yield exim
    exim.stop()


@pytest.fixture(scope="module")
def started(lab_dir: Path) -> Iterator[Callable[[str], dict[str, object]]]:
    """Start a real server of one of the other kinds when it is first asked for; it reads a certificate of its own."""
    servers: dict[str, Any] = {}

    def options(kind: str) -> dict[str, object]:
        if kind not in servers:
            server = readers.KINDS[kind].make(lab_dir / "consumers-readers", f"127.25.9.{20 + len(servers)}")
            own = server.directory / "own.pem"
            own.touch(mode=0o600)
            own.write_bytes(combined())
            server.configure(readers.KINDS[kind].tls(str(own), str(own)))
            server.start()
            servers[kind] = server
        return readers.KINDS[kind].options(servers[kind])

    yield options
    for server in servers.values():
        server.stop()


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make a consumer of each kind, with its real commands unless the test gives others."""
    tmp_path.chmod(0o755)
    own: dict[str, object] = {"command": {"reload": TRUE, "check": TRUE}}.get(kind, {})
    if kind == "postfix":
        own = {"config-directory": str(request.getfixturevalue("instance").config_directory)}
    if kind == "exim":
        exim = request.getfixturevalue("mailer")
        own = {"command": str(exim.command), "configuration": str(exim.configuration)}
    if kind in readers.KINDS:
        own = request.getfixturevalue("started")(kind)
    return lambda **options: open_consumer("one", kind, {"file": str(tmp_path / "mx.pem"), **own, **options})


def combined() -> bytes:
    chain, key = pki.pair()
    return key + chain


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_is_installed_stands_there(make: Make, kind: str, tmp_path: Path) -> None:
    """After install the content is exact, private, seen by look, and alone in the directory; twice is the same."""
    consumer, content = make(), combined()
    assert consumer.name == "one"
    assert consumer.path == tmp_path / "mx.pem"
    assert consumer.current() is None
    assert not consumer.look().fingerprint
    for _ in range(2):
        consumer.install(content)
        assert consumer.current() == content == consumer.path.read_bytes()
        assert (consumer.path.stat().st_gid, stat.S_IMODE(consumer.path.stat().st_mode)) == FRESH.get(kind, OURS)
        assert names(tmp_path) == ["mx.pem"]
    view = consumer.look()
    assert (view.consumer, view.path) == ("one", str(consumer.path))
    assert view.fingerprint
    assert not [problem for problem in view.problems if "mode" in problem or "uid" in problem]


def test_the_real_check_and_reload_work(make: Make) -> None:
    """Before and after an install the consumer's own commands succeed."""
    consumer = make()
    consumer.check()
    consumer.install(combined())
    consumer.reload()


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o400, 0o400), (0o644, 0o640), (0o666, 0o640)])
@pytest.mark.usefixtures("as_root")
def test_owner_and_mode_are_kept_and_never_too_wide(make: Make, before: int, after: int) -> None:
    """The file keeps its owner, group and mode; what others could read or a group write is narrowed, and told before."""
    consumer = make()
    consumer.install(combined())
    os.chown(consumer.path, 0, 65534)
    consumer.path.chmod(before)
    told = [problem for problem in consumer.look().problems if "too wide for a private key" in problem]
    assert bool(told) == (before != after)
    consumer.install(combined())
    found = consumer.path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 65534, after)
    assert not [problem for problem in consumer.look().problems if "too wide" in problem]


@pytest.mark.usefixtures("as_root")
def test_the_key_is_never_readable_by_others_not_for_a_moment(
    make: Make, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With umask 0, each byte is written to a file that is private and has its final owner already; a watcher agrees."""
    consumer = make()
    seen: set[int] = set()
    done = threading.Event()
    write, opened = os.write, os.open

    def private(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        assert not flags & os.O_CREAT or mode == 0o600, "made readable, even empty, it could be opened before it is narrowed"
        return opened(path, flags, mode, **more)

    def checked(descriptor: int, content: bytes) -> int:
        found = os.fstat(descriptor)
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, *FRESH.get(kind, OURS))
        return write(descriptor, content)

    def watch() -> None:
        while not done.is_set():
            for path in tmp_path.iterdir():
                try:
                    seen.add(stat.S_IMODE(path.stat().st_mode))
                except FileNotFoundError:
                    continue

    watcher = threading.Thread(target=watch)
    before = os.umask(0)
    try:
        watcher.start()
        monkeypatch.setattr(os, "write", checked)
        monkeypatch.setattr(os, "open", private)
        for _ in range(20):
            consumer.install(combined())
    finally:
        os.umask(before)
        done.set()
        watcher.join()
    final = FRESH.get(kind, OURS)[1]
    assert seen | {0o600} == {0o600, final}  # made for the owner alone, then opened to its group
    assert final in seen


def bad_contents() -> dict[str, tuple[bytes, str]]:
    (chain, key), (_, other) = pki.pair(), pki.pair()
    return {
        "another key": (other + chain, "do not belong together"),
        "chain first": (chain + key, "does not begin with the private key"),
        "no key": (chain, "does not begin with the private key"),
        "cut off": ((key + chain)[:-30], "cut off"),
        "empty": (b"", "is empty"),
        "garbage": (b"\0" * 100, "does not begin"),
    }


@pytest.mark.parametrize("case", ["another key", "chain first", "no key", "cut off", "empty", "garbage"])
def test_what_is_no_pair_is_not_installed(make: Make, tmp_path: Path, case: str) -> None:
    """Content whose key and chain do not belong together, or stand in the wrong order, leaves the old file."""
    consumer, old = make(), combined()
    consumer.install(old)
    content, words = bad_contents()[case]
    with pytest.raises(DeployError, match=words):
        consumer.install(content)
    assert consumer.path.read_bytes() == old
    assert names(tmp_path) == ["mx.pem"]


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """Mount a small file system on a directory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.usefixtures("as_root")
def test_a_full_disk_leaves_the_old_file(make: Make, tmp_path: Path) -> None:
    """On a full file system the install fails in words, the old file stands, and there is no temporary file."""
    with mounted(tmp_path, "size=16k,mode=0755"):
        consumer, old = make(), combined()
        consumer.install(old)
        (tmp_path / "filler").write_bytes(b"x" * 4096 * 3)
        with pytest.raises(DeployError, match="the disk is full") as caught:
            consumer.install(combined())
        assert "old file stands" in caught.value.hint
        assert consumer.path.read_bytes() == old
        assert names(tmp_path) == ["filler", "mx.pem"]


@pytest.mark.usefixtures("as_root")
def test_a_read_only_disk_leaves_the_old_file(make: Make, tmp_path: Path) -> None:
    """A file system that turned read-only is named as the reason."""
    with mounted(tmp_path, "size=64k,mode=0755"):
        consumer, old = make(), combined()
        consumer.install(old)
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        with pytest.raises(DeployError, match="read-only"):
            consumer.install(combined())
        assert consumer.current() == old


def test_kill_at_any_moment_leaves_the_old_or_the_new_file(make: Make, kind: str, tmp_path: Path) -> None:
    """However an install ends, the file is one of the two pairs, whole; what was left beside it goes with the next install."""
    consumer = make()
    contents = [combined(), combined()]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.in").write_bytes(content)
    script = """
import sys
from pathlib import Path
from tlsa_manager.deploy import files
contents = [Path(name).read_bytes() for name in sys.argv[2:]]
print("ready", flush=True)
while True:
    for content in contents:
        files.install(Path(sys.argv[1]), content)
"""
    consumer.install(contents[0])
    arguments = [str(consumer.path), str(tmp_path / "0.in"), str(tmp_path / "1.in")]
    for attempt in range(10):
        with subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            clock.sleep(0.003 + 0.0007 * attempt)
            process.send_signal(signal.SIGKILL)
        assert consumer.current() in contents
    consumer.install(contents[0])
    assert names(tmp_path) == ["0.in", "1.in", "mx.pem"]


def test_what_a_killed_install_left_goes_and_nothing_else(make: Make, tmp_path: Path) -> None:
    """The next install sweeps its own half-written files only."""
    for name in (".mx.pem.0123456789abcdef.new", ".mx.pem.mine.new", ".other.pem.0123456789abcdef.new"):
        (tmp_path / name).write_bytes(b"half a key")
    make().install(combined())
    assert names(tmp_path) == [".mx.pem.mine.new", ".other.pem.0123456789abcdef.new", "mx.pem"]


def test_an_install_is_on_the_disk_when_it_returns(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is synced before the rename, the directory after it; a power cut finds the old or the new file."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        steps.append("sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def renamed(*words: str, **more: int) -> None:
        steps.append("rename")
        rename(*words, **more)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    make().install(combined())
    assert steps == ["sync file", "rename", "sync directory"]


def test_a_symlink_is_not_followed_and_not_replaced(make: Make, tmp_path: Path) -> None:
    """A link at the file's place, as into an ACME client's directory, is told beforehand and refused."""
    consumer = make()
    target = tmp_path / "live.pem"
    target.write_bytes(b"another's")
    consumer.path.symlink_to(target)
    assert [problem for problem in consumer.look().problems if "symbolic link" in problem]
    with pytest.raises(DeployError, match="symbolic link"):
        consumer.install(combined())
    with pytest.raises(DeployError, match="symbolic link"):
        consumer.current()
    assert target.read_bytes() == b"another's"
    assert consumer.path.is_symlink()


@pytest.mark.parametrize("harm", ["writable by all", "another user's", "a link", "missing"])
@pytest.mark.usefixtures("as_root")
def test_a_directory_that_is_not_safe_is_refused(make: Make, tmp_path: Path, harm: str) -> None:
    """No key is written into a directory that others could change, or that is not there."""
    place = tmp_path / "tls"
    consumer = make(file=str(place / "mx.pem"))
    place.mkdir(mode=0o755)
    if harm == "writable by all":
        place.chmod(0o777)
    elif harm == "another user's":
        os.chown(place, 65534, 65534)
    else:
        place.rename(tmp_path / "real")
        if harm == "a link":
            place.symlink_to(tmp_path / "real")
    with pytest.raises(DeployError) as caught:
        consumer.install(combined())
    assert caught.value.hint
    assert consumer.look().problems
    assert not list(tmp_path.rglob("*.pem"))


@pytest.mark.parametrize("content", [b"", b"\0garbage", b"-----BEGIN CERTIFICATE-----\nMAMC\n-----END CERTIFICATE-----\n"])
def test_look_never_raises(make: Make, content: bytes) -> None:
    """Whatever stands at the file, looking tells a problem and no fingerprint."""
    consumer = make()
    consumer.path.touch(mode=0o600)
    consumer.path.write_bytes(content)
    view = consumer.look()
    assert view.fingerprint == ""
    assert view.problems
    consumer.path.unlink()
    consumer.path.mkdir()
    assert consumer.look().problems
    with pytest.raises(DeployError):
        consumer.install(combined())


def test_a_reload_that_fails_is_an_error_with_its_words(make: Make, tmp_path: Path) -> None:
    """A non-zero exit code raises, with the code and the last words, without control characters."""
    script = tmp_path / "reload"
    script.write_text("#!/bin/sh\necho 'no \033[31mway' >&2\nexit 7\n")
    script.chmod(0o755)
    with pytest.raises(DeployError, match=r"failed with exit code 7: no  \[31mway") as caught:
        make(reload=[str(script)]).reload()
    assert caught.value.hint
    with pytest.raises(DeployError, match="cannot be started"):
        make(reload=["/nonexistent/reload"]).reload()


def test_a_reload_that_hangs_is_killed_with_all_it_started(make: Make, tmp_path: Path) -> None:
    """After the timeout the whole process group is gone, and the error says so."""
    script = tmp_path / "reload"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n")
    script.chmod(0o755)
    with pytest.raises(DeployError, match=r"did not end within 0\.5 s and was killed"):
        make(reload=[str(script)], timeout="0.5s").reload()
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_running(child):
        clock.sleep(0.01)
    assert not is_running(child)


def test_a_daemon_left_behind_does_not_keep_us_waiting(make: Make, tmp_path: Path) -> None:
    """A reload that leaves a process with its output open is over when it ends itself."""
    script = tmp_path / "reload"
    script.write_text(f"#!/bin/sh\nsetsid sleep 60 &\necho $! > {tmp_path}/pid\n")
    script.chmod(0o755)
    make(reload=[str(script)], timeout="30s").reload()
    child = int((tmp_path / "pid").read_text())
    assert is_running(child)
    os.kill(child, signal.SIGKILL)


def test_output_that_may_be_a_key_is_not_repeated(make: Make, tmp_path: Path) -> None:
    """A command that prints the file it was given does not get the key into our messages."""
    key = pki.pair()[1]
    script = tmp_path / "reload"
    script.write_text(f"#!/bin/sh\ncat >&2 <<END\n{key.decode()}END\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(DeployError, match="looks like a private key") as caught:
        make(reload=[str(script)]).reload()
    assert key.splitlines()[1].decode() not in caught.value.message


def test_commands_get_no_environment_of_ours_and_no_input(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in our environment do not reach the commands; stdin is empty; file names with blanks are one word."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/secret")
    script = tmp_path / "re load"
    script.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\ncat >> {tmp_path}/env\necho "$#:$1" >> {tmp_path}/env\n')
    script.chmod(0o755)
    make(reload=[str(script), "$(id) ; *"]).reload()
    said = (tmp_path / "env").read_text()
    assert "secret" not in said
    assert "PATH=/usr/local/sbin:" in said
    assert said.endswith("1:$(id) ; *\n")


def test_options_are_data_and_mistakes_are_named(kind: str) -> None:
    """Every kind declares its options; an unknown or missing one is a ConfigError with the section's name."""
    declared = {option.name: option for option in options_of(kind)}
    assert declared["file"].required
    assert all(option.help for option in declared.values())
    with pytest.raises(ConfigError, match=r"consumer\.one\.file: missing"):
        open_consumer("one", kind, {})
    with pytest.raises(ConfigError, match=r"consumer\.one\.flie: unknown"):
        open_consumer("one", kind, {"flie": "/x"})
    with pytest.raises(ConfigError, match=r"consumer\.one\.type: 'postfixx' is not a kind .*'postfix'"):
        open_consumer("one", "postfixx", {})


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:  # it ended, before or while we looked
        return False
