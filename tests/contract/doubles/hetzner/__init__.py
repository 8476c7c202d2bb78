"""Hetzner's Cloud API as its documents describe it: one zone of one project.

RRsets and their actions: https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions
All actions of a zone: https://docs.hetzner.cloud/reference/cloud#zone-actions
Errors: https://docs.hetzner.cloud/reference/cloud#description/errors
Limits: https://docs.hetzner.cloud/reference/cloud#description/rate-limiting

That a record cannot be added twice ("duplicate value"): https://github.com/hetzner/cert-manager-webhook-hetzner/issues/213
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.stand import Trouble

TOKEN = "jEheVytlAoFl7F8MqUQ7jAo2hOXASztX" + "x" * 32
ZONE_ID, ZONE_TTL, LEAST_TTL = 42, 10800, 60
_ROOT = "/v1"
_SET = rf"{_ROOT}/zones/{ZONE_ID}/rrsets/(?P<name>[a-z0-9._@-]+)/(?P<type>[A-Z]+)"
_ACTION = re.compile(rf"{_SET}/actions/(?P<what>add|remove)_records")


class Hetzner(Double):
    """One project. `pace`: how often an action is asked for until it is over; `failing`: whether it ends with an error.

    A set with a TTL of 0 is one that has none of its own, but that of its zone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pace, self.failing, self.held_up = 2, False, ""
        self._actions: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "unauthorized", "unable to authenticate")
        if request.method == "GET":
            return self._get(request)
        found = _ACTION.fullmatch(request.path)
        if request.method != "POST" or request.query or found is None:
            return self.complain(request, "no such path in the documents")
        if self.held_up:
            return error({"conflict": 409, "locked": 423}[self.held_up], self.held_up, "the Zone is busy")
        fault = self._fault(request, found["what"])
        if fault:
            return fault
        play = {"add": self._add, "remove": self._remove}[found["what"]]
        values = [one["value"] for one in request.content["records"]]
        return play((full(found["name"]), found["type"]), values, request.content.get("ttl")) or self._action(found["what"])

    def limited(self) -> Reply:
        """The limit of the hour; what is left grows by one each second."""
        headers = {"RateLimit-Limit": "3600", "RateLimit-Remaining": "0", "RateLimit-Reset": "4102444800"}
        return Reply(429, error(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached").content, headers)

    def refused(self) -> Reply:
        """The token may only read."""
        return error(403, "token_readonly", "token is only allowed to perform GET requests")

    def _get(self, request: Request) -> Reply:
        zone = {"id": ZONE_ID, "name": "pub.example", "ttl": ZONE_TTL, "mode": "primary", "status": "ok"}
        if request.path == f"{_ROOT}/zones" and set(request.query) <= {"name", "mode", "per_page", "page"}:
            return Reply(200, {"zones": [zone] if request.query["name"] == "pub.example" else [], "meta": meta()})
        if request.path == f"{_ROOT}/zones/{ZONE_ID}":
            return Reply(200, {"zone": zone})
        if request.path == f"{_ROOT}/zones/{ZONE_ID}/rrsets" and set(request.query) <= {"name", "type", "per_page", "page"}:
            return Reply(200, {"rrsets": self._sets(request.query["name"]), "meta": meta()})
        if request.path == f"{_ROOT}/zones/{ZONE_ID}/actions" and set(request.query) <= {"sort", "status", "per_page", "page"}:
            if request.query.get("sort") != "id:desc" or int(request.query.get("per_page", "25")) > 50:
                return self.complain(request, "the oldest first, or too many")
            return Reply(200, {"actions": [self._shown(one) for one in reversed(self._actions)], "meta": meta()})
        if request.path.startswith(f"{_ROOT}/actions/"):
            return self._progress(request.path.rpartition("/")[2])
        return self.complain(request, "no such question in the documents")

    def _sets(self, label: str) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{label}/{kind}", "name": label, "type": kind, "ttl": ttl or None, "labels": {}, "zone": ZONE_ID,
                "protection": {"change": False}, "records": [{"value": one, "comment": ""} for one in values],
            }
            for (name, kind), (ttl, values) in sorted(self.sets.items()) if name == full(label)
        ]  # fmt: skip

    def _fault(self, request: Request, what: str) -> Reply | None:
        """What is wrong with the form of a change."""
        body = request.content
        if request.headers.get("content-type") != "application/json" or not set(body) <= {"records", "ttl"}:
            return self.complain(request, f"not a change of records: {sorted(body)}")
        if what == "remove" and "ttl" in body:
            return self.complain(request, "removing has no TTL")
        records = body.get("records")
        if not records or any(not set(one) <= {"value", "comment"} or "value" not in one for one in records):
            return self.complain(request, f"records must not be empty, and have values: {records}")
        if len({one["value"] for one in records}) != len(records):
            return self.complain(request, "must only contain distinct record values")
        return None

    def _add(self, key: tuple[str, str], values: list[str], ttl: int | None) -> Reply | None:
        standing = self.sets.get(key)
        if ttl is not None and ttl < LEAST_TTL:
            return error(422, "invalid_input", f"invalid input in field 'ttl': must be at least {LEAST_TTL}")
        if standing and standing[0] and ttl != standing[0]:
            return error(422, "invalid_input", "invalid input in field 'ttl': not the TTL of the RRSet")
        for value in values:
            if key[1] == "TXT" and not re.fullmatch(r'"[^"]{1,255}"', value):
                return error(422, "invalid_input", "invalid input in field 'records': TXT records are quoted strings")
            if any(same(value, one) for one in (standing or (0, []))[1]):
                return error(422, "invalid_input", f"duplicate value '{value}'")
        if not self.failing:
            self.sets[key] = ttl or 0, [*(standing or (0, []))[1], *values]
        return None

    def _remove(self, key: tuple[str, str], values: list[str], _ttl: int | None) -> Reply | None:
        """Removing the last record removes the set."""
        if key not in self.sets:
            return error(404, "not_found", f"RRSet {key} not found")
        ttl, standing = self.sets[key]
        if any(value not in standing for value in values):
            return error(422, "invalid_input", "invalid input in field 'records': no such record")
        left = [one for one in standing if one not in values]
        self.sets[key] = ttl, left
        if not left:
            del self.sets[key]
        return None

    def _action(self, what: str) -> Reply:
        action = {
            "id": 1000 + len(self._actions), "command": f"{what}_rrset_records", "status": "running", "progress": 0,
            "error": None, "started": "2026-01-01T00:00:00Z", "finished": None, "resources": [{"id": ZONE_ID, "type": "zone"}],
            "asked": 0,
        }  # fmt: skip
        self._actions.append(action)
        return Reply(201, {"action": self._seen(action)})

    def _progress(self, number: str) -> Reply:
        action = next((one for one in self._actions if str(one["id"]) == number), None)
        if action is None:
            return error(404, "not_found", f"Action with ID '{number}' not found")
        action["asked"] += 1
        return Reply(200, {"action": self._seen(action)})

    def _seen(self, action: dict[str, Any]) -> dict[str, Any]:
        if action["asked"] >= self.pace:
            action |= {"status": "success", "progress": 100}
            if self.failing:
                action |= {"status": "error", "error": {"code": "action_failed", "message": "Action failed"}}
        return self._shown(action)

    def _shown(self, action: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in action.items() if key != "asked"}


def full(label: str) -> str:
    """Return the whole name of a label."""
    return "pub.example." if label == "@" else f"{label}.pub.example."


def same(first: str, second: str) -> bool:
    """Whether two values are one record."""
    return first.replace(" ", "").lower() == second.replace(" ", "").lower()


def error(status: int, code: str, message: str) -> Reply:
    """Return an answer that is no success."""
    return Reply(status, {"error": {"code": code, "message": message, "details": {}}})


def meta() -> dict[str, Any]:
    """Return what says that there is one page only."""
    page = {"page": 1, "per_page": 50, "previous_page": None, "next_page": None, "last_page": 1, "total_entries": 1}
    return {"pagination": page}


class HetznerStand(HostedStand):
    """Single records, together in one action that ends later."""

    kind, double, least_ttl, late = "hetzner", Hetzner, LEAST_TTL, True
    server: Hetzner
    troubles: ClassVar[frozenset[Trouble]] = HostedStand.troubles | {"conflict"}

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"token-file": secret("token", TOKEN), "api": f"{self.server.url}{_ROOT}"}
