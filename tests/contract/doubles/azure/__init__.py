"""Azure DNS as its reference describes it (https://learn.microsoft.com/en-us/rest/api/dns/): one subscription, two groups.

Forms of TLSA: specification/dns/resource-manager/Microsoft.Network/Dns/preview/2023-07-01-preview in github.com/Azure/azure-rest-api-specs.
"""  # noqa: E501  a path

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import dns.rdata

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand
from contract.stand import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dns.rdtypes.ANY.TXT import TXT

TENANT, CLIENT, SECRET = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "00001111-aaaa-2222-bbbb-3333cccc4444", "qWgdYAmab0YSkuL1qKv5bPX"
SUBSCRIPTION, TOKEN = "bbbb1b1b-cc2c-dd3d-ee4e-ffffff5f5f5f", "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsIng1dCI6Ik1uQ19WWmNBVGZNNXBP"
_PLACE = rf"/subscriptions/{SUBSCRIPTION}(?:/resourceGroups/(?P<group>[\w-]+))?/providers/Microsoft\.Network/dns[Zz]ones"
_PATH = re.compile(rf"{_PLACE}(?:/(?P<zone>[a-z0-9.-]+)(?:/(?P<kind>TLSA|TXT|CNAME)/(?P<label>[^/]+))?)?")
_FIELDS = ("usage", "selector", "matchingType", "certAssociationData")


