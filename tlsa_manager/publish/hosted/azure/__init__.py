"""Azure DNS: whole sets with an ETag (https://learn.microsoft.com/en-us/rest/api/dns/record-sets/create-or-update).

Compare-and-swap: a set is replaced or deleted only while it has the ETag that was read (If-Match), and made only where there is
none (If-None-Match: *). TLSA needs version 2023-07-01-preview of the API, whose names of properties are used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake
from tlsa_manager.publish import conflict, inside
from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address
from tlsa_manager.publish.hosted.azure.tokens import METADATA, by_secret, of_machine
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.bearer import Bearer
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind
    from tlsa_manager.web import Answer

SERVERS = (".azure-dns.com.", ".azure-dns.net.", ".azure-dns.org.", ".azure-dns.info.")
_ID = "00000000-0000-0000-0000-000000000000"
OPTIONS = (
    Option("subscription-id", "str", "the subscription that the zone is in", required=True, example=_ID),
    Option("resource-group", "str", "the resource group that the zone is in, where we may not see others", example="dns"),
    Option("tenant-id", "str", "the directory (tenant) of the application", example=_ID),
    Option("client-id", "str", "the id of the application, or of a user-assigned managed identity", example=_ID),
    *secret_options("client-secret", "a secret of the application, which may change TLSA (and TXT): docs/backends/azure.md"),
    Option("managed-identity", "bool", "ask as the managed identity of this machine at Azure, without a secret", default=False),
    Option("metadata", "str", "where the metadata service of the machine is", default=METADATA),
    Option("login", "str", "where tokens are given", default="https://login.microsoftonline.com"),
    *hosted_options("Azure DNS", "https://management.azure.com"),
)
_POWER = "can change the DNS records of the mail servers"
_ACCESS = (
    "has the application (or identity) the role that docs/backends/azure.md shows, for this zone or its resource group? A role"
    " that was just given takes some minutes"
)
_VERSION = {"api-version": "2023-07-01-preview"}
_PROPERTY = {"TLSA": "TLSARecords", "TXT": "TXTRecords"}
_PAGES = 50  # answers to one question; a hundred zones are in each


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    bearer = Bearer(_way_in(settings))
    api = Api(
        "Azure DNS", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS,
        judge=lambda answer: bearer.forget() if answer.status == 401 else None,
    )  # fmt: skip
    place, group = f"/subscriptions/{quote(settings.text('subscription-id'), safe='')}", settings.text("resource-group")
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Azure(api, bearer, place + (f"/resourceGroups/{quote(group, safe='')}" if group else ""), zone), zone)


@dataclass(frozen=True, slots=True)
class Azure:
    """One subscription, or one resource group of it: `place` is its path."""

    api: Api
    bearer: Bearer
    place: str
    only: str = ""
    title: str = "Azure DNS"

    def zone_of(self, name: str) -> Zone | None:
        """Look through the public zones that we may see; a zone and its group that are configured are asked for directly."""
        path = f"{self.place}/providers/Microsoft.Network/dnsZones"
        if self.only and "/resourceGroups/" in self.place:
            answer = self._ask("GET", f"{path}/{quote(self.only.rstrip('.'))}")
            listed = [] if answer.status == 404 else [self._understood(answer, f"to tell zone {self.only}")]
        else:
            listed = self._listed(path)
        public = [one for one in listed if one.get("properties", {}).get("zoneType", "Public") == "Public"]
        zones = [Zone(f"{one['name'].lower()}.", f"/{one['id'].strip('/')}") for one in public]
        fitting = [one for one in zones if inside(name, one.name) and self.only in {"", one.name}]
        found = [one for one in fitting if len(one.name) == max(len(other.name) for other in fitting)]
        if len(found) > 1:
            raise PublishError(
                f"{self.title} has {len(found)} zones {found[0].name} in this subscription, and the world sees only one of them",
                "set resource-group to the one whose zone has the name servers that the world asks",
            )
        return found[0] if found else None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read the set, and whether there is a CNAME. Where there is neither, make sure that there is a zone at least."""
        answer, alias = self._ask("GET", _path(zone, name, kind)), self._ask("GET", _path(zone, name, "CNAME"))
        if answer.status == alias.status == 404:
            self._understood(self._ask("GET", quote(zone.id)), f"to tell zone {zone.name}")
        leads = ""
        if alias.status != 404:
            said = self._understood(alias, f"to read {name}")["properties"]
            leads = said.get("CNAMERecord", {}).get("cname") or said.get("targetResource", {}).get("id") or "nowhere"
        if answer.status == 404:
            return Standing(alias=leads)
        found = self._understood(answer, f"to read {name}")
        stands = found["properties"]
        records = tuple(Record(_value(kind, one), one) for one in stands.get(_PROPERTY[kind], []))
        return Standing(records, int(stands["TTL"]), leads, (found["etag"], stands.get("metadata", {})))

    def write(self, edit: Edit) -> str:
        """Replace the set in one step if it is the one that was read, or make it if there is none; delete one that is empty."""
        records = [*(one.raw for one in edit.kept), *(_raw(edit.kind, one) for one in edit.add)]
        etag, metadata = edit.before.version or ("", {})
        headers = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        path = _path(edit.zone, edit.name, edit.kind)
        if records:
            kept: dict[str, Any] = {"metadata": metadata} if metadata else {}
            properties: dict[str, Any] = {"TTL": edit.ttl, _PROPERTY[edit.kind]: records, **kept}
            answer = self._ask("PUT", path, {"properties": properties}, headers)
        else:
            answer = self._ask("DELETE", path, None, headers)
        if answer.status == 412:
            raise conflict(edit.name, edit.kind)
        if not answer.ok:
            raise self.api.refused(answer, f"the change of {edit.name}")
        return ""

    def _listed(self, path: str) -> list[Any]:
        """Return all of a list, page by page."""
        found: list[Any] = []
        page = self._understood(self._ask("GET", path), "to list its zones")
        for _ in range(_PAGES):
            found += page["value"]
            following = page.get("nextLink")
            if not following:
                return found
            if not following.startswith(f"{self.api.base}/"):
                raise ValueError("a page that is elsewhere")  # where a token of ours has no business
            page = self._understood(self._ask("GET", following.removeprefix(self.api.base), query={}), "to list its zones")
        raise LookupError(f"more than {_PAGES} pages")

    def _ask(
        self, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None, query: Any = None
    ) -> Answer:  # fmt: skip
        """Ask. A write is not done twice: the second would not find the ETag of the first any more."""
        token = self.bearer.token()
        self.api.hide(token)
        query = _VERSION if query is None else query
        all_headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        return self.api.ask(method, path, query=query, content=content, headers=all_headers, repeatable=method == "GET")

    def _understood(self, answer: Answer, act: str) -> Any:
        if not answer.ok:
            raise self.api.refused(answer, act)
        return self.api.parsed(answer)


