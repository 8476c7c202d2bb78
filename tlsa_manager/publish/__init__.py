"""Publish: the ways to change DNS. One protocol, one table, one small file a backend.

A rollover adds a record, waits, and removes another one hours later; no step exchanges a value in place. So a change is
either an addition or a removal of single records, never both, and never of a whole RRset: what others published at the
same name stays. A backend without atomic updates is safe by that construction, not by its own care.

A backend reads alone: it declares its options as data (`OPTIONS`) and is made by `build(name, settings)`. Somebody else's
package plugs in by an entry point of the group `tlsa_manager.backends` that names a module with these two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

from tlsa_manager.errors import Conflict
from tlsa_manager.option import settle
from tlsa_manager.plugin import Kinds
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tlsa_manager.option import Option, Settings
    from tlsa_manager.snapshot import Held
    from tlsa_manager.tlsa import RRset

ENTRY_POINTS = "tlsa_manager.backends"
KINDS = {
    "rfc2136": "tlsa_manager.publish.rfc2136",
    "powerdns": "tlsa_manager.publish.hosted.powerdns",
    "desec": "tlsa_manager.publish.hosted.desec",
    "route53": "tlsa_manager.publish.hosted.route53",
    "google": "tlsa_manager.publish.hosted.google",
    "azure": "tlsa_manager.publish.hosted.azure",
    "cloudflare": "tlsa_manager.publish.hosted.cloudflare",
    "gandi": "tlsa_manager.publish.hosted.gandi",
    "hetzner": "tlsa_manager.publish.hosted.hetzner",
    "inwx": "tlsa_manager.publish.hosted.inwx",
    "lexicon": "tlsa_manager.publish.hosted.lexicon",
    "netcup": "tlsa_manager.publish.hosted.netcup",
    "ovh": "tlsa_manager.publish.hosted.ovh",
    "transip": "tlsa_manager.publish.hosted.transip",
    "zonefile": "tlsa_manager.publish.zonefile",
    "exec": "tlsa_manager.publish.exec",
    "manual": "tlsa_manager.publish.manual",
}
_VALUE = re.compile(r"[A-Za-z0-9_-]{1,255}")  # base64url (RFC 8555 §8.4): nothing in it needs quoting anywhere
_ABSOLUTE = re.compile(r"[!-~]+\.")  # in presentation form: blanks and what else is not printable are escaped


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be different at one name. Exactly one of `add` and `remove` is not empty.

    `target`: the owner after aliases, absolute. `zone`: the zone it lies in as seen from outside, or empty.
    `expect`: the exact RRset the change was planned from; None = do not compare.
    `ttl` (seconds) is for a set that does not exist yet. A set that exists keeps its TTL, because one record added with
    another TTL changes it for all of them, foreign ones too (RFC 2181 §5.2).
    """

    target: str
    zone: str
    add: RRset
    remove: RRset
    expect: RRset | None
    ttl: int

    def __post_init__(self) -> None:
        """Refuse what no backend may be asked to do."""
        if bool(self.add) == bool(self.remove):
            raise ValueError("a change either adds records or removes records")
        if not self.target.endswith("."):
            raise ValueError(f"the target {self.target!r} is not an absolute name")

    def stands_in(self, records: RRset) -> bool:
        """Whether `records` are already as the change wants them."""
        return self.add <= records and not self.remove & records

    def compare(self, records: RRset) -> None:
        """Raise Conflict unless the change was planned from exactly these records."""
        if self.expect is not None and self.expect != records:
            raise conflict(self.target)


@dataclass(frozen=True, slots=True)
class Text:
    """One TXT record that shall stand at a name, or shall not; every other record of the name stays (RFC 8555 §8.4).

    `target`: absolute, after aliases; `zone`: as seen from outside, or empty; `ttl`: seconds, for a set that does not exist yet.
    """

    target: str
    zone: str
    value: str
    present: bool
    ttl: int = 60

    def __post_init__(self) -> None:
        """Refuse what no backend may be asked to write."""
        if _VALUE.fullmatch(self.value) is None:
            raise ValueError("the value of a proof is not base64url")
        if _ABSOLUTE.fullmatch(self.target) is None:
            raise ValueError(f"the target {self.target!r} is not an absolute name")

    def fits(self, values: Collection[str]) -> bool:
        """Whether the values that stand there are as wanted."""
        return (self.value in values) is self.present


