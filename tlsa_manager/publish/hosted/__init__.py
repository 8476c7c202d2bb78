"""Zones at providers with an API: what each provider's file has, and how records are spelled between it and us.

Such a file knows how its provider finds a zone, reads one RRset and writes one, and what its refusals mean; nothing else. The
promises of `Backend` are kept once for all in `backend`, one conversation over HTTP in `api`.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from tlsa_manager.option import Option, patience
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["TLSA", "TXT"]
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\([0-9]{3}|.)")


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of the account. `name`: absolute; `id`: the provider's own; `least_ttl`: seconds, the least for new sets."""

    name: str
    id: str = ""
    least_ttl: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands. `value`: in our spelling (`value_of`); `raw`: the provider's own form, for its file alone."""

    value: str
    raw: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """One RRset as it stands. `ttl`: seconds; `alias`: where a CNAME at the name leads; `version`: what a write compares with."""

    records: tuple[Record, ...] = ()
    ttl: int = 0
    alias: str = ""
    version: Any = field(default=None, compare=False, repr=False)

    @property
    def values(self) -> frozenset[str]:
        """The records in our spelling."""
        return frozenset(record.value for record in self.records)


@dataclass(frozen=True, slots=True)
class Edit:
    """One write. `add`: values in our spelling; `remove`: of what stands; one of both is empty. `ttl`: of the set afterwards.

    A provider that takes whole sets is given `kept` and `add` together; one that takes single records, each for itself.
    """

    zone: Zone
    name: str
    kind: Kind
    before: Standing
    add: tuple[str, ...]
    remove: tuple[Record, ...]
    ttl: int

    @property
    def kept(self) -> tuple[Record, ...]:
        """What stays, foreign records too: it goes back as the provider spelled it."""
        return tuple(record for record in self.before.records if record not in self.remove)

    @property
    def label(self) -> str:
        """The name relative to the zone; empty at its apex."""
        return relative(self.name, self.zone.name)


class Provider(Protocol):
    """What a provider's file has. Names are absolute, in lower case, of letters, digits, hyphens and underscores only."""

    @property
    def title(self) -> str:
        """What people call it."""

    def zone_of(self, name: str) -> Zone | None:
        """Return the zone of the account that the name lies in, the longest one; None if there is none. Raises PublishError."""

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """Read one RRset as the provider has it, and whether the name is an alias. Raises PublishError, BadInput."""

    def write(self, edit: Edit) -> str:
        """Make the change; never by deleting what stays. Return the provider's number for it if it comes into force later, or "".

        Adding what is there already and removing what is gone are no errors. Raises Conflict where it can tell that the set is
        not the one that was read; UnclearError where it may have been done; PublishError.
        """


@runtime_checkable
class LateProvider(Provider, Protocol):
    """A provider whose changes are numbered and come into force later."""

    def settled(self, ticket: str) -> bool:
        """Whether the change of that number is over: in force on all of its servers, or given up. Raises PublishError."""

    def again(self, zone: Zone, name: str, kind: Kind, standing: Standing) -> str:
        """Return a number by which to ask whether what stands is in force: that of the change that made it is not known any more.

        Empty where nothing stands that could come into force. Changes nothing of what stands. Raises Conflict, PublishError.
        """


@runtime_checkable
class StagedProvider(Provider, Protocol):
    """A provider that keeps changes to itself until it is told to serve them, but shows them when it is read."""

    def serve(self, zone: Zone) -> None:
        """Have the zone served as it stands. Doing it twice does no harm. Raises PublishError."""


def hosted_options(title: str, api: str) -> tuple[Option, ...]:
    """Return the options that every backend of this kind has, beside those that say who we are. `api`: its usual URL."""
    return (
        Option("zone", "str", f"the only zone to change; found by asking {title} when left out", example="example.org"),
        Option("api", "str", "where the API is", default=api),
        patience("how long to wait for each answer", "15s"),
    )


def value_of(kind: Kind, text: str) -> str:
    """Return a record in our spelling, from its presentation form: `3 1 1 <lower case>`; of TXT what it says. Raises BadInput."""
    if kind == "TLSA":
        return str(Tlsa.parse(text))
    strings = _STRING.findall(text)
    whole = "".join(strings) if strings else text
    return _ESCAPED.sub(lambda one: chr(int(one[1]) & 0xFF) if len(one[1]) == 3 else str(one[1]), whole)


def text_of(kind: Kind, value: str) -> str:
    """Return the presentation form of a value that we write: TLSA as it is, TXT in quotes (RFC 1035 §5.1)."""
    return value if kind == "TLSA" else f'"{value}"'


def relative(name: str, zone: str) -> str:
    """Return a name without its zone; empty at the apex. Both absolute and in lower case."""
    return name.removesuffix(zone).rstrip(".")


def parents(name: str, only: str = "") -> Iterator[str]:
    """Yield the names whose zone a name may lie in, the longest first. `only`: the zone that is configured, or empty."""
    if only:
        yield only
        return
    labels = name.rstrip(".").split(".")
    for number, label in enumerate(labels[:-1]):
        if not label.startswith("_"):
            yield ".".join(labels[number:]) + "."


def zone_option(text: str) -> str:
    """Return the `zone` option of a section as it is compared: absolute, in lower case; empty when not given."""
    return f"{text.lower().rstrip('.')}." if text else ""
