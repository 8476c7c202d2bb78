"""How Google is told who asks: an assertion signed with a service account's key is exchanged for a token for an hour.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest; on Google's own machines the metadata server
gives one without a key: https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from __future__ import annotations

import base64
import json
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tlsa_manager import clock
from tlsa_manager.errors import BadInput, PublishError
from tlsa_manager.option import Settings, mistake
from tlsa_manager.publish.hosted.api import Api, address, words
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.web import Answer

METADATA = "http://metadata.google.internal"
SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LASTING = 3600  # seconds, the most that Google takes
_PATIENCE = 3.0  # seconds: the metadata server is a neighbour
_OWN = "/computeMetadata/v1/instance/service-accounts/default/token"
_ACCESS = "is the key still among the keys of the service account (IAM, service accounts, keys), and the account not disabled?"
_NO_ACCOUNT = "does this machine run as a service account with a scope for Cloud DNS? Otherwise give key-file"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account's key, as its JSON file has it. `token_uri`: where it is exchanged."""

    project: str
    email: str
    token_uri: str
    key_id: str = ""
    key: str = field(default="", repr=False)


def account_of(text: str, section: str) -> Account:
    """Read a key file of type service_account. Raises ConfigError."""
    try:
        found = json.loads(text)
        if found["type"] != "service_account":
            raise ValueError(found["type"])
        names = ("project_id", "client_email", "token_uri", "private_key_id", "private_key")
        project, email, uri, key_id, key = (str(found[name]) for name in names)
    except (ValueError, LookupError, TypeError):
        what = "what stands there is not the JSON key of a service account"
        hint = "gcloud iam service-accounts keys create makes one: docs/backends/google.md"
        raise mistake(f"{section}.key-file", what, hint) from None
    return Account(project, email, address(Settings(f"{section}.key-file", {"token_uri": uri}), "token_uri"), key_id, key)


def exchanging(account: Account, timeout: float) -> Callable[[], tuple[str, float]]:
    """Return what gets a token for the key of a service account: the token, and for how many seconds it is good."""
    api = Api("Google's token service", account.token_uri, timeout, access=_ACCESS, secrets=(account.key,))

    def fetch() -> tuple[str, float]:
        body = urlencode({"grant_type": _GRANT, "assertion": assertion(account, clock.now())}).encode()
        answer = api.ask("POST", "", body=body, headers=_FORM, repeatable=True)
        if not answer.ok:  # invalid_grant: unknown key or account, or a clock that is wrong
            raise api.shut(f"HTTP status {answer.status}: {words(answer.parsed)}", answer)
        return _token(api, answer)

    return fetch


def of_machine(metadata: str) -> Callable[[], tuple[str, float]]:
    """Return what gets a token for the service account that this machine runs as. `metadata`: URL of the metadata server."""
    headers = {"Metadata-Flavor": "Google"}
    api = Api("Google's metadata server", metadata, _PATIENCE, access=_NO_ACCOUNT, headers=headers, direct=True)

    def fetch() -> tuple[str, float]:
        answer = api.ask("GET", _OWN)
        if not answer.ok:
            raise api.refused(answer, "to give a token", _NO_ACCOUNT)
        return _token(api, answer)

    return fetch


def assertion(account: Account, now: float) -> str:
    """Return who asks for what until when, signed (RFC 7523 §3). `now`: seconds since 1970. Raises PublishError."""
    from tlsa_manager import keys

    head = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    claims = {"iss": account.email, "scope": SCOPE, "aud": account.token_uri, "iat": int(now), "exp": int(now) + _LASTING}
    signed = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
    try:
        return f"{signed}.{_part(keys.rs256(account.key.encode(), signed.encode()))}"
    except BadInput as error:
        message = f"the private_key of {account.email} cannot be used: {error.message}"
        raise PublishError(message, "make another key file: docs/backends/google.md") from None


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _token(api: Api, answer: Answer) -> tuple[str, float]:
    found = api.parsed(answer)
    return str(found["access_token"]), float(found["expires_in"])
