"""http-01 (RFC 8555 §8.3): the answers at http://HOST/.well-known/acme-challenge/TOKEN, only while a name is proven.

Either a file below the directory that a web server shows, or a listener of our own that knows nothing but these answers.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tlsa_manager import clock
from tlsa_manager.disk import Owner, in_words, open_directory, write_new
from tlsa_manager.errors import IssueError
from tlsa_manager.issue.refusal import STAYS
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLACE = (".well-known", "acme-challenge")
_PATH = "/" + "/".join(PLACE) + "/"
_AT_ONCE = 50  # connections; an authority needs half a dozen
_PATIENCE = 3.0  # seconds from connection to answer; an authority has all it asks in one packet


@dataclass(frozen=True, slots=True)
class Webroot:
    """A directory that a web server shows at http://HOST/."""

    directory: str

    @contextmanager
    def show(self, answers: Mapping[str, str]) -> Iterator[None]:
        """Write a file for each token while the body runs. Raises IssueError."""
        with ExitStack() as stack:
            try:
                place = stack.enter_context(open_directory(self.directory, follow=True))
                for name in PLACE:  # below the directory that was named no link is followed: others may write there
                    place = stack.enter_context(_inside(place, name))
                for token, answer in answers.items():
                    stack.enter_context(_file(place, token, answer.encode("ascii")))
            except OSError as error:
                msg = f"the files that prove the names cannot be written below {self.directory}: {in_words(error)}; {STAYS}"
                raise IssueError(msg, "`webroot` must be the directory that the web server shows at http://HOST/") from None
            yield


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of our own. `host`: an address; `::` or nothing: every address of both families."""

    host: str
    port: int

    @contextmanager
    def show(self, answers: Mapping[str, str]) -> Iterator[None]:
        """Answer these tokens, and nothing else, while the body runs. Raises IssueError."""
        server = self._bound(answers)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="http-01", daemon=True)
        serving.start()
        try:
            yield
        finally:
            server.shutdown()
            serving.join()
            server.server_close()

    def _bound(self, answers: Mapping[str, str]) -> _Server:
        try:
            return _Server(self.host or "::", self.port, answers)
        except OSError as error:
            if self.host in {"", "::"} and error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                return Listener("0.0.0.0", self.port)._bound(answers)  # noqa: S104, SLF001  a host without IPv6
            why = {
                errno.EADDRINUSE: "another program listens there",
                errno.EADDRNOTAVAIL: "this host has no such address",
                errno.EACCES: "only root may",
            }.get(error.errno or 0, in_words(error))
            msg = f"cannot listen at {self.host or '*'} port {self.port} to prove the names over HTTP: {why}; {STAYS}"
            hint = 'where a web server runs, set `webroot` instead of `listen`, or prove the names with challenge = "dns-01"'
            raise IssueError(msg, hint) from None


@contextmanager
def _inside(parent: int, name: str) -> Iterator[int]:
    """Open a directory, made if it is missing, and then removed again unless somebody else has put something there."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        made = True
    except FileExistsError:
        made = False
    try:
        with open_directory(name, within=parent) as inside:
            if made:
                os.fchmod(inside, 0o755)  # whatever our umask is
            yield inside
    finally:
        if made:
            with suppress(OSError):
                os.rmdir(name, dir_fd=parent)


@contextmanager
def _file(place: int, token: str, content: bytes) -> Iterator[None]:
    with suppress(FileNotFoundError):  # of a process that was killed
        os.unlink(token, dir_fd=place)
    write_new(token, content, place, Owner(mode=0o644))
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(token, dir_fd=place)


class _Server(ThreadingHTTPServer):
    """The listener; IPv6 includes IPv4 where it listens on every address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = _AT_ONCE  # an authority comes from many places at once

    def __init__(self, host: str, port: int, answers: Mapping[str, str]) -> None:
        """Bind and listen. Raises OSError."""
        self.answers = answers
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._since: dict[socket.socket, float] = {}  # who is there, the oldest first
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind, without looking up our own name in DNS, as the library would."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)

    def verify_request(self, request: Any, client_address: object) -> bool:  # noqa: ARG002  the library's interface
        """Let everybody in; when the room is full the oldest has to go, so that nobody can keep the authority out."""
        with self._lock:
            if len(self._since) >= _AT_ONCE:
                self._hang_up(next(iter(self._since)))
            self._since[request] = clock.monotonic()
        return True

    def service_actions(self) -> None:
        """Hang up on whoever has been there for too long, also where an octet comes now and then."""
        with self._lock:
            for one in [one for one, since in self._since.items() if clock.monotonic() - since > _PATIENCE]:
                self._hang_up(one)

    def shutdown_request(self, request: Any) -> None:
        """Answered, or given up: make room."""
        with self._lock:
            self._since.pop(request, None)
            super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and hang up on everybody."""
        super().server_close()
        with self._lock:
            for one in list(self._since):
                self._hang_up(one)

    def _hang_up(self, one: socket.socket) -> None:
        """End what its thread waits for; the thread closes it."""
        del self._since[one]
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: what a stranger sends to an open port is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        """Answer a token."""
        token = self.path.removeprefix(_PATH) if self.path.startswith(_PATH) else ""
        answer = self.server.answers.get(token, "").encode("ascii")
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def version_string(self) -> str:
        """Tell strangers nothing of what runs here."""
        return "acme"

    def log_message(self, *_: object) -> None:
        """Say nothing."""
