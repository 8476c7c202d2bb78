"""netcup as its documents describe it (https://ccp.netcup.net/run/webservice/servers/endpoint.php): one zone of one customer.

Form in JSON and sessions: https://helpcenter.netcup.com/en/wiki/general/our-api; codes that the documents leave out: 4001
(certbot-dns-netcup issue 32), 4013 for too many requests (dynamic-dns-netcup-api issue 11), 5029 for no records (DNSControl,
providers/netcup), 5028 for a zone that is elsewhere (acme.sh issue 7188).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.doubles.double import Reply, Request
from contract.doubles.hosted import HostedStand
from contract.doubles.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import Callable

CUSTOMER, KEY, PASSWORD = "123456", "Q3VzdG9tZXIta2V5LW9mLWZpZnR5LWNoYXJhY3RlcnMtMDAwMQ", "cGFzc3dvcmQtZnJvbS1uZXRjdXA"
TTL = 86400  # of the zone
PARAMS = {
    "login": {"apipassword"},
    "infoDnsZone": {"apisessionid", "domainname"},
    "infoDnsRecords": {"apisessionid", "domainname"},
    "updateDnsRecords": {"apisessionid", "domainname", "dnsrecordset"},
}
NUMBERS = {"serverrequestid": "QWR2VVGF=BDTcl0cQ", "clientrequestid": ""}
FIELDS = {"id", "hostname", "type", "priority", "destination", "deleterecord", "state"}


class Netcup(Numbered):
    """One zone."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: set[str] = set()
        self.logins, self.ttl = 0, TTL

    def writes(self, request: Request) -> bool:
        """Updating."""
        return bool(request.content["action"] == "updateDnsRecords")

    def limited(self) -> Reply:
        """Return what is said past 180 requests in a minute."""
        return self._error(
            4013, "Validation Error.", "More than 180 requests per minute. Please wait and retry later. "
            "Please contact our customer service to find out if the limitation of requests can be increased.",
        )  # fmt: skip

    def refused(self) -> Reply:
        """Return what is said of a record that netcup does not take."""
        return self._error(4013, "Validation Error.", "Value in field destination does not match requirements of type.")

    def answer(self, request: Request) -> Reply:
        """Check the form, then the session, then play the action."""
        if (request.method, request.path, request.query) != ("POST", "/run/webservice/servers/endpoint.php", {"JSON": ""}):
            return self.complain(request, "everything is posted to endpoint.php?JSON")
        action, param = request.content.get("action"), request.content.get("param", {})
        if set(request.content) != {"action", "param"} or action not in PARAMS:
            return self.complain(request, f"not an action of the documents: {action}")
        if set(param) != {"customernumber", "apikey"} | PARAMS[action]:
            return self.complain(request, f"{action} with {sorted(param)}")
        if (param["customernumber"], param["apikey"]) != (CUSTOMER, KEY):
            return self._error(4013, "Validation Error.", "Value in field apikey does not match requirements of type: apikey.")
        if action == "login":
            return self._login(param)
        if param["apisessionid"] not in self.sessions:
            return self._error(4001, "Api session id in invalid format", "The session id is not in a valid format.")
        if not param["domainname"].endswith(".example") or param["domainname"].count(".") != 1:
            said = "Value in field domainname does not match requirements of type: domainname. "
            return self._error(4013, "Validation Error.", said)
        if f"{param['domainname']}." != self.zone:
            return self._error(4008, "Input value in invalid format", "At least one input value is in a valid format.")
        return {"infoDnsZone": self._zone, "infoDnsRecords": self._records, "updateDnsRecords": self._update}[action](param)

    def _login(self, param: dict[str, Any]) -> Reply:
        if param["apipassword"] != PASSWORD:
            return self._error(4013, "Validation Error.", "Wrong API credentials.")
        self.logins += 1
        number = f"c2Vzc2lvbi1udW1iZXI{self.logins:08d}"
        self.sessions.add(number)
        return self._success("login", {"apisessionid": number})

    def _zone(self, _: dict[str, Any]) -> Reply:
        zone = {"name": self.zone.rstrip("."), "ttl": str(self.ttl), "serial": "2026112201", "refresh": "28800", "retry": "7200"}
        return self._success("infoDnsZone", {**zone, "expire": "1209600", "dnssecstatus": True})

    def _records(self, _: dict[str, Any]) -> Reply:
        if not self.sets:
            return self._error(5029, "Can not get DNS records for zone.", "Can not get DNS records for zone. No records found.")
        return self._success("infoDnsRecords", {"dnsrecords": [self._shown(row) for row in self.rows()]})

    def _shown(self, row: tuple[int, str, str, int, str]) -> dict[str, Any]:
        number, name, kind, _, text = row
        label = name.removesuffix(self.zone).rstrip(".") or "@"
        shown = {"id": str(number), "hostname": label, "type": kind, "priority": "0", "destination": text}
        return {**shown, "deleterecord": False, "state": "yes"}

    def _update(self, param: dict[str, Any]) -> Reply:
        records = param["dnsrecordset"].get("dnsrecords", [])
        known = {str(row[0]): self._shown(row) for row in self.rows()}
        for one in records:
            if not {"hostname", "type", "destination"} <= set(one) <= FIELDS or one["hostname"].endswith("."):
                self.complaints.append(f"not a record: {one}")
                return self._error(4013, "Validation Error.", "not a record")
            if one.get("deleterecord") and {**one, "deleterecord": False} != known.get(one.get("id")):
                return self._error(5028, "Update of DNS records failed", "Can not update (all) DNS records for zone.")
            if not one.get("deleterecord") and "id" in one:
                self.complaints.append("a record that stands would be changed")
        for one in records:
            name = self.zone if one["hostname"] == "@" else f"{one['hostname']}.{self.zone}"
            self.drop(int(one["id"])) if "id" in one else self.insert(name, one["type"], TTL, one["destination"])
        return self._success("updateDnsRecords", {"dnsrecords": [self._shown(row) for row in self.rows()]})

    def _success(self, action: str, data: object) -> Reply:
        found = {"action": action, "status": "success", "statuscode": 2000, "responsedata": data}
        return Reply(200, {**NUMBERS, **found, "shortmessage": "successful", "longmessage": "It was successful."})

    def _error(self, code: int, short: str, long: str) -> Reply:
        found = {"action": "", "status": "error", "statuscode": code, "responsedata": ""}
        return Reply(200, {**NUMBERS, **found, "shortmessage": short, "longmessage": long})


class NetcupStand(HostedStand):
    """Records of one zone in one request, all with the TTL of the zone."""

    kind, double = "netcup", Netcup
    troubles = HostedStand.troubles | {"conflict"}  # what others add stays

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {
            "customer-number": CUSTOMER, "api-key-file": secret("api-key", KEY),
            "api-password-file": secret("api-password", PASSWORD),
            "api": f"{self.server.url}/run/webservice/servers/endpoint.php",
        }  # fmt: skip

    def new_ttl(self, _: int) -> int:
        """Return the zone's."""
        return TTL

    def other_ttl(self) -> int:
        """Return the zone's: there is no other."""
        return TTL

    def secrets(self) -> set[str]:
        """Return the numbers of sessions, too."""
        return {*super().secrets(), *self.server.sessions}  # type: ignore[attr-defined]  it is a Netcup
