"""OVHcloud as its documents describe it (https://eu.api.ovh.com/console/#/domain/zone): one zone of one account.

Signature: https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api; errors: python-ovh (403 NOT_GRANTED_CALL,
INVALID_CREDENTIAL), php-ovh issue 80 (400 INVALID_SIGNATURE).
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from contract.doubles.double import Reply, Request
from contract.doubles.hosted import HostedStand
from contract.doubles.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, SECRET, CONSUMER = "7kbG7Bk7S9Nt7ZSV", "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF", "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1"
AHEAD = 1234  # seconds that this clock is before ours: a client has to ask for the time
LEAST_TTL, DEFAULT_TTL = 60, 3600
FIELDS = {"fieldType", "subDomain", "target", "ttl"}
_PATH = re.compile(r"/1\.0/domain/zone/(?P<zone>[a-z0-9.-]+)/(?P<what>record|refresh)(?:/(?P<number>[0-9]+))?")


class Ovh(Numbered):
    """One zone. `sets` is what is served; `kept` is what has been changed since."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, str, int, str] | int] = []  # added: name, type, TTL, target; removed: the number
        self.refreshes = 0
        self.ahead = AHEAD

    def writes(self, request: Request) -> bool:
        """Creating and deleting; `refresh` changes nothing more."""
        return request.method != "GET" and not request.path.endswith("/refresh")

    def refused(self) -> Reply:
        """Return what a consumer key without the right gets."""
        return _error(403, "NOT_GRANTED_CALL", "This call has not been granted")

    def limited(self) -> Reply:
        """Too many questions."""
        return Reply(429, {"message": "Too many requests", "class": "Client::TooManyRequests"}, {"Retry-After": "600"})

    def answer(self, request: Request) -> Reply:
        """Check the signature, then the form, then play."""
        if (request.method, request.path) == ("GET", "/1.0/auth/time"):
            if "x-ovh-signature" in request.headers:
                self.complaints.append("/auth/time is not to be signed")
            return Reply(200, int(time.time()) + self.ahead)
        if wrong := self._credentials(request):
            return wrong
        if (request.method, request.path) == ("GET", "/1.0/domain/zone"):
            return Reply(200, ["another.example", self.zone.rstrip(".")])
        found = _PATH.fullmatch(request.path)
        if found is None or (found["what"] == "refresh" and found["number"]):
            return self.complain(request, "no such path in the documents")
        if f"{found['zone']}." != self.zone:
            return Reply(404, {"message": "This service does not exist", "class": "Client::NotFound"})
        if found["what"] == "refresh":
            return self._refresh(request)
        number = int(found["number"] or 0)
        play = {
            ("GET", False): self._list,
            ("POST", False): self._create,
            ("GET", True): self._show,
            ("DELETE", True): self._drop,
        }
        return play.get((request.method, bool(number)), lambda one, _: self.complain(one, "method"))(request, number)

    def _credentials(self, request: Request) -> Reply | None:
        headers = request.headers
        when = headers.get("x-ovh-timestamp", "")
        query = f"?{urlencode(request.query)}" if request.query else ""
        whole = "+".join((SECRET, CONSUMER, request.method, f"{self.url}{request.path}{query}", request.body.decode(), when))
        if headers.get("x-ovh-application") != KEY:
            return _error(403, "INVALID_KEY", "This application key is invalid")
        if headers.get("x-ovh-consumer") != CONSUMER:
            return _error(403, "INVALID_CREDENTIAL", "This credential is not valid")
        if not when.isdigit() or abs(int(when) - time.time() - self.ahead) > 30:
            return _error(400, "QUERY_TIME_OUT", "Query out of time")
        if headers.get("x-ovh-signature") != "$1$" + hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest():
            return _error(400, "INVALID_SIGNATURE", "Invalid signature")
        return None

    def shown(self) -> list[tuple[int, str, str, int, str]]:
        """Return what the API shows: all changes are in it."""
        added = [(self.number(name, kind, text), name, kind, ttl, text) for name, kind, ttl, text in self._added()]
        return [row for row in [*self.rows(), *added] if row[0] not in self.kept]

    def _added(self) -> list[tuple[str, str, int, str]]:
        return [one for one in self.kept if not isinstance(one, int)]

    def _list(self, request: Request, _: int) -> Reply:
        if not set(request.query) <= {"fieldType", "subDomain"}:
            return self.complain(request, "unknown filter")
        like = request.query.get("subDomain", "").replace("_", "?")  # the documents: subDomain (like)
        pattern = re.compile("".join("." if one == "?" else re.escape(one) for one in like))
        kind = request.query.get("fieldType")
        found = [row[0] for row in self.shown() if pattern.fullmatch(self._label(row[1])) and kind in {None, row[2]}]
        return Reply(200, found)

    def _show(self, _: Request, number: int) -> Reply:
        for found, name, kind, ttl, text in self.shown():
            if found == number:
                record = {"id": found, "zone": self.zone.rstrip("."), "subDomain": self._label(name), "fieldType": kind}
                return Reply(200, {**record, "target": text, "ttl": 0 if ttl == DEFAULT_TTL else ttl})
        return Reply(404, {"message": "The requested object does not exist", "class": "Client::NotFound"})

    def _create(self, request: Request, _: int) -> Reply:
        one: dict[str, Any] = request.content
        if set(one) != FIELDS or not request.headers.get("content-type", "").startswith("application/json"):
            return self.complain(request, f"not a record: {sorted(one)}")
        if not isinstance(one["ttl"], int) or 0 < one["ttl"] < LEAST_TTL:
            return Reply(400, {"message": "Invalid TTL", "class": "Client::BadRequest"})
        name = f"{one['subDomain']}.{self.zone}"
        self.kept.append((name, one["fieldType"], one["ttl"] or DEFAULT_TTL, one["target"]))
        return Reply(200, {**one, "id": self.number(name, one["fieldType"], one["target"]), "zone": self.zone.rstrip(".")})

    def _drop(self, request: Request, number: int) -> Reply:
        if request.body:
            self.complaints.append("DELETE has no body")
        if number not in {row[0] for row in self.shown()}:
            return Reply(404, {"message": "The requested object does not exist", "class": "Client::NotFound"})
        self.kept.append(number)
        return Reply(200)

    def _refresh(self, request: Request) -> Reply:
        if request.method != "POST" or request.body:
            return self.complain(request, "refresh is posted, without a body")
        for one in self.kept:
            self.drop(one) if isinstance(one, int) else self.insert(*one)
        self.kept.clear()
        self.refreshes += 1
        return Reply(200)

    def _label(self, name: str) -> str:
        return name.removesuffix(self.zone).rstrip(".")


class OvhStand(HostedStand):
    """Single records, served after a refresh."""

    kind, double, least_ttl, together = "ovh", Ovh, LEAST_TTL, False
    troubles = HostedStand.troubles | {"conflict"}  # what others add stays

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {
            "application-key": KEY, "application-secret-file": secret("application-secret", SECRET),
            "consumer-key-file": secret("consumer-key", CONSUMER), "api": f"{self.server.url}/1.0",
        }  # fmt: skip


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"errorCode": code, "httpCode": f"{status} Forbidden", "message": message})
