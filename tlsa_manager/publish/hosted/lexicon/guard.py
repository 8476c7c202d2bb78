"""The guard before dns-lexicon: what is asked of it, and what its answers are taken for."""

from __future__ import annotations

from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Any

from tlsa_manager import clock
from tlsa_manager.errors import PublishError, PublishTemporary
from tlsa_manager.publish import inside
from tlsa_manager.publish.hosted import Zone
from tlsa_manager.publish.hosted.api import UnclearError
from tlsa_manager.publish.hosted.lexicon.pipe import Pipe
from tlsa_manager.publish.hosted.singles import Single, standing_of
from tlsa_manager.value import dataclass
from tlsa_manager.web import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlsa_manager.publish.hosted import Edit, Kind, Standing

_LATER = "tried again by itself; if it stays so, look at the provider's status page"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One zone at one provider."""

    guard: Guard
    only: str
    least_ttl: int

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.guard.provider} (through dns-lexicon)"

    def zone_of(self, name: str) -> Zone | None:
        """Return the zone that is configured: dns-lexicon would guess it from a list of public suffixes."""
        return Zone(self.only, self.only.rstrip("."), self.least_ttl) if inside(name, self.only) else None

    def standing(self, zone: Zone, name: str, kind: Kind) -> Standing:
        """List the records of one name."""
        return standing_of(self._records(self.guard.ask({"zone": zone.id, "name": name, "kind": kind})), name, kind)

    def write(self, edit: Edit) -> str:
        """Create or delete single records, and see that those of others are still there."""
        records = self._records(self.guard.ask({
            "zone": edit.zone.id, "name": edit.name, "kind": edit.kind, "ttl": edit.ttl,
            "add": list(edit.add), "remove": [one.raw for one in edit.remove],
        }))  # fmt: skip
        left = standing_of(records, edit.name, edit.kind).values
        if lost := sorted({one.value for one in edit.kept} - left):
            message = f"{self.title} has removed records of {edit.name} that were to stay: {'; '.join(lost)[:200]}"
            raise PublishError(message, "put them back by hand, use another backend, and report it")
        return ""

    def _records(self, answer: list[Mapping[str, Any]]) -> Iterable[Single]:
        for one in answer:
            name = f"{one['name'].rstrip('.')}."
            yield Single(name, one["type"], one["content"], int(one.get("ttl") or 0), one["content"])


@dataclass(frozen=True, slots=True)
class Guard:
    """What is handed to dns-lexicon for one account, and how its failures are told.

    `secret`: the options that no message may hold; `timeout`: seconds.
    """

    provider: str
    options: Mapping[str, str] = field(repr=False)
    secret: tuple[str, ...]
    timeout: float
    pauses: dict[str, float] = field(default_factory=dict, repr=False, compare=False)  # until when it wants not to be asked

    def ask(self, what: Mapping[str, object]) -> list[Mapping[str, Any]]:
        """Have it done; returns the records that stand then. Raises PublishError."""
        if clock.now() < self.pauses.get("until", 0.0):
            raise PublishTemporary(f"{self.provider} wants to be asked later", _LATER, self.pauses["until"])
        answer = pipe().ask({"provider": self.provider, "options": dict(self.options), **what}, self.timeout)
        if answer is None:
            message = f"{self.provider}: dns-lexicon did not answer within {self.timeout:g} s, or ended"
            raise UnclearError(message, f"{_LATER}; if it only needs longer, raise timeout")
        if "error" in answer:
            raise self._error(answer["error"])
        return list(answer["records"])

    def _error(self, error: Mapping[str, Any]) -> PublishError:
        """Return what an error means. `what`: of `worker.told`; `wrote`: whether something may have been changed before it."""
        what, said = error["what"], self._clean(str(error["said"]))
        until = float(error.get("until") or 0.0)
        name, tail = f"{self.provider} (through dns-lexicon)", "" if error["wrote"] else "; nothing was changed"
        if what == "later":
            self.pauses["until"] = until
            return PublishTemporary(f"{name} wants to be asked later: {said}", _LATER, until)
        if what == "shut":
            hint = "are the provider's options right, and may they change this zone? docs/backends/lexicon.md"
            return PublishError(f"{name} does not let us in: {said}{tail}", hint)
        if what == "refused":
            return PublishError(f"{name} refused it: {said}{tail}", "its own words say what it wants")
        if what == "unreached":
            return PublishTemporary(f"{name} cannot be reached: {said}", f"is the network up? {_LATER}")
        return UnclearError(f"{name} failed: {said}", _LATER)

    def _clean(self, text: str) -> str:
        for secret in sorted((self.options[one] for one in self.secret), key=len, reverse=True):
            text = text.replace(secret, "***")
        return printable(text, 300)


@cache
def pipe() -> Pipe:
    """Return the one process in which dns-lexicon works, for all accounts; it is started when it is first asked."""
    return Pipe()
