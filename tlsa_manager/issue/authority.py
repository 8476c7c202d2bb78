"""An authority as we talk with it: its directory (RFC 8555 §7.1.1), and messages signed with our account's key (§6.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from tlsa_manager.errors import IssueError
from tlsa_manager.issue.refusal import STAYS, garbage, host_of, printable, refused
from tlsa_manager.issue.wire import Answer, Wire, secure
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from josepy.jwk import JWKEC

_REPETITIONS = 10  # of a message that was refused for its nonce: an authority of many servers may forget some (§6.5)


@dataclass(frozen=True, slots=True)
class Directory:
    """Where things are at an authority, and what it wants. Empty: it has no such thing. `profiles`: name and description."""

    new_nonce: str
    new_account: str
    new_order: str
    renewal_info: str
    terms: str
    profiles: Mapping[str, str]
    customers_only: bool


class Authority:
    """One conversation with one authority. Close it. Every method raises IssueTemporary and IssueError."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        """Name it; nothing is asked yet. `trust`: a file of certificates, or empty; `timeout`: seconds for each answer."""
        self.url = url
        self.key: JWKEC | None = None
        self.account = ""  # its URL
        self.reopen: Callable[[], None] | None = None  # what to do when the authority does not know the account any more
        self._wire = Wire(trust, timeout)
        self._directory: Directory | None = None
        self._nonce = ""

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._wire.close()

    @property
    def host(self) -> str:
        """Its name, for people."""
        return host_of(self.url)

    @property
    def directory(self) -> Directory:
        """Its directory, asked for once."""
        if self._directory is None:
            answer = self.get(self.url)
            if answer.status in {404, 410} or 300 <= answer.status < 400:
                elsewhere = printable(answer.headers.get("location"), 200)
                msg = f"there is no authority's directory at {printable(self.url, 200)} (HTTP status {answer.status}); {STAYS}"
                hint = f"correct `directory` in the [issuer] section{f'; the server names {elsewhere}' if elsewhere else ''}"
                raise IssueError(msg, hint)
            self._directory = _directory(check(answer, "to show its directory"))
        return self._directory

    def get(self, url: str) -> Answer:
        """Ask without an account, and return the answer whatever it is."""
        return self._wire.send("GET", url)

    def tell(self, url: str, payload: object, act: str) -> Answer:
        """Send a signed message. `act`: in words, for the error when it is refused."""
        return check(self.send(url, payload), act)

    def ask(self, url: str, act: str, accept: str = "*/*") -> Answer:
        """Ask for something as our account (POST-as-GET, §6.3)."""
        return check(self.send(url, None, accept), act)

    def send(self, url: str, payload: object, accept: str = "*/*") -> Answer:
        """Send a signed message, None for POST-as-GET, and return the answer whatever its status is."""
        answer = self._signed(url, payload, accept)
        if answer.problem.kind == "accountDoesNotExist" and self.account and self.reopen:
            self.account = ""
            self.reopen()
            answer = self._signed(url, payload, accept)
        return answer

    def _signed(self, url: str, payload: object, accept: str) -> Answer:
        body = b"" if payload is None else json.dumps(payload).encode()
        for _ in range(_REPETITIONS):
            nonce, self._nonce = self._nonce or self._fresh(), ""
            answer = self._wire.send("POST", url, self._sign(url, body, nonce), accept)
            self._nonce = answer.nonce
            if answer.problem.kind != "badNonce":
                break
        return answer

    def _fresh(self) -> str:
        answer = check(self._wire.send("HEAD", self.directory.new_nonce), "a nonce")
        if not answer.nonce:
            raise garbage(answer.url, "no nonce where one was asked for")
        return answer.nonce

    def _sign(self, url: str, body: bytes, nonce: str) -> bytes:
        from acme.jws import JWS
        from josepy.json_util import decode_b64jose
        from josepy.jwa import ES256

        if self.key is None:
            raise ValueError("nobody opened an account")
        signed = JWS.sign(body, self.key, ES256, decode_b64jose(nonce), url, self.account or None)
        text: str = signed.json_dumps()
        return text.encode()


def check(answer: Answer, act: str) -> Answer:
    """Return the answer if it is as asked. Raises IssueTemporary, IssueError."""
    if not answer.ok:
        raise refused(answer, act)
    return answer


def _directory(answer: Answer) -> Directory:
    content = answer.content
    meta = content.get("meta")
    told = meta if isinstance(meta, dict) else {}
    profiles = told.get("profiles")
    offered = list(profiles.items())[:50] if isinstance(profiles, dict) else []
    needed = {name: secure(content.get(name), answer.url, name) for name in ("newNonce", "newAccount", "newOrder")}
    return Directory(
        needed["newNonce"],
        needed["newAccount"],
        needed["newOrder"],
        secure(content["renewalInfo"], answer.url, "renewalInfo") if "renewalInfo" in content else "",
        printable(told.get("termsOfService"), 500),
        {printable(name, 60): printable(text, 200) for name, text in offered},
        told.get("externalAccountRequired") is True,
    )
