"""Cloudflare: single records, each by its id (https://developers.cloudflare.com/api/resources/dns/subresources/records/).

Records that come or go together are one batch, which is one transaction in its database, though not on its name servers. There is
no compare-and-swap; but single records are written, so that what others do at the same name survives. Deleting by id compares
nothing: the ids are those of records that have just been read, whose content is what shall go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tlsa_manager.option import Option, mistake
from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, parents, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address, words
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.errors import PublishError
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind
    from tlsa_manager.web import Answer

SERVERS = (".ns.cloudflare.com.",)
OPTIONS = (
    *secret_options("token", "a Cloudflare API token that may edit the DNS of one zone: docs/backends/cloudflare.md"),
    Option("zone-id", "str", "the zone's id, with `zone`: then the token need not look for it", example="0" * 31 + "1"),
    *hosted_options("Cloudflare", "https://api.cloudflare.com/client/v4"),
)
LEAST_TTL = 60  # seconds; 30 for some customers, but a TLSA record with such a TTL helps nobody
_AUTOMATIC, _AUTOMATIC_TTL = 1, 300  # what a TTL of 1 means for a record that is not proxied; TLSA and TXT never are
_TOO_MANY = 429
_EXISTS, _GONE = frozenset({81057, 81058}), frozenset({81044})
_BARRED = frozenset({6003, 6111, 9106, 9109, 10000})  # where the status does not say it: a token of another form, or no rights
_TOO_OFTEN, _WINDOW = 971, 300.0  # seconds that a token is shut out then
_ACCESS = (
    "is the token right, not expired, allowed from this address, and has it Zone / DNS / Edit for this zone (and Zone / Zone /"
    " Read, unless zone-id is set)? docs/backends/cloudflare.md has the steps"
)
_ID = re.compile(r"[0-9a-f]{32}")


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    token = secret_of(settings, "token", "can change the DNS records of the mail servers")
    zone, number = zone_option(settings.text("zone")), settings.text("zone-id")
    if number and not (zone and _ID.fullmatch(number)):
        what = "of which zone?" if _ID.fullmatch(number) else "not 32 hexadecimal digits"
        hint = "give both as the zone's overview page shows them: its name as `zone`, its id here"
        raise mistake(f"{settings.section}.zone-id", what, hint)
    headers = {"Authorization": f"Bearer {token}"}
    api = Api(
        "Cloudflare", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, headers=headers, secrets=(token,),
        window=_WINDOW, judge=lambda answer: _meant(api, answer),
    )  # fmt: skip
    return Hosted(name, Cloudflare(api, zone, number), zone)


@dataclass(frozen=True, slots=True)
class Cloudflare:
    """The zones that a token may see."""

    api: Api
    only: str = ""
    number: str = ""
    title: str = "Cloudflare"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each zone that it could be. One that is not active yet is another's, or nobody's, for the world."""
        if self.number:
            return Zone(self.only, self.number, LEAST_TTL)
        for candidate in parents(name, self.only):
            found = self._ask("GET", "/zones", f"to tell the zone of {name}", query={"name": candidate.rstrip(".")})
            if found:
                best = min(found, key=lambda one: one["status"] != "active")
                return Zone(candidate, str(best["id"]), LEAST_TTL)
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all records of the name, of which there are few: a CNAME among them means that it is an alias."""
        asked = name.rstrip(".")
        query = {"name.exact": asked, "per_page": "1000"}
        found = [one for one in self._ask("GET", _records(zone), f"to read {name}", query=query) if one["name"] == asked]
        ours = [one for one in found if one["type"] == kind]
        ttl = max((_AUTOMATIC_TTL if one["ttl"] == _AUTOMATIC else int(one["ttl"]) for one in ours), default=0)
        alias = next((str(one["content"]) for one in found if one["type"] == "CNAME"), "")
        return Standing(tuple(Record(value_of(kind, one["content"]), one) for one in ours), ttl, alias)

    def write(self, edit: Edit) -> str:
        """Add or delete; several in one batch, unless somebody else has done a part of it: then each for itself."""
        new, old = [_wanted(edit, value) for value in edit.add], [str(record.raw["id"]) for record in edit.remove]
        path, act = _records(edit.zone), f"the change of {edit.name}"
        if len(new) + len(old) > 1:
            content = {"posts": new} if new else {"deletes": [{"id": one} for one in old]}
            if self._ask("POST", f"{path}/batch", act, content=content, fine=_EXISTS | _GONE) is not None:
                return ""
        for record in new:
            self._ask("POST", path, act, content=record, fine=_EXISTS)
        for one in old:
            self._ask("DELETE", f"{path}/{quote(one, safe='')}", act, fine=_GONE)
        return ""

    def _ask(
        self, method: str, path: str, act: str, *, query: Mapping[str, str] | None = None, content: Any = None,
        fine: frozenset[int] = frozenset(),
    ) -> Any:  # fmt: skip
        """Return the result of a question, or None where the only error is one of `fine`. All of them may be asked twice."""
        answer = self.api.ask(method, path, query=query, content=content, repeatable=True)
        body = self.api.parsed(answer)
        if answer.ok and body["success"]:
            return body["result"]
        codes = _codes(body)
        if codes and codes <= fine:
            return None
        raise self.api.refused(answer, act)


def _meant(api: Api, answer: Answer) -> PublishError | None:
    """Return what the codes of a refusal say that its status does not."""
    codes, said = _codes(answer.parsed), words(answer.parsed)
    if answer.status != _TOO_MANY and _TOO_OFTEN in codes:
        return api.later(said, answer.at + _WINDOW)
    return api.shut(said) if codes & _BARRED else None


def _codes(body: Any) -> frozenset[int]:
    errors = body.get("errors") if isinstance(body, dict) else None
    return frozenset(int(one["code"]) for one in errors) if isinstance(errors, list) else frozenset()


def _records(zone: Zone) -> str:
    return f"/zones/{quote(zone.id, safe='')}/dns_records"


def _wanted(edit: Edit, value: str) -> dict[str, object]:
    """Return a new record as it is asked for. One that joins records with an automatic TTL has that, too."""
    automatic = bool(edit.before.records) and all(one.raw["ttl"] == _AUTOMATIC for one in edit.before.records)
    head = {"type": edit.kind, "name": edit.name.rstrip("."), "ttl": _AUTOMATIC if automatic else edit.ttl}
    if edit.kind == "TXT":
        return {**head, "content": text_of(edit.kind, value)}
    usage, selector, matching, data = value.split(" ")
    fields = {"usage": int(usage), "selector": int(selector), "matching_type": int(matching), "certificate": data}
    return {**head, "data": fields}
