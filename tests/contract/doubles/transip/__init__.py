"""TransIP as its documents describe it (https://api.transip.nl/rest/docs.html): one domain of one account.

Form of the login: #header-authentication (nonce of 6 to 32 characters); limits: #header-rate-limit; entries: #domains-dns;
409 while entries are being saved: node-transip-dns-cli issue 15.
"""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.doubles.double import Reply, Request
from contract.doubles.hosted import HostedStand
from contract.doubles.numbered import Numbered
from tlsa_manager.publish import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.publish import Backend

LOGIN, LEAST_TTL = "postmaster", 60
LOGIN_FIELDS = {"login", "nonce", "read_only", "expiration_time", "label", "global_key"}
_PATH = re.compile(r"/v6/domains/(?P<domain>[a-z0-9.-]+)/dns")


def pem(key: rsa.RSAPrivateKey) -> str:
    """Return a key as TransIP shows it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Transip(Numbered):
    """One domain. `whitelisted`: whether tokens may be for any address."""

    def __init__(self) -> None:
        super().__init__()
        self.key = rsa.generate_private_key(65537, 2048)
        self.tokens: list[str] = []
        self.nonces: set[str] = set()

    def writes(self, request: Request) -> bool:
        """Not the login."""
        return request.method != "GET" and request.path != "/v6/auth"

    def limited(self) -> Reply:
        """Return what is said past 1000 requests in 15 minutes."""
        reset = str(int(time.time()) + 600)
        headers = {"X-Rate-Limit-Limit": "1000", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": reset}
        return Reply(429, {"error": "Too many requests"}, headers)

    def refused(self) -> Reply:
        """Return what a read-only token gets."""
        return Reply(403, {"error": "Your access token is read only"})

    def answer(self, request: Request) -> Reply:
        """Check the login or the token, then the form, then play."""
        if (request.method, request.path) == ("POST", "/v6/auth"):
            return self._auth(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Reply(401, {"error": "Your access token is invalid"})
        found = _PATH.fullmatch(request.path)
        if found is None or request.query:
            return self.complain(request, "no such path in the documents")
        if f"{found['domain']}." != self.zone:
            return Reply(404, {"error": f"Domain with name '{found['domain']}' not found"})
        if request.method == "GET":
            return Reply(200, {"dnsEntries": [self._entry(row) for row in self.rows()]})
        if request.method not in {"POST", "DELETE"}:
            return self.complain(request, "PUT replaces the whole zone, PATCH one of several")
        return self._write(request)

    def _auth(self, request: Request) -> Reply:
        signature = base64.b64decode(request.headers.get("signature", ""))
        content = request.content
        if set(content) != LOGIN_FIELDS or not 6 <= len(content["nonce"]) <= 32 or content["read_only"] is not False:
            return self.complain(request, f"not a login: {sorted(content)}")
        if content["nonce"] in self.nonces or not isinstance(content["global_key"], bool):
            return self.complain(request, "a nonce counts once, global_key is a boolean")
        self.nonces.add(content["nonce"])
        try:
            self.key.public_key().verify(signature, request.body, padding.PKCS1v15(), SHA512())
        except InvalidSignature:
            return Reply(401, {"error": "Invalid API signature, signature does not match the request"})
        if content["login"] != LOGIN:
            return Reply(401, {"error": "Invalid login"})
        self.tokens.append(f"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzUxMiJ9.{len(self.tokens):020d}.c2lnbmF0dXJl")
        return Reply(201, {"token": self.tokens[-1]})

    def _entry(self, row: tuple[int, str, str, int, str]) -> dict[str, Any]:
        _, name, kind, ttl, text = row
        return {"name": name.removesuffix(self.zone).rstrip(".") or "@", "expire": ttl, "type": kind, "content": text}

    def _write(self, request: Request) -> Reply:
        entry = request.content.get("dnsEntry", {})
        if set(request.content) != {"dnsEntry"} or set(entry) != {"name", "expire", "type", "content"}:
            return self.complain(request, "not a dnsEntry")
        if request.method == "DELETE":  # by all that it is
            found = next((row[0] for row in self.rows() if self._entry(row) == entry), 0)
            return Reply(204) if self.drop(found) else Reply(404, {"error": "DNS entry not found"})
        if not isinstance(entry["expire"], int) or entry["expire"] < LEAST_TTL:
            return Reply(406, {"error": "The field expire is not valid"})
        name = self.zone if entry["name"] == "@" else f"{entry['name']}.{self.zone}"
        if entry["content"] in self.sets.get((name, entry["type"]), (0, []))[1]:
            return Reply(406, {"error": "This DNS entry exists already"})
        self.insert(name, entry["type"], entry["expire"], entry["content"])
        return Reply(201)


class TransipStand(HostedStand):
    """Single entries."""

    kind, double, least_ttl, together = "transip", Transip, LEAST_TTL, False
    troubles = HostedStand.troubles | {"conflict"}  # what others add stays

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        key = secret("private-key", pem(self.server.key))  # type: ignore[attr-defined]  it is a Transip
        return {"login": LOGIN, "private-key-file": key, "api": f"{self.server.url}/v6"}

    def stranger(self) -> Backend:
        """Open it with the key of somebody else."""
        other = self._file("false-key", pem(rsa.generate_private_key(65537, 2048)))
        return open_backend("ns1", self.kind, {**self.options(self._file), "private-key-file": other})

    def secrets(self) -> set[str]:
        """Return the tokens, too; the lines around a key are no secret."""
        return {one for one in {*super().secrets(), *self.server.tokens} if "-----" not in one}  # type: ignore[attr-defined]
