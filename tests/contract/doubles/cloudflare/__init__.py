"""Cloudflare as its documents describe it: two zones, of which a token may edit the DNS of one.

Records: https://developers.cloudflare.com/api/resources/dns/subresources/records/ (list, create, delete, batch)
Zones: https://developers.cloudflare.com/api/resources/zones/methods/list/
Limits: https://developers.cloudflare.com/fundamentals/api/reference/limits/
Batches: https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/

The numbers of errors, which those do not list, are as administrators have met them (81058: an identical record already exists).
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, ClassVar

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contract.stand import Trouble

TOKEN = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
ZONE_ID, PENDING_ID = "023e105f4ecef8ad9ca31a8372d0c353", "f" * 32
LEAST_TTL, LARGEST_TTL, BATCH = 60, 86400, 200
_ROOT = "/client/v4"
_ONE = re.compile(rf"{_ROOT}/zones/{ZONE_ID}/dns_records/(?P<id>[0-9a-f]{{32}})")
_FILTERS = {"name.exact", "type", "per_page", "page"}
_FIELDS = {"TLSA": {"type", "name", "ttl", "data"}, "TXT": {"type", "name", "ttl", "content"}}
_DATA = {"usage": int, "selector": int, "matching_type": int, "certificate": str}


class Cloudflare(Double):
    """One account. `notes`: comments on records, by id; `zone_read`: whether the token may look for zones."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}
        self.zone_read = True
        self._ids: dict[tuple[str, str, str], str] = {}
        self._next = itertools.count(0x372E67954025E0BA)

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if barred := self._barred(request):
            return barred
        if request.method == "POST" and request.headers.get("content-type") != "application/json":
            return self.complain(request, "a body is JSON, and says so")
        records = f"{_ROOT}/zones/{ZONE_ID}/dns_records"
        plain = {
            ("GET", f"{_ROOT}/zones"): self._zones, ("GET", records): self._list,
            ("POST", records): self._create, ("POST", f"{records}/batch"): self._batch,
        }  # fmt: skip
        if play := plain.get((request.method, request.path)):
            return play(request)
        if request.method == "DELETE" and (found := _ONE.fullmatch(request.path)):
            return self._delete(found["id"])
        return self.complain(request, "no such path in the documents")

    def limited(self) -> Reply:
        """All calls of the next five minutes are blocked."""
        error = error_body(971, "Please wait and consider throttling your request speed")
        return Reply(429, error, {"Retry-After": "300", "Ratelimit": '"default";r=0;t=300'})

    def refused(self) -> Reply:
        """The token has no rights there."""
        return Reply(403, error_body(10000, "Authentication error"))

    def id_of(self, name: str, kind: str, content: str) -> str:
        """Return the id of a record; one that goes and comes again has another."""
        self._ids = {key: number for key, number in self._ids.items() if key[2] in self.sets.get(key[:2], (0, []))[1]}
        if (name, kind, content) not in self._ids:
            self._ids[name, kind, content] = f"{next(self._next):032x}"
        return self._ids[name, kind, content]

    def _barred(self, request: Request) -> Reply | None:
        given = request.headers.get("authorization", "")
        if not re.fullmatch(r"Bearer [A-Za-z0-9_-]{40}", given):
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            return Reply(400, error_body(6003, "Invalid request headers", error_chain=chain))
        if given != f"Bearer {TOKEN}":
            return Reply(403, error_body(9109, "Invalid access token"))
        if request.path == f"{_ROOT}/zones" and not self.zone_read:
            return Reply(403, error_body(9109, "Unauthorized to access requested resource"))
        return None

    def _zones(self, request: Request) -> Reply:
        if not set(request.query) <= {"name", "status", "per_page", "page"} or request.query.get("name", "").endswith("."):
            return self.complain(request, "zones are looked for by their names, without final dot")
        zones = [(PENDING_ID, "pending"), (ZONE_ID, "active")] if request.query.get("name") == "pub.example" else []
        found = [{"id": number, "name": "pub.example", "status": status, "type": "full"} for number, status in zones]
        return listed(found)

    def _list(self, request: Request) -> Reply:
        if not set(request.query) <= _FILTERS:
            return self.complain(request, f"unknown filter: {sorted(request.query)}")
        wanted = (request.query.get("name.exact"), request.query.get("type"))
        return listed([one for one in self._all() if one["name"] == wanted[0] and wanted[1] in {None, one["type"]}])

    def _all(self) -> Iterator[dict[str, Any]]:
        for (name, kind), (ttl, contents) in sorted(self.sets.items()):
            for content in contents:
                number = self.id_of(name, kind, content)
                words = content.split(" ", 3) if kind == "TLSA" else []
                data = dict(zip(_DATA, [*map(int, words[:3]), *words[3:]], strict=True)) if words else {}
                yield {
                    "id": number, "name": name.rstrip("."), "type": kind, "content": content, "ttl": ttl, "proxied": False,
                    "proxiable": False, "comment": self.notes.get(number), "tags": [], "settings": {}, "meta": {},
                    "created_on": "2026-01-01T00:00:00Z", "modified_on": "2026-01-01T00:00:00Z",
                    **({"data": data} if data else {}),
                }  # fmt: skip

    def _create(self, request: Request) -> Reply:
        fault = self._fault(request, request.content)
        return fault or done(self._add(request.content))

    def _batch(self, request: Request) -> Reply:
        """Deletes, then patches, puts and posts; all or nothing."""
        body = request.content
        if not body or not set(body) <= {"deletes", "patches", "puts", "posts"} or sum(map(len, body.values())) > BATCH:
            return self.complain(request, f"not a batch: {sorted(body)}")
        before = {key: (ttl, list(contents)) for key, (ttl, contents) in self.sets.items()}
        for one in body.get("deletes", ()):
            reply = self._delete(one["id"]) if set(one) == {"id"} else self.complain(request, "deletes are ids")
            if reply.status != 200:
                self.sets = before
                return reply
        for one in body.get("posts", ()):
            if fault := self._fault(request, one):
                self.sets = before
                return fault
            self._add(one)
        return done({name: body.get(name) for name in ("deletes", "patches", "puts", "posts")})

    def _fault(self, request: Request, one: dict[str, Any]) -> Reply | None:
        """What is wrong with a new record."""
        if set(one) != _FIELDS.get(one.get("type", "")):
            return self.complain(request, f"not a record: {sorted(one)}")
        if "data" in one and {key: type(value) for key, value in one["data"].items()} != _DATA:
            return self.complain(request, f"not the data of a TLSA record: {one['data']}")
        if "content" in one and not re.fullmatch(r'"[^"]{1,255}"', one["content"]):
            return self.complain(request, "the content of a TXT record consists of quoted strings")
        if one["ttl"] != 1 and not LEAST_TTL <= one["ttl"] <= LARGEST_TTL:
            return Reply(400, error_body(9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic."))
        name = f"{one['name']}."
        if not name.endswith(".pub.example."):
            return self.complain(request, "a name is whole, without final dot")
        if any(same(content, content_of(one)) for content in self.sets.get((name, one["type"]), (0, []))[1]):
            return Reply(400, error_body(81058, "An identical record already exists."))
        return None

    def _add(self, one: dict[str, Any]) -> dict[str, Any]:
        """A record has a TTL of its own; here the last one is that of the set, so that it is seen if it differs."""
        key = f"{one['name']}.", one["type"]
        self.sets[key] = one["ttl"], [*self.sets.get(key, (0, []))[1], content_of(one)]
        return {"id": self.id_of(*key, content_of(one)), **one}

    def _delete(self, number: str) -> Reply:
        found = next((one for one in self._all() if one["id"] == number), None)
        if found is None:
            return Reply(404, error_body(81044, "Record does not exist."))
        key = f"{found['name']}.", found["type"]
        ttl, contents = self.sets.pop(key)
        if left := [one for one in contents if one != found["content"]]:
            self.sets[key] = ttl, left
        return done({"id": number})


def content_of(one: dict[str, Any]) -> str:
    """Return the presentation form that is shown as `content`."""
    return str(one["content"]) if "content" in one else " ".join(str(one["data"][key]) for key in _DATA)


def same(first: str, second: str) -> bool:
    """Whether two contents are one record."""
    return first.replace(" ", "").lower() == second.replace(" ", "").lower()


def error_body(code: int, message: str, **more: object) -> dict[str, object]:
    """Return what is in an answer that is no success."""
    return {"result": None, "success": False, "errors": [{"code": code, "message": message, **more}], "messages": []}


def done(result: object) -> Reply:
    """Return a success."""
    return Reply(200, {"result": result, "success": True, "errors": [], "messages": []})


def listed(found: list[dict[str, Any]]) -> Reply:
    """Return a page that is the only one."""
    info = {"page": 1, "per_page": 100, "count": len(found), "total_count": len(found), "total_pages": 1}
    return Reply(200, {"result": found, "success": True, "errors": [], "messages": [], "result_info": info})


class CloudflareStand(HostedStand):
    """Single records, several in one batch."""

    kind, double, least_ttl = "cloudflare", Cloudflare, LEAST_TTL
    server: Cloudflare
    troubles: ClassVar[frozenset[Trouble]] = HostedStand.troubles | {"conflict"}

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"token-file": secret("token", TOKEN), "api": f"{self.server.url}{_ROOT}"}
