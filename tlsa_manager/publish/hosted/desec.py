"""deSEC: whole RRsets over its REST API, every zone signed (https://desec.readthedocs.io/en/latest/dns/rrsets.html).

There is no compare-and-swap. Its limits are narrow (15 writes a minute, 300 a day and domain), and it says when to come again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager.publish import conflict
from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, relative, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind
    from tlsa_manager.web import Answer

SERVERS = (".desec.io.", ".desec.org.")
OPTIONS = (
    *secret_options("token", "a deSEC token, limited to TLSA (and TXT) of the names it is for: docs/backends/desec.md"),
    *hosted_options("deSEC", "https://desec.io/api/v1"),
)
_ACCESS = (
    "is the token right, not expired, and does its policy allow writing TLSA (and TXT for dns-01) at this name?"
    " docs/backends/desec.md has the policy"
)


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    token = secret_of(settings, "token", "can change the DNS records of the mail servers")
    headers = {"Authorization": f"Token {token}"}
    api = Api(
        "deSEC", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, headers=headers, secrets=(token,)
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Desec(api, zone), zone)


@dataclass(frozen=True, slots=True)
class Desec:
    """The account of a token."""

    api: Api
    only: str = ""
    title: str = "deSEC"

    def zone_of(self, name: str) -> Zone | None:
        """Ask which domain is responsible for the name."""
        answer = self.api.ask("GET", "/domains/", query={"owns_qname": (self.only or name).rstrip(".")})
        if not answer.ok:
            raise self.api.refused(answer, f"to tell the domain of {name}", "set `zone` in the section of this backend")
        found = [one for one in self.api.parsed(answer) if not self.only or f"{one['name']}." == self.only]
        return Zone(f"{found[0]['name']}.", found[0]["name"], int(found[0]["minimum_ttl"])) if found else None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all RRsets of one name, of which there are few: a CNAME among them means that it is an alias."""
        label = relative(name, zone.name)
        answer = self.api.ask("GET", f"/domains/{quote(zone.id)}/rrsets/", query={"subname": label})
        if not answer.ok:
            raise self.api.refused(answer, f"to read {name}")
        sets = {one["type"]: one for one in self.api.parsed(answer) if one["subname"] == label}
        found = sets.get(kind, {"records": [], "ttl": 0})
        alias = sets["CNAME"]["records"][0] if "CNAME" in sets else ""
        return Standing(tuple(Record(value_of(kind, one), one) for one in found["records"]), int(found["ttl"]), alias)

    def write(self, edit: Edit) -> str:
        """Replace the set in one step; an empty one is deleted. Doing it twice does no harm.

        Of a set that stands the TTL is not told, so that it stays even where it is less than new sets may have; and a set that is
        gone by now is not made again.
        """
        records = [*(one.raw for one in edit.kept), *(text_of(edit.kind, one) for one in edit.add)]
        change: dict[str, object] = {"subname": edit.label, "type": edit.kind, "records": records}
        change |= {} if edit.before.records else {"ttl": edit.ttl}
        path = f"/domains/{quote(edit.zone.id)}/rrsets/"
        answer = self.api.ask("PATCH", path, content=[change], repeatable=True)
        if not answer.ok and edit.before.records and _wants_ttl(answer):
            raise conflict(edit.name, edit.kind)
        if not answer.ok:
            raise self.api.refused(answer, f"the change of {edit.name}")
        return ""


def _wants_ttl(answer: Answer) -> bool:
    """Whether the first part of a bulk request (there is one) lacks a TTL: then the set that was to be changed is gone."""
    parts = answer.parsed
    return isinstance(parts, list) and bool(parts) and isinstance(parts[0], dict) and "ttl" in parts[0]