def _way_in(settings: Settings) -> Any:
    """Return what gets tokens. Raises ConfigError."""
    client, machine = settings.text("client-id"), settings.flag("managed-identity")
    secret = secret_of(settings, "client-secret", _POWER, required=not machine)
    if machine and secret:
        raise mistake(f"{settings.section}.managed-identity", "there is a client-secret too", "give one of them")
    if machine:
        return of_machine(address(settings, "metadata", plain=True), client)
    for option in ("tenant-id", "client-id"):
        if not settings.text(option):
            hint = "the secret is of an application, which has an id in a directory"
            raise mistake(f"{settings.section}.{option}", "missing", hint)
    login = address(settings, "login")
    return by_secret(login, settings.text("tenant-id"), client, secret, settings.seconds("timeout"))


def _path(zone: Zone, name: str, kind: str) -> str:
    return f"{quote(zone.id)}/{kind}/{quote(name.removesuffix(zone.name).rstrip('.') or '@', safe='@')}"


def _value(kind: Kind, raw: Any) -> str:
    if kind == "TXT":
        return "".join(raw["value"])
    return value_of(kind, f"{raw['usage']} {raw['selector']} {raw['matchingType']} {raw['certAssociationData']}")


def _raw(kind: Kind, value: str) -> dict[str, Any]:
    if kind == "TXT":
        return {"value": [value]}
    one = Tlsa.parse(value)
    return {"usage": one.usage, "selector": one.selector, "matchingType": one.matching, "certAssociationData": one.data}
