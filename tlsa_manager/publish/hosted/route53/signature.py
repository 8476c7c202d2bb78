"""How Amazon is told who asks: AWS Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

The secret key signs what is asked and when; it is never sent. A signature is good for five minutes, so the clock must be right.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlsplit

from tlsa_manager import clock
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """Who asks. `token`: of a session, empty for keys that last; `until`: when they end, seconds since 1970, 0: never."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    until: float = 0.0


class Signer:
    """Signs each request to a service. `keys`: those that last, or what returns such as are good for a while."""

    def __init__(self, keys: Keys | Callable[[], Keys], region: str, service: str) -> None:
        """Ask nothing yet."""
        self._source, self._region, self._service = keys, region, service
        self._keys = keys if isinstance(keys, Keys) else None

    def renew(self) -> None:
        """Get keys that are good now, before something is asked. Raises PublishError."""
        self._keys = self._source if isinstance(self._source, Keys) else self._source()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request that is complete."""
        if self._keys is None:
            raise AssertionError("renew comes first")
        return sign(request, self._keys, self._region, self._service, clock.now())


def sign(request: requests.PreparedRequest, keys: Keys, region: str, service: str, now: float) -> requests.PreparedRequest:
    """Add the headers that prove who asks. `now`: seconds since 1970."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = stamp
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    signed = {"host": urlsplit(request.url or "").netloc}
    for name, value in request.headers.items():
        if name.lower() == "content-type" or name.lower().startswith("x-amz-"):
            signed[name.lower()] = str(value)
    body = request.body.encode() if isinstance(request.body, str) else cast("bytes", request.body or b"")
    whole = canonical(request.method or "", request.url or "", signed, body)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(whole.encode()).hexdigest()))
    signature = _hmac(_key(keys.secret, scope), text).hex()
    names = ";".join(sorted(signed))
    request.headers["Authorization"] = f"{_ALGORITHM} Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return request


def canonical(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return the one form of a request that is signed. `headers`: all that are, names in lower case; `url`: as it is sent."""
    parts = urlsplit(url)
    pairs = (part.partition("=") for part in parts.query.split("&") if part)
    query = sorted((_quoted(unquote(name)), _quoted(unquote(value))) for name, _, value in pairs)
    return "\n".join(
        (
            method,
            _quoted(parts.path or "/", "/"),  # as it is sent, in which what needs it is quoted once: so it is quoted twice
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)),
            "",
            ";".join(sorted(headers)),
            hashlib.sha256(body).hexdigest(),
        )
    )


def _quoted(text: str, safe: str = "") -> str:
    return quote(text, safe=f"{safe}-_.~")


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
