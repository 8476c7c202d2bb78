"""OVHcloud: single records over its signed REST API, served when the zone is refreshed (https://eu.api.ovh.com/console/#/domain/zone).

There is no compare-and-swap; single records are created and deleted by number, so what others write survives. What is changed is
shown by the API at once but served by nobody before `refresh`, so that is asked for after each change, and when a change is found
to stand already: the run that made it may have died in between.

Signature: https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api?id=kb_article_view&sysparm_article=KB0042777
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager import clock
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.option import Option, mistake, suggestion
from tlsa_manager.publish.hosted import Zone, hosted_options, parents, text_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.singles import Single, absolute, standing_of
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind, Standing
    from tlsa_manager.web import Answer

ENDPOINTS = {
    "ovh-eu": "https://eu.api.ovh.com/1.0",
    "ovh-ca": "https://ca.api.ovh.com/1.0",
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
}
SERVERS = (".ovh.net.", ".ovh.ca.", ".anycast.me.")
OPTIONS = (
    Option("endpoint", "str", f"where the account is: {', '.join(ENDPOINTS)}", default="ovh-eu"),
    Option("application-key", "str", "the key of the application", required=True),
    *secret_options("application-secret", "the secret of the application"),
    *secret_options("consumer-key", "a consumer key, limited to the records of the zone: docs/backends/ovh.md"),
    *(option for option in hosted_options("OVH", "") if option.name != "api"),
    Option("api", "str", "where the API is, if not at an endpoint above"),
)
LEAST_TTL, DEFAULT_TTL = 60, 3600  # seconds; a record with TTL 0 has that of the zone
_POWER = "can change the DNS records of the mail servers"
_ACCESS = (
    "do application-key, application-secret and consumer-key belong together and to this endpoint, is the consumer key validated"
    " and not expired, and do its rights have these paths? docs/backends/ovh.md"
)


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    secret = secret_of(settings, "application-secret", _POWER)
    consumer = secret_of(settings, "consumer-key", _POWER)
    signer = Signer(settings.text("application-key"), secret, consumer)

    def judge(answer: Answer) -> PublishError | None:
        """A wrong signature has status 400, and the time is asked for anew then; 409: something else is under way."""
        said = answer.parsed if isinstance(answer.parsed, dict) else {}
        message = api.clean(str(said.get("message")))
        if said.get("errorCode") in {"INVALID_SIGNATURE", "QUERY_TIME_OUT"}:
            signer.start = None
            return api.shut(message, answer)
        return PublishTemporary(f"OVH cannot do it now: {message}", "tried again by itself") if answer.status == 409 else None

    api = Api(
        "OVH", _place(settings), settings.seconds("timeout"), access=_ACCESS, secrets=(secret, consumer), sign=signer, judge=judge
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Ovh(api, signer, zone), zone)


class Signer:
    """Signs each question with the secret and OVH's time, whatever our clock says.

    `start`: what time it was there when `clock.monotonic` was 0, seconds since 1970; None while nobody has asked.
    """

    def __init__(self, application: str, secret: str, consumer: str) -> None:
        """Know no time yet."""
        self.start: float | None = None
        self._application, self._secret, self._consumer = application, secret, consumer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers; without a time, those of a question that need not be signed."""
        request.headers["X-Ovh-Application"] = self._application
        if self.start is None:
            return request
        text = request.body.decode() if isinstance(request.body, bytes) else ""
        when = str(int(self.start + clock.monotonic()))
        whole = "+".join((self._secret, self._consumer, request.method or "", request.url or "", text, when))
        request.headers["X-Ovh-Consumer"] = self._consumer
        request.headers["X-Ovh-Timestamp"] = when
        request.headers["X-Ovh-Signature"] = "$1$" + hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest()
        return request


@dataclass(frozen=True, slots=True)
class Ovh:
    """What a consumer key may change."""

    api: Api
    signer: Signer
    only: str = ""
    title: str = "OVH"

    def zone_of(self, name: str) -> Zone | None:
        """Look for the zone among those of the account; one that is configured is not looked for, which would need a right."""
        if self.only:
            return Zone(self.only, self.only.rstrip("."), LEAST_TTL)
        answer = self._ask("GET", "/domain/zone")
        if not answer.ok:
            raise self.api.refused(answer, "to list the zones of the account", "set `zone` in the section of this backend")
        known = {f"{one.lower()}.": one for one in self.api.parsed(answer)}
        found = next((one for one in parents(name) if one in known), None)
        return Zone(found, known[found], LEAST_TTL) if found else None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read the numbers of what is like the name (so the documents say), then each record."""
        label = name.removesuffix(zone.name).rstrip(".")
        answer = self._ask("GET", f"/domain/zone/{quote(zone.id)}/record", query={"subDomain": label})
        if not answer.ok:
            raise self.api.refused(answer, f"to read {name}")
        found = filter(None, (self._record(zone, int(number)) for number in self.api.parsed(answer)))
        return standing_of(found, name, kind)

    def write(self, edit: Edit) -> str:
        """Create, or delete by number, one record after the other. What is no more there is as it should be."""
        path = f"/domain/zone/{quote(edit.zone.id)}/record"
        ttl = 0 if any(one.raw[1] == 0 for one in edit.kept) else edit.ttl  # theirs follows the zone's, whatever that is
        for value in edit.add:
            record = {"fieldType": edit.kind, "subDomain": edit.label, "target": text_of(edit.kind, value), "ttl": ttl}
            answer = self._ask("POST", path, content=record)
            if not answer.ok:
                raise self.api.refused(answer, f"the change of {edit.name}")
        for one in edit.remove:
            answer = self._ask("DELETE", f"{path}/{one.raw[0]}")
            if not answer.ok and answer.status != 404:
                raise self.api.refused(answer, f"the change of {edit.name}")
        return ""

    def serve(self, zone: Zone) -> None:
        """Refresh the zone."""
        answer = self._ask("POST", f"/domain/zone/{quote(zone.id)}/refresh", repeatable=True)
        if not answer.ok:
            raise self.api.refused(answer, f"to serve what has been changed in {zone.name}")

    def _record(self, zone: Zone, number: int) -> Single | None:
        """Read one record; None where it has gone since it was listed."""
        answer = self._ask("GET", f"/domain/zone/{quote(zone.id)}/record/{number}")
        if answer.status == 404:
            return None
        if not answer.ok:
            raise self.api.refused(answer, f"to read record {number} of {zone.name}")
        one = self.api.parsed(answer)
        name, ttl = absolute(one["subDomain"], zone.name), int(one["ttl"])
        return Single(name, one["fieldType"], one["target"], ttl or DEFAULT_TTL, (number, ttl))

    def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, content: object = None,
        repeatable: bool | None = None,
    ) -> Answer:  # fmt: skip
        """Ask for the time once, then whatever it is."""
        if self.signer.start is None:
            answer = self.api.ask("GET", "/auth/time")
            if not answer.ok:
                raise self.api.refused(answer, "to tell the time")
            self.signer.start = float(self.api.parsed(answer)) - clock.monotonic()
        return self.api.ask(method, path, query=query, content=content, repeatable=repeatable)


def _place(settings: Settings) -> str:
    """Return the URL of the API. Raises ConfigError."""
    if settings.text("api"):
        return address(settings, "api")
    endpoint = settings.text("endpoint")
    if endpoint not in ENDPOINTS:
        what = f"there is no {endpoint[:40]!r}{suggestion(endpoint, ENDPOINTS)}"
        raise mistake(f"{settings.section}.endpoint", what, "correct it, or name the address with `api`")
    return ENDPOINTS[endpoint]
