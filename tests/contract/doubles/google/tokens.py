"""What Google does with an assertion: verifies it with the public half of the service account's key.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import functools
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.doubles.double import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

EMAIL, KEY_ID, TOKEN = (
    "tlsa@example-dns.iam.gserviceaccount.com",
    "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a",
    "ya29.c.b0AXv0zTPQkS",
)
SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
_NAMES = {"iss", "scope", "aud", "exp", "iat"}


@functools.cache
def key(name: str) -> rsa.RSAPrivateKey:
    """Return a key by its name; making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


def key_file(url: str, name: str = "ours") -> str:
    """Return the JSON file of a service account's key (https://cloud.google.com/iam/docs/keys-create-delete)."""
    text = key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account", "project_id": "example-dns", "private_key_id": KEY_ID, "private_key": text,
            "client_email": EMAIL, "client_id": "123456789012345678901", "token_uri": url,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com",
        }
    )  # fmt: skip


def answer(request: Request, url: str, complain: Callable[[Request, str], Reply]) -> Reply:
    """Play the token endpoint. `url`: its own, which the assertion must be meant for."""
    form = dict(parse_qsl(request.body.decode()))
    if request.method != "POST" or request.headers.get("content-type") != "application/x-www-form-urlencoded":
        return complain(request, "a token is asked for by POST of a form")
    if set(form) != {"grant_type", "assertion"} or form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return complain(request, "the grant")
    head, claims, signature = form["assertion"].split(".")
    if _read(head) != {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}:
        return complain(request, "the head of the assertion")
    said = _read(claims)
    if set(said) != _NAMES or (said["iss"], said["aud"], said["scope"]) != (EMAIL, url, SCOPE):
        return complain(request, "the claims of the assertion")
    try:
        key("ours").public_key().verify(_octets(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    if said["exp"] - said["iat"] > 3600 or abs(said["iat"] - time.time()) > 600:
        timeframe = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return Reply(400, {"error": "invalid_grant", "error_description": timeframe})
    return Reply(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})


def _read(part: str) -> Any:
    return json.loads(_octets(part))


def _octets(part: str) -> bytes:
    if "=" in part:
        raise ValueError("padding")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
