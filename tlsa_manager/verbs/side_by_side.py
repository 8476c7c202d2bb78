"""Many lineages in one run: those that share an owner in DNS one after another, the others side by side."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tlsa_manager import clock
from tlsa_manager.errors import Busy, TlsaManagerError
from tlsa_manager.rollover.scene import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tlsa_manager.journal import Journal
    from tlsa_manager.lineage import Lineage

WIDTH = 8  # families of lineages in one run
_REPORT = (
    "this is a mistake in the program, not in what you did; the next run looks again and goes on from what it finds."
    " Run it again with -v and report what it prints where you got tlsa-manager from"
)


def family(lineages: Mapping[str, Lineage], journal: Journal, name: str) -> str:
    """Return the first name among the lineages that, directly or not, share an owner with this one: they share a lease."""
    names = {one.name: names_of(one, journal.facts(one.name)) for one in lineages.values()}
    met, members = set(names[name]), {name}
    while more := {one for one, theirs in names.items() if met & theirs} - members:
        members |= more
        met = met.union(*(names[one] for one in more))
    return min(members)


def families(lineages: Mapping[str, Lineage], journal: Journal, names: Iterable[str]) -> dict[str, list[str]]:
    """Group lineages by the lease they share."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(family(lineages, journal, name), []).append(name)
    return found


def each(
    journal: Journal, act: Callable[[str, str], None], groups: Mapping[str, list[str]], *, patience: float = 0.0
) -> dict[str, TlsaManagerError]:
    """Do something to each lineage, holding the lease of its family. Returns what went wrong, by lineage; it stops no other.

    `patience`: for how many seconds somebody else may be at it before that is told.
    """

    def one(name: str, members: list[str]) -> dict[str, TlsaManagerError]:
        return _in_turn(journal, act, name, members, patience)

    if len(groups) <= 1:
        found = [one(name, members) for name, members in groups.items()]
    else:
        with ThreadPoolExecutor(WIDTH) as pool:
            found = list(pool.map(one, groups.keys(), groups.values()))
    return {name: error for each in found for name, error in each.items()}


@contextmanager
def _lease(journal: Journal, name: str, patience: float) -> Iterator[None]:
    """Hold a lease; wait a little for whoever has it. Raises Busy."""
    ends = clock.monotonic() + patience
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(journal.lease(name))
                break
            except Busy:
                if clock.monotonic() >= ends:
                    raise
                clock.sleep(0.2)
        yield


def _in_turn(
    journal: Journal, act: Callable[[str, str], None], lease: str, members: list[str], patience: float
) -> dict[str, TlsaManagerError]:
    errors: dict[str, TlsaManagerError] = {}
    try:
        with _lease(journal, lease, patience):
            for name in members:
                try:
                    act(lease, name)
                except Exception as error:  # noqa: BLE001  whatever it is, it is told, and stops nobody else
                    errors[name] = _as_ours(error)
    except Exception as error:  # noqa: BLE001  likewise
        errors = dict.fromkeys(members, _as_ours(error))
    return errors


def _as_ours(error: Exception) -> TlsaManagerError:
    """Turn what nobody expected into an error that can be told like any other; the log has where it came from."""
    if isinstance(error, TlsaManagerError):
        return error
    logging.getLogger("tlsa_manager").info("something unexpected happened", exc_info=error)
    return TlsaManagerError(f"something unexpected happened ({type(error).__name__}: {str(error)[:200]})", _REPORT)
