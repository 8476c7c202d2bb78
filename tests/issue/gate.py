"""A gate in front of Pebble: it counts what goes through, adds what Debian's Pebble does not know, and answers amiss when told.

Pebble makes its URLs of the Host header, so that a client which came through the gate stays there.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from lab import namespace
from lab.certificate import self_signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.pebble import Pebble

ADDRESS = "127.14.0.9"


@dataclass
class Reply:
    """What is answered instead of Pebble's own words. `drip`: an octet at a time, until the client has gone or we stop."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    drip: bool = False


def problem(kind: str, detail: str = "", status: int = 403, **headers: str) -> Reply:
    """A problem document of RFC 8555 §6.7."""
    body = json.dumps({"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}).encode()
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def as_json(content: object, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON."""
    return Reply(status, json.dumps(content).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


class Gate:
    """The gate. `instead`: replies by a piece of the path, each used once; `extra`: what its directory has besides Pebble's.

    `asked`: method and path of every request, and the payload of signed ones. `change`: of Pebble's answers in JSON, by path.
    """

    def __init__(self, pebble: Pebble, directory: Path) -> None:
        namespace.add_address(ADDRESS)
        self.pebble = pebble
        self.ca_file = directory / "gate.pem"
        own = self_signed(ADDRESS)
        self.ca_file.write_bytes(own.certificate)
        (directory / "gate-both.pem").write_bytes(own.combined)
        self.instead: dict[str, list[Reply]] = defaultdict(list)
        self.always: dict[str, Reply] = {}
        self.change: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.stopping = threading.Event()
        self._server = _Server((ADDRESS, 0), _Handler)
        self._server.gate = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "gate-both.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"{ADDRESS}:{self._server.server_address[1]}"
        self.url = f"https://{self.host}/dir"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Gate:  # noqa: PYI034  it is no base class
        """Open it."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, piece: str) -> int:
        """How often something was asked for."""
        return sum(piece in path for _, path, _ in self.asked)

    def payloads(self, piece: str) -> list[Any]:
        """What was sent there."""
        return [payload for _, path, payload in self.asked if piece in path]

    def reply(self, method: str, path: str, host: str, body: bytes, kind: str) -> Reply:
        """Answer one request."""
        self.asked.append((method, path, _payload(body)))
        for piece, replies in self.instead.items():
            if piece in path and replies:
                return replies.pop(0)
        for piece, reply in self.always.items():
            if piece in path:
                return reply
        return self._changed(path, self.pebble_says(method, path, host, body, kind))

    def pebble_says(self, method: str, path: str, host: str, body: bytes, kind: str) -> Reply:
        """Ask Pebble itself."""
        context = ssl.create_default_context(cafile=str(self.pebble.ca_file))
        connection = http.client.HTTPSConnection(self.pebble.address, 14000, context=context, timeout=20)
        headers = {"Host": host} | ({"Content-Type": kind} if kind else {})
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {"Replay-Nonce", "Location", "Link", "Retry-After", "Content-Type"}
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            if name.title() in kept:
                found[name] = f"{found[name]}, {value}" if name in found else value
        return Reply(answer.status, content, found)

    def _changed(self, path: str, reply: Reply) -> Reply:
        for piece, change in self.change.items():
            if piece in path and reply.status < 300:
                reply.body = json.dumps(change(json.loads(reply.body))).encode()
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    gate: Gate

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kind = self.headers.get("Content-Type", "")
        reply = self.server.gate.reply(self.command, self.path, self.headers["Host"], body, kind)
        self.close_connection = True
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        if not (reply.endless or reply.drip):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(reply.body)
        while reply.endless:
            self.wfile.write(b"[" * 65536)
        while reply.drip and not self.server.gate.stopping.wait(0.1):
            self.wfile.write(b"[")
            self.wfile.flush()

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815  the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _payload(body: bytes) -> Any:
    try:
        text = json.loads(body)["payload"]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) or "null")
    except (ValueError, KeyError, TypeError):
        return None
