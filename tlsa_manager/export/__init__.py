"""Export: the TLSA records of names as texts for those who keep DNS in git. Values in, text out; nothing is asked or written.

    zone.py        lines of a zone file (RFC 1035 §5.1)
    nsupdate.py    a script for nsupdate(1)
    octodns.py     a zone of octoDNS, YAML
    dnscontrol.py  D_EXTEND of DNSControl, JavaScript
    terraform.py   locals for Terraform and OpenTofu, JSON

What a text has is the whole RRset of each name: most of these tools put it in the place of what stands there. The same values
give the same text, so that git sees a change only where there is one. What else changes DNS is in `publish/`; these texts are
applied by other hands than ours.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tlsa_manager.errors import BadInput
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tlsa_manager.tlsa import RRset

FORMATS = ("zone", "nsupdate", "octodns", "dnscontrol", "terraform")
HEAD = "Made by: tlsa-manager records export. What is written here by hand is lost with the next export."
_ABSOLUTE = re.compile(r"[!-~]*\.")  # in presentation form: blanks and what else is not printable are escaped
_PLAIN = re.compile(r"(?:\*\.)?[A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """What shall stand at one name. `name`, `zone`: absolute; `zone` empty where it is not known. `ttl`: seconds.

    `own`: those of the records that this program publishes; `gone`: what it has asked to be removed, or has removed.
    `owners`: the TLSA owner names of services that lead here; the name itself where there is no alias.
    """

    name: str
    zone: str
    ttl: int
    records: RRset
    own: RRset = frozenset()
    gone: RRset = frozenset()
    owners: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that could end a line."""
        for one in (self.name, *self.owners, *((self.zone,) if self.zone else ())):
            if _ABSOLUTE.fullmatch(one) is None:
                raise ValueError(f"{one!r} is not an absolute name in presentation form")

    @property
    def label(self) -> str:
        """The name within its zone; empty at the top of the zone. Raises BadInput where the zone is not known or another."""
        if not self.zone:
            raise BadInput(
                f"it is not known in which zone {self.name} lies, and this format needs it",
                "have DNS looked at (without --no-look), or name it with --zone",
            )
        if self.name.lower() == self.zone.lower():
            return ""
        if not within(self.name, self.zone):
            raise BadInput(f"{self.name} does not lie in the zone {self.zone}", f"name the zone that {self.name} lies in")
        return self.name[: -len(self.zone)].rstrip(".") if self.zone != "." else self.name[:-1]

    @property
    def aliases(self) -> tuple[str, ...]:
        """The owners that lead here by aliases."""
        return tuple(one for one in self.owners if one.lower() != self.name.lower())


def render(form: str, sets: Collection[RecordSet]) -> str:
    """Return the text in one of FORMATS, with a line break at its end. Raises BadInput where the format cannot express it."""
    function = cast("Callable[[tuple[RecordSet, ...]], str]", import_module(f"tlsa_manager.export.{form}").render)
    return function(tuple(sorted(sets, key=lambda one: (one.zone, one.name))))


def within(name: str, zone: str) -> bool:
    """Whether an absolute name lies in a zone, or is its top."""
    return zone == "." or name.lower() == zone.lower() or name.lower().endswith(f".{zone.lower()}")


def plain(one: RecordSet, tool: str) -> RecordSet:
    """Return it, if a tool with rules of its own for zones and special characters cannot misread its names. Raises BadInput."""
    for name in (one.label, one.zone):
        if _PLAIN.fullmatch(name) is None:
            raise BadInput(
                f"{one.name} has characters that {tool} may read as something else, so nothing is exported",
                "use --format zone or nsupdate, or give the records a name of letters, digits, - and _",
            )
    return one
