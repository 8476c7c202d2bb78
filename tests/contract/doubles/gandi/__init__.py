"""Gandi LiveDNS as its documents describe it: two domains that a personal access token is for.

Records by name and type: https://api.gandi.net/docs/livedns/
Tokens: https://api.gandi.net/docs/authentication/
1000 questions a minute from one address: https://api.gandi.net/docs/reference/, where nothing is said of a Retry-After.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "pat_abc-123-0f3e4c5d6b7a8990"
LEAST_TTL, LARGEST_TTL = 300, 2592000
_ROOT = "/v5/livedns"
_PATH = re.compile(rf"{_ROOT}/domains/(?P<domain>[a-z0-9.-]+)(?:/records/(?P<name>[a-z0-9._@*-]+)(?:/(?P<type>[A-Z0-9]+))?)?")


class Gandi(Double):
    """One organization; every change is of one RRset."""

    domains: ClassVar[list[str]] = [*(f"other{number}.example" for number in range(100)), "deep.pub.example", "pub.example"]

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "HTTPUnauthorized", "Unauthorized", "The server could not verify that you authorized to access it.")
        if request.method == "GET" and request.path == f"{_ROOT}/domains":
            return self._domains(request)
        found = _PATH.fullmatch(request.path)
        if found is None or request.query:
            return self.complain(request, "no such path in the documents")
        if found["domain"] not in self.domains:
            return error(404, "HTTPNotFound", "Not Found", "The resource could not be found.")
        if request.method == "GET" and found["name"] is None:
            return Reply(200, {"fqdn": found["domain"], "automatic_snapshots": True})
        if request.method == "GET" and found["type"] is None:
            return self._named(found["name"])
        if found["type"] is None or request.method not in {"PUT", "DELETE"}:
            return self.complain(request, "method")
        return self._put(request, found) if request.method == "PUT" else self._delete(found)

    def limited(self) -> Reply:
        """Too many within a minute; it is not said when to come again."""
        return error(429, "HTTPTooManyRequests", "Too Many Requests", "Rate limit exceeded.")

    def refused(self) -> Reply:
        """The token is not for this domain, or not for this."""
        return error(403, "HTTPForbidden", "Forbidden", "Access was denied to this resource.")

    def _domains(self, request: Request) -> Reply:
        if not set(request.query) <= {"per_page", "page"}:
            return self.complain(request, "unknown filter")
        size, page = int(request.query.get("per_page", "100")), int(request.query.get("page", "1"))
        return Reply(200, [{"fqdn": one} for one in self.domains[size * (page - 1) : size * page]])

    def _named(self, label: str) -> Reply:
        found = [(kind, *self.sets[name, kind]) for name, kind in sorted(self.sets) if name == full(label)]
        if not found:
            return missing(label)
        return Reply(
            200,
            [{"rrset_name": label, "rrset_type": kind, "rrset_ttl": ttl, "rrset_values": values} for kind, ttl, values in found],
        )

    def _put(self, request: Request, found: re.Match[str]) -> Reply:
        body = request.content
        if request.headers.get("content-type") != "application/json" or set(body) != {"rrset_values", "rrset_ttl"}:
            return self.complain(request, f"not an RRset: {sorted(body)}")
        if not body["rrset_values"] or found["type"] not in {"TLSA", "TXT"}:
            return self.complain(request, "an RRset without values, or of another type")
        if len(set(body["rrset_values"])) != len(body["rrset_values"]):
            return self.complain(request, "a value twice")
        if not LEAST_TTL <= body["rrset_ttl"] <= LARGEST_TTL:
            errors = [{"location": "body", "name": "rrset_ttl", "description": f"{body['rrset_ttl']} is less than {LEAST_TTL}"}]
            return Reply(400, {"status": "error", "errors": errors})
        self.sets[full(found["name"]), found["type"]] = body["rrset_ttl"], list(body["rrset_values"])
        return Reply(201, {"message": "DNS Record Created"})

    def _delete(self, found: re.Match[str]) -> Reply:
        if self.sets.pop((full(found["name"]), found["type"]), None) is None:
            return missing(f"{found['name']}/{found['type']}")
        return Reply(204)


def full(label: str) -> str:
    """Return the whole name of a label."""
    return "pub.example." if label == "@" else f"{label}.pub.example."


def error(status: int, what: str, cause: str, message: str) -> Reply:
    """Return an answer that is no success."""
    return Reply(status, {"object": what, "cause": cause, "code": status, "message": message})


def missing(what: str) -> Reply:
    """Return the answer for a set that is not there."""
    return error(404, "dns-record", "Not Found", f"Can't find the DNS record {what} in the zone")


class GandiStand(HostedStand):
    """Whole sets, in one request."""

    kind, double, least_ttl = "gandi", Gandi, LEAST_TTL
    server: Gandi

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"token-file": secret("token", TOKEN), "api": f"{self.server.url}{_ROOT}"}
