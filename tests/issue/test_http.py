"""http-01: by a file that a web server shows, and by a listener of our own; only while it is proven, and only the answers."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from issue.asked import LabProver, Notes, wish
from issue.gate import as_json
from issue.test_resume import End
from tlsa_manager import keys
from tlsa_manager.errors import IssueError, IssueTemporary
from tlsa_manager.issue.responder import Listener, Webroot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.hierarchy import DnsLab

    from issue.conftest import Opens
    from issue.gate import Gate

HOST_ADDRESS = "127.80.0.1"
TOKEN, ANSWER = "abc-DEF_1", "abc-DEF_1.thumbprint"
WELL_KNOWN = "/.well-known/acme-challenge/"


@contextmanager
def web_server(root: Path) -> Iterator[list[str]]:
    """Show a directory at port 80, as somebody else's web server; yield the paths asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST_ADDRESS, 80), partial(Handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(path: str, host: str = HOST_ADDRESS, port: int = 80, method: str = "GET") -> tuple[int, bytes]:
    """Ask a web server."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_webroot(dns_lab: DnsLab, issuer: Opens, tmp_path: Path) -> None:
    """The authority finds the files through the web server, and afterwards nothing of it is left; DNS is not touched."""
    root = tmp_path / "www"
    root.mkdir()
    host, key, prover = dns_lab.fresh_name(address=HOST_ADDRESS), keys.generate(), LabProver(dns_lab)
    with web_server(root) as asked:
        chain = issuer(challenge="http-01", webroot=str(root)).obtain(wish(host, key=key), None, Notes(), prover)
    assert keys.load_pair(chain, key).names == (host,)
    assert all(path.startswith(WELL_KNOWN) for path in asked)
    assert asked
    assert list(root.iterdir()) == []
    assert prover.rounds == []


def test_listener(dns_lab: DnsLab, issuer: Opens) -> None:
    """Without a web server we listen, for both families, until the names are proven."""
    one, other, key = dns_lab.fresh_name(address=HOST_ADDRESS), dns_lab.fresh_name(address=HOST_ADDRESS), keys.generate()
    chain = issuer(challenge="http-01", listen="[::]:80").obtain(wish(one, other, key=key), None, Notes(), LabProver(dns_lab))
    assert set(keys.load_pair(chain, key).names) == {one, other}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST_ADDRESS, 80), timeout=5)


def test_no_web_server(dns_lab: DnsLab, issuer: Opens, tmp_path: Path) -> None:
    """Where nothing listens at port 80 the refusal says so, and the files are gone."""
    diary, root = Notes(), tmp_path / "www"
    root.mkdir()
    wanted = wish(dns_lab.fresh_name(address=HOST_ADDRESS))
    with pytest.raises(IssueError, match="could not connect to the host") as error:
        issuer(challenge="http-01", webroot=str(root)).obtain(wanted, None, diary, LabProver(dns_lab))
    assert "port 80" in error.value.hint
    assert diary.words == ["ordering", "ordered", "ended"]
    assert list(root.iterdir()) == []


def test_wildcard(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A wildcard cannot be proven over HTTP: said before anything is asked."""
    diary = Notes()
    with pytest.raises(IssueError, match=r"\*\.a\.example cannot be proven over HTTP") as error:
        issuer(challenge="http-01", listen="[::]:80").obtain(wish("*.a.example"), None, diary, LabProver(dns_lab))
    assert "dns-01" in error.value.hint
    assert diary.entries == []
    assert gate.asked == []


