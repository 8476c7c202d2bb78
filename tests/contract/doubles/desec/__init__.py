"""deSEC as its documents describe it: one domain of one account, and a token that may write TLSA and TXT there, nothing else.

RRsets and bulk requests: https://desec.readthedocs.io/en/latest/dns/rrsets.html
The domain of a name: https://desec.readthedocs.io/en/latest/dns/domains.html
What a token may: https://desec.readthedocs.io/en/latest/auth/tokens.html
Limits: https://desec.readthedocs.io/en/latest/rate-limits.html

Where those only say that an answer explains something, the words are those of the framework that it is written in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "i-T3b1h_OI-H9ab8tRS98stGtURe"
LEAST_TTL, LARGEST_TTL = 3600, 86400
_RRSETS = re.compile(r"/api/v1/domains/(?P<domain>[a-z0-9.-]+)/rrsets/")


class Desec(Double):
    """One domain; every change is a bulk PATCH, as the program sends it."""

    domain = "pub.example"

    def __init__(self) -> None:
        super().__init__()
        self.barred: set[tuple[str, str]] = set()  # subnames and types for which the token's policy has perm_write false

    def limited(self) -> Reply:
        """Throttled: the body tells people, the header programs, how long to wait."""
        return Reply(429, {"detail": "Request was throttled. Expected available in 600 seconds."}, {"Retry-After": "600"})

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if request.headers.get("authorization") != f"Token {TOKEN}":
            return Reply(401, {"detail": "Invalid token."})
        if request.method == "GET" and request.path == "/api/v1/domains/":
            return self._domains(request)
        found = _RRSETS.fullmatch(request.path)
        if found is None:
            return self.complain(request, "no such path in the documents")
        if found["domain"] != self.domain:
            return Reply(404, {"detail": "Not found."})
        return {"GET": self._list, "PATCH": self._patch}.get(request.method, lambda one: self.complain(one, "method"))(request)

    def _domains(self, request: Request) -> Reply:
        if set(request.query) != {"owns_qname"} or request.query["owns_qname"].endswith("."):
            return self.complain(request, "owns_qname is a name without final dot")
        owned = f".{request.query['owns_qname']}".endswith(f".{self.domain}")
        dates = dict.fromkeys(("created", "touched", "published"), "2026-01-01T00:00:00Z")
        one = {**dates, "minimum_ttl": LEAST_TTL, "name": self.domain}
        return Reply(200, [one] if owned else [])

    def _list(self, request: Request) -> Reply:
        if not set(request.query) <= {"subname", "type"}:
            return self.complain(request, "unknown filter")
        found = [self._shown(name, kind) for name, kind in sorted(self.sets)]
        return Reply(200, [one for one in found if all(one[key] == value for key, value in request.query.items())])

    def _shown(self, name: str, kind: str) -> dict[str, object]:
        ttl, records = self.sets[name, kind]
        return {
            "created": "2026-01-01T00:00:00Z", "domain": self.domain, "subname": self._subname(name), "name": name,
            "records": records, "ttl": ttl, "type": kind, "touched": "2026-01-01T00:00:00Z",
        }  # fmt: skip

    def _subname(self, name: str) -> str:
        return name.removesuffix(f"{self.domain}.").rstrip(".")

    def _patch(self, request: Request) -> Reply:
        """All or nothing; an empty list of records deletes the set."""
        if not isinstance(request.content, list):
            return self.complain(request, "a bulk request is a list")
        if any((one["subname"], one["type"]) in self.barred or one["type"] not in {"TLSA", "TXT"} for one in request.content):
            return self.refused()
        faults = [self._fault(one) for one in request.content]
        if any(faults):
            return Reply(400, faults)
        for one in request.content:
            name = f"{one['subname']}.{self.domain}." if one["subname"] else f"{self.domain}."
            if one["records"]:
                ttl = one.get("ttl") or self.sets[name, one["type"]][0]
                self.sets[name, one["type"]] = ttl, list(one["records"])
            else:
                self.sets.pop((name, one["type"]), None)
        return Reply(200, [])

    def _fault(self, one: dict[str, object]) -> dict[str, list[str]]:
        """What the API says of one RRset, as its documents show it."""
        records, ttl = one.get("records"), one.get("ttl")
        if set(one) - {"ttl"} != {"subname", "type", "records"} or not isinstance(records, list):
            self.complaints.append(f"not an RRset: {sorted(one)}")
            return {"non_field_errors": ["Invalid input."]}
        if len(set(records)) != len(records):
            return {"records": ["Duplicate record content."]}
        if ttl is None:  # "to create a new RRset using PATCH, all fields but subname must be specified"
            name = f"{one['subname']}.{self.domain}."
            return {} if not records or (name, one["type"]) in self.sets else {"ttl": ["This field is required."]}
        if not isinstance(ttl, int) or not LEAST_TTL <= ttl <= LARGEST_TTL:
            return {"ttl": [f"Ensure this value is greater than or equal to {LEAST_TTL}."]}
        return {}


class DesecStand(HostedStand):
    """Whole sets, in one request."""

    kind, double, least_ttl = "desec", Desec, LEAST_TTL
    server: Desec

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"token-file": secret("token", TOKEN), "api": f"{self.server.url}/api/v1"}
