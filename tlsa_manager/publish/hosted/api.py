"""The API of a DNS provider: one question and its answer, what is tried again, and errors that tell an administrator what to do.

What only reads, or may be done twice with the same effect, is tried again when the provider has trouble; what may not, is not:
then the caller looks what has become of it (UnclearError). Retry-After is obeyed. No message ever holds a secret.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tlsa_manager import clock, web
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.option import mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from tlsa_manager.option import Settings
    from tlsa_manager.web import Answer

TRIES = 3
PATIENCE = 5.0  # seconds that are waited here when a provider asks for it; longer is for the next run
_BACKOFF = 0.5  # seconds before the second try, twice as long before the third
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})  # RFC 9110 §9.2.2, unless a provider's documents say otherwise
_SLIP = 0.05  # seconds: what is slept is not measured by the wall clock, by which providers say when to come again
_TOO_MANY, _UNAVAILABLE = 429, 503
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?"
    r"(?:/[A-Za-z0-9._~/-]*)?"
)
_SECRET = re.compile(r"token|secret|passw|session|credential|assertion|(?:api|private|access).?key", re.IGNORECASE)
_UNHEARD = frozenset({"status", "object", "title", "success", "result", "messages"})  # say nothing that people want to know
_LONGEST = 6 * 3600.0  # seconds; who is told to come again next month comes earlier: a certificate may end meanwhile
_REFUSED = 600.0  # seconds after which a login that was refused is tried again: too many of them lock an account
_HERE = re.compile(r"localhost|\[::1\]|127\.[0-9]+\.[0-9]+\.[0-9]+")
_LATER = "tried again by itself; if it stays so, {}"
_PROVIDER = "look at the provider's status page"


class UnclearError(PublishTemporary):
    """What was asked for may have been done or not: look."""


class SoonError(PublishTemporary):
    """Nothing was done, and a moment later it may be, or else not before `until`: a limit of so many questions a second."""


class Api:
    """One provider's API. `base`: URL without final slash; `access`: what to do when it does not let us in, for people.

    `headers` go with each question; `sign`: adds what proves who asks. `secrets`: texts that no message may hold.
    `tell`: returns the words in an answer, where they are not texts in JSON. `judge`: returns what a refusal means that says more
    than its HTTP status, or None; what it returns as PublishTemporary was not done, and is tried again. `window`: seconds after
    which a limit is over, where the provider does not say when to come again (Retry-After). `direct`: through no proxy, as
    is whatever has no TLS. `largest`: octets of an answer. `lasting`: what to do where trouble lasts, for people.
    """

    def __init__(
        self, title: str, base: str, timeout: float, *, access: str, headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (), sign: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None,
        trust: str = "", tell: Callable[[Answer], str] | None = None,
        judge: Callable[[Answer], PublishError | None] | None = None, window: float = 0.0, direct: bool = False,
        largest: int = web.LARGEST, lasting: str = _PROVIDER,
    ) -> None:  # fmt: skip
        """Open nothing yet."""
        self._tell, self._judge, self._window = tell or (lambda answer: words(answer.parsed)), judge, window
        self.title, self.base, self.access = title, base.rstrip("/"), access
        self._headers, self._sign, self._timeout, self._trust = dict(headers or {}), sign, timeout, trust
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._web: web.Web | None = None
        self._not_before, self._why = 0.0, ""
        self._shut: tuple[float, PublishError] | None = None
        self._direct, self._largest, self._later = direct, largest, _LATER.format(lasting)

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, content: Any = None, body: bytes | None = None,
        headers: Mapping[str, str] | None = None, repeatable: bool | None = None,
    ) -> Answer:  # fmt: skip
        """Ask, and return the answer: a success, or a refusal (4xx) that is the provider file's to understand.

        `content`: sent as JSON; `body`: sent as it is. Raises PublishTemporary (nothing was done), UnclearError, PublishError
        (we are not let in, or this is no such API).
        """
        url = self.base + path + (f"?{urlencode(query)}" if query else "")
        if content is not None:
            body, headers = json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})}
        twice = method in _REPEATABLE if repeatable is None else repeatable
        for turn in range(TRIES):
            try:
                return self._judged(self._once(method, url, body, {**self._headers, **(headers or {})}))
            except _TroubleError as trouble:
                pause = trouble.pause or _BACKOFF * 2**turn
                if turn == TRIES - 1 or pause > PATIENCE or not (twice or trouble.untouched):
                    if trouble.error.until > self._not_before:
                        self._not_before, self._why = trouble.error.until, trouble.error.message
                    raise trouble.error from None
                clock.sleep(pause + _SLIP)
        raise AssertionError("the last try returns or raises")

    def parsed(self, answer: Answer) -> Any:
        """Return the JSON value of an answer. Raises UnclearError where it is none."""
        value = answer.parsed
        if value is None:
            raise UnclearError(f"{self.title} gave an answer that is not JSON (HTTP status {answer.status})", self._later)
        return value

    def refused(self, answer: Answer, act: str, hint: str = "") -> PublishError:
        """Return the error for a refusal. `act`: what was asked for, as in `refused ACT`; the provider's own words are added."""
        plain = web.printable(answer.body.decode("utf-8", "replace"), 200) if answer.parsed is None else ""
        said = self.clean(self._tell(answer) or plain)
        reason = f"HTTP status {answer.status}{': ' + said if said else ' without a reason'}"
        hint = hint or "its own words say what it wants"
        return PublishError(f"{self.title} refused {act}: {reason}; nothing was changed", hint)

    def later(self, said: str, until: float = 0.0) -> PublishTemporary:
        """Return the error for "not now", however the provider says it. `until`: seconds since 1970, 0 where it does not say.

        What comes before that moment is not even asked (RFC 9110 §10.2.3).
        """
        until = min(until, clock.now() + _LONGEST)
        message = f"{self.title} wants to be asked later: {self.clean(said)}"
        if until > self._not_before:
            self._not_before, self._why = until, message
        return PublishTemporary(message, self._later, until)

    def shut(self, said: str, answer: Answer | None = None) -> PublishError:
        """Return the error for "you may not", however the provider says it. What is signed has a time: a wrong clock is told."""
        words, hint = self.clean(said), self.access
        if answer and (off := answer.clock_off):
            hint = f"the clock of this host is {abs(off):.0f} seconds {'ahead' if off > 0 else 'behind'}: set it right; {hint}"
        return PublishError(f"{self.title} does not let us in: {words}; nothing was changed", hint)

    def refused_login(self, said: str) -> PublishError:
        """Return the error for a login that was refused. For some minutes nothing is asked any more."""
        error = self.shut(said)
        self._shut = clock.now() + _REFUSED, error
        return error

    def hide(self, secret: str) -> None:
        """Keep a secret out of messages that was got later: a token for an hour."""
        self._secrets = sorted({*self._secrets, secret} - {""}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return a text that may be shown."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return web.printable(text, 300)

    def _once(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        if clock.now() < self._not_before:
            raise PublishTemporary(self._why, self._later, self._not_before)
        if self._shut and clock.now() < self._shut[0]:
            raise PublishError(self._shut[1].message, self._shut[1].hint)
        if self._web is None:
            self._web = web.Web(self._timeout, self._trust, direct=self._direct, largest=self._largest)
        try:
            return self._web.send(method, url, body, headers=headers, sign=self._sign)
        except (requests.RequestException, HTTPError, TimeoutError, web.TooLongError) as error:
            raise self._unanswered(error) from None
        except OSError as error:  # what is left: the file of certificates to trust
            message = f"{self.title} was not asked: {web.printable(str(error), 200)}"
            raise PublishError(message, "name a file that is there, in ca-bundle or REQUESTS_CA_BUNDLE") from None

    def _unanswered(self, error: Exception) -> _TroubleError | PublishError:
        host = urlsplit(self.base).hostname or self.base
        if why := web.distrusted(error):
            hint = "is it the right server, and does nothing stand between? For a server of your own: ca-bundle"
            return PublishError(f"the certificate of {host} is not to be trusted: {why}; nothing was changed", hint)
        message = f"{self.title} ({host}) cannot be reached: {web.reason(error)}"
        if web.was_sent(error):  # it was waited for once, and that is long enough
            return _TroubleError(UnclearError(message, self._later), pause=PATIENCE + 1)
        return _TroubleError(PublishTemporary(message, f"is the network up? {self._later}"), untouched=True)

    def _judged(self, answer: Answer) -> Answer:
        """Return an answer that is one. Raises _TroubleError, PublishError."""
        meant = self._judge(answer) if self._judge and not answer.ok else None
        if isinstance(meant, PublishTemporary):
            soon = isinstance(meant, SoonError)
            raise _TroubleError(meant, untouched=True, pause=0.0 if soon else meant.until - answer.at)
        if meant is not None:
            raise meant
        status, said = answer.status, self._tell(answer)
        if status == _TOO_MANY or (status == _UNAVAILABLE and answer.retry_at):
            limited = self._limited(answer, said or "it was asked too often")
            raise _TroubleError(limited, untouched=True, pause=limited.until - answer.at)
        if status >= 500:
            message = f"{self.title} has trouble of its own (HTTP status {status}){': ' + self.clean(said) if said else ''}"
            raise _TroubleError(UnclearError(message, self._later))
        if status in {401, 403}:
            raise self.shut(f"HTTP status {status}{': ' + said if said else ''}", answer)
        if 300 <= status < 400:
            place = web.printable(answer.headers.get("location"), 200)
            raise PublishError(f"{self.base} answers with a redirection to {place}, which is not followed", "correct its address")
        return answer

    def _limited(self, answer: Answer, said: str) -> PublishTemporary:
        until = answer.retry_at or (answer.at + self._window if self._window else 0.0)
        if until - answer.at > PATIENCE:
            return self.later(said, until)
        return PublishTemporary(f"{self.title} wants to be asked later: {self.clean(said)}", self._later, until)


class _TroubleError(Exception):
    """A try that failed. `untouched`: whether it is certain that nothing was done; `pause`: seconds before the next one, or 0."""

    def __init__(self, error: PublishTemporary, *, untouched: bool = False, pause: float = 0.0) -> None:
        super().__init__(error.message)
        self.error, self.untouched, self.pause = error, untouched, max(pause, 0.0)


def words(value: Any, left: int = 6) -> str:
    """Return the texts in a provider's answer, wherever in it they stand, as one line: they say what it does not like.

    What is called a token or the like is left out: it may be one that we were given, and nobody knows it yet.
    """
    if isinstance(value, str):
        return web.printable(value, 200)
    if left and isinstance(value, dict):
        value = [one for name, one in value.items() if name not in _UNHEARD and not _SECRET.search(name)]
    if left and isinstance(value, list):
        return web.printable("; ".join(dict.fromkeys(filter(None, (words(one, left - 1) for one in value)))), 300)
    return ""


def address(settings: Settings, name: str, *, plain: bool = False) -> str:
    """Return the URL that an option gives. Raises ConfigError: no URL, or one over which everybody could read the secret.

    `plain`: whether the administrator vouches that the way there is protected otherwise; to this host itself it is.
    """
    url = settings.text(name).rstrip("/")
    where = f"{settings.section}.{name}"
    found = _URL.fullmatch(url)
    if "@" in url:  # it is not said again: it may be a password
        hint = "take what is before the @ out: the options that name a file, a credential or a variable are for secrets"
        raise mistake(where, "a name and password in the URL are not taken here", hint)
    if found is None or not 0 < int(found["port"] or 443) < 65536:
        raise mistake(where, f"{url[:80]!r} is not the URL of an API", "for example https://dns.example.org:8081")
    if found["scheme"] == "http" and not plain and not _HERE.fullmatch(found["host"]):
        message = f"{url[:80]!r} is not https: whoever listens on the way could read the secret and change DNS"
        raise mistake(where, message, "use https; to this host itself (127.0.0.1) plain http is fine")
    return url


def trusted(settings: Settings, name: str) -> str:
    """Return the path of the certificates to trust that an option gives; empty: the system's. Raises ConfigError."""
    path = settings.text(name)
    if path and (flaw := web.bundle_flaw(path)):
        raise mistake(f"{settings.section}.{name}", f"{path} cannot be used: {flaw}", "certificates in PEM form")
    return path
