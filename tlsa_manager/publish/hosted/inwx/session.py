"""A session at INWX: a login, a second factor where the account has one, a cookie that is kept, and one method after the other.

https://www.inwx.de/en/help/apidoc/f/ch02.html (account.login, account.unlock), RFC 6238 for the one-time codes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, cast

from tlsa_manager import clock
from tlsa_manager.errors import PublishError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.publish.hosted.api import Api

STEP = 30  # seconds that a code is for (RFC 6238 §4.1); INWX takes each code once
_REPEATABLE = frozenset({"nameserver.info", "nameserver.deleteRecord"})  # a number is never given to another record
_NOT_LOGGED_IN = frozenset({2002, 2200})  # command use error, authentication error: what a session that has ended gets
_TOO_MANY = 2502  # RFC 5730 §3: session limit exceeded
_PAUSE = 60.0  # seconds


class Session:
    """One login for as long as the program runs. Not logged out: it ends by itself at INWX, and each login takes a code."""

    def __init__(self, api: Api, user: str, password: str, key: bytes = b"") -> None:
        """Open nothing yet. `key`: of the one-time codes, or empty."""
        self.api = api
        self._user, self._password, self._key = user, password, key
        self._open, self._used = False, -1

    def call(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to one method, after a login if that is needed. Raises PublishError."""
        fresh = not self._open
        if fresh:
            self._login()
        answer = self._ask(method, params)
        if answer["code"] in _NOT_LOGGED_IN and not fresh:  # nothing was done: the session has ended meanwhile
            self._open = False
            return self.call(method, params)
        return answer

    def said(self, answer: Mapping[str, Any]) -> str:
        """Return what an answer says, for people."""
        reason = answer.get("reason")
        return self.api.clean(f"{answer.get('msg', 'no reason given')}{f': {reason}' if reason else ''} (code {answer['code']})")

    def _login(self) -> None:
        answer = self._ask("account.login", {"user": self._user, "pass": self._password})
        if answer["code"] != 1000:
            raise self.api.refused_login(self.said(answer))
        if str(answer.get("resData", {}).get("tfa", "0")) != "0":
            self._unlock()
        self._open = True

    def _unlock(self) -> None:
        """Give the second factor. A code that somebody else has just used is refused like a false one: the next may be right."""
        now = clock.now()
        step = int(now // STEP)
        if not self._key:
            message = "INWX wants a one-time code of this account, and no shared secret is configured; nothing was changed"
            raise PublishError(message, "add totp-secret, or use a sub-account without it: docs/backends/inwx.md")
        taken = step == self._used
        self._used = step
        answer = {"code": 2200} if taken else self._ask("account.unlock", {"tan": code(self._key, step)})
        if answer["code"] != 1000:
            message = (
                "the one-time code was not taken: each counts once, another run may have used it; "
                "if it stays so, the shared secret or the clock of this host is wrong"
            )
            raise self.api.later(message, (step + 1) * STEP)

    def _ask(self, method: str, params: Mapping[str, object]) -> dict[str, Any]:
        content = {"method": method, "params": dict(params)}
        answer = self.api.ask("POST", "/", content=content, repeatable=method in _REPEATABLE)
        if not answer.ok:
            raise self.api.refused(answer, method)
        found = cast("dict[str, Any]", self.api.parsed(answer))
        if found["code"] == _TOO_MANY:
            raise self.api.later(self.said(found), clock.now() + _PAUSE)
        return found


def secret_key(text: str) -> bytes:
    """Return the key in a shared secret as it is shown to people: base32, blanks and padding as they like. Raises ValueError."""
    plain = text.replace(" ", "").rstrip("=").upper()
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def code(key: bytes, step: int) -> str:
    """Return the one-time code of a step: six digits (RFC 6238 §4, RFC 4226 §5.3)."""
    digest = hmac.digest(key, step.to_bytes(8), hashlib.sha1)
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4]) & 0x7FFFFFFF) % 1000000:06d}"
