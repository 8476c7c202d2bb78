"""Causes that only this machine knows: why what is presented fits no record, as its own files and journal tell. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.rollover import law
from tlsa_manager.rollover.state import Phase
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from tlsa_manager.checks.case import Case
    from tlsa_manager.checks.meeting import Meeting
    from tlsa_manager.snapshot import FileView, OwnerView, Presentation
    from tlsa_manager.tlsa import RRset

EMPTY: RRset = frozenset()


def missing(case: Case, owner: str) -> RRset:
    """Return the records that the lineage's journal says are published at an owner, and that no name server has (or none at all).

    Only records that this program published or was told to adopt, whose removal was not begun, and that are still needed.
    """
    home, view = case.household, case.snapshot.owners.get(owner)
    if home is None or view is None or not view.complete:
        return EMPTY
    target = view.target or owner
    published = home.facts.sent[target].records if target in home.facts.sent else EMPTY
    known = published | home.facts.ours.get(target, EMPTY)
    leaving = home.facts.leaving.get(target, EMPTY)
    return (known & law.wanted(home.lineage, home.facts)) - leaving - served(view) - _awaited(case, target)


def served(view: OwnerView) -> RRset:
    """Return every record that some name server answers for an owner."""
    return frozenset[Tlsa]().union(*(one.records for one in view.answers if one.records))


def is_own_record_gone(meeting: Meeting, case: Case) -> bool:
    """Whether a record that fits what is presented here was published by us, and is gone from DNS."""
    gone = missing(case, meeting.verdict.owner)
    return bool(gone) and any(meeting.fits(one, gone) for one in meeting.unmatched())


def unread(case: Case) -> tuple[FileView, ...]:
    """Return the consumers' files whose certificate is presented nowhere, although no swap is going on.

    Only beside certificates of the same kind of key: a file may be one of two that a server presents in turn.
    """
    home = case.household
    if home is None or home.phase is Phase.SWAPPING:
        return ()
    shown = [
        one.chain
        for service in home.lineage.services
        for one in _presentations(case, str(service))
        if one.chain is not None and one.client in {"any", "rsa", "ecdsa"}
    ]
    return tuple(
        file
        for name, file in case.snapshot.files.items()
        if file.fingerprint
        and (kinds := {one.kind for one in shown})
        and (content := home.contents.get(name)) is not None
        and content.kind in kinds
        and file.fingerprint not in {one.fingerprint for one in shown}
    )


def fits_on_disk(meeting: Meeting, case: Case) -> bool:
    """Whether a certificate that stands on the disk, but is not presented, is one that the records were published for."""
    home = case.household
    if home is None:
        return False
    fingerprints = {file.fingerprint for file in unread(case)}
    chains = [one.chain for one in home.facts.generations.values() if one.chain.fingerprint in fingerprints]
    return any(chain.matches(record) for chain in chains for record in meeting.usable)


def _presentations(case: Case, service: str) -> tuple[Presentation, ...]:
    view = case.snapshot.services.get(service)
    return view.presentations if view else ()


def _awaited(case: Case, target: str) -> RRset:
    """What the DNS backend has already: its servers are late (F-RESIGN), so it is not lost."""
    held = case.snapshot.held.get(target)
    return held.records if held is not None and held.records is not None else EMPTY
