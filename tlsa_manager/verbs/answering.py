"""Whether each DNS backend lets us in and knows the names of its lineages: it is asked for them, and nothing is changed.

What stands in stable for months asks a backend for nothing that it does not need: a credential that was taken back would be
noticed when the next certificate waits for it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tlsa_manager.errors import BadInput, ConfigError, StateError
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.config import Config
    from tlsa_manager.hands import HouseHands
    from tlsa_manager.lineage import Lineage
    from tlsa_manager.snapshot import Held


@dataclass(frozen=True, slots=True)
class Answered:
    """What one backend says of one name. `records`: how many TLSA records stand there, None where it does not tell, for `reason`.

    `failed`: it could not be asked, or has no such name; a backend that cannot tell by its nature (`manual`) has not failed.
    """

    backend: str
    kind: str
    target: str
    records: int | None
    reason: str = ""
    failed: bool = False

    def __str__(self) -> str:
        """One sentence; of what failed, what it means and where to look."""
        where = f"dns.{self.backend}"
        if self.records is not None:
            count = "no TLSA record" if not self.records else f"{self.records} TLSA record{'s' if self.records > 1 else ''}"
            return f"{where}: answers for {self.target}: {count}"
        if not self.failed:
            return f"{where}: cannot be asked for {self.target}: {self.reason}"
        return f"{where}: cannot be asked for {self.target}, so no record could be published there: {self.reason}; {self._page()}"

    def _page(self) -> str:
        return f"docs/backends has what these words mean (backend {self.kind})"


def answers(config: Config) -> Iterator[Answered]:
    """Ask each backend for the TLSA records at each name of its lineages. One that cannot be made of its options is not.

    Names are those where aliases lead: as the journal knows them, or, where a backend says no and nobody has looked yet, as the
    name servers say.
    """
    from tlsa_manager.hands import HouseHands
    from tlsa_manager.store import Store

    hands = HouseHands(config, Store(config.directory), lambda name, text: None)  # noqa: ARG005  what it would say is said here
    known = aliases(config)
    done: set[tuple[str, str]] = set()
    for lineage in config.lineages.values():
        if not lineage.dns or not _opens(hands, lineage.dns):
            continue
        for owner in lineage.owners:
            target = known.get((lineage.name, owner), owner)
            if (lineage.dns, target) not in done:
                done.add((lineage.dns, target))
                yield _asked(hands, lineage, target, config)


def aliases(config: Config) -> dict[tuple[str, str], str]:
    """Where owners lead, by lineage and owner, as the journal knows; nothing where there is none yet, or it cannot be read."""
    path = Path(config.state.removeprefix("sqlite:///"))
    if not path.exists():
        return {}
    from tlsa_manager.journal import Journal

    with suppress(StateError, OSError):
        journal = Journal(path)
        return {
            (name, owner): facts.target
            for name in config.lineages for owner, facts in journal.facts(name).owners.items()
        }  # fmt: skip
    return {}


def _asked(hands: HouseHands, lineage: Lineage, target: str, config: Config) -> Answered:
    held = hands.held(lineage, (target,))[target]
    if held.failed and (led := _led(config, target)) != target:
        held = hands.held(lineage, (led,))[led]
    return _answered(held, lineage.dns, config)


def _led(config: Config, owner: str) -> str:
    """Where the name servers say that a name leads; itself where that cannot be told."""
    from tlsa_manager.observe import DnsEyes

    try:
        eyes = DnsEyes(resolver=config.resolver, anchor=config.trust_anchor, port=config.authority_port)
    except (BadInput, ConfigError):
        return owner
    return eyes.owners((owner,))[owner].target


def _answered(held: Held, backend: str, config: Config) -> Answered:
    records = len(held.records) if held.records is not None else None
    return Answered(backend, config.dns[backend].kind, held.target, records, held.reason, held.failed)


def _opens(hands: HouseHands, backend: str) -> bool:
    """Whether the backend can be made; why not is one of the mistakes that `config check` tells anyway."""
    try:
        hands.backend(backend)
    except ConfigError:
        return False
    return True
