"""What a check sees: one target, the one look at it, and what senders do because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.sender.delivery import Delivery, worst
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from tlsa_manager.household import Household
    from tlsa_manager.sender.delivery import Verdict
    from tlsa_manager.sender.route import Route
    from tlsa_manager.snapshot import Snapshot
    from tlsa_manager.surroundings import Lookup
    from tlsa_manager.target import Target


@dataclass(frozen=True, slots=True)
class Case:
    """One target to judge at one moment (`now`, seconds since 1970).

    `route`: the hosts and services a sender comes to for it; `verdicts`: one a service and address; `household`: what this
    machine's own configuration and journal say about it, for a lineage.
    """

    target: Target
    snapshot: Snapshot
    route: Route
    verdicts: tuple[Verdict, ...]
    now: float
    household: Household | None = None

    @property
    def outcome(self) -> Delivery:
        """What becomes of mail to the target: the weakest server counts, of those that can be reached, if any can."""
        reached = [one.outcome for one in self.verdicts if one.reached]
        return worst([self.route.outcome, *(reached or (one.outcome for one in self.verdicts))])

    @property
    def why(self) -> str:
        """One sentence for the outcome."""
        if self.route.outcome is self.outcome:
            return self.route.why
        return next((one.why for one in self.verdicts if one.outcome is self.outcome), "")

    def lookup(self, name: str, rdtype: str) -> Lookup | None:
        """Return what was answered to a question, None if it was not asked. `name` with or without its final dot."""
        return self.snapshot.lookups.get((name.rstrip(".").lower() + ".", rdtype))
