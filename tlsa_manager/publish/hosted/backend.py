"""The promises of `Backend`, kept once for all providers, over the few verbs that a provider's file has.

The order of things: read, compare, write, read again. Most providers cannot compare and write in one step, so it is compared just
before; those that can are given what was read (`Standing.version`) and raise Conflict.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from tlsa_manager import clock, web
from tlsa_manager.errors import BadInput, PublishError, PublishTemporary
from tlsa_manager.publish import Ticket, inside
from tlsa_manager.publish.hosted import Edit, LateProvider, StagedProvider
from tlsa_manager.publish.hosted.api import UnclearError
from tlsa_manager.snapshot import Held
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlsa_manager.publish import Change, Text
    from tlsa_manager.publish.hosted import Kind, Provider, Standing, Zone

LONGEST_TTL = 2**31 - 1  # seconds (RFC 2181 §8)
SETTLES = 60.0  # seconds that a proof is waited for until it is on all servers of the provider
_LOOK_AGAIN = 2.0
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+")


@dataclass(frozen=True, slots=True)
class Hosted:
    """A backend of this kind: `[dns.NAME]`. `zone`: the only one that it may change, absolute, or empty."""

    name: str
    provider: Provider
    zone: str = ""
    zones: dict[str, Zone] = field(default_factory=dict, repr=False, compare=False)  # found before, by name looked for

    @property
    def late(self) -> bool:
        """Whether changes come into force later at this provider."""
        return isinstance(self.provider, LateProvider)

    def read(self, target: str) -> Held:
        """Ask the provider."""
        try:
            name = self._name(target)
            standing = self._standing(self._zone(name), name, "TLSA")
        except PublishError as error:
            return Held(target, None, reason=error.message, failed=True)
        return Held(target, _records(standing), standing.ttl)

    def change(self, change: Change) -> Ticket:
        """Read, compare, write, read again."""
        name = self._name(change.target)
        zone = self._zone(name, change.zone)
        before = self._standing(zone, name, "TLSA")
        if change.stands_in(_records(before)):
            number = self._found(zone, name, "TLSA", before)
            return Ticket("done", f"{change.target} is so already at {self.provider.title}", number)
        change.compare(_records(before))
        edit = _edit(Edit(zone, name, "TLSA", before, (), (), change.ttl), map(str, change.add), map(str, change.remove))
        number = self._write(edit, lambda now: change.stands_in(_records(now)))
        return Ticket("done", f"{change.target} changed at {self.provider.title} in zone {zone.name}", number)

    def text(self, text: Text) -> Ticket:
        """Read, write, read again; wait a while until a proof is on all servers of the provider: authorities ask any of them."""
        name = self._name(text.target)
        zone = self._zone(name, text.zone)
        before = self._standing(zone, name, "TXT", to_add=text.present)
        add, gone = ((text.value,), ()) if text.present else ((), (text.value,))
        edit = _edit(Edit(zone, name, "TXT", before, (), (), text.ttl), add, gone)
        if text.fits(before.values):
            number, done = self._found(zone, name, "TXT", before), "already so at"
        else:
            number = self._write(edit, lambda now: text.fits(now.values))
            done = "added at" if text.present else "removed from"
        if number and text.present and self._awaited(number):
            self._make_sure(edit, lambda now: text.fits(now.values))
        return Ticket("done", f"TXT record {done} {text.target} at {self.provider.title}")

    def settled(self, ticket: str) -> bool:
        """Whether a change is in force on all servers of the provider. Raises PublishError."""
        if not isinstance(self.provider, LateProvider):
            return True
        with self._understood():
            return self.provider.settled(ticket)

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Take an answer in which something is missing for what it is: no answer. Raises UnclearError."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            message = f"{self.provider.title} gave an answer that is not what its documents say ({type(error).__name__})"
            raise UnclearError(message, "tried again by itself; if it stays so, its API has changed: report it") from None

    def _name(self, target: str) -> str:
        """Return the name as providers are asked for it. Raises PublishError for one that an API might take for another."""
        name = target.lower()
        if _NAME.fullmatch(name) is None or len(name) > 254:
            raise PublishError(
                f"{target[:80]} has characters that no mail host's name has, so {self.provider.title} is not asked to change it",
                "correct the services of the lineage, or the alias that leads there",
            )
        if self.zone and not inside(name, self.zone):
            raise PublishError(
                f"{target} is not inside zone {self.zone}, which is all that backend {self.name} updates",
                f"give the lineage another backend, or correct dns.{self.name}.zone",
            )
        return name

    def _zone(self, name: str, seen: str = "") -> Zone:
        """Find the zone. `seen`: the one that the name lies in for the world, or empty: what is elsewhere is seen by nobody."""
        with self._understood():
            zone = self.zones.get(name) or self.provider.zone_of(name)
        if zone is None:
            raise PublishError(
                f"{self.provider.title} has no zone of this account that {name} lies in",
                f"is it the right account, and may it see the zone? Otherwise give the lineage another backend than {self.name}",
            )
        if seen and zone.name != seen.lower():
            raise PublishError(
                f"{name} lies in zone {seen} for the world, but at {self.provider.title} in zone {zone.name}: "
                "what is written there would be seen by nobody",
                f"give the lineage the backend that changes {seen}; or remove the zone that is not delegated",
            )
        self.zones[name] = zone
        return zone

    def _standing(self, zone: Zone, name: str, kind: Kind, *, to_add: bool = True) -> Standing:
        """Read one RRset. Raises PublishError at an alias, where records would be ignored (RFC 1034 §3.6.2)."""
        try:
            with self._understood():
                standing = self.provider.standing(zone, name, kind)
                if not 0 <= standing.ttl <= LONGEST_TTL:
                    raise ValueError(standing.ttl)
        except BadInput as error:
            message = f"{self.provider.title} has a record at {name} that cannot be read, so nothing was written: {error.message}"
            raise PublishError(message, "correct or remove that record there") from None
        if standing.alias and to_add:
            leads = web.printable(standing.alias, 200)
            raise PublishError(
                f"{name} is an alias (it leads to {leads}) at {self.provider.title}: records beside it are ignored",
                "remove the alias, or let the name servers that the world asks show it: then the records go where it leads",
            )
        return standing

    def _write(self, edit: Edit, fits: Callable[[Standing], bool]) -> str:
        """Write, and look whether it is so, whatever was answered. What comes into force later is shown later, too."""
        try:
            with self._understood():
                number = self.provider.write(edit)
        except UnclearError:
            now = self._standing(edit.zone, edit.name, edit.kind)
            if not fits(now):
                raise
            return self._found(edit.zone, edit.name, edit.kind, now)
        if not number:
            self._make_sure(edit, fits)
        self._serve(edit.zone)
        return number

    def _make_sure(self, edit: Edit, fits: Callable[[Standing], bool]) -> None:
        """Read again. Raises PublishTemporary where it is not so."""
        if not fits(self._standing(edit.zone, edit.name, edit.kind)):
            raise PublishTemporary(
                f"{self.provider.title} said yes, but the {edit.kind} records of {edit.name} are not as they should be",
                "looked at again by itself; if it stays so, look whether another program manages the same records",
            )

    def _found(self, zone: Zone, name: str, kind: Kind, standing: Standing) -> str:
        """See to it that what stands comes into force: who wrote it may have died before. Return the number to ask by, or ""."""
        self._serve(zone)
        if not isinstance(self.provider, LateProvider):
            return ""
        with self._understood():
            return self.provider.again(zone, name, kind, standing)

    def _serve(self, zone: Zone) -> None:
        """Have what stands served."""
        if isinstance(self.provider, StagedProvider):
            with self._understood():
                self.provider.serve(zone)

    def _awaited(self, number: str) -> bool:
        """Wait until a change is in force; what takes longer is seen by whoever asks the name servers. Return whether it is."""
        end = clock.monotonic() + SETTLES
        while not self.settled(number):
            if clock.monotonic() >= end:
                return False
            clock.sleep(_LOOK_AGAIN)
        return True


def _edit(edit: Edit, add: Iterable[str], gone: Iterable[str]) -> Edit:
    """Plan the write: only what is not so already; a set that stands keeps its TTL (RFC 2181 §5.2)."""
    before, leaving = edit.before, frozenset(gone)
    new = tuple(sorted(value for value in add if value not in before.values))
    old = tuple(record for record in before.records if record.value in leaving)
    return replace(edit, add=new, remove=old, ttl=before.ttl if before.records else max(edit.ttl, edit.zone.least_ttl))


def _records(standing: Standing) -> frozenset[Tlsa]:
    return frozenset(Tlsa.parse(value) for value in standing.values)
