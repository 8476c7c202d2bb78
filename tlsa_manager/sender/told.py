"""What resolvers tell senders of TLSA, and by which base domain senders go then (RFC 7671 §7, RFC 7672 §2.1, §2.2.3). Pure.

The servers of a zone may differ, and each answer is some sender's: where one has no records the next base domain counts for
those who asked it, whatever another server has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.security import Cause, Security
from tlsa_manager.sender.route import FAILED
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import OwnerView
    from tlsa_manager.tlsa import RRset

    Views = Mapping[str, OwnerView]


@dataclass(frozen=True, slots=True)
class Told:
    """What some resolver may tell a sender about an owner.

    `records` None: the lookup fails; `lost`: but only from here, since nobody was asked who could tell.
    """

    records: RRset | None
    security: Security
    why: str = ""
    lost: bool = False

    @property
    def final(self) -> bool:
        """Whether a sender stays with it: secure records, or a failure. From anything else it goes on to the next base domain."""
        return self.records is None or bool(self.records and self.security is Security.SECURE)


def told(view: OwnerView | None) -> tuple[Told, ...]:
    """Return what resolvers may tell of an owner, as its servers answer: each different answer once; a failure if none does."""
    if view is None:
        return (Told(None, Security.INDETERMINATE, "it was not looked up", lost=True),)
    lost = _is_untold(view) and (view.witness is None or view.witness.security is not Security.BOGUS)
    heard = [one for one in view.answers if one.records is not None]
    if not heard or view.cause is Cause.LOOP:
        why = view.problem or "; ".join(dict.fromkeys(f"{one.place} {one.reason}" for one in view.answers))
        return (Told(None, Security.INDETERMINATE, why, lost),)
    lost = lost and all(one.security in FAILED for one in heard)
    found = (Told(None if one.security in FAILED else one.records, one.security, one.reason, lost) for one in heard)
    return tuple(dict.fromkeys(found))


def asked(stop: Stop, views: Views) -> tuple[str, ...]:
    """Return the owners that some sender asks for: each base domain up to the one from which nobody goes on."""
    for place, owner in enumerate(stop.owners, 1):
        if all(one.final for one in told(views.get(owner))):
            return stop.owners[:place]
    return stop.owners


def ends(stop: Stop, views: Views) -> tuple[tuple[str, Told], ...]:
    """Return where senders may end up: an owner, and what they are told there; each combination of answers is one of these.

    Who finds nothing secure at any base domain ends up at the first that has records at all, or at the last.
    """
    owners = asked(stop, views)
    answers = [(owner, one) for owner in owners for one in told(views.get(owner))]
    found = [end for end in answers if end[1].final]
    if any(owner == owners[-1] and not one.final for owner, one in answers):
        last = _with_records(owners, views)
        found.append(next((owner, one) for owner, one in answers if owner == last and not one.final))
    return tuple(found)


def in_use(stop: Stop, views: Views) -> str:
    """Return the TLSA owner that senders go by, if the servers agree: where they do not, the first that some sender goes by."""
    return next((owner for owner, one in ends(stop, views) if one.final), _with_records(stop.owners, views))


def _with_records(owners: tuple[str, ...], views: Views) -> str:
    last = owners[-1] if owners else ""
    return next((one for one in owners if one in views and any(answer.records for answer in views[one].answers)), last)


def _is_untold(view: OwnerView) -> bool:
    """Whether nobody was asked who could tell, neither a server nor a resolver that validates, or we cannot judge the answers."""
    ours = (Cause.RESOLVER, Cause.ANCHOR)
    return view.cause is Cause.LOST or any(one.cause in ours and one.security in FAILED for one in view.answers)
