"""Route 53 as its reference describes it (https://docs.aws.amazon.com/Route53/latest/APIReference/): one account, four zones."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contract.doubles.double import Double, Reply, Request
from contract.doubles.hosted import HostedStand
from contract.doubles.route53 import forms
from contract.doubles.route53.forms import Hosted
from contract.doubles.route53.signature import fault
from contract.stand import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ZONES = (
    Hosted("Z0PRIVATE0000", "pub.example.", private=True),
    Hosted("Z1D633PJN98FT9", "pub.example."),
    Hosted("Z3OTHER0000000", "q.pub-other.example."),
    Hosted("Z4AFTER0000000", "zz.example."),
)
_PATH = re.compile(r"/2013-04-01/(?P<what>hostedzonesbyname|hostedzone|change)(?:/(?P<id>[A-Z0-9]+)(?P<rest>/rrset/?)?)?")
_TRIED = "Tried to {} resource record set [name='{}', type='{}'] but {}"


class Route53(Double):
    """One account. `policies`: what a routing policy adds to a set; `rounds`: how often a change is PENDING when asked."""

    zones: tuple[Hosted, ...] = ZONES
    token = ""
    rounds = 1

    def __init__(self) -> None:
        super().__init__()
        self.policies: dict[tuple[str, str], str] = {}
        self.asked: defaultdict[str, int] = defaultdict(int)

    def answer(self, request: Request) -> Reply:
        """Play the part of the API that is used."""
        if bad := fault(request, {KEY_ID: SECRET}, self.token, datetime.now(UTC)):
            return _error(403, *bad)
        found = _PATH.fullmatch(request.path)
        if found is None:
            return self.complain(request, "no such path in the reference")
        way = (request.method, found["what"], found["rest"] or "")
        ways: dict[tuple[str, str, str], Callable[[Request, str], Reply]] = {
            ("GET", "hostedzonesbyname", ""): self._by_name,
            ("GET", "hostedzone", ""): self._zone,
            ("GET", "hostedzone", "/rrset"): self._list,
            ("POST", "hostedzone", "/rrset/"): self._change,
            ("GET", "change", ""): self._settled,
        }
        if way not in ways:
            return self.complain(request, "no such operation in the reference")
        return ways[way](request, found["id"] or "")

    def limited(self) -> Reply:
        """Return what is documented for more than five requests a second (DNSLimitations.html)."""
        return _error(400, "Throttling", "Rate exceeded")

    def refused(self) -> Reply:
        """Return what a policy that does not allow it leads to."""
        act = "route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z1D633PJN98FT9"
        return _error(403, "AccessDenied", f"User: arn:aws:iam::111122223333:user/tlsa is not authorized to perform: {act}")

    def _by_name(self, request: Request, _: str) -> Reply:
        if not {"dnsname"} <= set(request.query) <= {"dnsname", "hostedzoneid", "maxitems"}:
            return self.complain(request, "unknown filter")
        start = _order(request.query.get("dnsname", ""))
        found = [one for one in sorted(self.zones, key=lambda one: _order(one.name)) if _order(one.name) >= start]
        inside = f"<HostedZones>{''.join(one.text for one in found)}</HostedZones><DNSName>{request.query['dnsname']}</DNSName>"
        tail = "<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>"
        return Reply(200, body=forms.document("ListHostedZonesByNameResponse", inside + tail))

    def _zone(self, _: Request, zone: str) -> Reply:
        found = next((one for one in self.zones if one.id == zone), None)
        if found is None:
            return _error(404, "NoSuchHostedZone", f"No hosted zone found with ID: {zone}")
        servers = "<NameServers><NameServer>ns-2048.awsdns-64.com</NameServer></NameServers>"
        return Reply(200, body=forms.document("GetHostedZoneResponse", f"{found.text}<DelegationSet>{servers}</DelegationSet>"))

    def _list(self, request: Request, zone: str) -> Reply:
        query = request.query
        if zone != "Z1D633PJN98FT9" or not set(query) <= {"name", "type", "identifier", "maxitems"}:
            return self.complain(request, "another zone, or an unknown filter")
        if "type" in query and "name" not in query:
            return _error(400, "InvalidInput", "a type without a name")
        start = (_order(query.get("name", "")), query.get("type", ""))
        found = sorted((_order(name), kind.removeprefix("ALIAS "), name, kind) for name, kind in self.sets)
        found = [one for one in found if one[:2] >= start]
        shown, rest = found[: (most := int(query.get("maxitems", "300")))], found[most:]
        inside = "".join(
            forms.record_set(name, kind, *self.sets[name, kind], self.policies.get((name, kind), "")) for *_, name, kind in shown
        )
        names = [f"<NextRecordName>{forms.written(name)}</NextRecordName>" for *_, name, _ in rest[:1]]
        following = "".join(names) + "".join(f"<NextRecordType>{kind}</NextRecordType>" for _, kind, *_ in rest[:1])
        tail = f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{following}<MaxItems>{most}</MaxItems>"
        whole = f"<ResourceRecordSets>{inside}</ResourceRecordSets>{tail}"
        return Reply(200, body=forms.document("ListResourceRecordSetsResponse", whole))

    def _change(self, request: Request, zone: str) -> Reply:
        """All or nothing."""
        if zone != "Z1D633PJN98FT9" or request.query or "xml" not in request.headers.get("content-type", ""):
            return self.complain(request, "not a change of the public zone")
        try:
            changes = forms.batch(request.body)
        except (ValueError, SyntaxError) as error:
            return self.complain(request, f"not of the schema: {error}")
        after = dict(self.sets)
        for action, name, kind, ttl, records in changes:
            stands = after.get((name, kind))
            if action == "DELETE" and stands is None:
                return _error(400, "InvalidChangeBatch", f"[{_TRIED.format('delete', name, kind, 'it was not found')}]")
            if action == "DELETE" and stands != (ttl, records) and (stands[0], set(stands[1])) != (ttl, set(records)):  # type: ignore[index]
                other = "the values provided do not match the current values"
                return Reply(400, body=forms.refused_batch([_TRIED.format("delete", name, kind, other)]))
            if action == "CREATE" and stands is not None:
                return _error(400, "InvalidChangeBatch", f"[{_TRIED.format('create', name, kind, 'it already exists')}]")
            if action == "CREATE" and len(set(records)) != len(records):
                return _error(400, "InvalidChangeBatch", "[Duplicate Resource Record: '...']")
            if action == "CREATE" and (name, "CNAME") in after:
                return _error(400, "InvalidChangeBatch", f"[RRSet of type {kind} with DNS name {name} is not permitted: CNAME]")
            if action == "DELETE":
                del after[name, kind]
            elif action == "CREATE":
                after[name, kind] = ttl, records
            else:
                return self.complain(request, f"action {action} would overwrite what stands")
        self.sets.clear()
        self.sets.update(after)
        return self._state("ChangeResourceRecordSetsResponse", f"C{len(self.requests):013}", "PENDING")

    def _settled(self, request: Request, number: str) -> Reply:
        if request.query:
            return self.complain(request, "no filter is known")
        if number == "COLD":
            return _error(404, "NoSuchChange", "A change with the specified change ID does not exist.")
        self.asked[number] += 1
        return self._state("GetChangeResponse", number, "PENDING" if self.asked[number] <= self.rounds else "INSYNC")

    def _state(self, tag: str, number: str, status: str) -> Reply:
        when = "<SubmittedAt>2026-01-01T00:00:00.000Z</SubmittedAt>"
        inside = f"<ChangeInfo><Id>/change/{number}</Id><Status>{status}</Status>{when}</ChangeInfo>"
        return Reply(200, body=forms.document(tag, inside))


class Route53Stand(HostedStand):
    """Whole sets, compared and written in one step, in force later."""

    server: Route53
    kind, double, troubles = "route53", Route53, TROUBLES
    compares = late = renews = True

    def options(self, secret: Callable[[str, str], str]) -> dict[str, object]:
        """Return what a section of the configuration has."""
        return {"access-key-id": KEY_ID, "secret-access-key-file": secret("secret-access-key", SECRET), "api": self.server.url}


def _error(status: int, code: str, message: str) -> Reply:
    return Reply(status, body=forms.error(code, message), headers={"Content-Type": "text/xml"})


def _order(name: str) -> str:
    """Return what Route 53 sorts by: the labels reversed, with escapes and the final dot."""
    return ".".join(reversed(forms.written(name).rstrip(".").split("."))) + "." if name else ""
