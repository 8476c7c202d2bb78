"""Files of clients without hooks: what is noticed, what is read, what is waited for, and what is told in the end."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pki import pair

from tlsa_manager.errors import BadInput, StateError
from tlsa_manager.handover import handed_over, watching
from tlsa_manager.handover.watching import PATIENCE, SETTLE, Seen, Watch
from tlsa_manager.keys import load_pair
from tlsa_manager.lineage import Lineage

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = time.time() + 86400  # by then nobody has touched the files for a while


class Client:
    """Writes its two files as the test says, and counts what is taken from them."""

    def __init__(self, place: Path) -> None:
        self.chain, self.key = place / "tls.crt", place / "tls.key"
        self.lineage = Lineage("mx", (), watch=(str(self.chain), str(self.key)))
        self.watch = Watch(place / "state")
        self.taken: list[bytes] = []
        self.refusal: Exception | None = None

    def renew(self) -> bytes:
        """Write a new pair, the key first; return the chain."""
        chain, key = pair("mx.example.org")
        self.key.write_bytes(key)
        self.chain.write_bytes(chain)
        return chain

    def take(self, chain: bytes, key: bytes | None) -> None:
        """Take what is a pair."""
        if self.refusal:
            raise self.refusal
        if key is None:
            raise BadInput("it is none of ours")
        load_pair(chain, key)
        self.taken.append(chain)

    def look(self, now: float) -> bool:
        """Look as `run` does."""
        return self.watch.look(self.lineage, now, self.take)

    def due(self, now: float) -> bool:
        """Whether `run` would look."""
        return self.watch.due(self.lineage, now)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tell which files were read."""
    found: list[str] = []

    def counted(take: Callable[[bytes, bytes | None], object], certificate: str, key: str) -> object:
        found.append(certificate)
        return handed_over(take, certificate, key)

    monkeypatch.setattr(watching, "handed_over", counted)
    return found


def test_a_lineage_without_files_is_never_due(tmp_path: Path) -> None:
    """Nor is anything made for it."""
    watch = Watch(tmp_path)
    assert not watch.due(Lineage("mx", ()), NOW)
    watch.look(Lineage("mx", ()), NOW, lambda chain, key: pytest.fail(f"{chain!r} {key!r}"))
    assert not list(tmp_path.iterdir())


def test_a_change_is_taken_over_and_an_unchanged_file_is_not_read_again(client: Client, reads: list[str]) -> None:
    """Read once for each change, however often anybody looks."""
    first = client.renew()
    assert client.due(NOW)
    client.look(NOW)
    assert client.taken == [first]
    for later in (0, 1, 60, PATIENCE + 1, 86400 * 60):
        assert not client.due(NOW + later)
        client.look(NOW + later)
    assert len(reads) == 1
    second = client.renew()
    assert client.due(NOW + 100)
    client.look(NOW + 100)
    assert client.taken == [first, second]


def test_files_are_not_read_while_they_are_being_written(client: Client) -> None:
    """A chain that is half there may look like a whole one: its leaf alone. So nothing is read that changed a moment ago."""
    chain, key = pair("mx.example.org")
    client.key.write_bytes(key)
    client.chain.write_bytes(chain[: chain.index(b"-----END") + 26])
    assert load_pair(client.chain.read_bytes(), key)
    now = time.time()
    assert client.due(now)
    assert not client.look(now)
    assert not client.due(now + SETTLE / 2)
    with client.chain.open("ab") as stream:
        stream.write(chain[chain.index(b"-----END") + 26 :])
    now = time.time()
    assert not client.look(now)
    assert client.due(now + SETTLE)
    assert client.look(now + SETTLE)
    assert client.taken == [chain]


def test_files_of_a_server_whose_clock_is_ahead_are_read(client: Client) -> None:
    """Then our own clock tells when nothing has changed for a while."""
    chain = client.renew()
    now = time.time() - 3600
    assert not client.look(now)
    assert not client.look(now + SETTLE / 2) or not client.taken
    assert client.look(now + SETTLE)
    assert client.taken == [chain]


