"""What an issuer needs beside an authority: a diary, a prover over the lab's primary server, wishes with keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tlsa_manager import keys
from tlsa_manager.issue import Wish
from tlsa_manager.order import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.hierarchy import DnsLab


def wish(*names: str, key: bytes = b"", identity: str = "key-1", replaces: bytes = b"") -> Wish:
    """A wish for these names, for this key or a new one."""
    return Wish(names, keys.request(key or keys.generate(), names), identity, replaces)


@dataclass
class Notes:
    """A diary in memory. `stop`: raise at this entry (`ordering`, `ordered`, `ended`), after it was written."""

    entries: list[tuple[str, Order | tuple[str, str]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    stop: str = ""

    def ordering(self, order: Order) -> None:
        """Note it."""
        self._note("ordering", order)

    def ordered(self, order: Order) -> None:
        """Note it."""
        self._note("ordered", order)

    def ended(self, url: str, reason: str) -> None:
        """Note it."""
        self._note("ended", (url, reason))

    def told(self, text: str) -> None:
        """Keep the sentence."""
        self.texts.append(text)

    @property
    def words(self) -> list[str]:
        """The kinds of entries, in order."""
        return [word for word, _ in self.entries]

    @property
    def former(self) -> Order | None:
        """The order that has not ended, as the journal would have it."""
        found: Order | None = None
        for word, what in self.entries:
            if isinstance(what, Order):
                found = what
            elif word == "ended" and found and (found.url,) == what[:1]:
                found = None
        return found

    def _note(self, word: str, what: Order | tuple[str, str]) -> None:
        self.entries.append((word, what))
        if word == self.stop:
            raise CrashError(word)


class CrashError(BaseException):
    """The process ends here."""


@dataclass
class LabProver:
    """Puts TXT records into the lab's primary server. `fail`: what to raise instead, by verb; `wrong`: shows other values."""

    lab: DnsLab
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rounds: list[dict[str, tuple[str, ...]]] = field(default_factory=list)
    fail: dict[str, BaseException] = field(default_factory=dict)
    taken: int = 0
    wrong: bool = False

    def show(self, records: Mapping[str, tuple[str, ...]]) -> None:
        """Add the records at the primary."""
        self.rounds.append(dict(records))
        self.shown |= records
        if "show" in self.fail:
            raise self.fail.pop("show")
        for name, values in records.items():
            for value in values:
                self.lab.update(f'update add {name} 1 TXT "{"wrong" if self.wrong else value}"')

    def take_away(self) -> None:
        """Remove what was shown."""
        self.taken += 1
        if "take_away" in self.fail:
            raise self.fail.pop("take_away")
        for name in self.shown:
            self.lab.update(f"update delete {name} TXT")
        self.shown = {}
