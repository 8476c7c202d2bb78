"""The documents of Route 53, as its reference shows them (https://docs.aws.amazon.com/Route53/latest/APIReference/).

API_ListHostedZonesByName.html, API_GetHostedZone.html, API_ListResourceRecordSets.html, API_ChangeResourceRecordSets.html,
API_GetChange.html, requests-rest-responses.html.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

SPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Hosted(NamedTuple):
    """One hosted zone."""

    id: str
    name: str
    private: bool = False

    @property
    def text(self) -> str:
        """The element."""
        private = str(self.private).lower()
        return (
            f"<HostedZone><Id>/hostedzone/{self.id}</Id><Name>{self.name}</Name><CallerReference>made-by-hand</CallerReference>"
            f"<Config><Comment>a zone</Comment><PrivateZone>{private}</PrivateZone></Config>"
            "<ResourceRecordSetCount>17</ResourceRecordSetCount></HostedZone>"
        )


def document(tag: str, inside: str) -> bytes:
    """Return a whole answer."""
    return f'{HEAD}<{tag} xmlns="{SPACE}">{inside}</{tag}>'.encode()


def error(code: str, message: str) -> bytes:
    """Return a refusal."""
    inside = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return document("ErrorResponse", f"{inside}<RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId>")


def refused_batch(messages: list[str]) -> bytes:
    """Return the refusal of a batch in its own form."""
    inside = "".join(f"<Message>{escape(one)}</Message>" for one in messages)
    return document("InvalidChangeBatch", f"<Messages>{inside}</Messages><RequestId>b25f48e8</RequestId>")


def written(name: str) -> str:
    r"""Return a name as Route 53 writes it: `\052` for `*` (DomainNameFormat.html)."""
    return "".join(one if one.isalnum() or one in "-_." else f"\\{ord(one):03o}" for one in name.lower())


def record_set(name: str, kind: str, ttl: int, records: list[str], more: str = "") -> str:
    """Return the element. `more`: what a routing policy adds."""
    head = f"<Name>{written(name)}</Name><Type>{kind}</Type>{more}"
    if kind.startswith("ALIAS "):
        target = f"<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>{records[0]}</DNSName>"
        inside = f"{target}<EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>"
        return f"<ResourceRecordSet><Name>{written(name)}</Name><Type>{kind[6:]}</Type>{inside}</ResourceRecordSet>"
    values = "".join(f"<ResourceRecord><Value>{escape(one)}</Value></ResourceRecord>" for one in records)
    return f"<ResourceRecordSet>{head}<TTL>{ttl}</TTL><ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"


def batch(body: bytes) -> list[tuple[str, str, str, int, list[str]]]:
    """Read a ChangeResourceRecordSetsRequest by its schema: action, name, type, TTL, records. Raises ValueError."""
    root = ET.fromstring(body)  # noqa: S314  from the program under test
    mark = f"{{{SPACE}}}"
    if root.tag != f"{mark}ChangeResourceRecordSetsRequest" or [one.tag for one in root] != [f"{mark}ChangeBatch"]:
        raise ValueError("the root")
    changes = []
    for change in root.findall("{*}ChangeBatch/{*}Changes/*"):
        tags = [one.tag.removeprefix(mark) for one in change]
        inner = change[1]
        if tags != ["Action", "ResourceRecordSet"] or [one.tag.removeprefix(mark) for one in inner] != [
            "Name", "Type", "TTL", "ResourceRecords",
        ]:  # fmt: skip
            raise ValueError(f"a change: {tags}")
        values = [str(one.text) for one in inner.findall("{*}ResourceRecords/{*}ResourceRecord/{*}Value")]
        changes.append((str(change[0].text), str(inner[0].text), str(inner[1].text), int(str(inner[2].text)), values))
    if not 1 <= len(changes) <= 1000 or not all(values for *_, values in changes):
        raise ValueError("nothing to change")
    return changes