@dataclass(frozen=True, slots=True)
class Ticket:
    """How a change went. `done`: it stands at the backend. `asked`: somebody else has to do it, `message` says what.

    `number`: of a change that the backend has taken and that comes into force on its servers later, by which `settled` is asked.
    """

    state: Literal["done", "asked"]
    message: str = ""
    number: str = ""


class Backend(Protocol):
    """A way to change DNS. Two verbs over the TLSA records of one name, and one over its TXT records."""

    @property
    def name(self) -> str:
        """The section of the configuration: `ns1` of `[dns.ns1]`."""

    def read(self, target: str) -> Held:
        """Say what stands at `target`, as the backend itself knows it, not as a cache has it.

        An empty set means that the backend says there is none; `records` None that it cannot tell, with the reason.
        Never raises for remote faults. Changes nothing.
        """

    def change(self, change: Change) -> Ticket:
        """Add records, or remove records, at one name; then look whether they are there, or gone.

        Adding what stands and removing what is gone is done. Every other record of the name stays, with its TTL.
        With `expect` nothing is written unless the set is still exactly that; rfc2136 has the server compare and write in
        one step, the others compare just before. All records of one change are written together where the way allows it
        (rfc2136: always); otherwise some may stand when an error is raised, and the same change may simply be asked again.
        Nothing is written where the name is an alias: records beside a CNAME are ignored (RFC 2136 §3.4.2.2).

        Raises PublishTemporary (try again, it may or may not have been written), Conflict (plan again, nothing was
        written), PublishError (somebody has to do something first; the hint says what).
        """

    def text(self, text: Text) -> Ticket:
        """Add or remove one TXT record, which proves to a certificate authority that a name is ours; then look whether it is so.

        Adding what stands and removing what is gone is done. Every other record of the name stays, with its TTL. Nothing is
        written where the name is an alias. Raises as `change` does; a backend that cannot do it raises PublishError, whose hint
        names the other way to prove a name (http-01).
        """


@runtime_checkable
class LateBackend(Backend, Protocol):
    """A backend whose changes may come into force later on servers that cannot all be asked from here (anycast)."""

    @property
    def late(self) -> bool:
        """Whether they do. Then a ticket that says "done" has a number, also of what was found standing already.

        Only where nothing stands afterwards it may have none: then there is nothing that could come into force later.
        """

    def settled(self, ticket: str) -> bool:
        """Whether the change of that number is in force on all of its servers, or given up and never will be.

        Raises PublishError where it cannot be told.
        """


@runtime_checkable
class LocalBackend(Backend, Protocol):
    """A backend that works on this host, with files and programs that may not be there."""

    def problems(self) -> tuple[str, ...]:
        """Return what has to be put right on this host, one sentence each with its remedy. Changes nothing."""


class _Module(Protocol):
    """What a module of a backend offers.

    And, if it likes, `SERVERS`: how the names of its name servers end (`.desec.io.`), by which `config init` recognises whose a
    zone is; and `WARNING`: what everybody has to know who uses it.
    """

    OPTIONS: tuple[Option, ...]

    def build(self, name: str, settings: Settings) -> Backend:
        """Make the backend. Raises ConfigError where the options cannot be obeyed. No network."""


def open_backend(name: str, kind: str, options: Mapping[str, object]) -> Backend:
    """Make the backend of section `[dns.NAME]` from its options (without `backend = KIND`). Raises ConfigError."""
    module = _kind(f"dns.{name}", kind)
    return module.build(name, settle(f"dns.{name}", module.OPTIONS, options))


def options_of(kind: str) -> tuple[Option, ...]:
    """Return what the kind of backend declares. Raises ConfigError when there is no such kind."""
    return _kind("dns", kind).OPTIONS


def warning_of(kind: str) -> str:
    """Return what everybody has to know who uses this kind of backend; mostly nothing. Raises ConfigError."""
    return str(getattr(_kind("dns", kind), "WARNING", ""))


def inside(name: str, zone: str) -> bool:
    """Whether a name is a zone's own or lies below it, both absolute, in whatever case."""
    return f".{name}".lower().endswith(f".{zone.lstrip('.')}".lower())


def conflict(target: str, kind: str = "TLSA") -> Conflict:
    """Return the error for a set that is not what the change was planned from."""
    return Conflict(
        f"the {kind} records of {target} changed between reading and writing, so nothing was written",
        "the next run looks again and plans again; if it happens every time, another program manages the same records",
    )


def _kind(section: str, kind: str) -> _Module:
    return cast("_Module", Kinds("backend", "backend", ENTRY_POINTS, KINDS).module(section, kind))
