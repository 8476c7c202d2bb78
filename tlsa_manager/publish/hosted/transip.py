"""TransIP: single entries over its REST API (https://api.transip.nl/rest/docs.html#domains-dns), known by an RSA key.

There is no compare-and-swap; single entries are added, and deleted by all that they are, so what others write survives. The whole
zone is never written (that would be PUT). One request signed with the key gets a token for half an hour; the token does the rest.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager import clock
from tlsa_manager.errors import BadInput, PublishError, PublishTemporary
from tlsa_manager.option import Option, mistake
from tlsa_manager.publish.hosted import Zone, hosted_options, parents, zone_option
from tlsa_manager.publish.hosted.api import Api, address, words
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.singles import Single, absolute, standing_of
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass
from tlsa_manager.web import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind, Standing
    from tlsa_manager.web import Answer

SERVERS = (".transip.net.", ".transip.nl.", ".transip.eu.")
OPTIONS = (
    Option("login", "str", "the name of the account", required=True),
    *secret_options("private-key", "the private key that TransIP showed when the key pair was made"),
    Option("global-key", "bool", "whether tokens are for any address, instead of those on the whitelist", default=False),
    *hosted_options("TransIP", "https://api.transip.nl/v6"),
)
LEAST_TTL = 60
LIFE, SPARE = 1800.0, 300.0  # seconds: how long a token is asked for, and before its end a new one
_ACCESS = (
    "is login right, does the private key belong to a key pair that is on, and is this host's address on the whitelist if the"
    " pair is limited to it? docs/backends/transip.md"
)


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    key = secret_of(settings, "private-key", "can do with the account what its owner can", lines=True)
    if "PRIVATE KEY-----" not in key:
        where, what = f"{settings.section}.private-key", "what stands there is not a private key in PEM form"
        raise mistake(where, what, "it begins with -----BEGIN PRIVATE KEY-----")

    def judge(answer: Answer) -> PublishError | None:
        """409: the entries are being saved for somebody else; 429: the moment at which to come again has a header of its own."""
        reset = answer.headers.get("x-rate-limit-reset", "")
        if answer.status == 429 and reset.isdigit():
            return api.later(words(answer.parsed) or "it was asked too often", min(float(reset), answer.at + LONGEST))
        if answer.status == 409:
            return PublishTemporary(f"TransIP cannot do it now: {api.clean(words(answer.parsed))}", "tried again by itself")
        return None

    api = Api("TransIP", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, secrets=(key,), judge=judge)
    zone = zone_option(settings.text("zone"))
    door = Door(api, settings.text("login"), key.encode() + b"\n", settings.flag("global-key"))
    return Hosted(name, Transip(api, door, zone), zone)


class Door:
    """Lets us in: asks for a token with a signed request, and keeps it until it is about to end."""

    def __init__(self, api: Api, login: str, key: bytes, everywhere: bool) -> None:  # noqa: FBT001  an option of the section
        """Ask nothing yet. `key`: PEM."""
        self._api, self._login, self._key, self._everywhere = api, login, key, everywhere
        self._headers: Mapping[str, str] = {}
        self._end = 0.0

    def headers(self) -> Mapping[str, str]:
        """Return what proves who asks. Raises PublishError."""
        if not self._headers or clock.monotonic() > self._end:
            began = clock.monotonic()
            token = self._token()
            self._api.hide(token)
            self._headers, self._end = {"Authorization": f"Bearer {token}"}, began + LIFE - SPARE
        return self._headers

    def _token(self) -> str:
        from tlsa_manager import keys

        nonce = secrets.token_hex(16)
        asked = {
            "login": self._login, "nonce": nonce, "read_only": False, "expiration_time": f"{LIFE / 60:.0f} minutes",
            "label": f"tlsa-manager {nonce[:8]}", "global_key": self._everywhere,
        }  # fmt: skip
        body = json.dumps(asked).encode()
        try:
            signature = base64.b64encode(keys.signature(self._key, body)).decode()
        except BadInput as error:
            message = f"the private key for TransIP cannot be used: {error.message}; nothing was changed"
            raise PublishError(message, error.hint) from None
        headers = {"Signature": signature, "Content-Type": "application/json"}
        answer = self._api.ask("POST", "/auth", body=body, headers=headers)
        if not answer.ok:
            raise self._api.shut(f"HTTP status {answer.status}: {words(answer.parsed)}", answer)
        return str(self._api.parsed(answer)["token"])


@dataclass(frozen=True, slots=True)
class Transip:
    """An account."""

    api: Api
    door: Door
    only: str = ""
    title: str = "TransIP"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each name above, the longest first, whether it is a domain here; of a domain itself too much would be told."""
        for candidate in parents(name, self.only):
            zone = Zone(candidate, candidate.rstrip("."), LEAST_TTL)
            answer = self._ask("GET", zone)
            if answer.ok:
                return zone
            if answer.status != 404:
                raise self.api.refused(answer, f"to tell whether {candidate} is a domain")
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read the entries of the zone: there is no way to ask for fewer."""
        answer = self._ask("GET", zone)
        if not answer.ok:
            raise self.api.refused(answer, f"to read {name}")
        entries = self.api.parsed(answer)["dnsEntries"]
        found = (
            Single(absolute(one["name"], zone.name), one["type"], one["content"], int(one["expire"]), one) for one in entries
        )
        return standing_of(found, name, kind)

    def write(self, edit: Edit) -> str:
        """Add one entry after the other, or delete exactly those that were read. What is no more there is as it should be."""
        for value in edit.add:
            entry = {"name": edit.label or "@", "expire": edit.ttl, "type": edit.kind, "content": value}
            answer = self._ask("POST", edit.zone, {"dnsEntry": entry})
            if not answer.ok:
                raise self.api.refused(answer, f"the change of {edit.name}")
        for one in edit.remove:
            answer = self._ask("DELETE", edit.zone, {"dnsEntry": one.raw})
            if not answer.ok and answer.status != 404:
                raise self.api.refused(answer, f"the change of {edit.name}")
        return ""

    def _ask(self, method: str, zone: Zone, content: object = None) -> Answer:
        return self.api.ask(method, f"/domains/{quote(zone.id)}/dns", content=content, headers=self.door.headers())
