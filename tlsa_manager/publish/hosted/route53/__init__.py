"""Amazon Route 53: whole sets in batches that are done wholly or not at all (https://docs.aws.amazon.com/Route53/latest/APIReference/).

Compare-and-swap: a set is changed by deleting it with exactly the records and the TTL that were read and creating it anew, in one
batch. If somebody else has changed it, or made one meanwhile, the batch is refused. A change is first PENDING, then INSYNC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager.errors import PublishError
from tlsa_manager.option import Option, mistake
from tlsa_manager.publish import conflict, inside
from tlsa_manager.publish.hosted import Edit, Record, Standing, Zone, hosted_options, parents, text_of, value_of, zone_option
from tlsa_manager.publish.hosted.api import Api, SoonError, address
from tlsa_manager.publish.hosted.backend import Hosted
from tlsa_manager.publish.hosted.route53.documents import (
    RecordSet,
    batch,
    decimal,
    elements,
    parse,
    plain,
    record_set,
    refusal,
    said,
)
from tlsa_manager.publish.hosted.route53.role import METADATA, Role
from tlsa_manager.publish.hosted.route53.signature import Keys, Signer
from tlsa_manager.secret import secret_of, secret_options
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from tlsa_manager.option import Settings
    from tlsa_manager.publish.hosted import Kind
    from tlsa_manager.web import Answer

SERVERS = tuple(f".awsdns-{number:02}.{top}." for number in range(64) for top in ("com", "net", "org", "co.uk"))
OPTIONS = (
    Option(
        "access-key-id", "str", "the id of an access key that may change TLSA (and TXT): docs/backends/route53.md",
        example="AKIAIOSFODNN7EXAMPLE",
    ),
    *secret_options("secret-access-key", "the secret access key that belongs to it"),
    *secret_options("session-token", "the session token, of keys that are good for a while only"),
    Option("instance-role", "bool", "use the role of the EC2 instance that this runs on, instead of keys", default=False),
    Option("metadata", "str", "where the metadata service of the instance is", default=METADATA),
    Option("zone-id", "str", "the id of the hosted zone; found by its name when left out", example="Z1D633PJN98FT9"),
    Option("region", "str", "the region to sign for; another one in China and GovCloud only", default="us-east-1"),
    *hosted_options("Route 53", "https://route53.amazonaws.com"),
)  # fmt: skip
_POWER = "can change the DNS records of the mail servers"
_ACCESS = (
    "are access-key-id and secret-access-key right and active, and does the policy allow this for TLSA (and TXT for dns-01) at"
    " this name? docs/backends/route53.md has the policy"
)
_SOON = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "PriorRequestNotComplete"})
_PAUSE = 10.0  # seconds: five requests a second are allowed to the whole account (DNSLimitations.html); it does not say when
_SHUT = frozenset({"ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "OptInRequired"})
_VERSION = "/2013-04-01"
_ITEMS, _PAGES = "50", 20  # sets in one answer, and answers; more than these at one name are of a routing policy
_FOLLOWING = {"name": "NextRecordName", "type": "NextRecordType", "identifier": "NextRecordIdentifier"}


def build(name: str, settings: Settings) -> Hosted:
    """Make the backend. Raises ConfigError."""
    keys = _keys(settings)
    signer = Signer(keys or Role(address(settings, "metadata", plain=True)).keys, settings.text("region"), "route53")
    api = Api(
        "Route 53", address(settings, "api"), settings.seconds("timeout"), access=_ACCESS, sign=signer,
        secrets=(keys.secret, keys.token) if keys else (), judge=lambda answer: _judge(api, answer),
        tell=lambda answer: ": ".join(filter(None, refusal(answer.body))),
    )  # fmt: skip
    zone = zone_option(settings.text("zone"))
    return Hosted(name, Route53(api, signer, zone, settings.text("zone-id").removeprefix("/hostedzone/")), zone)


@dataclass(frozen=True, slots=True)
class Route53:
    """The account of a key. `zone_id`: of the only zone, or empty."""

    api: Api
    signer: Signer
    only: str = ""
    zone_id: str = ""
    title: str = "Route 53"

    def zone_of(self, name: str) -> Zone | None:
        """Ask for the public hosted zone of each parent in turn; a private one is seen in its own network only."""
        if self.zone_id:
            answer = self._ask("GET", f"/hostedzone/{quote(self.zone_id, safe='')}")
            found = _zones(self._understood(answer, f"to tell hosted zone {self.zone_id}"), "HostedZone")
            return found[0] if found and inside(name, found[0].name) else None
        for parent in parents(name, self.only):
            answer = self._ask("GET", "/hostedzonesbyname", {"dnsname": parent, "maxitems": "100"})
            listed = _zones(self._understood(answer, "to list its zones"), "HostedZones/HostedZone")
            found = [one for one in listed if one.name == parent]
            if len(found) > 1:
                raise PublishError(
                    f"{self.title} has {len(found)} public hosted zones {parent}, and only one of them is seen by the world",
                    f"set zone-id to the one whose name servers the world asks, of: {', '.join(one.id for one in found)}",
                )
            if found:
                return found[0]
        return None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read all sets of one name, of which there are few: a CNAME among them, or a set that points elsewhere, is an alias."""
        found = self._sets(zone, name)
        own = [one for one in found if one.type == kind]
        if any(one.policy for one in own):
            raise PublishError(
                f"{self.title} has {kind} sets of a routing policy at {name} ({own[0].policy}): not all senders see the same",
                f"replace them by one simple {kind} record set: DANE needs the same answer everywhere",
            )
        alias = next((one.alias or one.values[0] for one in found if one.type == "CNAME" or (one.type == kind and one.alias)), "")
        records = tuple(Record(value_of(kind, decimal(value)), value) for one in own for value in one.values)
        return Standing(records, own[0].ttl if own else 0, alias)

    def write(self, edit: Edit) -> str:
        """Delete exactly the set that was read and create the new one, in one step; return the id of the change."""
        before, kind = edit.before, edit.kind
        new = (*(one.raw for one in edit.kept), *(text_of(kind, one) for one in edit.add))
        sets = (
            ("DELETE", RecordSet(edit.name, kind, before.ttl, tuple(one.raw for one in before.records))),
            ("CREATE", RecordSet(edit.name, kind, edit.ttl, new)),
        )
        body = batch((action, one) for action, one in sets if one.values)
        answer = self._ask("POST", f"{_path(edit.zone)}/rrset/", body=body)
        if refusal(answer.body)[0] == "InvalidChangeBatch" and self._changed(edit):
            raise conflict(edit.name, kind)
        return said(self._understood(answer, f"the change of {edit.name}"), "ChangeInfo/Id").removeprefix("/change/")

    def settled(self, ticket: str) -> bool:
        """Whether a change is INSYNC. One that is not known any more was made long ago."""
        answer = self._ask("GET", f"/change/{quote(ticket, safe='')}")
        if refusal(answer.body)[0] == "NoSuchChange":
            return True
        return said(self._understood(answer, f"to tell how change {ticket} stands"), "ChangeInfo/Status") == "INSYNC"

    def again(self, zone: Zone, name: str, kind: Kind, standing: Standing) -> str:
        """Put the same set there once more: changes cannot be listed, and one that changes nothing is PENDING as others are."""
        return self.write(Edit(zone, name, kind, standing, (), (), standing.ttl)) if standing.records else ""

    def _changed(self, edit: Edit) -> bool:
        """Whether what stands is not any more what the batch was made from."""
        now, before = self.standing(edit.zone, edit.name, edit.kind), edit.before
        return now.ttl != before.ttl or {one.raw for one in now.records} != {one.raw for one in before.records}

    def _sets(self, zone: Zone, name: str) -> list[RecordSet]:
        """Return all sets of a name: the list begins with them, and goes on with the names that come after it."""
        found: list[RecordSet] = []
        query = {"name": name}
        for _ in range(_PAGES):
            answer = self._ask("GET", f"{_path(zone)}/rrset", {**query, "maxitems": _ITEMS})
            root = self._understood(answer, f"to read {name}")
            page = [record_set(one) for one in elements(root, "ResourceRecordSets/ResourceRecordSet")]
            found += [one for one in page if one.name == name]
            if said(root, "IsTruncated") != "true" or plain(said(root, "NextRecordName")) != name:
                break
            following = {key: said(root, tag, "") for key, tag in _FOLLOWING.items()}
            query = {key: value for key, value in following.items() if value}
        return found

    def _ask(self, method: str, path: str, query: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        self.signer.renew()
        headers = {"Content-Type": "application/xml"} if body else {}
        return self.api.ask(method, _VERSION + path, query=query, body=body, headers=headers)

    def _understood(self, answer: Answer, act: str) -> Element:
        if not answer.ok:
            raise self.api.refused(answer, act)
        return parse(answer.body)


def _keys(settings: Settings) -> Keys | None:
    """Return the keys of the section; None where the role of the instance is to be used. Raises ConfigError."""
    key_id, role = settings.text("access-key-id"), settings.flag("instance-role")
    if bool(key_id) is role:
        what = "there is instance-role too" if role else "missing"
        hint = "give access-key-id and secret-access-key, or instance-role = true, not both"
        raise mistake(f"{settings.section}.access-key-id", what, hint)
    if role:
        return None
    token = secret_of(settings, "session-token", _POWER, required=False)
    return Keys(key_id, secret_of(settings, "secret-access-key", _POWER), token)


def _judge(api: Api, answer: Answer) -> PublishError | None:
    """Say what a refusal means beyond its status (https://docs.aws.amazon.com/Route53/latest/APIReference/CommonErrors.html)."""
    code, words = refusal(answer.body)
    if code in _SOON:
        message = f"{api.title} is asked too often by this account, or busy with it: {api.clean(f'{code}: {words}')}"
        return SoonError(message, "tried again by itself; if it stays so, who else uses this account?", answer.at + _PAUSE)
    return api.shut(f"{code}: {words}", answer) if code in _SHUT else None


def _zones(root: Element, path: str) -> list[Zone]:
    """Return the public zones at a path of an answer."""
    return [
        Zone(plain(said(one, "Name")), said(one, "Id").removeprefix("/hostedzone/"))
        for one in elements(root, path)
        if said(one, "Config/PrivateZone", "false") != "true"
    ]


def _path(zone: Zone) -> str:
    return f"/hostedzone/{quote(zone.id, safe='')}"