@pytest.mark.parametrize("at", ["ordered", "/finalize-order/"])
def test_after_a_crash(at: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An order that was being proven over HTTP is gone on with."""
    one = issuer(challenge="http-01", listen=":80")
    diary, prover = Notes(), LabProver(dns_lab)
    wanted = wish(dns_lab.fresh_name(address=HOST_ADDRESS))
    End(at).run(lambda notes, hands: one.obtain(wanted, None, notes, hands), diary, prover, gate)
    assert one.obtain(wanted, diary.former, diary, prover)
    assert gate.count("/order-plz") == 1


def test_a_busy_port_ends_no_order(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """What is mended here, and not at the authority, costs no order: it is gone on with afterwards."""
    diary, wanted = Notes(), wish(dns_lab.fresh_name(address=HOST_ADDRESS))
    one = issuer(challenge="http-01", listen=f"{HOST_ADDRESS}:80")
    with socket.create_server((HOST_ADDRESS, 80)), pytest.raises(IssueError, match="another program listens"):
        one.obtain(wanted, None, diary, LabProver(dns_lab))
    assert one.obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert diary.words == ["ordering", "ordered"]
    assert gate.count("/order-plz") == 1


def test_files(tmp_path: Path) -> None:
    """Files are readable by the web server whatever our umask is, and only what was made is removed."""
    (tmp_path / ".well-known").mkdir()
    (tmp_path / ".well-known" / "other").touch()
    with ExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        stack.enter_context(Webroot(str(tmp_path)).show({TOKEN: ANSWER}))
        place = tmp_path / ".well-known" / "acme-challenge"
        assert (place / TOKEN).read_text() == ANSWER
        assert stat.S_IMODE((place / TOKEN).stat().st_mode) == 0o644
        assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert [one.name for one in (tmp_path / ".well-known").iterdir()] == ["other"]


def test_files_of_others(tmp_path: Path) -> None:
    """What another client has in the same directory stays; what we left in a crash is written over."""
    place = tmp_path / ".well-known" / "acme-challenge"
    place.mkdir(parents=True)
    (place / "theirs").write_text("theirs")
    (place / TOKEN).write_text("left")
    with Webroot(str(tmp_path)).show({TOKEN: ANSWER}):
        assert (place / TOKEN).read_text() == ANSWER
    assert [one.name for one in place.iterdir()] == ["theirs"]


@pytest.mark.parametrize("link", [".well-known", ".well-known/acme-challenge"])
def test_directories_behind_links(link: str, tmp_path: Path) -> None:
    """Below the web server's directory no link is followed: whoever may write there must not lead us elsewhere."""
    elsewhere, root = tmp_path / "etc", tmp_path / "www"
    elsewhere.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(elsewhere)
    with pytest.raises(IssueError, match="cannot be written"), Webroot(str(root)).show({TOKEN: ANSWER}):
        pytest.fail("it was followed")
    assert list(elsewhere.iterdir()) == []


def test_token_behind_a_link(tmp_path: Path) -> None:
    """A link in the place of a file is removed, not written through."""
    victim, place = tmp_path / "victim", tmp_path / ".well-known" / "acme-challenge"
    victim.write_text("safe")
    place.mkdir(parents=True)
    (place / TOKEN).symlink_to(victim)
    with Webroot(str(tmp_path)).show({TOKEN: ANSWER}):
        assert not (place / TOKEN).is_symlink()
    assert victim.read_text() == "safe"


def test_no_webroot(tmp_path: Path) -> None:
    """A directory that is not there is said to be missing, and is not made: no web server would show it."""
    with pytest.raises(IssueError, match="does not exist"), Webroot(str(tmp_path / "www")).show({TOKEN: ANSWER}):
        pytest.fail("it was made")
    assert not (tmp_path / "www").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_the_listener_answers(host: str) -> None:
    """It knows its tokens and nothing else, over both families."""
    with Listener("", 8080).show({TOKEN: ANSWER}):
        assert fetch(WELL_KNOWN + TOKEN, host, 8080) == (200, ANSWER.encode())
        for path in ("/", WELL_KNOWN, WELL_KNOWN + "x", WELL_KNOWN + TOKEN + "/", "/etc/passwd", f"{WELL_KNOWN}../../{TOKEN}"):
            assert fetch(path, host, 8080) == (404, b"")
        assert fetch(WELL_KNOWN + TOKEN, host, 8080, "POST")[0] == 501


def test_strangers_at_the_listener() -> None:
    """Half a hundred silent clients keep neither the authority out for ever nor us from ending."""
    with Listener("127.0.0.1", 8081).show({TOKEN: ANSWER}):
        silent = [socket.create_connection(("127.0.0.1", 8081), timeout=5) for _ in range(60)]
        for one in silent:
            one.close()
        found: list[tuple[int, bytes]] = []
        while not found:
            try:
                found.append(fetch(WELL_KNOWN + TOKEN, "127.0.0.1", 8081))
            except OSError:
                continue  # the room is full until the threads of those who left have ended
        assert found == [(200, ANSWER.encode())]


def test_a_full_room() -> None:
    """Whoever comes last is heard: the longest silent client has to go. Nobody else has to leave for that."""
    with ExitStack() as stack:
        stack.enter_context(Listener("127.0.0.1", 8083).show({TOKEN: ANSWER}))
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", 8083), timeout=30)) for _ in range(50)]
        for number in range(3):
            assert fetch(WELL_KNOWN + TOKEN, "127.0.0.1", 8083) == (200, ANSWER.encode()), number
        assert silent[0].recv(10) == b""


def test_an_octet_now_and_then() -> None:
    """The time is for the whole request: who drips is hung up on."""
    with (
        Listener("127.0.0.1", 8084).show({TOKEN: ANSWER}),
        socket.create_connection(("127.0.0.1", 8084)) as dripping,
    ):
        dripping.settimeout(0.1)
        sent = 0
        while sent < 300:
            try:
                dripping.send(b"G")
                sent += 1
                assert dripping.recv(10) == b""
                break
            except TimeoutError:
                continue
            except OSError:
                break
        assert sent < 300


def test_nobody_stays_when_the_names_are_proven() -> None:
    """With the listener end all who were silent."""
    with ExitStack() as stack:
        with Listener("127.0.0.1", 8085).show({TOKEN: ANSWER}):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", 8085), timeout=2))
            assert fetch(WELL_KNOWN + TOKEN, "127.0.0.1", 8085)[0] == 200, "so the silent one is in, too"
        assert silent.recv(10) == b""


def test_busy_port() -> None:
    """A port that another program has is named, with what to do instead."""
    with (
        socket.create_server(("127.0.0.1", 8082)),
        pytest.raises(IssueError, match=r"port 8082 .*another program listens there") as error,
        Listener("127.0.0.1", 8082).show({TOKEN: ANSWER}),
    ):
        pytest.fail("two listen there")
    assert "webroot" in error.value.hint


def test_strange_address() -> None:
    """An address that is not ours is said to be none of this host."""
    with pytest.raises(IssueError, match="no such address"), Listener("192.0.2.1", 80).show({TOKEN: ANSWER}):
        pytest.fail("it listens")


@pytest.mark.parametrize("token", ["../../../etc/cron.d/x", "a/b", "", ".", "a.b", "a b", "ä", "x" * 300, 5, None])
def test_hostile_tokens(token: object, dns_lab: DnsLab, issuer: Opens, gate: Gate, tmp_path: Path) -> None:
    """A token becomes the name of a file: what is not base64url is refused before anything is written."""
    root = tmp_path / "www"
    root.mkdir()
    host = dns_lab.fresh_name(address=HOST_ADDRESS)
    challenge = {"type": "http-01", "url": gate.url, "token": token, "status": "pending"}
    gate.always["/authZ/"] = as_json(
        {"status": "pending", "identifier": {"type": "dns", "value": host}, "challenges": [challenge]}, Replay_Nonce="abcd"
    )
    with pytest.raises(IssueTemporary, match="token that is not base64url"):
        issuer(challenge="http-01", webroot=str(root)).obtain(wish(host), None, Notes(), LabProver(dns_lab))
    assert list(root.iterdir()) == []
