"""A provider's API played on loopback: every request is held against the documented form, every answer is a documented one.

A double keeps RRsets as the provider would and can be brought into each trouble of `stand.Trouble`. What is not in the provider's
documents is a complaint, and a test with complaints fails.
"""

from __future__ import annotations

import contextlib
import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.stand import Trouble


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked. `headers` in lower case; `query` as pairs."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The JSON value of the body."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answers; `content` as JSON unless `body` is given."""

    status: int
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Double(ABC):
    """One provider. Subclasses have `answer`, which checks the form of a request and plays the provider, and `limited`."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str], tuple[int, list[str]]] = {}  # by absolute name and type: TTL, presentation forms
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self.in_trouble: Trouble | None = None
        self.at, self.with_reads, self.spared = "", False, 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                double.serve(self, Request(self.command, parts.path, query, headers, self.rfile.read(length)))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  http.server looks for these

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._handler = Handler
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def _absent(self) -> Iterator[None]:
        """Be not there for a while; then at the same place again."""
        self.__exit__()
        try:
            yield
        finally:
            self._server = ThreadingHTTPServer(self._server.server_address[:2], self._handler)
            self.__enter__()

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Check and play. Called for one request at a time."""

    def writes(self, request: Request) -> bool:
        """Whether a request would change the zone."""
        return request.method != "GET"

    def limited(self) -> Reply:
        """Return what the provider documents for too many requests."""
        return Reply(429, {"detail": "Request was throttled."}, {"Retry-After": "600"})

    def refused(self) -> Reply:
        """Return what the provider documents for credentials that are wrong or not enough."""
        return Reply(403, {"detail": "You do not have permission to perform this action."})

    def meddle(self, name: str) -> None:
        """Let somebody else add a record at a name."""
        ttl, records = self.sets.get((name, "TLSA"), (300, []))
        self.sets[name, "TLSA"] = ttl, [*records, f"3 1 1 {'9' * 64}"]

    @contextlib.contextmanager
    def trouble(self, which: Trouble, name: str, *, reads: bool = False, spared: int = 0) -> Iterator[None]:
        """Be in trouble with whatever would change the zone, after so many are `spared`; with `reads` with every question."""
        self.in_trouble, self.at, self.with_reads, self.spared = which, name, reads, spared
        self.released.clear()
        try:
            with self._absent() if which == "dead" else contextlib.nullcontext():
                yield
        finally:
            self.in_trouble = None
            self.released.set()

    def complain(self, request: Request, what: str) -> Reply:
        """Note that a request is not of the documented form."""
        self.complaints.append(f"{request.method} {request.path}: {what}")
        return Reply(400, {"detail": what})

    def serve(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        """Answer one request, with whatever trouble is on."""
        self.requests.append(request)
        trouble = self.in_trouble if self.with_reads or self.writes(request) else None
        if trouble and self.spared:
            self.spared, trouble = self.spared - 1, None
        if trouble in {"lost-request", "dead"}:  # dead: who was connected before is heard no more
            self.released.wait(60)
            handler.close_connection = True
            return
        with self._lock:
            if trouble == "conflict":
                self.in_trouble = None
                self.meddle(self.at)
            early = {"limit": self.limited, "refusal": self.refused, "broken": lambda: Reply(500, {})}.get(trouble or "")
            reply = early() if early else self.answer(request)
        if trouble == "lost-answer":
            self.released.wait(60)
            handler.close_connection = True
            return
        _send(handler, Reply(200, body=b"<html>welcome</html>") if trouble == "nonsense" else reply)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = reply.body if reply.body is not None else b"" if reply.content is None else json.dumps(reply.content).encode()
    with contextlib.suppress(OSError):  # who has given up does not listen
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
