"""INWX as its documents describe it (https://www.inwx.de/en/help/apidoc/f/ch02s15.html): one zone of one account.

Result codes: https://www.inwx.de/en/help/apidoc/f/ch04.html; the forms of login and unlock:
https://github.com/inwx/python-client/blob/main/INWX/Domrobot.py; a code that is refused: certbot-dns-inwx issue 26.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyotp

from contract.doubles.double import Reply, Request
from contract.doubles.hosted import HostedStand
from contract.doubles.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import Callable

USER, PASSWORD, SECRET = "dns-only", "correct horse battery staple", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LEAST_TTL = 300
PARAMS = {
    "account.login": ({"user", "pass"}, {"lang", "case-insensitive"}),
    "account.unlock": ({"tan"}, set()),
    "nameserver.info": ({"domain"}, {"roId", "recordId", "type", "name", "content", "ttl", "prio"}),
    "nameserver.createRecord": ({"domain", "type", "content"}, {"name", "ttl", "prio", "testing"}),
    "nameserver.deleteRecord": ({"id"}, {"testing"}),
}  # required and optional ones, as the tables of the documents list them


class Inwx(Numbered):
    """One zone. `second_factor`: whether the account has one; `now`: what the clock of the provider says."""

    second_factor = False

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, bool] = {}  # cookie: whether unlocked
        self.spent: set[str] = set()
        self.now: Callable[[], float] = time.time

    def writes(self, request: Request) -> bool:
        """Creating and deleting."""
        return request.content["method"] in {"nameserver.createRecord", "nameserver.deleteRecord"}

    def limited(self) -> Reply:
        """Session limit exceeded (RFC 5730 §3): the codes are those of EPP."""
        return self._code(2502, "Session limit exceeded; server closing connection")

    def refused(self) -> Reply:
        """Return what a sub-account without the right gets."""
        return self._code(2201, "Authorization error")

    def answer(self, request: Request) -> Reply:
        """Check the form, then the session, then play the method."""
        if (request.method, request.path, request.query) != ("POST", "/jsonrpc/", {}):
            return self.complain(request, "everything is posted to /jsonrpc/")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return self.complain(request, "not JSON")
        content = request.content
        method, params = content.get("method"), content.get("params")
        required, optional = PARAMS.get(method, (set(), set()))
        if set(content) != {"method", "params"} or method not in PARAMS:
            return self.complain(request, f"not a method of the documents: {content}")
        if not required <= set(params) <= required | optional:
            return self.complain(request, f"{method} with {sorted(params)}")
        if method == "account.login":
            return self._login(params)
        cookie = request.headers.get("cookie", "").removeprefix("domrobot=")
        if cookie not in self.sessions:
            return self._code(2002, "Command use error")  # inwx/nodejs-client issue 28
        if method == "account.unlock":
            return self._unlock(cookie, params["tan"])
        if not self.sessions[cookie]:
            return self._code(2200, "Authentication error")
        return {"info": self._info, "createRecord": self._create, "deleteRecord": self._delete}[method.split(".")[1]](params)

    def _login(self, params: dict[str, Any]) -> Reply:
        if (params["user"], params["pass"]) != (USER, PASSWORD):
            return self._code(2200, "Authentication error")
        cookie = f"session{len(self.sessions)}"
        self.sessions[cookie] = not self.second_factor
        found = {"customerId": 1, "accountId": 2, "tfa": "GOOGLE-AUTH" if self.second_factor else "0"}
        return self._code(1000, "Command completed successfully", found, {"Set-Cookie": f"domrobot={cookie}; Path=/; HttpOnly"})

    def _unlock(self, cookie: str, tan: object) -> Reply:
        if tan in self.spent or tan != pyotp.TOTP(SECRET).at(int(self.now())):
            return self._code(2200, "Authentication error", reason="The confirmation code is invalid.")
        self.spent.add(str(tan))
        self.sessions[cookie] = True
        return self._code(1000, "Command completed successfully")

    def _info(self, params: dict[str, Any]) -> Reply:
        if f"{params['domain']}." != self.zone:
            return self._code(2303, "Object does not exist")
        found = [
            {"id": number, "name": name.rstrip("."), "type": kind, "content": text, "ttl": ttl, "prio": 0}
            for number, name, kind, ttl, text in self.rows()
            if params.get("name", name.rstrip(".")) == name.rstrip(".") and params.get("type", kind) == kind
        ]
        zone = {"roId": 9, "domain": params["domain"], "type": "MASTER", "count": len(found)}
        return self._code(1000, "Command completed successfully", {**zone, "record": found} if found else zone)

    def _create(self, params: dict[str, Any]) -> Reply:
        name, kind, text = f"{params['name']}.", params["type"], params["content"]
        if f"{params['domain']}." != self.zone or not name.endswith(f".{self.zone}"):
            return self._code(2303, "Object does not exist")
        if not isinstance(params["ttl"], int) or params["ttl"] < LEAST_TTL:
            return self._code(2004, "Parameter value range error")
        if text in self.sets.get((name, kind), (0, []))[1]:
            return self._code(2302, "Object exists")
        return self._code(1000, "Command completed successfully", {"id": self.insert(name, kind, params["ttl"], text)})

    def _delete(self, params: dict[str, Any]) -> Reply:
        if not isinstance(params["id"], int):
            self.complaints.append("the id of a record is an int")
        found = self.drop(params["id"])
        return self._code(1000, "Command completed successfully") if found else self._code(2303, "Object does not exist")

    def _code(
        self, code: int, message: str, data: object = None, headers: dict[str, str] | None = None, reason: str = ""
    ) -> Reply:
        """Return an answer of the documented form: the HTTP status is 200 always."""
        content = {"code": code, "msg": message, **({"reason": reason} if reason else {}), "svTRID": "2026-1", "runtime": 0.02}
        return Reply(200, content if data is None else {**content, "resData": data}, headers or {})


class InwxStand(HostedStand):
    """Single records."""

    kind, double, least_ttl, together = "inwx", Inwx, LEAST_TTL, False
    troubles = HostedStand.troubles | {"conflict"}  # what others add stays

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"user": USER, "password-file": secret("password", PASSWORD), "api": f"{self.server.url}/jsonrpc"}
