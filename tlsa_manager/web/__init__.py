"""One question over HTTP and its answer: never longer than a bound, never waited for longer than told, no redirect followed.

What the answer means, and what an error means to whom, those who ask know.
"""

from __future__ import annotations

import json
from dataclasses import field
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsa_manager import __version__, clock
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

LARGEST = 1 << 20  # octets of an answer; hardly anything that is asked for here comes near it
WHOLE_ZONE = 1 << 24  # octets of an answer that has all records of a zone in it: a hundred thousand names
LONGEST = 31 * 86400.0  # seconds; nobody's limit lasts longer: more is a mistake, or meant to stop us for ever
MINDED = 240.0  # seconds that a clock may be off: 300 are allowed by AWS (SigV4), Google (JWT) and others
_GRACE = 2.0  # seconds: a server that is silent is found out by the socket, one that drips by the watch over it


class TooLongError(Exception):
    """The answer is longer than so many octets."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.bound = bound


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
    def retry_at(self) -> float:
        """Not before when to ask again, seconds since 1970; 0: it does not say."""
        return retry_at(self.headers["retry-after"], self.at) if "retry-after" in self.headers else 0.0

    @property
    def clock_off(self) -> float:
        """By how many seconds our clock is ahead of the server's; 0 where it does not say, or where signatures do not mind."""
        said = _date(self.headers.get("date", ""))
        return self.at - said if said is not None and abs(self.at - said) > MINDED else 0.0

    @property
    def parsed(self) -> Any:
        """The JSON value of the body; None where it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Web:
    """One conversation. `timeout` in seconds, for each answer; `trust`: a file of certificates, or empty for the system's.

    `direct`: not through the proxy that the environment names, because a proxy is another machine, with an identity of its own.
    Without TLS never: it would read all secrets, and where plain http is taken the server is this host or a neighbour.
    `largest`: octets of an answer.
    """

    def __init__(self, timeout: float, trust: str = "", *, direct: bool = False, largest: int = LARGEST) -> None:
        """Open nothing yet."""
        import requests

        from tlsa_manager.web.exchange import watch

        self._timeout, self._trust, self._largest = timeout, trust or True, largest
        self._proxies = {"http": "", **({"https": ""} if direct else {})}
        self._session = requests.Session()
        watch(self._session)
        self._session.auth = lambda request: request  # or else whatever ~/.netrc has for the host would be sent along
        agent = f"tlsa-manager/{__version__} {requests.utils.default_user_agent()}"
        self._session.headers.update({"User-Agent": agent, "Accept-Language": "en", "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def send(
        self, method: str, url: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None,
        sign: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None,
    ) -> Answer:  # fmt: skip
        """Ask, and return the answer whatever its status is. `sign`: adds what proves who asks, when all else is there.

        When it raises, nothing is sent any more. Raises what requests and urllib3 raise, TimeoutError, TooLongError; and OSError
        where REQUESTS_CA_BUNDLE names no file.
        """
        from tlsa_manager.web.exchange import Exchange

        asking = Exchange(lambda: self._exchange(method, url, body, dict(headers or {}), sign))
        return asking.answer(self._timeout + _GRACE)

    def _exchange(self, method: str, url: str, body: bytes | None, headers: dict[str, str], sign: Any) -> Answer:
        with self._session.request(
            method, url, data=body, headers=headers, auth=sign, timeout=self._timeout, verify=self._trust, stream=True,
            allow_redirects=False, proxies=self._proxies,
        ) as response:  # fmt: skip
            known = {name.lower(): value for name, value in response.headers.items()}
            return Answer(url, response.status_code, known, _read(response, self._largest), clock.now())


def bundle_flaw(path: str) -> str:
    """Return why a file of certificates cannot be used; empty if it can. Nobody waits for a pipe to say something."""
    import ssl

    try:
        if not Path(path).is_file():
            return "it is no file"
        ssl.create_default_context(cafile=path)
    except OSError as error:
        return printable(error.strerror, 100) or "it has no certificate"
    return ""


def retry_at(value: str, now: float) -> float:
    """Return not before when to ask again: Retry-After is seconds or an HTTP date (RFC 9110 §10.2.3). 0: it does not say."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return now + min(float(text[:12]), LONGEST)
    found = _date(text)
    return 0.0 if found is None else min(max(found, now), now + LONGEST)


def printable(value: object, longest: int) -> str:
    """Return a short text that a terminal and a log can show, of whatever stood there; empty where it is no text."""
    if not isinstance(value, str):
        return ""
    plain = " ".join("".join(one if one.isprintable() else " " for one in value[: 4 * longest]).split())
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."


def distrusted(error: BaseException) -> str:
    """Return why the certificate of the server is not to be trusted, if that is what the error is about."""
    import ssl

    found = (one for one in _causes(error) if isinstance(one, ssl.SSLCertVerificationError))
    return next((printable(one.verify_message, 100) or "it cannot be verified" for one in found), "")


def was_sent(error: BaseException) -> bool:
    """Whether the question may have reached the server: not if there was no connection, or it was not the right server."""
    import socket
    import ssl

    from urllib3.exceptions import ConnectTimeoutError

    never = (socket.gaierror, ConnectionRefusedError, ConnectTimeoutError, ssl.SSLCertVerificationError)
    return not any(isinstance(one, never) for one in _causes(error))


def reason(error: BaseException) -> str:
    """Return why a question got no answer. The library's own words may quote a proxy's password; they stay out."""
    import socket
    import ssl

    from urllib3.exceptions import ProxyError

    for cause in _causes(error):
        if isinstance(cause, ProxyError):
            return "the proxy that https_proxy names does not lead there"
        if isinstance(cause, TooLongError):
            return f"its answer is longer than {cause.bound >> 10} KiB"
        if isinstance(cause, socket.gaierror):
            return "its name cannot be looked up in DNS"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS connection ({printable(cause.reason, 60) or 'ended'})"
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "it did not answer in time"
        if isinstance(cause, (ConnectionResetError, BrokenPipeError)):
            break  # whether the end of a connection is seen as one of these is chance
        if isinstance(cause, OSError) and cause.strerror:
            return printable(cause.strerror, 80)
    return "the connection ended"


def _date(text: str) -> float | None:
    """Return the moment of an HTTP date, seconds since 1970 (RFC 9110 §5.6.7); None where it is none."""
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what led to it, however the libraries have wrapped it."""
    found: list[BaseException] = []
    left: list[object] = [error]
    while left and len(found) < 20:
        one = left.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _read(response: requests.Response, largest: int) -> bytes:
    """Read an answer as far as it may go."""
    parts, length = [], 0
    for part in response.iter_content(8192):
        parts.append(part)
        length += len(part)
        if length > largest:
            raise TooLongError(largest)
    return b"".join(parts)
