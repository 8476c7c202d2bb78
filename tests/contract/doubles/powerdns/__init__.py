"""A real PowerDNS behind a front that can bring it into trouble, as it is in Debian and as newer ones are.

https://doc.powerdns.com/authoritative/http-api/zone.html; EXTEND and PRUNE: https://github.com/PowerDNS/pdns/pull/16589.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

from contract.doubles.double import Double, Reply, Request
from contract.dynamic import DynamicStand
from contract.stand import ALWAYS, TROUBLES
from tlsa_manager.publish import open_backend

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from contract.primaries import PowerDns
    from contract.stand import Trouble
    from tlsa_manager.publish import Backend

_ABOVE = "/api/v1/servers/"


class Front(Double):
    """It passes on what it is asked; whoever looks for a limit finds it in such fronts, PowerDNS itself has none."""

    def __init__(self, server: PowerDns) -> None:
        super().__init__()
        self.real = server

    def answer(self, request: Request) -> Reply:
        """Ask the real server, with the key that was sent."""
        if not request.path.startswith(_ABOVE):
            return self.complain(request, "not a path of the API")
        if request.body and request.method in {"GET", "PUT"}:
            return self.complain(request, "clients must not send a body")
        query = f"?{urlencode(request.query)}" if request.query else ""
        return self.passed(request, request.path.removeprefix(_ABOVE) + query, request.body or None)

    def passed(self, request: Request, path: str, body: bytes | None) -> Reply:
        """Return the real answer."""
        status, said = self.real.api(request.method, path, body, request.headers.get("x-api-key", "none"))
        return Reply(status, body=said)

    def refused(self) -> Reply:
        """Return what a wrong key gets."""
        return Reply(401, body=b"Unauthorized")

    def meddle(self, name: str) -> None:
        """Add a record by dynamic update."""
        self.real.put(f"{name} 317 TLSA 3 1 1 {'9' * 64}")


class NewFront(Front):
    """It has the old server behind it do what a new one does."""

    def answer(self, request: Request) -> Reply:
        """Play the new changes."""
        if request.method == "PATCH" and request.content["rrsets"][0]["changetype"] in {"EXTEND", "PRUNE"}:
            return self._single(request)
        answer = super().answer(request)
        if request.path == f"{_ABOVE}localhost" and answer.status == 200:
            return Reply(200, {**json.loads(answer.body or b""), "version": "5.0.2"})
        return answer

    def _single(self, request: Request) -> Reply:
        """Have one record added or removed: a set with that record, or without it, in the place of what stands now."""
        one = request.content["rrsets"][0]
        if len(request.content["rrsets"]) != 1 or len(one["records"]) != 1:
            return self.complain(request, "EXTEND and PRUNE take exactly one record")
        path = request.path.removeprefix(_ABOVE)
        before = json.loads(self.real.api("GET", path)[1])  # the whole zone: with what is disabled
        sets: list[Any] = [each for each in before["rrsets"] if (each["name"], each["type"]) == (one["name"], one["type"])]
        records = sets[0]["records"] if sets else []
        if records and one["ttl"] != sets[0]["ttl"]:
            return Reply(422, {"error": f"RRset {one['name']} IN {one['type']}: mismatching TTL"})
        kept = [each for each in records if each["content"] != one["records"][0]["content"]]
        after = [*kept, *(one["records"] if one["changetype"] == "EXTEND" else [])]
        body = json.dumps({"rrsets": [{**one, "changetype": "REPLACE", "records": after}]})
        return self.passed(request, path, body.encode())


class OldStand(DynamicStand):
    """PowerDNS 4.7: whole sets, so that what another writer adds in the same moment is lost."""

    kind: ClassVar[str] = "powerdns"
    which: ClassVar[str] = "before 4.9.12"
    troubles: ClassVar[frozenset[Trouble]] = ALWAYS
    compares: ClassVar[bool] = False
    fixture: ClassVar[str] = "pdns"
    front: ClassVar[type[Front]] = Front

    def __enter__(self) -> Self:
        """Open the front."""
        self.double = self.front(self.primary)  # type: ignore[arg-type]  # the fixture is one
        self.double.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.double.__exit__()

    def backend(self, **options: object) -> Backend:
        """Open the backend."""
        return self._with("api.key", self.key, options)

    def stranger(self) -> Backend:
        """Open it with a key that the server does not know."""
        return self._with("false.key", self.key[::-1], {})

    def trouble(self, which: Trouble, name: str, **more: Any) -> AbstractContextManager[None]:
        """Bring the front into it."""
        return self.double.trouble(which, name, **more)

    def asked(self) -> int:
        """Count."""
        return len(self.double.requests)

    def writes(self) -> int:
        """Count what changes records; to have the zone put in order is no change."""
        return sum(request.method == "PATCH" for request in self.double.requests)

    def secrets(self) -> set[str]:
        """Return the keys, false ones too."""
        return {self.key, self.key[::-1]}

    def complaints(self) -> list[str]:
        """Return the front's, and forget them."""
        found, self.double.complaints[:] = list(self.double.complaints), []
        return found

    @property
    def key(self) -> str:
        """The API key."""
        return self.primary.api_key  # type: ignore[attr-defined,no-any-return]  # the fixture is one

    def _with(self, name: str, key: str, options: dict[str, object]) -> Backend:
        path = self.primary.directory / name
        path.touch(mode=0o600)
        path.write_text(key)
        return open_backend("ns1", "powerdns", {"server": self.double.url, "api-key-file": str(path), **options})


class NewStand(OldStand):
    """PowerDNS 4.9.12, 5.0.2 and later: one record after the other."""

    which = "from 4.9.12"
    troubles = TROUBLES
    together = False
    front = NewFront