def test_what_was_seen_survives_the_process(client: Client, reads: list[str]) -> None:
    """The timer's next run is another process; without the memory it reads once more, and that is all."""
    client.renew()
    client.look(NOW)
    client.watch = Watch(client.watch.directory.parent)
    assert not client.due(NOW + 60)
    (remembered,) = client.watch.directory.iterdir()
    assert remembered.stat().st_mode & 0o077 == 0
    remembered.write_text("half a mem")
    client.watch = Watch(client.watch.directory.parent)
    assert client.due(NOW + 120)
    client.look(NOW + 120)
    assert len(reads) == 2


def test_a_change_that_shows_no_later_time_is_noticed(client: Client) -> None:
    """A file that was moved into place with the times of an older one: it is another file."""
    client.renew()
    client.look(NOW)
    chain, key = pair("mx.example.org")
    for file, content in ((client.chain, chain), (client.key, key)):
        new = file.with_suffix(".new")
        new.write_bytes(content)
        os.utime(new, (1, 1))
        new.replace(file)
    assert client.due(NOW + 60)
    client.look(NOW + 60)
    assert client.taken[-1] == chain


def test_a_farm_of_links_that_flips_is_noticed(tmp_path: Path) -> None:
    """As secrets are mounted: tls.crt -> ..data/tls.crt, and ..data -> a directory that is replaced as a whole."""
    client = Client(tmp_path)
    chains = []
    for number in (1, 2):
        chain, key = pair("mx.example.org")
        chains.append(chain)
        directory = tmp_path / f"..{number}"
        directory.mkdir()
        (directory / "tls.crt").write_bytes(chain)
        (directory / "tls.key").write_bytes(key)
    (tmp_path / "..data").symlink_to("..1")
    for file in (client.chain, client.key):
        file.symlink_to(f"..data/{file.name}")
    client.look(NOW)
    assert not client.due(NOW + 60)
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert client.due(NOW + 60)
    client.look(NOW + 60)
    assert client.taken[-1] == chains[1]


def test_half_written_files_are_waited_for(client: Client) -> None:
    """The key is new and the certificate is not: nothing is said, and a moment later both are taken."""
    client.renew()
    client.look(NOW)
    chain, key = pair("mx.example.org")
    client.key.write_bytes(key)
    client.look(NOW + 1)
    client.chain.write_bytes(chain[:200])
    client.look(NOW + 2)
    assert len(client.taken) == 1
    assert client.watch.advice(client.lineage, NOW + 2) == ()
    client.chain.write_bytes(chain)
    assert client.due(NOW + 3)
    client.look(NOW + 3)
    assert client.taken[1:] == [chain]


def test_files_that_stay_apart_are_told_once(client: Client) -> None:
    """After ten minutes as an error, and from then on in `status`; until they are in order."""
    client.renew()
    client.key.write_bytes(pair("mx.example.org")[1])
    client.look(NOW)
    assert not client.due(NOW + PATIENCE - 1)
    client.key.write_bytes(pair("mx.example.org")[1])  # it tries again and again: that is no new beginning
    client.look(NOW + PATIENCE - 1)
    assert client.due(NOW + PATIENCE)
    with pytest.raises(BadInput, match=r"of no use for 10 minutes.*do not belong together") as told:
        client.look(NOW + PATIENCE)
    assert str(client.key) in told.value.message
    assert told.value.hint
    client.key.write_bytes(pair("mx.example.org")[1])
    for later in (PATIENCE + 60, PATIENCE + 120):
        client.look(NOW + later)
    (said,) = Watch(client.watch.directory.parent).advice(client.lineage, NOW + 2 * PATIENCE)
    assert "for 20 minutes" in said
    client.renew()
    client.look(NOW + 2 * PATIENCE)
    assert client.watch.advice(client.lineage, NOW + 2 * PATIENCE) == ()
    assert len(client.taken) == 1


