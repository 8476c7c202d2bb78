"""Google Cloud DNS: changes that take exact sets away and put new ones there (https://cloud.google.com/dns/docs/reference/rest/v1).

Compare-and-swap: a change is refused as a whole if what it takes away is not exactly what stands, or what it puts there stands
already. A change is first pending, then done, which is when all name servers have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake
from tlsa_manager.publish import conflict, inside
from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, parents, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, SoonError, address, words
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.bearer import Bearer
from tlsa_manager.publish.hosted.google.tokens import METADATA, account_of, exchanging, of_machine
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind
    from tlsa_manager.web import Answer

SERVERS = (".googledomains.com.",)
OPTIONS = (
    *secret_options("key", "the JSON key of a service account that may change TLSA (and TXT): docs/backends/google.md"),
    Option("machine-account", "bool", "ask as the service account of this machine at Google, without a key", default=False),
    Option("metadata", "str", "where the metadata server of the machine is", default=METADATA),
    Option("project", "str", "the id of the project the zone is in; that of the key when left out", example="example-dns"),
    Option("managed-zone", "str", "the zone's name at Google; found by its DNS name when left out", example="example-org"),
    *hosted_options("Cloud DNS", "https://dns.googleapis.com/dns/v1"),
)
_POWER = "can change the DNS records of the mail servers"
_ACCESS = (
    "has the service account the role that docs/backends/google.md shows, in this project and for this name, and is the Cloud DNS"
    " API enabled there?"
)
_OFTEN = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_WINDOW = 60.0  # seconds: quotas are counted by the minute (https://cloud.google.com/dns/quotas)
_PAGES = 20  # answers to one question; a thousand sets are in each
_NEWEST = "50"  # changes to look at: pending for a minute or two


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    timeout, project = settings.seconds("timeout"), settings.text("project")
    key = secret_of(settings, "key", _POWER, lines=True, required=not settings.flag("machine-account"))
    if key and settings.flag("machine-account"):
        raise mistake(f"{settings.section}.machine-account", "there is a key too", "give one of them")
    if key:
        account = account_of(key, settings.section)
        bearer, project = Bearer(exchanging(account, timeout)), project or account.project
    else:
        bearer = Bearer(of_machine(address(settings, "metadata", plain=True)))
    if not project:
        raise mistake(f"{settings.section}.project", "missing", "without a key nothing else says which project the zone is in")
    api = Api("Cloud DNS", address(settings, "api"), timeout, access=_ACCESS, judge=lambda answer: _judge(api, bearer, answer))
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Google(api, bearer, f"/projects/{quote(project, safe='')}", zone, settings.text("managed-zone")), zone)


@dataclass(frozen=True, slots=True)
class Google:
    """One project. `managed_zone`: of the only zone, or empty."""

    api: Api
    bearer: Bearer
    project: str
    only: str = ""
    managed_zone: str = ""
    title: str = "Cloud DNS"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for the public zone of each parent in turn; a private one is seen in its own networks only."""
        if self.managed_zone:
            answer = self._ask("GET", f"/managedZones/{quote(self.managed_zone, safe='')}")
            found = _public([self._understood(answer, f"to tell managed zone {self.managed_zone}")])
            return found[0] if found and inside(name, found[0].name) else None
        for parent in parents(name, self.only):
            listed = _public(self._listed("/managedZones", {"dnsName": parent}, "managedZones", "to list its zones"))
            found = [one for one in listed if one.name == parent]
            if len(found) > 1:
                raise PublishError(
                    f"{self.title} has {len(found)} public zones {parent} in this project, and the world sees only one of them",
                    f"set managed-zone to the one whose name servers the world asks, of: {', '.join(one.id for one in found)}",
                )
            if found:
                return found[0]
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all sets of one name, of which there are few: a CNAME among them means that it is an alias."""
        listed = self._listed(f"{_path(zone)}/rrsets", {"name": name}, "rrsets", f"to read {name}")
        sets = {one["type"]: one for one in listed if one["name"].lower() == name}
        alias = sets["CNAME"].get("rrdatas", ["several places"])[0] if "CNAME" in sets else ""
        own = sets.get(kind)
        if own is None:
            return Standing(alias=alias)
        if "routingPolicy" in own:
            raise PublishError(
                f"{self.title} has a routing policy for the {kind} records of {name}: not all senders see the same",
                f"replace it by one simple {kind} record set: DANE needs the same answer everywhere",
            )
        records = tuple(Record(value_of(kind, one), one) for one in own["rrdatas"])
        return Standing(records, int(own["ttl"]), alias, own["name"])

    def write(self, edit: Edit) -> str:
        """Take exactly the set away that was read and put the new one there, in one step; return the id of the change."""
        before, kind = edit.before, edit.kind
        old = [one.raw for one in before.records]
        new = [*(one.raw for one in edit.kept), *(text_of(kind, one) for one in edit.add)]
        name = before.version or edit.name
        ways = (("deletions", old, before.ttl), ("additions", new, edit.ttl))
        change = {way: [{"name": name, "type": kind, "ttl": ttl, "rrdatas": data}] for way, data, ttl in ways if data}
        answer = self._ask("POST", f"{_path(edit.zone)}/changes", content=change)
        if answer.status in {404, 409, 412} and "entity.change" in words(answer.parsed):
            raise conflict(edit.name, kind)
        return f"{edit.zone.id}/{self._understood(answer, f'the change of {edit.name}')['id']}"

    def settled(self, ticket: str) -> bool:
        """Whether a change is done. One that is not known any more was made long ago."""
        zone, _, number = ticket.partition("/")
        answer = self._ask("GET", f"{_path(Zone('', zone))}/changes/{quote(number, safe='')}")
        if answer.status == 404:
            return True
        return bool(self._understood(answer, f"to tell how change {ticket} stands")["status"] == "done")

    def again(self, zone: Zone, _name: str, _kind: Kind, _standing: Standing) -> str:
        """Return the newest change of the zone that is pending, or else the newest: each zone has one, by which it was made."""
        query = {"sortBy": "changeSequence", "sortOrder": "descending", "maxResults": _NEWEST}
        answer = self._ask("GET", f"{_path(zone)}/changes", query)
        newest = self._understood(answer, f"to list the changes of {zone.name}")["changes"]
        return f"{zone.id}/{next((one for one in newest if one['status'] == 'pending'), newest[0])['id']}"

    def _listed(self, path: str, query: dict[str, str], what: str, act: str) -> list[Any]:
        """Return all of a list, page by page."""
        found: list[Any] = []
        for _ in range(_PAGES):
            page = self._understood(self._ask("GET", path, query), act)
            if not str(page["kind"]).startswith("dns#"):
                raise LookupError(page["kind"])
            found += page.get(what, [])
            if "nextPageToken" not in page:
                return found
            query = {**query, "pageToken": page["nextPageToken"]}
        raise LookupError(f"more than {_PAGES} pages")

    def _ask(self, method: str, path: str, query: dict[str, str] | None = None, content: Any = None) -> Answer:
        token = self.bearer.token()
        self.api.hide(token)
        return self.api.ask(
            method, self.project + path, query=query, content=content, headers={"Authorization": f"Bearer {token}"}
        )  # fmt: skip

    def _understood(self, answer: Answer, act: str) -> Any:
        if not answer.ok:
            raise self.api.refused(answer, act)
        return self.api.parsed(answer)


def _public(zones: list[Any]) -> list[Zone]:
    return [Zone(one["dnsName"].lower(), one["name"]) for one in zones if one.get("visibility", "public") == "public"]


def _path(zone: Zone) -> str:
    return f"/managedZones/{quote(zone.id, safe='')}"


def _judge(api: Api, bearer: Bearer, answer: Answer) -> PublishError | None:
    """Say what a refusal means beyond its HTTP status (https://cloud.google.com/dns/docs/reference/rest/v1, and quotas)."""
    if answer.status == 401:
        bearer.forget()
    error = (answer.parsed or {}).get("error", {})
    reasons = {one.get("reason") for one in error.get("errors", [])}
    if reasons & _OFTEN:
        said = api.clean(error.get("message", ""))
        message = f"Cloud DNS is asked too often by this project: {said}"
        return SoonError(message, "tried again by itself; if it stays so, ask for a larger quota", answer.at + _WINDOW)
    return None
