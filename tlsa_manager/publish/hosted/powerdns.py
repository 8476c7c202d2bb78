"""PowerDNS: RRsets over the HTTP API of the authoritative server (https://doc.powerdns.com/authoritative/http-api/zone.html).

There is no compare-and-swap. From 4.9.12 and 5.0.2 on single records are added and removed, so that what another writer adds in
the same moment stays; an older server takes whole sets. Those that want the server to compare use dynamic update (rfc2136).
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tlsa_manager.errors import BadInput, PublishError
from tlsa_manager.option import Option, patience
from tlsa_manager.publish import conflict
from tlsa_manager.publish.hosted import Record, Standing, Zone, parents, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address, trusted
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass
from tlsa_manager.web import WHOLE_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind

OPTIONS = (
    Option(
        "server", "str", "URL of the web server of PowerDNS (webserver-address, webserver-port)",
        required=True, example="http://127.0.0.1:8081",
    ),
    *secret_options("api-key", "the API key (api-key of pdns.conf)"),
    Option("server-id", "str", "how the API calls the server; behind a proxy it may have another name", default="localhost"),
    Option("zone", "str", "the only zone to change; found by asking the server when left out", example="example.org"),
    patience("how long to wait for each answer", "15s"),
    Option("ca-bundle", "file", "certificates to trust for https, instead of those of the system", example="/etc/ssl/own-ca.pem"),
    Option("plain-http", "bool", "go over http to another host: only where nobody can listen on the way", default=False),
)  # fmt: skip
_ACCESS = (
    "is the key the api-key of pdns.conf, and is this host in webserver-allow-from?"
    " docs/backends/powerdns.md has the lines of pdns.conf"
)
_LASTING = "does PowerDNS run (its own log), and is this host in webserver-allow-from? docs/backends/powerdns.md"
_COPIES = frozenset({"Slave", "Secondary", "Consumer"})
_NOTIFYING = frozenset({"Master", "Primary", "Producer"})
_CHANGED = re.compile(rb"[Cc]onflicts with |TTL")  # an alias has appeared there, or a set that has another TTL
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_FOUND_AT_MOST = 1000  # records of one name, and those that mention it


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    key = secret_of(settings, "api-key", "can change every zone of that server")
    base = address(settings, "server", plain=settings.flag("plain-http")).removesuffix("/api/v1")
    api = Api(
        "PowerDNS", f"{base}/api/v1/servers/{quote(settings.text('server-id'), safe='')}", settings.seconds("timeout"),
        access=_ACCESS, lasting=_LASTING, headers={"X-API-Key": key}, secrets=(key,), trust=trusted(settings, "ca-bundle"),
        largest=WHOLE_ZONE,  # what is disabled in a set is read from it all where the database cannot be searched
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, PowerDns(api, zone), zone)


@dataclass(frozen=True, slots=True)
class PowerDns:
    """One server. `known`: what need not be asked twice of it; `about`: what it said last of each zone, beside its records.

    `ordered`: zones in which we have changed sets, but none has come or gone: the denials are in order.
    """

    api: Api
    only: str = ""
    title: str = "PowerDNS"
    known: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)
    about: dict[str, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)
    ordered: set[str] = field(default_factory=set, repr=False, compare=False)

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each zone that the name may lie in."""
        for parent in parents(name, self.only):
            answer = self.api.ask("GET", "/zones", query={"zone": parent, "dnssec": "false"})
            if not answer.ok:
                hint = "is `server` the web server of an authoritative PowerDNS with api=yes, and `server-id` right?"
                raise self.api.refused(answer, f"to look for zone {parent}", hint)
            for one in self.api.parsed(answer):  # servers that do not know the filter list all of them
                if one["name"].lower() == parent:
                    return Zone(parent, one["id"])
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read the sets of one name. Up to 4.9 sets of other names are among them if they have comments (issue 14539)."""
        answer = self.api.ask("GET", _path(zone), query={"rrset_name": name})
        if not answer.ok:
            raise self.api.refused(answer, f"to read {name}")
        found = self.api.parsed(answer)
        sets = {one["type"]: one for one in found.pop("rrsets") if one["name"].lower() == name}
        alias = [one["content"] for one in _enabled(sets.get("CNAME"))]
        records = tuple(Record(value_of(kind, one["content"]), one) for one in _enabled(sets.get(kind)))
        self.about[zone.id] = found
        return Standing(records, int(sets[kind]["ttl"]) if records else 0, alias[0] if alias else "")

    def write(self, edit: Edit) -> str:
        """Add and remove single records where the server can; otherwise send the set, with what is disabled in it."""
        about = self.about[edit.zone.id]
        _writable(edit.zone, {"presigned": self._presigned(edit.zone, about), **about})
        disabled = self._disabled(edit)
        added = [{"content": text_of(edit.kind, one), "disabled": False} for one in edit.add]
        shadowed = [one for one in disabled if _says(edit, one) in edit.add]
        if self._takes_single_records() and not shadowed:
            for change, records in (("EXTEND", added), ("PRUNE", [one.raw for one in edit.remove])):
                for record in records:
                    self._patch(edit, change, [record])
        else:
            others = [one for one in disabled if one not in shadowed]
            self._patch(edit, "REPLACE", [*(one.raw for one in edit.kept), *added, *others])
        if edit.before.records and (edit.add or edit.kept):
            self.ordered.add(edit.zone.id)
        return ""

    def serve(self, zone: Zone) -> None:
        """Do what the server may leave to others: denials in order, and the secondaries told at once.

        `api_rectify` may be false where the server does it by default; done twice it is done.
        """
        about = self.about[zone.id]
        if about.get("dnssec") and not about.get("api_rectify") and zone.id not in self.ordered:
            answer = self.api.ask("PUT", f"{_path(zone)}/rectify")
            if not answer.ok:
                said = self.api.clean(answer.body.decode("utf-8", "replace"))
                message = f"zone {zone.name} is changed, but PowerDNS did not put it in order: {said}"
                raise PublishError(f"{message}; its denials may fail validation", f"pdnsutil rectify-zone {zone.name}")
        if about.get("kind") in _NOTIFYING:
            with contextlib.suppress(PublishError):  # then it does so by itself, within a minute (xfr-cycle-interval)
                self.api.ask("PUT", f"{_path(zone)}/notify")
        self.ordered.discard(zone.id)

    def _patch(self, edit: Edit, change: str, records: list[Any]) -> None:
        """Change the set in one transaction. Comments stay, as they are not mentioned. Doing it twice does no harm."""
        one = {"name": edit.name, "type": edit.kind, "ttl": edit.ttl, "changetype": change, "records": records}
        answer = self.api.ask("PATCH", _path(edit.zone), content={"rrsets": [one]}, repeatable=True)
        if not answer.ok and _CHANGED.search(answer.body):
            raise conflict(edit.name, edit.kind)
        if not answer.ok:
            raise self.api.refused(answer, f"the change of {edit.name}")

    def _disabled(self, edit: Edit) -> list[Any]:
        """Return the disabled records of the set, which reading one name does not show (issue 11473), but searching does."""
        query = {"q": edit.name.rstrip("."), "max": str(_FOUND_AT_MOST), "object_type": "record"}
        answer = self.api.ask("GET", "/search-data", query=query)
        found = [one for one in self.api.parsed(answer) if _is_of(one, edit)] if answer.ok else []
        if not edit.before.values <= {
            _says(edit, one) for one in found if not one["disabled"]
        }:  # not every kind of database can be searched
            answer = self.api.ask("GET", _path(edit.zone))
            if not answer.ok:
                raise self.api.refused(answer, f"to read zone {edit.zone.name}")
            sets = self.api.parsed(answer)["rrsets"]
            found = [
                one for each in sets if (each["name"].lower(), each["type"]) == (edit.name, edit.kind) for one in each["records"]
            ]
        return [{"content": one["content"], "disabled": True} for one in found if one["disabled"]]

    def _takes_single_records(self) -> bool:
        """Ask once for the version: EXTEND and PRUNE came with 4.9.12 and 5.0.2."""
        if "single" not in self.known:
            answer = self.api.ask("GET", "")
            found = _VERSION.match(str(self.api.parsed(answer)["version"])) if answer.ok else None
            version = tuple(map(int, found.groups())) if found else (0, 0, 0)
            self.known["single"] = version >= (5, 0, 2) or (4, 9, 12) <= version < (5, 0, 0)
        return self.known["single"]

    def _presigned(self, zone: Zone, about: Mapping[str, Any]) -> bool:
        """Ask once whether the signatures come from elsewhere, where the zone itself does not tell."""
        if "presigned" in about or not about.get("dnssec"):
            return False
        if zone.id not in self.known:
            answer = self.api.ask("GET", f"{_path(zone)}/metadata/PRESIGNED")
            self.known[zone.id] = answer.ok and self.api.parsed(answer)["metadata"] == ["1"]
        return self.known[zone.id]


def _writable(zone: Zone, about: Mapping[str, Any]) -> None:
    """Raise PublishError where what is written would be overwritten, or be seen by nobody."""
    kind = about.get("kind")
    if kind in _COPIES:
        message = f"PowerDNS has only a copy of zone {zone.name} (kind {kind}); nothing was changed"
        raise PublishError(message, "give the lineage the backend of its primary")
    if about.get("presigned"):
        message = f"zone {zone.name} is signed elsewhere (PRESIGNED): a record written here would have no signature"
        raise PublishError(f"{message}; nothing was changed", "give the lineage the backend of the server where it is signed")
    if kind in _NOTIFYING and not (about.get("soa_edit_api") or about.get("soa_edit")):
        message = (
            f"PowerDNS would not raise the serial of zone {zone.name} (SOA-EDIT-API is not set): secondaries would never ask"
        )
        raise PublishError(f"{message}; nothing was changed", f"pdnsutil set-meta {zone.name} SOA-EDIT-API DEFAULT")


def _says(edit: Edit, record: Mapping[str, Any]) -> str:
    """Return a record in our spelling; one that cannot be read is none of ours, and nobody is served it."""
    try:
        return value_of(edit.kind, record["content"])
    except BadInput:
        return ""


def _path(zone: Zone) -> str:
    return f"/zones/{quote(zone.id, safe='=')}"


def _enabled(found: Mapping[str, Any] | None) -> list[Any]:
    """Return the records that are served."""
    return [one for one in found["records"] if not one.get("disabled")] if found else []


def _is_of(found: Mapping[str, Any], edit: Edit) -> bool:
    return (found["name"].lower(), found["type"], found["zone_id"]) == (edit.name, edit.kind, edit.zone.id)
