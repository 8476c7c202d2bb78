"""The XML of Route 53: what is sent and what is understood (https://docs.aws.amazon.com/Route53/latest/APIReference/Welcome.html).

An answer is read without document type: there are no entities to be resolved or to grow. Its length is bounded by `web.LARGEST`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element as Node

SPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_IN = {"": SPACE}
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One set as Route 53 has it. `name`: without its escapes, in lower case; `values`: in its own spelling.

    `alias`: what an alias record points at; `policy`: the identifier that a routing policy gives it, empty for a plain one.
    """

    name: str
    type: str
    ttl: int = 0
    values: tuple[str, ...] = ()
    alias: str = ""
    policy: str = ""


def parse(body: bytes) -> Node:
    """Return the document. Raises ValueError."""
    text = body.decode("utf-8")
    if "<!DOCTYPE" in text:
        raise ValueError("a document type, which no answer of Route 53 has")
    try:
        return ET.fromstring(text)  # noqa: S314  no document type, so no entities: nothing that could be harmful
    except ET.ParseError as error:
        raise ValueError("not XML") from error


def said(element: Node, path: str, otherwise: str | None = None) -> str:
    """Return the text at a path, such as `ChangeInfo/Id`. Raises LookupError where there is none, unless it may be missing."""
    found = element.findtext(path, otherwise, _IN)
    if found is None:
        raise LookupError(path)
    return found


def elements(element: Node, path: str) -> list[Node]:
    """Return the elements at a path. Raises LookupError where the list itself is missing: that is not an empty one."""
    if element.find(path.partition("/")[0], _IN) is None:
        raise LookupError(path)
    return element.findall(path, _IN)


def record_set(element: Node) -> RecordSet:
    """Read one ResourceRecordSet."""
    return RecordSet(
        plain(said(element, "Name")),
        said(element, "Type"),
        int(said(element, "TTL", "0")),
        tuple(one.text or "" for one in element.findall("ResourceRecords/ResourceRecord/Value", _IN)),
        said(element, "AliasTarget/DNSName", ""),
        said(element, "SetIdentifier", ""),
    )


def plain(name: str) -> str:
    r"""Return a name as everybody else writes it: Route 53 writes what is no letter, digit, hyphen as octal, `\052` for `*`."""
    return _OCTAL.sub(lambda one: chr(int(one[1], 8)), name).lower()


def decimal(text: str) -> str:
    r"""Return a TXT value with its octal escapes as DNS has them: decimal (RFC 1035 §5.1)."""
    return _OCTAL.sub(lambda one: f"\\{int(one[1], 8):03d}", text)


def batch(changes: Iterable[tuple[str, RecordSet]]) -> bytes:
    """Return a ChangeResourceRecordSetsRequest: pairs of CREATE or DELETE and a set. All of it is done, or nothing."""
    request = ET.Element("ChangeResourceRecordSetsRequest", xmlns=SPACE)
    whole = ET.SubElement(ET.SubElement(request, "ChangeBatch"), "Changes")
    for action, one in changes:
        change = ET.SubElement(whole, "Change")
        ET.SubElement(change, "Action").text = action
        record_set = ET.SubElement(change, "ResourceRecordSet")
        for name, text in (("Name", one.name), ("Type", one.type), ("TTL", str(one.ttl))):
            ET.SubElement(record_set, name).text = text
        records = ET.SubElement(record_set, "ResourceRecords")
        for value in one.values:
            ET.SubElement(ET.SubElement(records, "ResourceRecord"), "Value").text = value
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(request)


def refusal(body: bytes) -> tuple[str, str]:
    """Return code and words of a refusal, empty where it has none.

    An InvalidChangeBatch comes in a form of its own, or in that of all others: ErrorResponse/Error with Code and Message.
    """
    try:
        root = parse(body)
    except ValueError:
        return "", ""
    code = said(root, "Error/Code", "")
    if not code and root.tag == f"{{{SPACE}}}InvalidChangeBatch":
        code = "InvalidChangeBatch"
    messages = [*root.findall("Error/Message", _IN), *root.findall("Messages/Message", _IN)]
    return code, "; ".join(one.text or "" for one in messages)
