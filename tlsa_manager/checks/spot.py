"""One TLSA owner as senders meet it: the records there, and what the services that go by it present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.security import Security
from tlsa_manager.sender.agility import usable
from tlsa_manager.sender.delivery import Delivery
from tlsa_manager.sender.judge import SENDERS
from tlsa_manager.snapshot import Outcome
from tlsa_manager.tlsa import Tlsa
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.chain import Chain
    from tlsa_manager.checks.case import Case
    from tlsa_manager.sender.delivery import Verdict
    from tlsa_manager.sender.route import Stop
    from tlsa_manager.service import Service
    from tlsa_manager.snapshot import Answer, OwnerView, Presentation
    from tlsa_manager.tlsa import RRset


@dataclass(frozen=True, slots=True)
class Spot:
    """One owner in use.

    `stops`: those that go by it; `met`: every chain that a conforming sender was shown there, and where; `now`: of the look.
    """

    view: OwnerView
    stops: tuple[Stop, ...]
    verdicts: tuple[Verdict, ...]
    met: tuple[tuple[Stop, Presentation], ...]
    now: float

    @property
    def services(self) -> tuple[Service, ...]:
        """The services that go by this owner."""
        return tuple(one.service for one in self.stops)

    @property
    def seen(self) -> tuple[Presentation, ...]:
        """Every chain that a conforming sender was shown."""
        return tuple(one for _, one in self.met)

    @property
    def owner(self) -> str:
        """The TLSA name as a sender asks for it, before aliases."""
        return self.view.owner

    @property
    def target(self) -> str:
        """The name at which the records are to be changed: the owner after aliases."""
        return self.view.target or self.view.owner

    @property
    def records(self) -> RRset:
        """All records that any server answers."""
        return frozenset[Tlsa]().union(*(one.records for one in self.view.answers if one.records))

    @property
    def binding(self) -> RRset:
        """The records that senders are bound by: those of signed answers; without any, all, as if they were signed.

        What a bogus answer holds nobody uses, and what an unsigned one holds binds nobody.
        """
        return frozenset[Tlsa]().union(*(one.records for one in self._signed if one.records)) or self.records

    @property
    def promised(self) -> bool:
        """Whether some signed answer promises TLS to senders (RFC 7672 §2.2): what another server says takes nothing back."""
        return bool(self._signed)

    @property
    def _signed(self) -> tuple[Answer, ...]:
        return tuple(one for one in self.view.answers if one.records and one.security is Security.SECURE)

    @property
    def ttl(self) -> int:
        """The largest TTL of the records, in seconds."""
        return max((one.ttl for one in self.view.answers if one.records), default=3600)

    @property
    def smtp(self) -> bool:
        """Whether senders of mail come here, for whom usages 0 and 1 are unusable (RFC 7672 §3.1.3)."""
        return any(one.opportunistic for one in self.services)

    @property
    def chains(self) -> tuple[Chain, ...]:
        """What is presented, each chain once."""
        return tuple(dict.fromkeys(one.chain for one in self.seen if one.chain))

    @property
    def certificates(self) -> tuple[tuple[bytes, ...], ...]:
        """What is presented as DER, leaf first, each chain once."""
        return tuple(dict.fromkeys(one.certificates for one in self.seen if one.certificates))

    def usable(self) -> RRset:
        """The records that a sender acts on."""
        return usable(self.binding, smtp=self.smtp)

    def selects(self, record: Tlsa) -> bool:
        """Whether a record's data is made of something presented, in the place that its usage means (RFC 7671 §5).

        Names, dates and signatures, which count for usages 0, 1 and 2, are not looked at: they are not the record's fault.
        """
        weighed = (each for one in self.verdicts for each in one.records)
        return any(_selects(record, chain) for chain in self.chains) or any(
            each.record == record and each.matches
            for each in weighed  # an anchor that is whole in DNS need not be presented
        )

    @property
    def mismatched(self) -> bool:
        """Whether mail is deferred because no record matches anything that is presented."""
        return bool(self.deferred and self.promised and self.chains and self.usable() and not self.selected)

    @property
    def deferred(self) -> bool:
        """Whether senders that go by this owner keep mail, for whatever reason."""
        return any(one.outcome is Delivery.DEFER for one in self.verdicts)

    @property
    def selected(self) -> bool:
        """Whether some record that senders use is made of something presented."""
        return any(map(self.selects, self.usable()))


def spots(case: Case) -> tuple[Spot, ...]:
    """Return the owners that senders go by for this target and that have records, in the order of the route."""
    stops = {str(one.service): one for one in case.route.stops}
    found = []
    for owner in dict.fromkeys(one.owner for one in case.verdicts):
        view = case.snapshot.owners.get(owner)
        verdicts = tuple(one for one in case.verdicts if one.owner == owner)
        if view is not None and any(one.records for one in view.answers):
            names = tuple(dict.fromkeys(one.service for one in verdicts))
            here = tuple(stops[name].by(owner) for name in names if name in stops)
            met = tuple((one, seen) for one in here for service, seen in presented(case) if service == one.service)
            found.append(Spot(view, here, verdicts, met, case.now))
    return tuple(found)


def presented(case: Case) -> Iterator[tuple[Service, Presentation]]:
    """Give every chain that a conforming sender was shown, with the service that showed it."""
    for service in dict.fromkeys(one.service for one in case.route.stops):
        view = case.snapshot.services.get(str(service))
        for one in view.presentations if view else ():
            if one.outcome is Outcome.PRESENTED and one.client in SENDERS:
                yield service, one


def _selects(record: Tlsa, chain: Chain) -> bool:
    place = chain.certificates[:1] if record.usage in {1, 3} else chain.certificates[1:]
    return any(one.matches(record) for one in place)