@pytest.mark.parametrize("gone", ["chain", "key"])
def test_a_file_that_vanishes_for_a_moment_is_no_error(client: Client, gone: str) -> None:
    """Clients that delete first; it is told when it stays away."""
    client.renew()
    client.look(NOW)
    getattr(client, gone).unlink()
    assert client.due(NOW + 60)
    client.look(NOW + 60)
    again = client.renew()
    client.look(NOW + 61)
    assert client.taken[-1] == again
    getattr(client, gone).unlink()
    client.look(NOW + 70)
    with pytest.raises(BadInput, match="No such file"):
        client.look(NOW + 70 + PATIENCE)


def test_what_is_no_file_of_a_client_is_never_waited_for(client: Client, tmp_path: Path) -> None:
    """A pipe, a device, a directory, a gigabyte, a link to itself, a name with a zero: quietly at first, told in the end."""

    def big(file: Path) -> None:
        with file.open("wb") as stream:
            stream.truncate(1 << 30)

    def device(file: Path) -> None:
        file.symlink_to("/dev/zero")

    def loop(file: Path) -> None:
        file.symlink_to(file)

    makers: tuple[Callable[[Path], None], ...] = (os.mkfifo, Path.mkdir, big, device, loop)
    now = NOW
    for make in makers:
        for file in (client.chain, client.key):
            client.watch = Watch(tmp_path / make.__name__ / file.name)
            client.renew()
            file.unlink()
            make(file)
            client.look(now)
            with pytest.raises(BadInput, match="of no use"):
                client.look(now + PATIENCE)
            assert not client.taken, make
            if file.is_dir():
                file.rmdir()
            else:
                file.unlink(missing_ok=True)
    client.lineage = Lineage("mx", (), watch=("/nonexistent/\0", ""))
    client.look(now)


@pytest.mark.usefixtures("as_root")
def test_files_of_another_user_are_taken(client: Client) -> None:
    """A client that runs as a user of its own is the usual case; whose file may be read, the system decides."""
    chain = client.renew()
    for file in (client.chain, client.key):
        os.chown(file, 65534, 65534)
        file.chmod(0o400)
    client.look(NOW)
    assert client.taken == [chain]


def test_the_key_may_be_ours(client: Client) -> None:
    """Without a file for the key, or with one that is of an earlier key, ours is asked for."""
    asked: list[bytes | None] = []
    client.lineage = Lineage("mx", (), watch=(str(client.chain), ""))
    client.renew()
    client.watch.look(client.lineage, NOW, lambda chain, key: asked.append(key))
    assert asked == [None]


def test_trouble_of_our_own_is_not_held_against_the_files(client: Client) -> None:
    """A full disk: the error is told at once, and the files are read again as soon as anybody looks."""
    chain = client.renew()
    client.refusal = StateError("the disk is full")
    with pytest.raises(StateError):
        client.look(NOW)
    client.refusal = None
    assert client.due(NOW + 1)
    client.look(NOW + 1)
    assert client.taken == [chain]


@pytest.mark.parametrize("moment", ["write_bytes", "replace"])
def test_a_full_disk_leaves_no_files(client: Client, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """However often anybody looks; what a killed one left goes with the next."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    client.renew()
    with monkeypatch.context() as patch:
        patch.setattr(Path, moment, full)
        for later in range(3):
            client.watch = Watch(client.watch.directory.parent)
            client.watch._remember("mx", Seen((None, None), NOW + later))
        assert list(client.watch.directory.iterdir()) == []
    (client.watch.directory / ".mx.new").write_bytes(b"half")
    client.look(NOW)
    assert [one.name for one in client.watch.directory.iterdir()] == ["mx"]


def test_a_memory_that_cannot_be_kept_harms_nothing(client: Client) -> None:
    """A directory that cannot be made: this process remembers, the next one reads again."""
    chain = client.renew()
    client.watch.directory.parent.write_text("a file")
    client.look(NOW)
    assert not client.due(NOW + 60)
    assert client.taken == [chain]
    assert Watch(client.watch.directory.parent).due(client.lineage, NOW + 60)
    shutil.rmtree(client.watch.directory, ignore_errors=True)
