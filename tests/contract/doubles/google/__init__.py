"""Cloud DNS as its reference describes it (https://cloud.google.com/dns/docs/reference/rest/v1): one project."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from contract.doubles.double import Double, Reply, Request
from contract.doubles.google import tokens
from contract.doubles.hosted import HostedStand
from contract.stand import TROUBLES
from tlsa_manager.publish import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlsa_manager.publish import Backend

_PATH = re.compile(
    r"/dns/v1/projects/example-dns/managedZones(?:/(?P<zone>[a-z0-9-]+)(?:/(?P<what>rrsets|changes)(?:/(?P<id>\d+))?)?)?"
)


class Google(Double):
    """One project. `policies`: names with a routing policy; `rounds`: how often a change is pending when asked."""

    rounds = 1
    zones: tuple[tuple[str, str, str], ...] = (
        ("inside", "pub.example.", "private"),
        ("pub-example", "pub.example.", "public"),
        ("other", "pub-other.example.", "public"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.policies: set[tuple[str, str]] = set()
        self.asked: defaultdict[str, int] = defaultdict(int)
        self.changes: list[dict[str, Any]] = [{"kind": "dns#change", "id": "0"}]  # the one by which the zone was made

    def writes(self, request: Request) -> bool:
        """A token is none."""
        return request.method == "POST" and request.path.endswith("/changes")

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if request.path == "/token":
            return tokens.answer(request, f"{self.url}/token", self.complain)
        if request.headers.get("authorization") != f"Bearer {tokens.TOKEN}":
            return _error(401, "authError", "Request had invalid authentication credentials.", "UNAUTHENTICATED")
        found = _PATH.fullmatch(request.path)
        if found is None:
            return self.complain(request, "no such path in the reference")
        way = (request.method, bool(found["zone"]), found["what"], bool(found["id"]))
        ways: dict[tuple[str, bool, str | None, bool], Callable[[Request], Reply]] = {
            ("GET", False, None, False): self._zones,
            ("GET", True, None, False): lambda _: self._zone(found["zone"]),
            ("GET", True, "rrsets", False): self._list,
            ("POST", True, "changes", False): self._change,
            ("GET", True, "changes", False): self._newest,
            ("GET", True, "changes", True): lambda _: self._settled(found["id"]),
        }
        if way not in ways:
            return self.complain(request, "no such operation in the reference")
        if found["zone"] and found["zone"] not in {name for name, *_ in self.zones}:
            said = f"The 'parameters.managedZone' resource named '{found['zone']}' does not exist."
            return _error(404, "notFound", said)
        return ways[way](request)

    def limited(self) -> Reply:
        """Return what is documented for too many requests (https://cloud.google.com/dns/quotas)."""
        return _error(403, "rateLimitExceeded", "Quota exceeded for quota metric 'Write requests' and limit 'per minute'")

    def refused(self) -> Reply:
        """Return what a role that does not allow it leads to."""
        return _error(403, "forbidden", "Forbidden", "PERMISSION_DENIED")

    def _zones(self, request: Request) -> Reply:
        if not set(request.query) <= {"dnsName", "maxResults", "pageToken"}:
            return self.complain(request, "unknown filter")
        found = [_zone(*one) for one in self.zones if one[1] == request.query.get("dnsName", one[1])]
        return Reply(200, {"kind": "dns#managedZonesListResponse", "managedZones": found})

    def _zone(self, zone: str) -> Reply:
        return Reply(200, next(_zone(*one) for one in self.zones if one[0] == zone))

    def _list(self, request: Request) -> Reply:
        query = request.query
        if not set(query) <= {"name", "type", "maxResults", "pageToken"} or ("type" in query and "name" not in query):
            return self.complain(request, "unknown filter, or a type without a name")
        found = sorted(key for key in self.sets if key[0] == query.get("name", key[0]))
        most, start = int(query.get("maxResults", "1000")), int(query.get("pageToken", "0"))
        page: dict[str, Any] = {"kind": "dns#resourceRecordSetsListResponse"}
        page["rrsets"] = [self._shown(*key) for key in found[start : start + most]]
        if len(found) > start + most:
            page["nextPageToken"] = str(start + most)
        return Reply(200, page)

    def _shown(self, name: str, kind: str) -> dict[str, Any]:
        ttl, records = self.sets[name, kind]
        whole = {"kind": "dns#resourceRecordSet", "name": name, "type": kind, "ttl": ttl, "signatureRrdatas": []}
        if (name, kind) in self.policies:
            return {**whole, "routingPolicy": {"wrr": {"items": [{"weight": 1.0, "rrdatas": records}]}}}
        return {**whole, "rrdatas": records}

    def _change(self, request: Request) -> Reply:
        """All or nothing (https://cloud.google.com/dns/docs/reference/rest/v1/changes/create)."""
        change = request.content
        if request.query or not change or not set(change) <= {"additions", "deletions"}:
            return self.complain(request, "not a change")
        after = dict(self.sets)
        for way in ("deletions", "additions"):
            for place, one in enumerate(change.get(way, [])):
                if set(one) != {"name", "type", "ttl", "rrdatas"} or not one["rrdatas"] or not isinstance(one["ttl"], int):
                    return self.complain(request, "not a ResourceRecordSet")
                if refusal := _fault(after, way, f"entity.change.{way}[{place}]", one):
                    return refusal
                if way == "deletions":
                    del after[one["name"], one["type"]]
                else:
                    after[one["name"], one["type"]] = one["ttl"], one["rrdatas"]
        self.sets.clear()
        self.sets.update(after)
        number = str(16 + len(self.changes))
        self.changes.append({"kind": "dns#change", **change, "startTime": "2026-01-01T00:00:00.000Z", "id": number})
        return Reply(200, self._seen(self.changes[-1]))

    def _newest(self, request: Request) -> Reply:
        """List them (https://cloud.google.com/dns/docs/reference/rest/v1/changes/list)."""
        if request.query.get("sortBy") != "changeSequence" or request.query.get("sortOrder") != "descending":
            return self.complain(request, "the oldest first")
        if not set(request.query) <= {"sortBy", "sortOrder", "maxResults", "pageToken"}:
            return self.complain(request, "unknown filter")
        found = [self._seen(one) for one in reversed(self.changes)][: int(request.query.get("maxResults", "100"))]
        return Reply(200, {"kind": "dns#changesListResponse", "changes": found})

    def _seen(self, change: dict[str, Any]) -> dict[str, Any]:
        return {**change, "status": "done" if change["id"] == "0" or self.asked[change["id"]] > self.rounds else "pending"}

    def _settled(self, number: str) -> Reply:
        if number == "1":
            return _error(404, "notFound", "The 'parameters.changeId' resource named '1' does not exist.")
        self.asked[number] += 1
        return Reply(
            200, {"kind": "dns#change", "id": number, "status": "pending" if self.asked[number] <= self.rounds else "done"}
        )


class GoogleStand(HostedStand):
    """Whole sets, compared and written in one step, in force later."""

    server: Google
    kind, double, troubles = "google", Google, TROUBLES
    compares = late = True

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        text = tokens.key_file(f"{self.server.url}/token")
        self._secrets |= {tokens.TOKEN, text.partition("BEGIN PRIVATE KEY-----")[2][2:60]}
        return {"key-file": secret("key.json", text), "api": f"{self.server.url}/dns/v1"}

    def stranger(self) -> Backend:
        """Open it with a key that is not the account's."""
        path = self._file("false.json", tokens.key_file(f"{self.server.url}/token", "false"))
        return open_backend("ns1", "google", {**self.options(self._file), "key-file": path})


def _zone(name: str, dns_name: str, visibility: str) -> dict[str, Any]:
    whole = {
        "kind": "dns#managedZone",
        "name": name,
        "dnsName": dns_name,
        "description": "",
        "id": "12345",
        "visibility": visibility,
    }
    return {**whole, "creationTime": "2026-01-01T00:00:00.000Z", "nameServers": ["ns-cloud-a1.googledomains.com."]}


def _fault(sets: dict[tuple[str, str], tuple[int, list[str]]], way: str, place: str, one: dict[str, Any]) -> Reply | None:
    """Return the refusal that one set of a change deserves."""
    stands, called = sets.get((one["name"], one["type"])), f"{one['name']} ({one['type']})"
    if way == "deletions" and stands is None:
        return _error(404, "notFound", f"The '{place}' resource named '{called}' does not exist.")
    if way == "deletions" and stands and (stands[0], sorted(stands[1])) != (one["ttl"], sorted(one["rrdatas"])):
        return _error(412, "conditionNotMet", f"Precondition not met for '{place}'")
    if way == "additions" and stands is not None:
        return _error(409, "alreadyExists", f"The resource '{place}' named '{called}' already exists")
    if way == "additions" and len(set(one["rrdatas"])) != len(one["rrdatas"]):
        return _error(400, "invalid", f"Invalid value for '{place}.rrdatas'")
    if way == "additions" and (one["name"], "CNAME") in sets:
        return _error(400, "cnameResourceRecordSetConflict", f"'{place}' conflicts with a CNAME")
    return None


def _error(status: int, reason: str, message: str, name: str = "") -> Reply:
    inside = {"message": message, "domain": "global", "reason": reason}
    return Reply(
        status, {"error": {"code": status, "message": message, "errors": [inside], **({"status": name} if name else {})}}
    )
