"""One exchange over HTTP: whoever gives it up sends nothing later, and leaves no thread behind; without TLS through no proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pki
import pytest

from tlsa_manager import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 30.0  # seconds; nobody waits for as long unless something is wrong


@dataclass
class Server:
    """A server that does what it is told with each connection, and notes what it has read."""

    serve: Callable[[socket.socket], None]
    read: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End."""
        self.ended.set()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._one, args=(line,), daemon=True).start()

    def _one(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            self.serve(line)


def answering(server: Server) -> Callable[[socket.socket], None]:
    """Return how a server reads a question and answers it."""

    def serve(line: socket.socket) -> None:
        while data := line.recv(65536):
            server.read.append(data)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    return serve


def dripping(head: bytes) -> Callable[[socket.socket], None]:
    """Return how a server begins an answer, and goes on octet by octet without end."""

    def serve(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(head)
        while not threading.Event().wait(0.02):
            line.sendall(b"x")

    return serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[socket.socket], None] | None], Server]]:
    """Start servers; whoever asks is given up soon."""
    monkeypatch.setattr(web, "_GRACE", 0.2)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers: list[Server] = []

    def start(serve: Callable[[socket.socket], None] | None = None) -> Server:
        servers.append(server := Server(serve or (lambda line: None)))
        if serve is None:
            server.serve = answering(server)
        return server

    yield start
    for one in servers:
        one.close()


def exchanges() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "web"]


def wait_for_threads() -> None:
    """Make sure that all exchanges end."""
    for one in exchanges():
        one.join(LONG)
    assert exchanges() == []


def held_up(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> threading.Event:
    """Let a function wait until the event that is returned."""
    event, original = threading.Event(), getattr(where, name)

    def late(*args: Any, **more: Any) -> Any:
        assert event.wait(LONG)
        return original(*args, **more)

    monkeypatch.setattr(where, name, late)
    return event


def test_an_answer(started: Callable[..., Server]) -> None:
    """Two questions over one conversation, and the connection is used twice."""
    server = started()
    one = web.Web(5.0)
    assert [one.send("PUT", server.url, b"{}").parsed for _ in range(2)] == [{}, {}]
    assert b"".join(server.read).count(b"PUT / HTTP/1.1") == 2
    one.close()


def test_a_write_that_was_given_up_is_not_sent_later(started: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up for longer than anybody waits; the write would be done over what others have written since."""
    server = started()
    looked_up = held_up(monkeypatch, socket, "getaddrinfo")
    with pytest.raises(TimeoutError):
        web.Web(0.2).send("PUT", server.url, b"{}")
    looked_up.set()
    wait_for_threads()
    assert server.read == []


def test_nor_over_a_connection_that_stands(started: Callable[..., Server]) -> None:
    """The same when it hangs after the connection was made: in whatever proves who asks."""
    server, signed = started(), threading.Event()
    one = web.Web(0.2)
    one.send("GET", server.url)

    def sign(request: Any) -> Any:
        assert signed.wait(LONG)
        return request

    with pytest.raises(TimeoutError):
        one.send("PUT", server.url, b"{}", sign=sign)
    signed.set()
    wait_for_threads()
    assert b"PUT" not in b"".join(server.read)
    assert one.send("GET", server.url).ok


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"",
    ],
    ids=["length", "close", "header", "nothing"],
)
def test_a_server_that_drips_holds_no_thread(started: Callable[..., Server], head: bytes) -> None:
    """An octet now and then is never silence; the line is cut."""
    server = started(dripping(head))
    with pytest.raises(TimeoutError):
        web.Web(0.5).send("GET", server.url)
    wait_for_threads()


def test_a_handshake_that_drips(started: Callable[..., Server]) -> None:
    """Nor does one that never gets as far as TLS."""
    server = started(dripping(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"))
    with pytest.raises((TimeoutError, OSError)):
        web.Web(0.5).send("GET", server.url.replace("http:", "https:"))
    wait_for_threads()


def test_tls_is_given_up_too(started: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a handshake in between nothing is sent either, and without delay it goes as ever."""
    key = pki.new_key()
    (tmp_path / "key.pem").write_bytes(pki.key_pem(key))
    (tmp_path / "chain.pem").write_bytes(pki.authority().chain("localhost", key=key))
    (tmp_path / "ca.pem").write_bytes(pki.authority().root.public_bytes(pki.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    server = started()
    plain = server.serve
    server.serve = lambda line: plain(context.wrap_socket(line, server_side=True))
    url = f"https://localhost:{server.port}/"
    assert web.Web(5.0, str(tmp_path / "ca.pem")).send("GET", url).ok
    server.read.clear()
    shaken = held_up(monkeypatch, ssl.SSLSocket, "do_handshake")
    with pytest.raises(TimeoutError):
        web.Web(0.2, str(tmp_path / "ca.pem")).send("PUT", url, b"{}")
    shaken.set()
    wait_for_threads()
    assert server.read == []


def test_without_tls_through_no_proxy(started: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would read the key; what goes over https goes through it."""
    server, proxy = (
        started(),
        started(lambda line: proxy.read.append(line.recv(65536)) or line.sendall(b"HTTP/1.1 502 No\r\n\r\n")),
    )
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    monkeypatch.setenv("all_proxy", proxy.url)
    assert web.Web(5.0).send("GET", server.url, headers={"X-API-Key": "secret"}).ok
    assert proxy.read == []
    with pytest.raises(OSError) as caught:
        web.Web(5.0).send("GET", server.url.replace("http:", "https:"), headers={"X-API-Key": "secret"})
    assert web.reason(caught.value) == "the proxy that https_proxy names does not lead there"
    assert [one.partition(b" ")[0] for one in proxy.read] == [b"CONNECT"]
    assert b"secret" not in b"".join(proxy.read)


def test_how_long_an_answer_may_be(started: Callable[..., Server]) -> None:
    """Who asks for a whole zone says so; how long it may be is told."""
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 1500000\r\n\r\n" + b" " * 1500000
    server = started(lambda line: line.sendall(big) if line.recv(65536) else None)
    with pytest.raises(web.TooLongError) as caught:
        web.Web(5.0).send("GET", server.url)
    assert web.reason(caught.value) == "its answer is longer than 1024 KiB"
    assert len(web.Web(5.0, largest=web.WHOLE_ZONE).send("GET", server.url).body) == 1500000
