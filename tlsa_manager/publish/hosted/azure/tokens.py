"""How Azure is told who asks: a client secret, or the identity that a machine at Azure is given, for a token for an hour.

https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from tlsa_manager.publish.hosted.api import Api, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.web import Answer

METADATA = "http://169.254.169.254"
RESOURCE = "https://management.azure.com/"
_PATIENCE = 3.0  # seconds: the metadata service is a neighbour
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ACCESS = (
    "are tenant-id and client-id right, and is the client secret one of the application's that has not expired (the value of the"
    " secret, not its id)? docs/backends/azure.md has the steps"
)
_NO_IDENTITY = "has this machine a managed identity (az vm identity assign)? Otherwise give client-id and client-secret-file"


def by_secret(login: str, tenant: str, client: str, secret: str, timeout: float) -> Callable[[], tuple[str, float]]:
    """Return what gets a token for an application: the token, and for how many seconds it is good. `login`: URL."""
    api = Api("Microsoft Entra", login, timeout, access=_ACCESS, secrets=(secret, quote(secret, safe="")))

    def fetch() -> tuple[str, float]:
        asked = {"client_id": client, "client_secret": secret, "grant_type": "client_credentials", "scope": f"{RESOURCE}.default"}
        path = f"/{quote(tenant, safe='')}/oauth2/v2.0/token"
        answer = api.ask("POST", path, body=urlencode(asked).encode(), headers=_FORM, repeatable=True)
        if not answer.ok:  # unauthorized_client, invalid_client: with a number, AADSTS..., that says more
            raise api.shut(f"HTTP status {answer.status}: {words(answer.parsed)}", answer)
        return _token(api, answer)

    return fetch


def of_machine(metadata: str, client: str) -> Callable[[], tuple[str, float]]:
    """Return what gets a token for the identity of this machine. `client`: of a user-assigned one, or empty. `metadata`: URL."""
    headers = {"Metadata": "true"}
    api = Api("the Azure metadata service", metadata, _PATIENCE, access=_NO_IDENTITY, headers=headers, direct=True)

    def fetch() -> tuple[str, float]:
        query = {"api-version": "2018-02-01", "resource": RESOURCE, **({"client_id": client} if client else {})}
        answer = api.ask("GET", "/metadata/identity/oauth2/token", query=query)
        if not answer.ok:
            raise api.refused(answer, "to give a token", _NO_IDENTITY)
        return _token(api, answer)

    return fetch


def _token(api: Api, answer: Answer) -> tuple[str, float]:
    found = api.parsed(answer)
    return str(found["access_token"]), float(found["expires_in"])