class Azure(Double):
    """One subscription. `metadata`: of record sets; `scoped`: whether the role is for one zone; `page`: zones in one answer."""

    zones: tuple[tuple[str, str, str], ...] = (
        ("dns", "pub-other.example", "Public"),
        ("dns", "pub.example", "Public"),
        ("inside", "pub.example", "Private"),
    )
    page = 2

    def __init__(self) -> None:
        super().__init__()
        self.etags: dict[tuple[str, str], tuple[tuple[int, tuple[str, ...]], str]] = {}
        self.metadata: dict[tuple[str, str], dict[str, str]] = {}
        self.scoped = False

    def writes(self, request: Request) -> bool:
        """A token is none."""
        return request.method in {"PUT", "DELETE"}

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        found = _PATH.fullmatch(request.path)
        if found is None or request.query.get("api-version") != "2023-07-01-preview":
            return self.complain(request, "no such path or version in the reference")
        if not found["zone"]:
            return self._zones(request, found["group"])
        place = (found["group"], found["zone"])
        zone = next((one for one in self.zones if one[:2] == place), None)
        if zone is None or request.query.keys() - {"api-version"}:
            return _error(404, "ResourceNotFound", f"The Resource 'Microsoft.Network/dnszones/{found['zone']}' was not found.")
        if not found["kind"]:
            return Reply(200, _zone(*zone))
        name = "" if found["label"] == "@" else f"{found['label']}."
        key = (f"{name}{found['zone']}.", found["kind"])
        return {"GET": self._get, "PUT": self._put, "DELETE": self._delete}[request.method](request, key)

    def limited(self) -> Reply:
        """Return what Azure Resource Manager documents (management/request-limits-and-throttling of its pages)."""
        return Reply(429, _error(429, "TooManyRequests", "The request is being throttled.").content, {"Retry-After": "600"})

    def refused(self) -> Reply:
        """Return what a role that does not allow it leads to."""
        said = f"The client '{CLIENT}' does not have authorization to perform action 'Microsoft.Network/dnsZones/TLSA/write'"
        return _error(403, "AuthorizationFailed", said)

    def etag(self, key: tuple[str, str]) -> str:
        """Return the ETag of a set as it stands: another one after each change."""
        ttl, records = self.sets[key]
        now = (ttl, tuple(records))
        before, etag = self.etags.get(key, (None, ""))
        if before != now:
            etag = f"{len(self.requests):08x}-0000-0000-0000-{len(self.etags):012x}"
            self.etags[key] = now, etag
        return etag

    def _token(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        if request.method != "POST" or request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return self.complain(request, "a token is asked for by POST of a form")
        wanted = {"client_id": CLIENT, "grant_type": "client_credentials", "scope": "https://management.azure.com/.default"}
        if {name: value for name, value in form.items() if name != "client_secret"} != wanted:
            return self.complain(request, "the form")
        if form["client_secret"] != SECRET:
            said = "AADSTS7000215: Invalid client secret provided."
            return Reply(401, {"error": "invalid_client", "error_description": said, "error_codes": [7000215]})
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": TOKEN})

    def _zones(self, request: Request, group: str | None) -> Reply:
        if self.scoped:
            return _error(403, "AuthorizationFailed", "The client does not have authorization over this scope")
        if not set(request.query) <= {"api-version", "$skipToken"}:
            return self.complain(request, "unknown filter")
        found = [_zone(*one) for one in self.zones if group in {None, one[0]}]
        start = int(request.query.get("$skipToken", "0"))
        whole: dict[str, Any] = {"value": found[start : start + self.page]}
        if len(found) > start + self.page:
            whole["nextLink"] = f"{self.url}{request.path}?api-version=2023-07-01-preview&$skipToken={start + self.page}"
        return Reply(200, whole)

    def _get(self, _: Request, key: tuple[str, str]) -> Reply:
        if key not in self.sets:
            return _error(404, "NotFound", f"The resource record '{key[0]}' does not exist in resource group 'dns'.")
        ttl, records = self.sets[key]
        shown: dict[str, Any] = {
            "TTL": ttl,
            "fqdn": key[0],
            "provisioningState": "Succeeded",
            "metadata": self.metadata.get(key, {}),
        }
        if key[1] == "CNAME":
            shown["CNAMERecord"] = {"cname": records[0]}
        else:
            shown[f"{key[1]}Records"] = [_record(key[1], one) for one in records]
        label = key[0].removesuffix("pub.example.").rstrip(".") or "@"
        return Reply(
            200,
            {
                "id": f"/{label}",
                "name": label,
                "type": f"Microsoft.Network/dnsZones/{key[1]}",
                "etag": self.etag(key),
                "properties": shown,
            },
        )

    def _put(self, request: Request, key: tuple[str, str]) -> Reply:
        if refusal := self._compared(request, key):
            return refusal
        if set(request.content) != {"properties"}:
            return self.complain(request, "not a record set")
        said = request.content["properties"]
        if not {"TTL", f"{key[1]}Records"} <= set(said) <= {"TTL", f"{key[1]}Records", "metadata"} or not said["TTL"] > 0:
            return self.complain(request, f"not a record set: {sorted(said)}")
        records = [_text(key[1], one) for one in said[f"{key[1]}Records"]]
        if not records or None in records:
            return self.complain(request, "not a record")
        if len(set(records)) != len(records):
            return _error(400, "BadRequest", "The record set has duplicate records.")
        if (key[0], "CNAME") in self.sets:
            return _error(400, "BadRequest", "A CNAME record exists with the same name.")
        made = key not in self.sets
        self.sets[key] = said["TTL"], [str(one) for one in records]
        self.metadata[key] = said.get("metadata", {})
        return Reply(201 if made else 200, self._get(request, key).content)

    def _delete(self, request: Request, key: tuple[str, str]) -> Reply:
        if refusal := self._compared(request, key):
            return refusal
        return Reply(204 if self.sets.pop(key, None) is None else 200)

    def _compared(self, request: Request, key: tuple[str, str]) -> Reply | None:
        """Hold the ETag against what stands. What compares nothing is no fault of form, but would overwrite what others did."""
        match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
        if (match is None) is (none is None) or none not in {None, "*"}:
            return self.complain(request, "a write compares, with If-Match or with If-None-Match: *")
        if (none and key in self.sets) or (match and (key not in self.sets or self.etag(key) != match)):
            return _error(412, "PreconditionFailed", "The condition specified using HTTP conditional header(s) is not met.")
        return None


class AzureStand(HostedStand):
    """Whole sets, compared and written in one step."""

    server: Azure
    kind, double, troubles = "azure", Azure, TROUBLES
    compares = True

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        self._secrets.add(TOKEN)
        ids = {"subscription-id": SUBSCRIPTION, "tenant-id": TENANT, "client-id": CLIENT}
        return {**ids, "client-secret-file": secret("secret", SECRET), "api": self.server.url, "login": self.server.url}

    def put(self, name: str, ttl: int, *records: str, kind: str = "TLSA") -> None:
        """Make a set stand, as Azure keeps it: by its fields, not as text."""
        fields = [one if kind not in {"TLSA", "TXT"} else str(_text(kind, _record(kind, one))) for one in records]
        super().put(name, ttl, *fields, kind=kind)


def _zone(group: str, name: str, kind: str) -> dict[str, Any]:
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Network/dnszones/{name}"
    properties = {"maxNumberOfRecordSets": 10000, "nameServers": ["ns1-01.azure-dns.com."], "zoneType": kind}
    return {"id": place, "name": name, "type": "Microsoft.Network/dnszones", "location": "global", "properties": properties}


def _record(kind: str, text: str) -> dict[str, Any]:
    if kind == "TXT":
        return {"value": [one.decode("latin-1") for one in cast("TXT", dns.rdata.from_text("IN", "TXT", text)).strings]}
    *numbers, data = text.split(maxsplit=3)
    return dict(zip(_FIELDS, [*map(int, numbers), data.replace(" ", "")], strict=True))


def _text(kind: str, record: dict[str, Any]) -> str | None:
    """Return a record as a zone file has it; None where it is not of the schema."""
    if kind == "TXT":
        parts = record.get("value")
        fine = set(record) == {"value"} and isinstance(parts, list) and all(isinstance(one, str) for one in parts)
        return " ".join(map(_quoted, parts)) if fine and parts else None
    if set(record) != set(_FIELDS) or not all(isinstance(record[field], int) for field in _FIELDS[:3]):
        return None
    return " ".join(str(record[field]) for field in _FIELDS)


def _quoted(text: str) -> str:
    r"""Return a string as a zone file has it: `\"` and `\\` with a backslash, what is not ASCII by its number."""
    return (
        '"' + "".join(f"\\{one}" if one in '"\\' else one if 31 < ord(one) < 127 else f"\\{ord(one):03d}" for one in text) + '"'
    )


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": message}})
