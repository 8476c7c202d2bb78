"""netcup: the records of a zone over the CCP API (https://ccp.netcup.net/run/webservice/servers/endpoint.php), in a session.

There is no compare-and-swap; `updateDnsRecords` touches only the records it is given, so what others write survives. TTLs are the
zone's, not a record's. An answer has HTTP status 200 whatever it says; its `statuscode` tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tlsa_manager import clock
from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option
from tlsa_manager.publish.hosted import Zone, hosted_options, parents, zone_option
from tlsa_manager.publish.hosted.api import Api, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.singles import Single, absolute, standing_of
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass
from tlsa_manager.web import WHOLE_ZONE

if TYPE_CHECKING:
    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Edit, Kind, Standing

SERVERS = (".netcup.net.",)
WARNING = (
    "only zones of netcup's former DNS are reached by this API; for zones that are in its CloudDNS another backend is needed:"
    " docs/backends/netcup.md"
)
OPTIONS = (
    Option("customer-number", "str", "the number of the customer, which is the login of the CCP", required=True),
    *secret_options("api-key", "an API key of the CCP"),
    *secret_options("api-password", "the API password of the CCP"),
    *hosted_options("netcup", "https://ccp.netcup.net/run/webservice/servers/endpoint.php"),
)
_POWER = "can change all DNS records of the customer"
_ACCESS = "are customer number, API key and API password right, and of the same customer? docs/backends/netcup.md"
_DONE, _SESSION, _FORMAT, _INVALID, _NONE = 2000, 4001, 4008, 4013, 5029
_PAUSE = 60.0  # seconds: it counts requests by the minute


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    key, password = secret_of(settings, "api-key", _POWER), secret_of(settings, "api-password", _POWER)
    api = Api(
        "netcup", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, secrets=(key, password),
        largest=WHOLE_ZONE,  # there is no way to ask for less
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Netcup(Session(api, settings.text("customer-number"), key, password), zone), zone)


class Session:
    """A login, which is renewed when it has ended: by itself some minutes after it was last used."""

    def __init__(self, api: Api, customer: str, key: str, password: str) -> None:
        """Ask nothing yet."""
        self.api = api
        self._who = {"customernumber": customer, "apikey": key}
        self._password, self._number = password, ""

    def call(self, action: str, **params: object) -> dict[str, Any]:
        """Return the answer to one action, after a login if that is needed. Raises PublishError."""
        fresh = not self._number
        if fresh:
            self._login()
        answer = self._ask(action, {**params, "apisessionid": self._number}, repeatable=action.startswith("info"))
        if answer["statuscode"] == _SESSION:  # nothing was done
            self._number = ""
            if fresh:  # it happens now and then, right after a login
                raise self.api.later(self.said(answer))
            return self.call(action, **params)
        return answer

    def said(self, answer: dict[str, Any]) -> str:
        """Return what an answer says, for people."""
        return self.api.clean(f"{answer.get('longmessage') or answer.get('shortmessage')} (status code {answer['statuscode']})")

    def _login(self) -> None:
        answer = self._ask("login", {"apipassword": self._password})
        if answer["statuscode"] != _DONE:
            raise self.api.refused_login(self.said(answer))
        self._number = str(answer["responsedata"]["apisessionid"])
        self.api.hide(self._number)

    def _ask(self, action: str, params: dict[str, object], *, repeatable: bool = False) -> dict[str, Any]:
        content = {"action": action, "param": {**self._who, **params}}
        answer = self.api.ask("POST", "?JSON", content=content, repeatable=repeatable)
        if not answer.ok:
            raise self.api.refused(answer, action)
        found = cast("dict[str, Any]", self.api.parsed(answer))
        if found["statuscode"] == _INVALID and "requests per minute" in str(found.get("longmessage")):
            raise self.api.later(self.said(found), clock.now() + _PAUSE)
        return found


@dataclass(frozen=True, slots=True)
class Netcup:
    """The zones of a customer."""

    session: Session
    only: str = ""
    title: str = "netcup"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for each name above, the longest first, whether it is a zone here."""
        for candidate in parents(name, self.only):
            domain = candidate.rstrip(".")
            answer = self.session.call("infoDnsZone", domainname=domain)
            if answer["statuscode"] not in {_FORMAT, _INVALID, _NONE}:  # 4008: not of this customer, 4013: not a domain
                return Zone(candidate, domain, self._ttl(answer, candidate))
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all records: there is no way to ask for fewer. An empty zone has a code of its own, if it is one at all."""
        ttl = self._ttl(self.session.call("infoDnsZone", domainname=zone.id), zone.name)
        answer = self.session.call("infoDnsRecords", domainname=zone.id)
        if answer["statuscode"] == _NONE and "not be found" not in str(answer.get("longmessage")):
            return standing_of([], name, kind)
        self._accept(answer, f"to read {name}")
        records = answer["responsedata"]["dnsrecords"]
        found = (Single(absolute(one["hostname"], zone.name), one["type"], one["destination"], ttl, one) for one in records)
        return standing_of(found, name, kind)

    def write(self, edit: Edit) -> str:
        """Send the new records, or those that shall go with their numbers, in one request."""
        new = [{"hostname": edit.label or "@", "type": edit.kind, "destination": value} for value in edit.add]
        records = [*new, *({**one.raw, "deleterecord": True} for one in edit.remove)]
        answer = self.session.call("updateDnsRecords", domainname=edit.zone.id, dnsrecordset={"dnsrecords": records})
        self._accept(answer, f"the change of {edit.name}")
        return ""

    def _ttl(self, answer: dict[str, Any], zone: str) -> int:
        self._accept(answer, f"to tell about zone {zone}")
        return int(answer["responsedata"]["ttl"])

    def _accept(self, answer: dict[str, Any], act: str) -> None:
        """Raise PublishError unless it is a success."""
        if answer["statuscode"] != _DONE:
            message = f"netcup refused {act}: {self.session.said(answer)}; nothing was changed"
            raise PublishError(message, "its own words say what it wants")
