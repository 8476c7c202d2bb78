"""Questions to an authority over HTTPS, and its answers: never longer than a bound, and never waited for longer than told.

The `acme` package signs. Its own client is not used here: it reads answers of any length, gives up what a refusal says of when
to come again, and writes what it sends into its log.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import field
from typing import TYPE_CHECKING, Any

from tlsa_manager import __version__, clock
from tlsa_manager.errors import IssueError
from tlsa_manager.issue.moments import retry_at
from tlsa_manager.issue.refusal import STAYS, Problem, garbage, problem, unreachable
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

LARGEST = 1 << 20  # octets of an answer; a chain has some thousand, a directory less
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,512}")
_LINK = re.compile(r'<([^<>\s]{1,2000})>\s*;[^,<]*?\brel="?([a-z-]{1,40})"?')
_GRACE = 2.0  # seconds: a server that is silent is found out by the socket, one that drips by the watch over it


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers`: names in lower case. `at`: when, seconds since 1970."""

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: float

    @property
    def ok(self) -> bool:
        """Whether it is as asked."""
        return 200 <= self.status < 300

    @property
    def problem(self) -> Problem:
        """What it says is wrong, as far as it does."""
        try:
            return problem(json.loads(self.body)) if not self.ok else Problem()
        except (ValueError, RecursionError):
            return Problem()

    @property
    def retry_at(self) -> float:
        """Not before when to ask again, seconds since 1970; 0: it does not say."""
        return retry_at(self.headers["retry-after"], self.at) if "retry-after" in self.headers else 0.0

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object that it must be. Raises IssueTemporary."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise garbage(self.url, "not a JSON object")
        return found

    @property
    def location(self) -> str:
        """The URL of what was made. Raises IssueTemporary."""
        return secure(self.headers.get("location"), self.url, "Location")

    @property
    def nonce(self) -> str:
        """What makes the next message unique (RFC 8555 §6.5.1); empty where it has none."""
        found = self.headers.get("replay-nonce", "")
        return found if _NONCE.fullmatch(found) else ""

    def link(self, relation: str) -> str:
        """Return the URL of a Link header (RFC 8288), empty where there is none."""
        found = _LINK.findall(self.headers.get("link", "")[:20000])
        return next((url for url, rel in found if rel == relation and url.startswith("https://")), "")


def secure(value: object, url: str, what: str) -> str:
    """Return a URL that the answer from `url` named. Raises IssueTemporary unless it is https (RFC 8555 §6.1)."""
    if isinstance(value, str) and value.startswith("https://") and value.isascii() and value.isprintable() and len(value) < 2000:
        return value
    raise garbage(url, f"{what} is no https URL")


class Wire:
    """One conversation. `trust`: a file of certificates, or empty for the system's. `timeout` in seconds, for each answer."""

    def __init__(self, trust: str, timeout: float) -> None:
        """Open nothing yet. Raises IssueError when the file is no file of certificates."""
        import requests

        _check_trust(trust)

        self._timeout, self._trust = timeout, trust or True
        self._session = requests.Session()
        agent = f"tlsa-manager/{__version__} {requests.utils.default_user_agent()}"
        self._session.headers.update({"User-Agent": agent, "Accept-Language": "en", "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def send(self, method: str, url: str, body: bytes | None = None, accept: str = "*/*") -> Answer:
        """Ask, and return the answer whatever its status is. Raises IssueTemporary, IssueError (its certificate, our bundle)."""
        headers = {"Accept": accept} | ({"Content-Type": "application/jose+json"} if body is not None else {})
        found: list[Answer | BaseException] = []

        def ask() -> None:
            try:
                found.append(self._exchange(method, url, body, headers))
            except Exception as error:  # noqa: BLE001  it is raised again where somebody waits for it
                found.append(error)

        watched = threading.Thread(target=ask, name="acme", daemon=True)
        watched.start()
        watched.join(self._timeout + _GRACE)
        return _result(found[0] if found else TimeoutError(), url)

    def _exchange(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        with self._session.request(
            method, url, data=body, headers=headers, timeout=self._timeout, verify=self._trust, stream=True, allow_redirects=False
        ) as response:
            known = {name.lower(): value for name, value in response.headers.items()}
            return Answer(url, response.status_code, known, _read(response, url), clock.now())


def _check_trust(trust: str) -> None:
    """Say now what would look like a fault of the authority later."""
    import ssl

    try:
        if trust:
            ssl.create_default_context(cafile=trust)
    except OSError:
        raise _no_trust(trust) from None


def _no_trust(file: str) -> IssueError:
    msg = f"{file} has no certificates that can be read, so the authority's own cannot be checked; {STAYS}"
    return IssueError(msg, "name a PEM file with the authority's root as ca-bundle, or leave it out")


def _read(response: requests.Response, url: str) -> bytes:
    """Read an answer as far as it may go."""
    parts, length = [], 0
    for part in response.iter_content(8192):
        parts.append(part)
        length += len(part)
        if length > LARGEST:
            raise garbage(url, f"longer than {LARGEST >> 10} KiB")
    return b"".join(parts)


def _result(found: Answer | BaseException, url: str) -> Answer:
    import requests
    from urllib3.exceptions import HTTPError

    if isinstance(found, Answer):
        return found
    if isinstance(found, IssueError):
        raise found
    if isinstance(found, requests.RequestException | HTTPError | TimeoutError):
        raise unreachable(url, found) from None
    if isinstance(found, OSError):  # before anything was sent: requests looks for its own file
        raise _no_trust("the file that REQUESTS_CA_BUNDLE names") from None
    raise found
