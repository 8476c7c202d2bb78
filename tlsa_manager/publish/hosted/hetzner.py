"""Hetzner: records added to and removed from RRsets over its Cloud API (https://docs.hetzner.cloud/reference/cloud#zone-rrsets).

Each change is an action that ends later and can be asked for. There is no compare-and-swap; but only single records are named, so
that what others do at the same name survives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tlsa_manager.errors import PublishError
from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, parents, relative, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address, words
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind
    from tlsa_manager.web import Answer

SERVERS = (".ns.hetzner.com.", ".ns.hetzner.de.")
WARNING = (
    "Hetzner does not sign its zones with DNSSEC, and senders ignore TLSA records in an unsigned zone: DANE cannot work there;"
    " put the records into a signed zone elsewhere, see docs/backends/hetzner.md"
)
OPTIONS = (
    *secret_options("token", "a Hetzner API token (read & write) of the project that the zone is in: docs/backends/hetzner.md"),
    *hosted_options("Hetzner", "https://api.hetzner.cloud/v1"),
)
LEAST_TTL = 60  # seconds
_WINDOW = 60.0  # seconds: one question more is allowed each second, 3600 at most
_NEWEST = "50"  # actions to look at: the most that are in one answer
_LATER = frozenset({"conflict", "locked"})  # something else goes on with the zone; nothing was done
_ACCESS = "is the token right, of the project that the zone is in, and for read & write? docs/backends/hetzner.md has the steps"


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    token = secret_of(settings, "token", "can change the DNS records of the mail servers, and all else of its project")
    headers = {"Authorization": f"Bearer {token}"}
    api = Api(
        "Hetzner", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, headers=headers, secrets=(token,),
        window=_WINDOW, judge=lambda answer: _meant(api, answer),
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Hetzner(api, zone), zone)


@dataclass(frozen=True, slots=True)
class Hetzner:
    """The zones of the project that a token is of."""

    api: Api
    only: str = ""
    title: str = "Hetzner"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each zone that it could be."""
        for candidate in parents(name, self.only):
            answer = self.api.ask("GET", "/zones", query={"name": candidate.rstrip(".")})
            found = self._value(answer, f"to tell the zone of {name}")["zones"]
            if found:
                return Zone(candidate, str(found[0]["id"]), LEAST_TTL)
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all RRsets of one name, of which there are few: a CNAME among them means that it is an alias."""
        label = relative(name, zone.name) or "@"
        answer = self.api.ask("GET", f"{_zone(zone)}/rrsets", query={"name": label, "per_page": "50"})
        found = self._value(answer, f"to read {name}")["rrsets"]
        sets = {one["type"]: one for one in found if one["name"] == label}
        one = sets.get(kind, {"records": [], "ttl": 0})
        ttl = self._default(zone) if one["ttl"] is None else int(one["ttl"])
        alias = str(sets["CNAME"]["records"][0]["value"]) if "CNAME" in sets else ""
        records = tuple(Record(value_of(kind, record["value"]), record["value"]) for record in one["records"])
        return Standing(records, ttl, alias, version=one["ttl"])

    def write(self, edit: Edit) -> str:
        """Add or remove single records; the last one takes its set along. Return the number of the action, if it is not over."""
        path = f"{_zone(edit.zone)}/rrsets/{quote(edit.label or '@', safe='@')}/{edit.kind}/actions"
        values = [*(text_of(edit.kind, one) for one in edit.add), *(one.raw for one in edit.remove)]
        content: dict[str, Any] = {"records": [{"value": one} for one in values]}
        ttl = edit.before.version if edit.before.records else edit.ttl  # the one that stands, or else it is refused
        if edit.add and ttl is not None:
            content["ttl"] = ttl
        answer = self.api.ask("POST", f"{path}/{'add' if edit.add else 'remove'}_records", content=content)
        if _code(answer) in {"invalid_input", "not_found"}:
            return self._rest(edit, answer)
        return self._taken(self._value(answer, f"the change of {edit.name}")["action"])

    def settled(self, ticket: str) -> bool:
        """Whether an action is over, well or not; one that is not known any more has been over for long.

        One that failed has changed nothing, and never will: that its record is not there is seen, and it is asked for again.
        """
        answer = self.api.ask("GET", f"/actions/{quote(ticket, safe='')}")
        if _code(answer) == "not_found":
            return True
        return str(self._value(answer, f"to tell about action {ticket}")["action"]["status"]) in {"success", "error"}

    def again(self, zone: Zone, _name: str, _kind: Kind, _standing: Standing) -> str:
        """Return the newest action of the zone that is running, or else the newest; if none was ever, one that is not known."""
        answer = self.api.ask("GET", f"{_zone(zone)}/actions", query={"sort": "id:desc", "per_page": _NEWEST})
        newest = self._value(answer, f"to list the actions of {zone.name}")["actions"]
        running = [one for one in newest if one["status"] == "running"]
        return str(int([*running, *newest, {"id": 0}][0]["id"]))

    def _rest(self, edit: Edit, answer: Answer) -> str:
        """Ask for what is left to do, if somebody else has changed the set since it was read; otherwise it is refused."""
        now = self.standing(edit.zone, edit.name, edit.kind)
        if now == edit.before:
            raise self.api.refused(answer, f"the change of {edit.name}")
        gone = {record.value for record in edit.remove}
        add, remove = (one for one in edit.add if one not in now.values), (one for one in now.records if one.value in gone)
        left = replace(edit, before=now, add=tuple(add), remove=tuple(remove))
        return self.write(left) if left.add or left.remove else self.again(edit.zone, edit.name, edit.kind, now)

    def _taken(self, action: dict[str, Any]) -> str:
        """Return the number of an action. Raises PublishError where it has failed."""
        if action["status"] == "error":
            said = self.api.clean(words(action["error"]))
            raise PublishError(
                f"{self.title} took a change, but did not bring it into force: {said}",
                "look at the zone in Hetzner's console; if all is well there, the next run asks for the change again",
            )
        return str(int(action["id"]))

    def _default(self, zone: Zone) -> int:
        """Return the TTL of sets that have none of their own."""
        answer = self.api.ask("GET", _zone(zone))
        return int(self._value(answer, f"to tell about zone {zone.name}")["zone"]["ttl"])

    def _value(self, answer: Answer, act: str) -> Any:
        value = self.api.parsed(answer)
        if answer.ok:
            return value
        raise self.api.refused(answer, act)


def _zone(zone: Zone) -> str:
    return f"/zones/{quote(zone.id, safe='')}"


def _meant(api: Api, answer: Answer) -> PublishError | None:
    """Return what the code of a refusal says that its status does not."""
    return api.later(words(answer.parsed)) if _code(answer) in _LATER else None


def _code(answer: Answer) -> str:
    body = answer.parsed
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code")) if isinstance(error, dict) else ""
