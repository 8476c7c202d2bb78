"""What senders meet: one service at one address, with all that was tried there, and which of it no record fits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.checks.records.readings import readings
from tlsa_manager.checks.spot import Spot, spots
from tlsa_manager.finding import Severity
from tlsa_manager.sender.agility import usable
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import SENDERS
from tlsa_manager.sender.weigh import weigh
from tlsa_manager.snapshot import Outcome
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlsa_manager.checks.case import Case
    from tlsa_manager.sender.delivery import Verdict
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.snapshot import Conversation, Presentation
    from tlsa_manager.tlsa import RRset, Tlsa


@dataclass(frozen=True, slots=True)
class Meeting:
    """One service at one address. `spot`: the TLSA owner that senders go by, None where it has no records."""

    stop: Stop
    verdict: Verdict
    presentations: tuple[Presentation, ...]
    conversations: tuple[Conversation, ...]
    spot: Spot | None
    now: float

    @property
    def place(self) -> str:
        """The service and the address as a person names them: `mx.example.org:25 (192.0.2.1)`."""
        return f"{self.verdict.service} ({self.verdict.address})" if self.verdict.address else self.verdict.service

    @property
    def promised(self) -> bool:
        """Whether signed TLSA records promise TLS to senders (RFC 7672 §2.2)."""
        return self.spot is not None and self.spot.promised

    @property
    def deferred(self) -> bool:
        """Whether senders do not deliver here because of what they meet, rather than of what DNS tells them."""
        return self.promised and self.verdict.outcome is Delivery.DEFER

    @property
    def usable(self) -> RRset:
        """The records that a sender acts on."""
        return usable(self.spot.binding, smtp=self.stop.service.opportunistic) if self.spot else frozenset()

    def by(self, *clients: str) -> tuple[Presentation, ...]:
        """What these kinds of clients met."""
        return tuple(one for one in self.presentations if one.client in clients)

    def shown(self, *clients: str) -> tuple[Presentation, ...]:
        """What these kinds of clients (none: all that conforming senders are) were presented."""
        return tuple(one for one in self.by(*(clients or SENDERS)) if one.outcome is Outcome.PRESENTED and one.chain)

    def fits(self, seen: Presentation, records: Iterable[Tlsa] | None = None) -> bool:
        """Whether some usable record, or one of these, matches what was presented."""
        wanted = self.usable if records is None else usable(frozenset(records), smtp=self.stop.service.opportunistic)
        return any(one.matches for one in weigh(wanted, seen, self.stop, self.now, unexamined=True).values())

    def unmatched(self, *clients: str) -> tuple[Presentation, ...]:
        """What was presented to these clients, and no record fits; nothing where no record is usable."""
        return tuple(one for one in self.shown(*clients) if not self.fits(one)) if self.usable else ()

    @property
    def severity(self) -> Severity:
        """How bad it is that something presented here fits no record: mail is deferred, or it would be were the zone signed."""
        return Severity.CRITICAL if self.deferred else Severity.ERROR


def meetings(case: Case) -> tuple[Meeting, ...]:
    """Return all services and addresses of the target, in the order of the route."""
    stops = {str(one.service): one for one in case.route.stops}
    here = {one.owner: one for one in spots(case)}
    return tuple(
        _meeting(case, stops[verdict.service].by(verdict.owner), verdict, here.get(verdict.owner))
        for verdict in case.verdicts
        if verdict.service in stops
    )


def _meeting(case: Case, stop: Stop, verdict: Verdict, spot: Spot | None) -> Meeting:
    view = case.snapshot.services.get(verdict.service)
    seen = tuple(one for one in view.presentations if one.address == verdict.address) if view else ()
    said = tuple(one for one in view.conversations if one.address == verdict.address) if view else ()
    return Meeting(stop, verdict, seen, said, spot, case.now)


def leaves(case: Case) -> Iterator[tuple[Meeting, Presentation]]:
    """Yield what senders are presented, each certificate once for each service and address."""
    for meeting in meetings(case):
        seen: dict[str, Presentation] = {}
        for one in meeting.shown():
            if one.chain is not None:
                seen.setdefault(one.chain.fingerprint, one)
        yield from ((meeting, one) for one in seen.values())


def is_explained(meeting: Meeting, case: Case) -> bool:
    """Whether a record that senders use is the right one, but wrongly made: then that is the cause, with a code of its own.

    Not where some record is of what is presented: then the cause is why that one does not help (names, dates, the path).
    """
    spot = meeting.spot
    return spot is not None and not spot.selected and any(one in spot.usable() for one in readings(spot, case))
