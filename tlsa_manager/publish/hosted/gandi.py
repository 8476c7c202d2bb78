"""Gandi LiveDNS: whole RRsets over its REST API, zones signed on demand (https://api.gandi.net/docs/livedns/).

There is no compare-and-swap: a set is read, compared and replaced. A set with a TTL of less than 300 s is not taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager.publish.hosted import Record, Standing, Zone, hosted_options, parents, relative, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind

SERVERS = (".gandi.net.",)
OPTIONS = (
    *secret_options("token", "a Gandi personal access token for this domain: docs/backends/gandi.md"),
    *hosted_options("Gandi", "https://api.gandi.net/v5/livedns"),
)
LEAST_TTL = 300  # seconds
_WINDOW = 60.0  # seconds: 1000 questions a minute from one address (https://api.gandi.net/docs/reference/)
_PAGE, _PAGES = 100, 100  # who has more domains than that configures the zone
_MISSING = 404
_ACCESS = (
    "is the token right and not expired, does it hold for this domain, and may it manage the domain's technical configuration?"
    " docs/backends/gandi.md has the steps"
)


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    token = secret_of(settings, "token", "can change the DNS records of the mail servers")
    headers = {"Authorization": f"Bearer {token}"}
    api = Api(
        "Gandi", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, headers=headers, secrets=(token,),
        window=_WINDOW,
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Gandi(api, zone), zone)


@dataclass(frozen=True, slots=True)
class Gandi:
    """The domains that a token may see."""

    api: Api
    only: str = ""
    title: str = "Gandi"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for the domain that is configured, or look through all: to ask for one that is not there may be forbidden."""
        if self.only:
            answer = self.api.ask("GET", f"/domains/{_part(self.only.rstrip('.'))}")
            if answer.status == _MISSING:
                return None
            if not answer.ok:
                raise self.api.refused(answer, f"to tell about {self.only}")
            return Zone(self.only, str(self.api.parsed(answer)["fqdn"]), LEAST_TTL)
        known = {f"{one.lower()}.": one for one in self._domains()}
        return next((Zone(one, known[one], LEAST_TTL) for one in parents(name) if one in known), None)

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all RRsets of one name, of which there are few: a CNAME among them means that it is an alias."""
        answer = self.api.ask("GET", _name(zone, name))
        if answer.status == _MISSING and self.api.ask("GET", f"/domains/{_part(zone.id)}").ok:
            return Standing()  # the name is missing, not the zone
        if not answer.ok:
            raise self.api.refused(answer, f"to read {name}")
        sets = {one["rrset_type"]: one for one in self.api.parsed(answer)}
        found = sets.get(kind, {"rrset_values": [], "rrset_ttl": 0})
        alias = str(sets["CNAME"]["rrset_values"][0]) if "CNAME" in sets else ""
        return Standing(tuple(Record(value_of(kind, one), one) for one in found["rrset_values"]), int(found["rrset_ttl"]), alias)

    def write(self, edit: Edit) -> str:
        """Replace the set in one step, or delete an empty one. Doing it twice does no harm."""
        values = [*(one.raw for one in edit.kept), *(text_of(edit.kind, one) for one in edit.add)]
        path = f"{_name(edit.zone, edit.name)}/{edit.kind}"
        if values:
            answer = self.api.ask("PUT", path, content={"rrset_values": values, "rrset_ttl": edit.ttl})
        else:
            answer = self.api.ask("DELETE", path)
        if not (answer.ok or (answer.status == _MISSING and not values)):
            raise self.api.refused(answer, f"the change of {edit.name}")
        return ""

    def _domains(self) -> Iterator[str]:
        for page in range(1, _PAGES + 1):
            answer = self.api.ask("GET", "/domains", query={"per_page": str(_PAGE), "page": str(page)})
            if not answer.ok:
                raise self.api.refused(answer, "to tell the domains of the token", "set `zone` in the section of this backend")
            found = self.api.parsed(answer)
            yield from (str(one["fqdn"]) for one in found)
            if len(found) < _PAGE:
                return


def _name(zone: Zone, name: str) -> str:
    return f"/domains/{_part(zone.id)}/records/{_part(relative(name, zone.name) or '@')}"


def _part(text: str) -> str:
    return quote(text, safe="@")
